#include "hsm/softkey.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/fakes/temporary_directory.h"

namespace agentca::hsm {
namespace {

class SoftKeyFile : public testing::Test {
 protected:
  const fakes::TemporaryDirectory directory_;
};

TEST_F(SoftKeyFile, IsWrittenForItsOwnerOnly) {
  ASSERT_TRUE(WriteSoftKey(CaKeyType::kP256, directory_ / "key.pem").ok());
  struct stat info {};
  ASSERT_EQ(stat((directory_ / "key.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_TRUE(OpenSoftKey(directory_ / "key.pem").ok());
}

TEST_F(SoftKeyFile, IsNeverOverwritten) {
  ASSERT_TRUE(WriteSoftKey(CaKeyType::kP256, directory_ / "key.pem").ok());
  const Bytes before = OpenSoftKey(directory_ / "key.pem").value()->public_key().spki();
  const auto again = WriteSoftKey(CaKeyType::kP256, directory_ / "key.pem");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kConflict);
  EXPECT_EQ(OpenSoftKey(directory_ / "key.pem").value()->public_key().spki(), before);
}

TEST_F(SoftKeyFile, ThatIsMissingOrNoKeyIsUnavailable) {
  EXPECT_EQ(OpenSoftKey(directory_ / "none.pem").error().code, Code::kUnavailable);
  std::ofstream(directory_ / "text.pem") << "not a key\n";
  EXPECT_EQ(OpenSoftKey(directory_ / "text.pem").error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace agentca::hsm
