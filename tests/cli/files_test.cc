#include "acme/cli/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "acme/cli/freshness.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::cli {
namespace {

mode_t ModeOf(const std::filesystem::path& file) {
  struct stat status {};
  EXPECT_EQ(::stat(file.c_str(), &status), 0);
  return status.st_mode & 07777;
}

TEST(WriteTextFile, ReplacesContentAndMode) {
  const fakes::TemporaryDirectory directory;
  const auto file = directory / "x";
  ASSERT_TRUE(WriteTextFile(file, "first", kPublicFile).ok());
  ASSERT_TRUE(WriteTextFile(file, "second", kSecretFile).ok());
  EXPECT_EQ(ReadTextFile(file).value(), "second");
  EXPECT_EQ(ModeOf(file), kSecretFile);
  EXPECT_FALSE(std::filesystem::exists(directory / "x.new"));
}

TEST(WriteTextFile, DoesNotFollowALinkLaidInItsWay) {
  const fakes::TemporaryDirectory directory;
  ASSERT_TRUE(WriteTextFile(directory / "victim", "intact", kSecretFile).ok());
  std::filesystem::create_symlink(directory / "victim", directory / "x.new");
  ASSERT_TRUE(WriteTextFile(directory / "x", "new", kPublicFile).ok());
  EXPECT_EQ(ReadTextFile(directory / "victim").value(), "intact");
  EXPECT_EQ(ReadTextFile(directory / "x").value(), "new");
}

TEST(WriteTextFile, NamesTheFileWhenItFails) {
  const auto status = WriteTextFile("/nonexistent/directory/x", "", kPublicFile);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().detail.find("/nonexistent/directory/x"), std::string::npos);
}

TEST(MakeDirectory, IsForItsOwnerAlone) {
  const fakes::TemporaryDirectory directory;
  ASSERT_TRUE(MakeDirectory(directory / "d").ok());
  EXPECT_EQ(ModeOf(directory / "d"), mode_t{0700});
  EXPECT_TRUE(MakeDirectory(directory / "d").ok());
  EXPECT_FALSE(MakeDirectory(directory / "no" / "parent").ok());
  ASSERT_TRUE(WriteTextFile(directory / "file", "", kPublicFile).ok());
  EXPECT_FALSE(MakeDirectory(directory / "file").ok());
}

TEST(FileLock, IsHeldByOneAtATime) {
  const fakes::TemporaryDirectory directory;
  const auto file = directory / "lock";
  EXPECT_FALSE(FileLock::IsHeld(file));
  {
    const auto lock = FileLock::Take(file, FileLock::Wait::kNo);
    ASSERT_TRUE(lock.ok());
    EXPECT_TRUE(FileLock::IsHeld(file));
    const auto second = FileLock::Take(file, FileLock::Wait::kNo);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::kConflict);
  }
  EXPECT_FALSE(FileLock::IsHeld(file));
  EXPECT_TRUE(FileLock::Take(file, FileLock::Wait::kNo).ok());
}

TEST(RemainingLife, GoesFromOneToNothing) {
  const Time from{Seconds{1000}};
  const Time to{Seconds{2000}};
  EXPECT_EQ(RemainingLife(from, to, from), 1);
  EXPECT_EQ(RemainingLife(from, to, Time{Seconds{1750}}), 0.25);
  EXPECT_EQ(RemainingLife(from, to, to), 0);
  EXPECT_EQ(RemainingLife(from, to, Time{Seconds{3000}}), 0);
  EXPECT_EQ(RemainingLife(from, to, Time{Seconds{0}}), 1);  // the clock is behind
  EXPECT_EQ(RemainingLife(to, from, from), 0);
}

}  // namespace
}  // namespace agentca::cli
