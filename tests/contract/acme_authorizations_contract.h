// The part of the acme::Store contract about authorizations, and what happens when verbs race.
#pragma once

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/contract/acme_store_contract.h"

namespace agentca::contract {

TEST_P(AcmeStore, Invariant3_BeginChallengeStartsOneChallenge) {
  const acme::OrderView view = Place(Register().id);
  const acme::AuthorizationId id = view.authorizations[0].id;
  EXPECT_FAILS(Code::kNotFound,
               store().BeginChallenge("nothing", ChallengeType::kDns01, {}, now()));
  EXPECT_FAILS(Code::kNotFound, store().BeginChallenge(id, ChallengeType::kTlsAlpn01, {}, now()));
  const auto first = store().BeginChallenge(id, ChallengeType::kHttp01, {}, now());
  ASSERT_OK(first);
  EXPECT_TRUE(first->started);
  EXPECT_EQ(first->authorization.attempt->type, ChallengeType::kHttp01);
  EXPECT_EQ(first->authorization.attempt->state, AttemptState::kProcessing);
  EXPECT_FALSE(store().BeginChallenge(id, ChallengeType::kHttp01, {}, now())->started);
  EXPECT_FAILS(Code::kConflict, store().BeginChallenge(id, ChallengeType::kDns01, {}, now()));
  ASSERT_OK(store().FinishChallenge(id, acme::Proof{}, now()));
  const auto settled =
      store().BeginChallenge(id, ChallengeType::kHttp01, {}, now() + Seconds(9999));
  ASSERT_OK(settled);
  EXPECT_FALSE(settled->started);
  EXPECT_EQ(settled->authorization.attempt->state, AttemptState::kValid);
}

TEST_P(AcmeStore, Invariant3_BeginChallengeNeedsAPendingAuthorization) {
  const acme::Account account = Register();
  const acme::AuthorizationId expired = Place(account.id).authorizations[0].id;
  EXPECT_FAILS(Code::kConflict,
               store().BeginChallenge(expired, ChallengeType::kDns01, {}, now() + Seconds(1800)));
  const acme::AuthorizationId gone = Place(account.id).authorizations[0].id;
  ASSERT_OK(store().DeactivateAuthorization(gone, now()));
  EXPECT_FAILS(Code::kConflict, store().BeginChallenge(gone, ChallengeType::kDns01, {}, now()));
  EXPECT_FALSE(store().FindAuthorization(gone)->attempt);
}

TEST_P(AcmeStore, RecordRetryShowsTheErrorOfAnAttemptThatGoesOn) {
  const acme::AuthorizationId id = Place(Register().id).authorizations[0].id;
  EXPECT_FAILS(Code::kConflict, store().RecordRetry(id, OddError()));
  ASSERT_OK(store().BeginChallenge(id, ChallengeType::kHttp01, {}, now()));
  ASSERT_OK(store().RecordRetry(id, OddError()));
  const auto waiting = store().FindAuthorization(id);
  EXPECT_EQ(waiting->attempt->state, AttemptState::kProcessing);
  ASSERT_TRUE(waiting->attempt->error);
  ExpectSame(*waiting->attempt->error, OddError());
  ASSERT_OK(store().FinishChallenge(id, acme::Proof{}, now()));
  EXPECT_FALSE(store().FindAuthorization(id)->attempt->error);
  EXPECT_FAILS(Code::kConflict, store().RecordRetry(id, OddError()));
  EXPECT_FAILS(Code::kNotFound, store().RecordRetry("nothing", OddError()));
}

TEST_P(AcmeStore, Invariant4_FinishChallengeSettlesAProcessingAttemptOnce) {
  const acme::OrderView view = Place(Register().id);
  const acme::AuthorizationId id = view.authorizations[0].id;
  EXPECT_FAILS(Code::kConflict, store().FinishChallenge(id, acme::Proof{}, now()));
  ASSERT_OK(store().BeginChallenge(id, ChallengeType::kDns01, {}, now()));
  ASSERT_OK(store().FinishChallenge(id, acme::Proof{}, now() + Seconds(7)));
  EXPECT_FAILS(Code::kConflict, store().FinishChallenge(id, Error{Code::kDns, "late"}, now()));
  const acme::Authorization valid = store().FindAuthorization(id).value();
  EXPECT_EQ(valid.attempt->state, AttemptState::kValid);
  EXPECT_EQ(valid.attempt->validated_at, now() + Seconds(7));
  EXPECT_EQ(StatusOfOrder(view.order.id), OrderStatus::kReady);
  EXPECT_FAILS(Code::kNotFound, store().FinishChallenge("nothing", acme::Proof{}, now()));
}

TEST_P(AcmeStore, Invariant4_AFailedChallengeMakesAuthorizationAndOrderInvalid) {
  const acme::OrderView view = Place(Register().id);
  const acme::AuthorizationId id = view.authorizations[0].id;
  ASSERT_OK(store().BeginChallenge(id, ChallengeType::kDns01, {}, now()));
  ASSERT_OK(store().FinishChallenge(id, OddError(), now()));
  EXPECT_FAILS(Code::kConflict, store().FinishChallenge(id, acme::Proof{}, now()));
  const acme::Authorization failed = store().FindAuthorization(id).value();
  EXPECT_EQ(acme::StatusOf(failed, now()), AuthorizationStatus::kInvalid);
  EXPECT_FALSE(failed.attempt->validated_at);
  ExpectSame(*failed.attempt->error, OddError());
  EXPECT_EQ(StatusOfOrder(view.order.id), OrderStatus::kInvalid);
}

TEST_P(AcmeStore, ADeactivatedAuthorizationStaysSo) {
  const acme::OrderView view = Place(Register().id);
  const acme::AuthorizationId id = view.authorizations[0].id;
  ASSERT_OK(store().BeginChallenge(id, ChallengeType::kDns01, {}, now()));
  EXPECT_TRUE(store().DeactivateAuthorization(id, now())->deactivated);
  EXPECT_FAILS(Code::kConflict, store().FinishChallenge(id, acme::Proof{}, now()));
  EXPECT_FAILS(Code::kConflict, store().RecordRetry(id, OddError()));
  EXPECT_OK(store().DeactivateAuthorization(id, now() + Seconds(9999)));
  EXPECT_EQ(acme::StatusOf(store().FindAuthorization(id).value(), now()),
            AuthorizationStatus::kDeactivated);
  EXPECT_EQ(StatusOfOrder(view.order.id), OrderStatus::kInvalid);
  EXPECT_TRUE(ProcessingChallenges().empty());
}

TEST_P(AcmeStore, DeactivateAuthorizationRefusesWhatIsInvalidOrExpired) {
  const acme::Account account = Register();
  const acme::AuthorizationId id = PlaceReady(account.id).authorizations[0].id;
  EXPECT_FAILS(Code::kConflict, store().DeactivateAuthorization(id, now() + Seconds(1800)));
  EXPECT_OK(store().DeactivateAuthorization(id, now()));
  const acme::AuthorizationId failed = Place(account.id).authorizations[0].id;
  ASSERT_OK(store().BeginChallenge(failed, ChallengeType::kDns01, {}, now()));
  ASSERT_OK(store().FinishChallenge(failed, OddError(), now()));
  EXPECT_FAILS(Code::kConflict, store().DeactivateAuthorization(failed, now()));
  EXPECT_FAILS(Code::kNotFound, store().DeactivateAuthorization("nothing", now()));
}

TEST_P(AcmeStore, ClaimChallengesGivesWhatARestartNeeds) {
  const acme::Account account = Register();
  (void)Place(account.id);
  (void)PlaceReady(account.id);
  const acme::AuthorizationId id = Place(account.id).authorizations[0].id;
  ASSERT_OK(store().BeginChallenge(id, ChallengeType::kHttp01, {}, now()));
  const auto pending = ProcessingChallenges();
  ASSERT_EQ(pending.size(), 1U);
  EXPECT_EQ(pending.front().authorization.id, id);
  EXPECT_EQ(pending.front().authorization.attempt->type, ChallengeType::kHttp01);
  EXPECT_EQ(pending.front().thumbprint, account.thumbprint);
  const auto dead = store().ClaimChallenges(ca::WorkScope::kDead, 10);
  ASSERT_OK(dead);
  EXPECT_TRUE(dead->empty()) << "this process is not dead";
}

TEST_P(AcmeStore, HoldsAuthorizationsCountsOnlyValidOnesOfTheAccount) {
  using Type = acme::Identifier::Type;
  const acme::Account account = Register();
  const acme::AuthorizationId plain = PlaceReady(account.id, "x.example").authorizations[0].id;
  const acme::AuthorizationId wild = PlaceReady(account.id, "*.y.example").authorizations[0].id;
  (void)Place(account.id, "pending.example");
  const auto holds = [&](const std::vector<acme::Identifier>& identifiers, Time at) {
    return store().HoldsAuthorizations(account.id, identifiers, at).value();
  };
  EXPECT_TRUE(holds({{Type::kDns, "x.example"}}, now()));
  EXPECT_TRUE(holds({{Type::kDns, "x.example"}, {Type::kDns, "*.y.example"}}, now()));
  EXPECT_FALSE(holds({}, now()));
  EXPECT_FALSE(holds({{Type::kDns, "*.x.example"}}, now()));
  EXPECT_FALSE(holds({{Type::kDns, "y.example"}}, now()));
  EXPECT_FALSE(holds({{Type::kIp, "x.example"}}, now()));
  EXPECT_FALSE(holds({{Type::kDns, "x.example"}, {Type::kDns, "pending.example"}}, now()));
  EXPECT_FALSE(holds({{Type::kDns, "x.example"}}, now() + Seconds(1800)));
  EXPECT_FALSE(
      store().HoldsAuthorizations(Register().id, {{Type::kDns, "x.example"}}, now()).value());
  ASSERT_OK(store().DeactivateAuthorization(plain, now()));
  EXPECT_FALSE(holds({{Type::kDns, "x.example"}}, now()));
  EXPECT_TRUE(holds({{Type::kDns, "*.y.example"}}, now()));
  ASSERT_OK(store().DeactivateAuthorization(wild, now()));
  EXPECT_FALSE(holds({{Type::kDns, "*.y.example"}}, now()));
}

// ---- Races: exactly one wins -------------------------------------------------------------------

// Runs `attempt` on many threads that begin together; how many returned true?
inline int CountWinners(int threads, const std::function<bool(int)>& attempt) {
  std::atomic<int> ready = 0;
  std::atomic<int> winners = 0;
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      ++ready;
      while (ready.load() < threads) std::this_thread::yield();
      if (attempt(i)) ++winners;
    });
  }
  for (std::thread& each : running) each.join();
  return winners;
}

