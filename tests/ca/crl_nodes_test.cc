// Several nodes that publish the CRLs of one issuer: one makes them, none takes anything back.
#include <gtest/gtest.h>

#include "ca/crl_publisher.h"
#include "ca/signed_object.h"
#include "tests/fakes/command.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/fake_certificate_store.h"
#include "tests/fakes/fake_cluster.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/plain_pki.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::ca {
namespace {

using fakes::Eventually;
using fakes::FakeDocuments;

class CrlNodes : public testing::Test {
 protected:
  struct Node {
    Node(CrlNodes& world, const std::string& name)
        : leases(world.book_, name),
          file(world.directory_ / (name + ".crl")),
          publisher(world.issuer_.info, world.issuer_.signer,
                    {world.store_, leases, world.documents_}, world.clock_, {}, file) {}
    uint64_t number() const {
      const auto crl = publisher.current();
      return crl ? crl->summary.number : 0;
    }
    size_t entries() const { return publisher.current()->summary.entries; }
    fakes::FakeLeases leases;
    const std::filesystem::path file;
    CrlPublisher publisher;
  };

  void Revoke(const std::string& serial) {
    const Serial number = *Serial::FromHex(serial);
    store_.Add(issuer_.info.id, number, clock_.Now() + Seconds(86400));
    ASSERT_TRUE(store_.Revoke(issuer_.info.id, number, Reason::kSuperseded, clock_.Now()).ok());
  }
  // A sound list of this issuer, not published.
  Bytes MakeList(uint64_t number) {
    const Bytes tbs = CrlBuilder().Finish(issuer_.info, number, clock_.Now(),
                                          clock_.Now() + Seconds(3600));
    return MakeSigned(tbs, issuer_.signer).value();
  }

