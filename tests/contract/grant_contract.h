// The part of the acme::Store contract about grants, and about writes that fail.
#pragma once

#include "tests/contract/approval_contract.h"
#include "tests/fakes/faulty_store.h"

namespace agentca::contract {

class GrantStore : public ApprovalStore {
 protected:
  acme::Grant Granted(const ca::Agent& agent) {
    acme::Grant grant = make_.NewGrant(agent);
    EXPECT_OK(store().RecordGrant(grant));
    return grant;
  }
  acme::Account AccountWith(const acme::Grant& grant, Time at) {
    acme::Account account = make_.NewAccount();
    account.grant = grant.key_id;
    account.created_at = at;
    return account;
  }
  acme::Account AccountWith(const acme::Grant& grant) { return AccountWith(grant, now()); }
  void ExpectRefused(const acme::Account& account) {
    EXPECT_FAILS(Code::kUnauthorized, store().CreateAccount({account}));
    EXPECT_FAILS(Code::kNotFound, store().FindAccount(account.id));
  }
};

TEST_P(GrantStore, AGrantIsFoundAsItWasRecorded) {
  const acme::Grant grant = Granted(AddAgent());
  const acme::Grant found = store().FindGrant(grant.key_id).value();
  EXPECT_EQ(found.key_id, grant.key_id);
  EXPECT_EQ(found.mac_key, grant.mac_key);
  EXPECT_EQ(found.created_at, grant.created_at);
  EXPECT_EQ(found.expires_at, grant.expires_at);
  ExpectSame(found.attestation, grant.attestation);
  EXPECT_FAILS(Code::kNotFound, store().FindGrant("nothing"));
  ASSERT_EQ(Listed().size(), 1U);
  EXPECT_EQ(Listed()[0].authorization, grant.key_id);
  EXPECT_EQ(Listed()[0].account, "");
  ExpectSame(Listed()[0].attestation, grant.attestation);
}

TEST_P(GrantStore, Invariant8_AGrantMakesOneAccountAndLosesItsKey) {
  const acme::Grant grant = Granted(AddAgent());
  const acme::Account account = AccountWith(grant);
  const auto created = store().CreateAccount({account});
  ASSERT_OK(created);
  EXPECT_TRUE(created->created);
  EXPECT_EQ(created->account.grant, grant.key_id);
  EXPECT_EQ(store().FindAccount(account.id)->grant, grant.key_id);
  EXPECT_EQ(store().FindAccountByThumbprint(account.thumbprint)->grant, grant.key_id);
  EXPECT_TRUE(store().FindGrant(grant.key_id)->mac_key.empty());
  ExpectSame(store().FindGrant(grant.key_id)->attestation, grant.attestation);
  EXPECT_EQ(Listed()[0].account, account.id);
  ExpectRefused(AccountWith(grant));
  EXPECT_EQ(Listed()[0].account, account.id);
  EXPECT_EQ(Register().grant, "");
}

TEST_P(GrantStore, AGrantIsSpentBeforeItExpires) {
  const ca::Agent agent = AddAgent();
  const acme::Grant grant = Granted(agent);
  ExpectRefused(AccountWith(grant, grant.expires_at));
  EXPECT_EQ(store().FindGrant(grant.key_id)->mac_key, grant.mac_key);
  EXPECT_OK(store().CreateAccount({AccountWith(grant, grant.expires_at - Seconds(1))}));
  ExpectRefused(AccountWith(make_.NewGrant(agent)));  // one that nobody recorded
}

TEST_P(GrantStore, AKnownKeySpendsNoGrant) {
  const acme::Grant grant = Granted(AddAgent());
  acme::Account again = Register();
  again.id = make_.NewId();
  again.grant = grant.key_id;
  const auto found = store().CreateAccount({again});
  ASSERT_OK(found);
  EXPECT_FALSE(found->created);
  EXPECT_EQ(found->account.grant, "");
  EXPECT_EQ(store().FindGrant(grant.key_id)->mac_key, grant.mac_key);
}

TEST_P(GrantStore, AnAccountThatIsNotMadeSpendsNoGrant) {
  const acme::Grant grant = Granted(AddAgent());
  acme::Account clash = AccountWith(grant);
  clash.id = Register().id;
  EXPECT_FAILS(Code::kConflict, store().CreateAccount({clash}));
  EXPECT_EQ(store().FindGrant(grant.key_id)->mac_key, grant.mac_key);
  EXPECT_OK(store().CreateAccount({AccountWith(grant)}));
}

TEST_P(GrantStore, AGrantIsForAnAgentThatIsActive) {
  const ca::Agent agent = AddAgent();
  const acme::Grant grant = Granted(agent);
  SetStatus(agent, ca::AgentStatus::kSuspended);
  EXPECT_FAILS(Code::kUnauthorized, store().RecordGrant(make_.NewGrant(agent)));
  ExpectRefused(AccountWith(grant));
  SetStatus(agent, ca::AgentStatus::kActive);
  EXPECT_OK(store().CreateAccount({AccountWith(grant)}));
}

TEST_P(GrantStore, Invariant7_GrantsUseEvidenceOnceToo) {
  const ca::Agent agent = AddAgent();
  const acme::Grant grant = Granted(agent);
  acme::Grant again = make_.NewGrant(agent);
  again.attestation.replay_id = grant.attestation.replay_id;
  EXPECT_FAILS(Code::kBadAttestation, store().RecordGrant(again));
  EXPECT_FAILS(Code::kNotFound, store().FindGrant(again.key_id));
  EXPECT_FAILS(Code::kBadAttestation,
               store().RecordDrop(PlaceFor(account_).id, grant.attestation, now()));
  const Attestation dropped = make_.NewAttestation(agent);
  ASSERT_OK(store().RecordDrop(PlaceFor(account_).id, dropped, now()));
  again.attestation = dropped;
  EXPECT_FAILS(Code::kBadAttestation, store().RecordGrant(again));
  again = make_.NewGrant(agent);
  again.key_id = grant.key_id;
  EXPECT_FAILS(Code::kConflict, store().RecordGrant(again));
  EXPECT_EQ(store().FindGrant(grant.key_id)->mac_key, grant.mac_key);
}

TEST_P(GrantStore, AGrantAdmitsItsAgent) {
  AddSource();
  acme::Grant grant = make_.NewGrant(Unregistered());
  grant.attestation.admit = Unregistered();
  ASSERT_OK(store().RecordGrant(grant));
  EXPECT_EQ(agents().FindAgent(grant.attestation.agent)->admitted_by, "fleet");
  EXPECT_EQ(store().FindGrant(grant.key_id)->attestation.agent_version, 1);
}

TEST_P(GrantStore, OneOfManyAccountsGetsTheGrant) {
  const ca::Agent agent = AddAgent();
  for (int round = 0; round < kRounds; ++round) {
    const acme::Grant grant = Granted(agent);
    std::vector<acme::Account> accounts;
    for (int i = 0; i < kRacers; ++i) accounts.push_back(AccountWith(grant));
    EXPECT_EQ(1, CountWinners(kRacers, [&](int i) {
                return store().CreateAccount({accounts[static_cast<size_t>(i)]}).ok();
              }));
  }
}

// ---- Writes that fail --------------------------------------------------------------------------

// One write, and how to tell whether it happened.
struct Write {
  std::string verb;
  std::function<Status(acme::Store&)> run;
  std::function<bool()> happened;
  Code again;  // of a repeat after it happened
};

TEST_P(GrantStore, AWriteThatFailsHappensWhollyOrNotAtAll) {
  const ca::Agent agent = AddAgent();
  fakes::FaultPlan plan;
  fakes::FaultyStore faulty(store(), plan);
  for (const auto when : {fakes::FailWhen::kBefore, fakes::FailWhen::kAfter}) {
    const acme::AuthorizationId dropped = PlaceFor(account_).id;
    const acme::AuthorizationId proven = Begun(account_).id;
    const acme::Grant recorded = make_.NewGrant(agent);
    const acme::Account account = AccountWith(Granted(agent));
    const acme::OrderId asking = PlaceProven(agent);
    const acme::OrderId waiting = PlaceWaiting(agent);
    const Attestation first = make_.NewAttestation(agent);
    const Attestation second = make_.NewAttestation(agent);
    const acme::OrderId plain = PlaceProven(agent);
    const acme::OrderId approved = PlaceWaiting(agent);
    ASSERT_OK(Decide(approved, acme::Decision::kGranted));
    const acme::Approval approval = Asking(agent.id, now());
    const acme::FinalizeGuard guard = GuardOf(agent);
    const ca::Ticket ticket = NewTicket(plain);
    const ca::Ticket later = NewTicket(approved);
    const std::vector<Write> writes = {
        {"RecordDrop", [&](acme::Store& to) { return to.RecordDrop(dropped, first, now()); },
         [&] { return store().FindAuthorization(dropped)->attestation.has_value(); },
         Code::kConflict},
        {"FinishChallenge",
         [&](acme::Store& to) {
           return to.FinishChallenge(proven, acme::Proof{{}, second}, now());
         },
         [&] { return StatusOf(proven) == AuthorizationStatus::kValid; }, Code::kConflict},
        {"RecordGrant", [&](acme::Store& to) { return to.RecordGrant(recorded); },
         [&] { return store().FindGrant(recorded.key_id).ok(); }, Code::kConflict},
        {"BeginFinalize",
         [&](acme::Store& to) { return to.BeginFinalize(plain, ticket, guard, now()); },
         [&] { return HasIntent(plain) && StatusOfOrder(plain) == OrderStatus::kProcessing; },
         Code::kOrderNotReady},
        {"AskApproval",
         [&](acme::Store& to) { return to.AskApproval(asking, approval, guard, now()); },
         [&] { return store().FindOrder(asking)->order.approval.has_value(); },
         Code::kOrderNotReady},
        {"BeginApproved",
         [&](acme::Store& to) { return to.BeginApproved(approved, later, guard, now()); },
         [&] { return HasIntent(approved); }, Code::kOrderNotReady},
        {"DecideApproval",
         [&](acme::Store& to) {
           return to.DecideApproval(waiting, acme::Decision::kGranted, "bob", "", now());
         },
         [&] {
           return store().FindOrder(waiting)->order.approval->decision == acme::Decision::kGranted;
         },
         Code::kConflict},
    };
    for (const Write& write : writes) {
      plan.Fail(write.verb, when);
      EXPECT_FAILS(Code::kUnavailable, write.run(faulty)) << write.verb;
      const bool persisted = when == fakes::FailWhen::kAfter;
      EXPECT_EQ(write.happened(), persisted) << write.verb;
      if (!persisted) {
        EXPECT_OK(write.run(faulty)) << write.verb;
      }
      EXPECT_TRUE(write.happened()) << write.verb;
      EXPECT_FAILS(write.again, write.run(faulty)) << write.verb;
    }
    plan.Fail("CreateAccount", when);
    EXPECT_FAILS(Code::kUnavailable, faulty.CreateAccount({account}));
    // A client that tries again gets its account, whatever became of the first try.
    const auto retried = faulty.CreateAccount({account});
    ASSERT_OK(retried);
    EXPECT_EQ(retried->created, when == fakes::FailWhen::kBefore);
    EXPECT_EQ(retried->account.grant, account.grant);
  }
}

// ---- Durability --------------------------------------------------------------------------------

class DurableGrantStore : public GrantStore {};

TEST_P(DurableGrantStore, WhatWasProvenIsThereAfterReopening) {
  const ca::Agent agent = AddAgent();
  const acme::Grant grant = Granted(agent);
  const acme::Authorization mine = Begun(account_);
  const Attestation dropped = make_.NewAttestation(agent);
  ASSERT_OK(store().RecordDrop(mine.id, dropped, now()));
  const acme::OrderId waiting = PlaceWaiting(agent);
  Reopen();
  EXPECT_EQ(store().FindGrant(grant.key_id)->mac_key, grant.mac_key);
  ExpectSame(*store().FindByDropKey(mine.identifier, *mine.drop_key)->authorization.attestation,
             dropped);
  EXPECT_EQ(ProcessingChallenges().front().authorization.attempt->payload, mine.attempt->payload);
  EXPECT_FAILS(Code::kBadAttestation, store().RecordDrop(PlaceFor(account_).id, dropped, now()));
  EXPECT_EQ(store().ListApprovals(false, "", 10)->front().order, waiting);
  EXPECT_TRUE(store().FindOrder(waiting)->order.approval);
}

}  // namespace agentca::contract