constexpr int kRacers = 4;
constexpr int kRounds = 10;

TEST_P(AcmeStore, OneOfManyBeginFinalizesWins) {
  const acme::Account account = Register();
  for (int round = 0; round < kRounds; ++round) {
    const acme::OrderId id = PlaceReady(account.id).order.id;
    std::vector<ca::Ticket> tickets;
    for (int racer = 0; racer < kRacers; ++racer) tickets.push_back(NewTicket(id));
    EXPECT_EQ(1, CountWinners(kRacers, [&](int racer) {
                const auto& ticket = tickets[static_cast<size_t>(racer)];
                return store().BeginFinalize(id, ticket, {}, now()).ok();
              }));
    const auto recorded = [&](const ca::Ticket& each) { return StateOf(each.serial()).has_value(); };
    EXPECT_EQ(1, std::count_if(tickets.begin(), tickets.end(), recorded));
  }
}

TEST_P(AcmeStore, OneOfManyBeginChallengesStarts) {
  const acme::Account account = Register();
  for (int round = 0; round < kRounds; ++round) {
    const acme::AuthorizationId id = Place(account.id).authorizations[0].id;
    EXPECT_EQ(1, CountWinners(kRacers, [&](int i) {
                const auto type = i % 2 == 0 ? ChallengeType::kHttp01 : ChallengeType::kDns01;
                const auto outcome = store().BeginChallenge(id, type, {}, now());
                return outcome.ok() && outcome->started;
              }));
  }
}

