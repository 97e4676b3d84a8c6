#include "ca/crl_follower.h"

#include <gtest/gtest.h>

#include "ca/crl_publisher.h"
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
  void Plant(uint64_t version, Bytes content) {
    documents_.Plant(CrlNameOf(issuer_.info.id), {static_cast<int64_t>(version), std::move(content)});
  }

  fakes::ManualClock clock_;
  fakes::FakeCertificateStore store_;
  fakes::PlainIssuer issuer_{clock_.Now()};
  fakes::TemporaryDirectory directory_;
  fakes::LeaseBook book_;
  fakes::FakeLeases leases_{book_, "node"};
  fakes::FakeDocuments documents_;
  const CrlPublisher::Shared shared_{store_, leases_, documents_};
  CrlPublisher publisher_{issuer_.info, issuer_.signer,       shared_, clock_,
                          {},           directory_ / "ca.crl"};
  CrlFollower follower_{issuer_.info.id, issuer_.signer.public_key(), documents_,
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
  for (int i = 0; i < 2; ++i) {
    Publish();
    EXPECT_TRUE(fakes::Eventually([&] { return Followed() == Published(); }));
  }
}

TEST_F(Follower, KeepsItsListWhenTheSharedOneIsDamagedForeignOrOlder) {
  Publish();
  const Bytes first = publisher_.current()->der;
  Publish();
  ASSERT_TRUE(follower_.LookNow().ok());
  const uint64_t number = Followed();
  fakes::PlainIssuer stranger{clock_.Now()};
  CrlPublisher foreign{stranger.info, stranger.signer, shared_, clock_, {}, directory_ / "foreign"};
  ASSERT_TRUE(foreign.PublishNow().ok());
  Bytes damaged = publisher_.current()->der;
  damaged.back() ^= 1;
  uint64_t version = number;
  for (const Bytes& other : {damaged, foreign.current()->der, publisher_.current()->der, Bytes{}}) {
    Plant(++version, other);
    EXPECT_FALSE(follower_.LookNow().ok());
    EXPECT_EQ(Followed(), number);
  }
  Plant(1, first);  // a store that was restored from a backup
  EXPECT_FALSE(follower_.LookNow().ok());
  EXPECT_EQ(Followed(), number);
}

TEST_F(Follower, KeepsItsListWhileTheStoreIsAway) {
  Publish();
  ASSERT_TRUE(follower_.LookNow().ok());
  documents_.SetFault(fakes::FakeDocuments::Fault::kFails);
  EXPECT_EQ(follower_.LookNow().error().code, Code::kUnavailable);
  EXPECT_EQ(Followed(), Published());
}

}  // namespace
}  // namespace agentca::ca