  fakes::ManualClock clock_;
  fakes::FakeCertificateStore store_;
  fakes::LeaseBook book_;
  FakeDocuments documents_;
  fakes::PlainIssuer issuer_{clock_.Now()};
  fakes::TemporaryDirectory directory_;
  const std::string name_ = "crl/" + issuer_.info.id;
  Node one_{*this, "one"}, two_{*this, "two"};
};

TEST_F(CrlNodes, OneMakesThemAndAllServeThem) {
  one_.publisher.Start();
  ASSERT_TRUE(Eventually([&] { return one_.number() == 1; }));
  two_.publisher.Start();
  ASSERT_TRUE(Eventually([&] { return two_.number() == 1; }));
  EXPECT_EQ(two_.publisher.current()->der, one_.publisher.current()->der);
  EXPECT_EQ(fakes::ReadWholeFile(two_.file), two_.publisher.current()->der);
  EXPECT_EQ(book_.HolderOf(name_), "one");
  Revoke("0a");
  two_.publisher.RequestPublication();  // its watcher was faster, but it is not its duty
  one_.publisher.RequestPublication();
  EXPECT_TRUE(Eventually([&] { return one_.entries() == 1 && two_.entries() == 1; }));
  EXPECT_EQ(one_.number(), two_.number());
}

TEST_F(CrlNodes, WhoComesToTheDutyMakesAListAtOnce) {
  book_.Give(name_, "a node that died");
  one_.publisher.Start();
  Revoke("0a");
  one_.publisher.RequestPublication();
  ASSERT_TRUE(Eventually([&] { return one_.leases.asked() > 0; }));
  EXPECT_EQ(one_.number(), 0u) << "another has the duty";
  book_.Free(name_, "a node that died");
  ASSERT_TRUE(Eventually([&] { return one_.number() == 1; }));
  EXPECT_EQ(one_.entries(), 1u);
}

TEST_F(CrlNodes, WhoEndsFreesTheDuty) {
  {
    Node three(*this, "three");
    three.publisher.Start();
    ASSERT_TRUE(Eventually([&] { return three.number() == 1; }));
  }
  EXPECT_EQ(book_.HolderOf(name_), "");
}

TEST_F(CrlNodes, WhoseClockWasAheadOnceLeavesTheDutyToOthers) {
  clock_.Leap(Seconds(86400));
  ASSERT_TRUE(one_.publisher.PublishNow().ok());
  clock_.Leap(Seconds(-86400));
  Node again(*this, "one");  // remembers a list that is newer than its clock
  again.publisher.Start();
  ASSERT_TRUE(Eventually([&] { return again.leases.asked() > 0; }));
  two_.publisher.Start();
  ASSERT_TRUE(Eventually([&] { return two_.number() == 2; }));
  EXPECT_EQ(book_.HolderOf(name_), "two");
  EXPECT_TRUE(Eventually([&] { return again.number() == 2; })) << "it serves what the other made";
}

TEST_F(CrlNodes, WhoCannotSignLeavesTheDutyToOthersAndTriesAgain) {
  issuer_.signer.Fail(fakes::SignerFault::kUnavailable);
  one_.publisher.Start();
  ASSERT_TRUE(Eventually([&] { return issuer_.signer.calls() >= 1; }));
  ASSERT_TRUE(Eventually([&] { return book_.HolderOf(name_).empty(); }));
  ASSERT_TRUE(Eventually([&] { return issuer_.signer.calls() >= 2; })) << "nobody took it";
  issuer_.signer.Fail(fakes::SignerFault::kNone);
  EXPECT_TRUE(Eventually([&] { return one_.number() > 0; }));
}

TEST_F(CrlNodes, ARevocationIsNeverTakenOffTheListAgain) {
  ASSERT_TRUE(one_.publisher.PublishNow().ok());
  // Node one has read what is revoked, and stands still; meanwhile others go on.
  documents_.SetBeforePut([&] {
    Revoke("0a");
    EXPECT_TRUE(two_.publisher.PublishNow().ok());
  });
  EXPECT_EQ(one_.publisher.PublishNow().error().code, Code::kConflict);
  EXPECT_EQ(one_.number(), 1u);
  ASSERT_TRUE(one_.publisher.Adopt().ok());
  EXPECT_EQ(one_.entries(), 1u);
  ASSERT_TRUE(one_.publisher.PublishNow().ok());
  EXPECT_EQ(one_.entries(), 1u);
  EXPECT_GT(one_.number(), two_.number());
}

TEST_F(CrlNodes, NumbersRiseWhoeverMakesTheLists) {
  uint64_t last = 0;
  for (Node* node : {&one_, &two_, &two_, &one_, &two_}) {
    ASSERT_TRUE(node->publisher.PublishNow().ok());
    EXPECT_GT(node->number(), last);
    last = node->number();
  }
}

TEST_F(CrlNodes, AListOfWhichTheStoreCouldNotSayIsAdoptedWhenItIsThere) {
  documents_.SetFault(FakeDocuments::Fault::kFailsButPersists);
  EXPECT_FALSE(one_.publisher.PublishNow().ok());
  EXPECT_EQ(one_.publisher.current(), nullptr) << "nobody may see what may not be there";
  documents_.SetFault(FakeDocuments::Fault::kNone);
  ASSERT_TRUE(one_.publisher.Adopt().ok());
  EXPECT_EQ(one_.number(), 1u);
  ASSERT_TRUE(one_.publisher.PublishNow().ok());
  EXPECT_EQ(one_.number(), 2u);
}

TEST_F(CrlNodes, AListThatIsNotTheIssuersIsNotServedAndIsReplaced) {
  ASSERT_TRUE(one_.publisher.PublishNow().ok());
  ASSERT_TRUE(two_.publisher.Adopt().ok());
  Bytes damaged = MakeList(7);
  damaged[damaged.size() / 2] ^= 1;
  documents_.Plant(name_, {7, damaged});
  EXPECT_EQ(two_.publisher.Adopt().error().code, Code::kInternal);
  EXPECT_EQ(two_.number(), 1u);
  documents_.Plant(name_, {9, MakeList(8)});
  EXPECT_EQ(two_.publisher.Adopt().error().code, Code::kInternal) << "its number is another";
  EXPECT_EQ(two_.number(), 1u);
  ASSERT_TRUE(two_.publisher.PublishNow().ok());
  EXPECT_GT(two_.number(), 9u);
}

TEST_F(CrlNodes, AnOlderListNeverReplacesWhatIsServed) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(one_.publisher.PublishNow().ok());
  documents_.Plant(name_, {2, MakeList(2)});  // a backup was restored
  ASSERT_TRUE(one_.publisher.Adopt().ok());
  EXPECT_EQ(one_.number(), 3u);
  store_.SetNextCrlNumber(3);
  ASSERT_TRUE(one_.publisher.PublishNow().ok());
  EXPECT_EQ(one_.number(), 4u);
}

TEST_F(CrlNodes, TheStoreIsToldOfNumbersThatItForgot) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(one_.publisher.PublishNow().ok());
  documents_.Plant(name_, {1, MakeList(1)});
  store_.SetNextCrlNumber(2);
  ASSERT_TRUE(one_.publisher.Adopt().ok());  // node one has seen the third
  ASSERT_TRUE(two_.publisher.PublishNow().ok());
  EXPECT_GT(two_.number(), 3u);
  ASSERT_TRUE(one_.publisher.Adopt().ok());
  EXPECT_EQ(one_.number(), two_.number());
}

TEST_F(CrlNodes, AStartServesTheFileAndThenTheNewest) {
  ASSERT_TRUE(one_.publisher.PublishNow().ok());
  ASSERT_TRUE(two_.publisher.PublishNow().ok());
  Node again(*this, "one");
  EXPECT_EQ(again.number(), 1u);
  ASSERT_TRUE(again.publisher.Adopt().ok());
  EXPECT_EQ(again.number(), 2u);
}

}  // namespace
}  // namespace agentca::ca