TEST_P(AcmeStore, OneOfManyCreateAccountsWithTheSameKeyCreates) {
  for (int round = 0; round < kRounds; ++round) {
    const acme::Account account = make_.NewAccount();
    std::vector<acme::AccountId> ids;
    for (int i = 0; i < kRacers; ++i) ids.push_back(make_.NewId());
    EXPECT_EQ(1, CountWinners(kRacers, [&](int i) {
                acme::Account mine = account;
                mine.id = ids[static_cast<size_t>(i)];
                return store().CreateAccount({mine})->created;
              }));
  }
}

TEST_P(AcmeStore, OneOfManyChangeKeysToTheSameKeyWins) {
  std::vector<acme::Account> accounts;
  for (int i = 0; i < kRacers; ++i) accounts.push_back(Register());
  const auto key = fakes::NewPublicKey();
  EXPECT_EQ(1, CountWinners(kRacers, [&](int i) {
              const acme::Account& mine = accounts[static_cast<size_t>(i)];
              return store().ChangeKey(mine.id, mine.thumbprint, key, "wanted").ok();
            }));
}

TEST_P(AcmeStore, ThirtyTwoThreadsWriteAndAllOfItIsThere) {
  const acme::Account account = Register();
  constexpr int kThreads = 32;
  constexpr int kEach = 8;
  std::vector<std::vector<acme::NewOrder>> orders(kThreads);
  for (auto& mine : orders) {
    for (int i = 0; i < kEach; ++i) mine.push_back(make_.NewOrder(account.id, "a.example"));
  }
  // Every second is a repeat: its guard refuses it without harm to those it shares a commit with.
  EXPECT_EQ(kThreads, CountWinners(kThreads, [&](int i) {
              bool fine = true;
              for (const auto& order : orders[static_cast<size_t>(i)]) {
                fine = store().CreateOrder(order).ok() && fine;
                fine = !store().CreateOrder(order).ok() && fine;
                fine = store().FindOrder(order.order.id).ok() && fine;
              }
              return fine;
            }));
  std::set<acme::OrderId> found;
  const auto all = store().ListOrders(account.id, "", kThreads * kEach + 1, now());
  found.insert(all->orders.begin(), all->orders.end());
  EXPECT_EQ(found.size(), static_cast<size_t>(kThreads * kEach));
}

