// The part of the contracts about nodes that share a store: who may take up whose work, and that
// who has lost it can do no harm.
#pragma once

#include "tests/contract/acme_authorizations_contract.h"
#include "tests/contract/approval_contract.h"
#include "tests/fakes/eventually.h"

namespace agentca::contract {

using ca::WorkScope;
using std::chrono::milliseconds;

// `backend_` is node one.
class SharedStore : public ApprovalStore {
 protected:
  SharedStore() {
    backend_ = Open("one");
    EXPECT_OK(backend_->leases().Enter(ca::kLeaseLife));
    EXPECT_OK(two_->leases().Enter(ca::kLeaseLife));
  }
  std::unique_ptr<storage::Backend> Open(const ca::NodeId& node) {
    return storage::Open(uri_, storage::OpenMode::kCreate, node).value();
  }
  // Node one stands still for longer than its lease.
  void LoseLease() { EXPECT_OK(backend_->leases().Beat(milliseconds(1))); }

  using Challenges = std::vector<acme::AuthorizationId>;
  Challenges ClaimedBy(storage::Backend& node, size_t limit = 10) {
    Challenges ids;
    const auto claimed = node.acme().ClaimChallenges(WorkScope::kDead, limit);
    EXPECT_OK(claimed);
    for (const auto& each : *claimed) ids.push_back(each.authorization.id);
    return ids;
  }
  std::vector<acme::OrderId> OrdersClaimedBy(storage::Backend& node, Time at) {
    return node.acme().ClaimOrders(WorkScope::kDead, at, 10).value();
  }
  std::vector<acme::OrderId> OrdersClaimedBy(storage::Backend& node) {
    return OrdersClaimedBy(node, now());
  }
  acme::AuthorizationId BegunByOne() {
    const acme::AuthorizationId id = Place(account_.id).authorizations[0].id;
    EXPECT_OK(store().BeginChallenge(id, ChallengeType::kHttp01, {}, now()));
    return id;
  }

