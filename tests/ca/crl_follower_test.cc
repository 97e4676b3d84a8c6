#include "ca/crl_follower.h"

#include <gtest/gtest.h>

#include "ca/base/file.h"
#include "ca/crl_publisher.h"
#include "tests/fakes/command.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/fake_certificate_store.h"
#include "tests/fakes/fake_cluster.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/plain_pki.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::ca {
namespace {

class Follower : public testing::Test {
 protected:
  void Publish() { ASSERT_TRUE(publisher_.PublishNow().ok()); }
  uint64_t Published() const { return publisher_.current()->summary.number; }
  uint64_t Followed() const {
    const auto current = follower_.current();
    return current ? current->summary.number : 0;
  }

  fakes::ManualClock clock_;
  fakes::FakeCertificateStore store_;
  fakes::PlainIssuer issuer_{clock_.Now()};
  fakes::TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_ / "ca.crl";
  fakes::LeaseBook book_;
  fakes::FakeLeases leases_{book_, "node"};
  fakes::FakeDocuments documents_;
  const CrlPublisher::Shared shared_{store_, leases_, documents_};
  CrlPublisher publisher_{issuer_.info, issuer_.signer, shared_, clock_, {}, file_};
  CrlFollower follower_{issuer_.info.id, issuer_.signer.public_key(), MakeCrlFile(file_),
                        std::chrono::milliseconds(1)};
};

TEST_F(Follower, HasNothingBeforeTheFirstPublication) {
  EXPECT_EQ(follower_.LookNow().error().code, Code::kNotFound);
  EXPECT_EQ(follower_.current(), nullptr);
}

TEST_F(Follower, TakesUpEachListThatIsPublished) {
  for (int i = 0; i < 3; ++i) {
    Publish();
    ASSERT_TRUE(follower_.LookNow().ok());
    EXPECT_EQ(Followed(), Published());
    EXPECT_EQ(follower_.current()->der, publisher_.current()->der);
  }
}

TEST_F(Follower, FollowsOnAThreadOfItsOwn) {
  follower_.Start();
  Publish();
  EXPECT_TRUE(fakes::Eventually([&] { return Followed() == Published(); }));
  Publish();
  EXPECT_TRUE(fakes::Eventually([&] { return Followed() == Published(); }));
}

TEST_F(Follower, KeepsItsListWhenThePublishedOneIsDamagedForeignOrOlder) {
  Publish();
  const Bytes first = fakes::ReadWholeFile(file_);
  Publish();
  ASSERT_TRUE(follower_.LookNow().ok());
  Bytes damaged = fakes::ReadWholeFile(file_);
  damaged.back() ^= 1;
  fakes::PlainIssuer stranger{clock_.Now()};
  CrlPublisher foreign{stranger.info, stranger.signer, shared_, clock_, {}, directory_ / "foreign"};
  ASSERT_TRUE(foreign.PublishNow().ok());
  for (const Bytes& other : {damaged, first, foreign.current()->der, Bytes{}}) {
    ASSERT_TRUE(ReplaceFile(file_, other).ok());
    EXPECT_FALSE(follower_.LookNow().ok());
    EXPECT_EQ(Followed(), Published());
  }
  std::filesystem::remove(file_);
  EXPECT_FALSE(follower_.LookNow().ok());
  EXPECT_EQ(Followed(), Published());
}

TEST_F(Follower, FollowsWhatTheStoreShares) {
  CrlFollower follower{issuer_.info.id, issuer_.signer.public_key(),
                       MakeCrlDocument(documents_, issuer_.info.id), std::chrono::milliseconds(1)};
  EXPECT_EQ(follower.LookNow().error().code, Code::kNotFound);
  for (int i = 0; i < 2; ++i) {
    Publish();
    ASSERT_TRUE(follower.LookNow().ok());
    EXPECT_EQ(follower.current()->der, publisher_.current()->der);
  }
}

}  // namespace
}  // namespace agentca::ca