// ---- Orders and their certificates: both move, or neither --------------------------------------

TEST_P(AcmeStore, BeginFinalizeRecordsTheIntent) {
  const acme::OrderView view = PlaceReady(Register().id);
  const ca::Ticket ticket = NewTicket(view.order.id);
  ASSERT_OK(store().BeginFinalize(view.order.id, ticket, {}, now()));
  const auto record = backend_->certificates().FindByReference(view.order.id);
  ASSERT_OK(record);
  EXPECT_EQ(record->serial, ticket.serial());
  EXPECT_EQ(record->state, ca::SerialState::kIntent);
  EXPECT_EQ(record->tbs, ticket.tbs());
}

TEST_P(AcmeStore, BeginFinalizeThatIsRefusedRecordsNoIntent) {
  const acme::OrderView pending = Place(Register().id);
  const ca::Ticket ticket = NewTicket(pending.order.id);
  EXPECT_FAILS(Code::kOrderNotReady, store().BeginFinalize(pending.order.id, ticket, {}, now()));
  EXPECT_FAILS(Code::kNotFound, store().BeginFinalize("nothing", ticket, {}, now()));
  EXPECT_EQ(StateOf(ticket.serial()), std::nullopt);
}

TEST_P(AcmeStore, AnIntentThatIsRefusedLeavesTheOrderReady) {
  const acme::Account account = Register();
  const acme::OrderView view = PlaceReady(account.id);
  const ca::Ticket used = NewTicket(view.order.id);
  ASSERT_OK(backend_->certificates().RecordIntent(used, now()));
  EXPECT_FAILS(Code::kConflict, store().BeginFinalize(view.order.id, used, {}, now()));
  EXPECT_EQ(StatusOfOrder(view.order.id), OrderStatus::kReady);

  const ca::Certificate issued = issuer_.issuer->Issue(NewTicket("", used.serial())).value();
  const ca::IssuerId& issuer = issuer_.issuer->id();
  ASSERT_OK(backend_->certificates().RecordCertificate(issued, issuer));
  ASSERT_OK(backend_->certificates().Revoke(issuer, issued.serial, ca::Reason::kKeyCompromise,
                                            now()));
  EXPECT_FAILS(Code::kBadPublicKey, Begin(view.order.id, now()));
  EXPECT_EQ(StatusOfOrder(view.order.id), OrderStatus::kReady);
}