  const std::unique_ptr<storage::Backend> two_ = Open("two");
};

TEST_P(SharedStore, TheWorkOfALiveNodeIsItsOwn) {
  (void)BegunByOne();
  (void)PlaceProcessing(account_.id);
  EXPECT_TRUE(ClaimedBy(*two_).empty());
  EXPECT_TRUE(OrdersClaimedBy(*two_).empty());
  EXPECT_TRUE(two_->acme().ClaimChallenges(WorkScope::kOwnAndDead, 10)->empty());
  EXPECT_TRUE(two_->acme().ClaimOrders(WorkScope::kOwnAndDead, now(), 10)->empty());
  EXPECT_TRUE(two_->certificates().ListIntents(WorkScope::kOwnAndDead, 10)->empty());
  EXPECT_EQ(ProcessingChallenges().size(), 1U);
}

TEST_P(SharedStore, TheWorkOfADeadNodeIsClaimedOnce) {
  const acme::AuthorizationId id = BegunByOne();
  const auto three = Open("three");
  ASSERT_OK(three->leases().Enter(ca::kLeaseLife));
  LoseLease();
  Challenges claimed;
  ASSERT_TRUE(fakes::Eventually([&] { return !(claimed = ClaimedBy(*two_)).empty(); }));
  EXPECT_EQ(claimed, Challenges{id});
  EXPECT_TRUE(ClaimedBy(*two_).empty());
  EXPECT_TRUE(ClaimedBy(*three).empty()) << "node two lives";
  EXPECT_OK(two_->leases().Leave());
  EXPECT_EQ(ClaimedBy(*three), Challenges{id});
}

TEST_P(SharedStore, AClaimTakesAsManyAsItIsToldTo) {
  for (int i = 0; i < 3; ++i) (void)BegunByOne();
  EXPECT_OK(backend_->leases().Leave());
  EXPECT_EQ(ClaimedBy(*two_, 2).size(), 2U);
  EXPECT_EQ(ClaimedBy(*two_, 2).size(), 1U);
}

TEST_P(SharedStore, AProcessNeverClaimsItsOwnWorkAsThatOfTheDead) {
  (void)BegunByOne();
  EXPECT_OK(backend_->leases().Leave());
  EXPECT_TRUE(ClaimedBy(*backend_).empty());
  EXPECT_EQ(ProcessingChallenges().size(), 1U);
}

TEST_P(SharedStore, ANewProcessOfANodeClaimsWhatTheOneBeforeBegan) {
  const acme::AuthorizationId id = BegunByOne();
  const auto again = Open("one");
  EXPECT_TRUE(ClaimedBy(*again).empty()) << "it may be alive";
  ASSERT_OK(again->leases().Enter(ca::kLeaseLife));
  EXPECT_EQ(ClaimedBy(*again), Challenges{id});
}

TEST_P(SharedStore, OfManyNodesThatClaimEachGetsItsOwnShare) {
  Challenges begun;
  for (int i = 0; i < 20; ++i) begun.push_back(BegunByOne());
  EXPECT_OK(backend_->leases().Leave());
  std::vector<std::unique_ptr<storage::Backend>> nodes;
  std::vector<Challenges> claimed(4);
  for (int i = 0; i < 4; ++i) {
    nodes.push_back(Open("n" + std::to_string(i)));
    ASSERT_OK(nodes.back()->leases().Enter(ca::kLeaseLife));
  }
  std::vector<std::thread> threads;
  for (size_t i = 0; i < nodes.size(); ++i)
    threads.emplace_back([&, i] { claimed[i] = ClaimedBy(*nodes[i], 20); });
  for (std::thread& each : threads) each.join();
  Challenges all;
  for (const Challenges& each : claimed) all.insert(all.end(), each.begin(), each.end());
  for (const Challenges late = ClaimedBy(*two_, 20); const auto& id : late) all.push_back(id);
  std::sort(all.begin(), all.end());
  std::sort(begun.begin(), begun.end());
  EXPECT_EQ(all, begun) << "all of them, and none twice";
}

TEST_P(SharedStore, AZombieFinishesNoChallenge) {
  const acme::AuthorizationId id = BegunByOne();
  LoseLease();
  ASSERT_TRUE(fakes::Eventually([&] { return !ClaimedBy(*two_).empty(); }));
  EXPECT_FAILS(Code::kConflict, store().RecordRetry(id, OddError()));
  EXPECT_FAILS(Code::kConflict, store().FinishChallenge(id, OddError(), now()));
  EXPECT_FALSE(store().FindAuthorization(id)->attempt->error);
  EXPECT_OK(two_->acme().FinishChallenge(id, acme::Proof{}, now()));
  EXPECT_FAILS(Code::kConflict, store().FinishChallenge(id, OddError(), now()));
  EXPECT_EQ(store().FindAuthorization(id)->attempt->state, AttemptState::kValid);
}

TEST_P(SharedStore, AnyNodeMayDeactivateWhatAnotherWorksOn) {
  const acme::AuthorizationId id = BegunByOne();
  EXPECT_OK(two_->acme().DeactivateAuthorization(id, now()));
  EXPECT_FAILS(Code::kConflict, store().FinishChallenge(id, acme::Proof{}, now()));
}

TEST_P(SharedStore, AZombieFinishesNoOrder) {
  const acme::OrderId id = PlaceReady(account_.id).order.id;
  ca::Ticket ticket = NewTicket(id);
  ASSERT_OK(store().BeginFinalize(id, ticket, {}, now()));
  const ca::Certificate certificate = issuer_.issuer->Issue(std::move(ticket)).value();
  LoseLease();
  std::vector<acme::OrderId> claimed;
  ASSERT_TRUE(fakes::Eventually([&] { return !(claimed = OrdersClaimedBy(*two_)).empty(); }));
  EXPECT_EQ(claimed, std::vector<acme::OrderId>{id});
  EXPECT_FAILS(Code::kConflict, Complete(id, certificate));
  EXPECT_FAILS(Code::kConflict, store().FinishOrder(id, OddError()));
  EXPECT_EQ(StateOf(certificate.serial), ca::SerialState::kIntent) << "nothing was recorded";
  const auto intents = two_->certificates().ListIntents(WorkScope::kDead, 10);
  ASSERT_EQ(intents->size(), 1U);
  EXPECT_EQ(intents->front().serial, certificate.serial);
  ASSERT_OK(two_->certificates().Abandon(issuer_.issuer->id(), certificate.serial, now()));
  EXPECT_FAILS(Code::kConflict,
               backend_->certificates().RecordCertificate(certificate, issuer_.issuer->id()));
  EXPECT_OK(two_->acme().FinishOrder(id, OddError()));
  EXPECT_EQ(StatusOfOrder(id), OrderStatus::kInvalid);
}

TEST_P(SharedStore, ANodeThatComesBackInTimeGoesOn) {
  const acme::OrderId id = PlaceReady(account_.id).order.id;
  ca::Ticket ticket = NewTicket(id);
  ASSERT_OK(store().BeginFinalize(id, ticket, {}, now()));
  EXPECT_OK(backend_->leases().Leave());
  EXPECT_OK(backend_->leases().Beat(ca::kLeaseLife));
  EXPECT_TRUE(OrdersClaimedBy(*two_).empty());
  EXPECT_OK(Complete(id, issuer_.issuer->Issue(std::move(ticket)).value()));
  EXPECT_EQ(StatusOfOrder(id), OrderStatus::kValid);
}

TEST_P(SharedStore, AnOrderThatWaitsForAHumanIsNobodysWork) {
  const ca::Agent agent = AddAgent();
  const acme::OrderId id = PlaceWaiting(agent);
  EXPECT_OK(backend_->leases().Leave());
  EXPECT_TRUE(OrdersClaimedBy(*two_).empty());
  ASSERT_OK(Decide(id, acme::Decision::kGranted));
  EXPECT_EQ(OrdersClaimedBy(*two_), std::vector<acme::OrderId>{id});
  EXPECT_TRUE(OrdersClaimedBy(*backend_).empty()) << "node two is at it";
  EXPECT_FAILS(Code::kOrderNotReady, BeginApproved(id, agent));
  EXPECT_FALSE(HasIntent(id));
  EXPECT_OK(two_->acme().BeginApproved(id, NewTicket(id), GuardOf(agent), now()));
}

TEST_P(SharedStore, AnOrderThatExpiresWhileItWaitsIsClaimed) {
  const acme::OrderId id = PlaceWaiting(AddAgent());
  const Time expires_at = store().FindOrder(id)->order.expires_at;
  EXPECT_TRUE(OrdersClaimedBy(*two_, expires_at - Seconds(1)).empty());
  EXPECT_EQ(OrdersClaimedBy(*two_, expires_at), std::vector<acme::OrderId>{id});
  EXPECT_FAILS(Code::kConflict, store().FinishOrder(id, OddError()));
  EXPECT_OK(two_->acme().FinishOrder(id, OddError()));
}

}  // namespace agentca::contract