TEST_P(AcmeStore, CompleteOrderRecordsTheCertificateOnce) {
  const acme::OrderView view = PlaceReady(Register().id);
  ca::Ticket ticket = NewTicket(view.order.id);
  const ca::Serial serial = ticket.serial();
  const Bytes tbs = ticket.tbs();
  ASSERT_OK(store().BeginFinalize(view.order.id, ticket, {}, now()));
  const ca::Certificate certificate = issuer_.issuer->Issue(std::move(ticket)).value();
  EXPECT_FAILS(Code::kNotFound, Complete("nothing", certificate));
  EXPECT_EQ(StateOf(serial), ca::SerialState::kIntent);
  ASSERT_OK(Complete(view.order.id, certificate));
  EXPECT_FAILS(Code::kConflict, Complete(view.order.id, certificate));
  EXPECT_EQ(store().FindOrder(view.order.id)->order.certificate, serial);
  const auto record = backend_->certificates().Find(issuer_.issuer->id(), serial);
  EXPECT_EQ(record->state, ca::SerialState::kIssued);
  EXPECT_EQ(record->der, certificate.der);
  EXPECT_EQ(record->tbs, tbs);
}

TEST_P(AcmeStore, CompleteOrderThatIsRefusedChangesNeither) {
  const acme::Account account = Register();
  const acme::OrderView ready = PlaceReady(account.id);
  const acme::OrderView processing = PlaceReady(account.id);
  ca::Ticket ticket = NewTicket(processing.order.id);
  const ca::Serial serial = ticket.serial();
  ASSERT_OK(store().BeginFinalize(processing.order.id, ticket, {}, now()));
  const ca::Certificate certificate = issuer_.issuer->Issue(std::move(ticket)).value();
  EXPECT_FAILS(Code::kConflict, Complete(ready.order.id, certificate));
  EXPECT_EQ(StateOf(serial), ca::SerialState::kIntent);

  ASSERT_OK(backend_->certificates().Abandon(issuer_.issuer->id(), serial, now()));
  EXPECT_FAILS(Code::kConflict, Complete(processing.order.id, certificate));
  EXPECT_EQ(StatusOfOrder(processing.order.id), OrderStatus::kProcessing);
}

// ---- Durability --------------------------------------------------------------------------------

class DurableAcmeStore : public AcmeStore {};

TEST_P(DurableAcmeStore, WhatWasStoredIsThereAfterReopening) {
  const acme::Account account = Register();
  const acme::OrderView processing = PlaceProcessing(account.id);
  const acme::OrderView failed = PlaceProcessing(account.id);
  ASSERT_OK(store().FinishOrder(failed.order.id, OddError()));
  Reopen();
  ExpectSame(store().FindAccount(account.id).value(), account);
  EXPECT_EQ(StatusOfOrder(processing.order.id), OrderStatus::kProcessing);
  ExpectSame(*store().FindOrder(failed.order.id)->order.error, OddError());
  EXPECT_EQ(ProcessingOrders().size(), 1U);
}

}  // namespace agentca::contract
