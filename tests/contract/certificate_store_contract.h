// What every ca::CertificateStore does.
#pragma once

#include <atomic>
#include <thread>

#include "tests/contract/backends.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::contract {

using ca::KeyHistory;
using ca::Reason;
using ca::SerialState;

class CertificateStore : public BackendTest {
 protected:
  struct Issued {
    ca::Serial serial;
    Bytes tbs;
    ca::Certificate certificate;
  };

  ca::CertificateStore& store() { return backend_->certificates(); }
  const ca::IssuerId& issuer_id() const { return issuer_.issuer->id(); }
  Time now() const { return now_; }

  ca::Ticket Prepare(std::vector<std::string> names, const std::string& reference = "",
                     const std::string& owner = "") {
    return PrepareFor(key_, std::move(names), reference, owner);
  }
  ca::Ticket PrepareFor(const ca::PublicKey& key, std::vector<std::string> names,
                        const std::string& reference = "", const std::string& owner = "") {
    ca::CertificateRequest request{.key = key};
    request.dns_names = std::move(names);
    request.reference = reference;
    request.owner = owner;
    return issuer_.issuer->Prepare(profile_, request, ca::Serial::Random(1, random_), now_).value();
  }
  ca::Serial Intend(const std::string& name = "a.example", const std::string& reference = "") {
    const ca::Ticket ticket = Prepare({name}, reference);
    EXPECT_OK(store().RecordIntent(ticket, now_));
    return ticket.serial();
  }
  Issued Issue(std::vector<std::string> names, const std::string& reference = "",
               const std::string& owner = "") {
    ca::Ticket ticket = Prepare(std::move(names), reference, owner);
    const ca::Serial serial = ticket.serial();
    const Bytes tbs = ticket.tbs();
    EXPECT_OK(store().RecordIntent(ticket, now_));
    ca::Certificate certificate = issuer_.issuer->Issue(std::move(ticket)).value();
    EXPECT_OK(store().RecordCertificate(certificate, issuer_id()));
    return {serial, tbs, std::move(certificate)};
  }
  std::vector<ca::Serial> Revoked(Time not_before) {
    std::vector<ca::Serial> serials;
    EXPECT_OK(store().VisitRevoked(issuer_id(), not_before, [&](const ca::RevokedEntry& entry) {
      serials.push_back(entry.serial);
      return true;
    }));
    return serials;
  }
  std::vector<ca::Serial> Listed(const ca::CertificateFilter& filter) {
    std::vector<ca::Serial> serials;
    const auto records = store().List(filter).value();
    for (const auto& record : records) serials.push_back(record.serial);
    return serials;
  }

  const Time now_ = fakes::ManualClock().Now();
  fakes::SeededRandom random_{11};
  const ca::PublicKey key_ = fakes::NewPublicKey();
  const ca::Profile profile_ = fakes::ServerProfile();
  const fakes::TestIssuer issuer_ = fakes::MakeIssuer();
};

TEST_P(CertificateStore, AnIntentIsThereBeforeTheCertificateIs) {
  const ca::Ticket ticket = Prepare({"a.example", "*.b.example"}, "order-1", "account-1");
  EXPECT_FAILS(Code::kNotFound, store().StatusOf(issuer_id(), ticket.serial()));
  ASSERT_OK(store().RecordIntent(ticket, now()));
  const ca::CertificateRecord record = store().Find(issuer_id(), ticket.serial()).value();
  EXPECT_EQ(record.issuer_id, issuer_id());
  EXPECT_EQ(record.serial, ticket.serial());
  EXPECT_EQ(record.state, SerialState::kIntent);
  EXPECT_EQ(record.tbs, ticket.tbs());
  EXPECT_TRUE(record.der.empty());
  EXPECT_EQ(record.reference, "order-1");
  EXPECT_EQ(record.owner, "account-1");
  EXPECT_EQ(record.profile, ticket.profile());
  EXPECT_EQ(record.dns_names, ticket.dns_names());
  EXPECT_EQ(record.intended_at, now());
  EXPECT_EQ(record.not_after, ticket.not_after());
  EXPECT_FALSE(record.revocation);
  EXPECT_EQ(store().StatusOf(issuer_id(), ticket.serial())->state, SerialState::kIntent);
}

TEST_P(CertificateStore, RecordIntentRefusesAReusedSerial) {
  const ca::Ticket ticket = Prepare({"a.example"}, "first");
  ASSERT_OK(store().RecordIntent(ticket, now()));
  EXPECT_FAILS(Code::kConflict, store().RecordIntent(ticket, now()));
  EXPECT_EQ(store().List({})->size(), 1U);
  EXPECT_OK(store().RecordIntent(Prepare({"b.example"}), now()));
}

TEST_P(CertificateStore, KnowsAKeyFromTheIntentOn) {
  EXPECT_EQ(store().HistoryOf(key_.spki_sha256()).value(), KeyHistory::kNone);
  const ca::Serial serial = Intend();
  EXPECT_EQ(store().HistoryOf(key_.spki_sha256()).value(), KeyHistory::kCertified);
  ASSERT_OK(store().Abandon(issuer_id(), serial, now()));
  EXPECT_EQ(store().HistoryOf(key_.spki_sha256()).value(), KeyHistory::kCertified);
  EXPECT_EQ(store().HistoryOf(fakes::NewPublicKey().spki_sha256()).value(), KeyHistory::kNone);
}

TEST_P(CertificateStore, ACompromisedKeyIsNeverCertifiedAgain) {
  const Issued first = Issue({"a.example"});
  const Issued second = Issue({"b.example"});
  ASSERT_OK(store().Revoke(issuer_id(), first.serial, Reason::kKeyCompromise, now()));
  EXPECT_EQ(store().HistoryOf(key_.spki_sha256()).value(), KeyHistory::kCompromised);
  const ca::Ticket third = Prepare({"c.example"});
  EXPECT_FAILS(Code::kBadPublicKey, store().RecordIntent(third, now()));
  EXPECT_FAILS(Code::kNotFound, store().StatusOf(issuer_id(), third.serial()));
  EXPECT_OK(store().RecordIntent(PrepareFor(fakes::NewPublicKey(), {"c.example"}), now()));
  ASSERT_OK(store().Revoke(issuer_id(), second.serial, Reason::kKeyCompromise, now()));
  EXPECT_EQ(store().HistoryOf(key_.spki_sha256()).value(), KeyHistory::kCompromised);
}

TEST_P(CertificateStore, AKeyRevokedForAnotherReasonIsNotCompromised) {
  const Issued issued = Issue({"a.example"});
  ASSERT_OK(store().Revoke(issuer_id(), issued.serial, Reason::kSuperseded, now()));
  EXPECT_EQ(store().HistoryOf(key_.spki_sha256()).value(), KeyHistory::kCertified);
  EXPECT_FAILS(Code::kAlreadyRevoked,
               store().Revoke(issuer_id(), issued.serial, Reason::kKeyCompromise, now()));
  EXPECT_EQ(store().HistoryOf(key_.spki_sha256()).value(), KeyHistory::kCertified);
  EXPECT_OK(store().RecordIntent(Prepare({"b.example"}), now()));
}

TEST_P(CertificateStore, RecordIntentRefusesASpentTicket) {
  ca::Ticket ticket = Prepare({"a.example"});
  const ca::Ticket moved = std::move(ticket);
  EXPECT_FAILS(Code::kInternal, store().RecordIntent(ticket, now()));  // NOLINT: on purpose
}

TEST_P(CertificateStore, TheRecordOfACertificateHoldsTbsAndDer) {
  const Issued issued = Issue({"a.example"}, "order-1", "account-1");
  const ca::CertificateRecord record = store().Find(issuer_id(), issued.serial).value();
  EXPECT_EQ(record.state, SerialState::kIssued);
  EXPECT_EQ(record.tbs, issued.tbs);
  EXPECT_EQ(record.der, issued.certificate.der);
  const ca::CertStatus status = store().StatusOf(issuer_id(), issued.serial).value();
  EXPECT_EQ(status.state, SerialState::kIssued);
  EXPECT_FALSE(status.revocation);
  EXPECT_EQ(status.not_after, issued.certificate.not_after);
}

TEST_P(CertificateStore, ACertificateOtherThanIntendedIsKeptBesideTheIntent) {
  const ca::Ticket intended = Prepare({"a.example"});
  ASSERT_OK(store().RecordIntent(intended, now()));
  ca::CertificateRequest other{.key = key_};
  other.dns_names = {"b.example"};
  ca::Ticket ticket = issuer_.issuer->Prepare(profile_, other, intended.serial(), now()).value();
  const ca::Certificate certificate = issuer_.issuer->Issue(std::move(ticket)).value();
  ASSERT_OK(store().RecordCertificate(certificate, issuer_id()));
  const ca::CertificateRecord record = store().Find(issuer_id(), intended.serial()).value();
  EXPECT_EQ(record.tbs, intended.tbs());
  EXPECT_EQ(record.der, certificate.der);
}

TEST_P(CertificateStore, RecordCertificateNeedsAnIntent) {
  const Issued issued = Issue({"a.example"});
  EXPECT_FAILS(Code::kConflict, store().RecordCertificate(issued.certificate, issuer_id()));
  EXPECT_FAILS(Code::kNotFound, store().RecordCertificate(issued.certificate, "other"));
  ca::Ticket never = Prepare({"b.example"});
  const ca::Certificate unrecorded = issuer_.issuer->Issue(std::move(never)).value();
  EXPECT_FAILS(Code::kNotFound, store().RecordCertificate(unrecorded, issuer_id()));

  ca::Ticket ticket = Prepare({"c.example"});
  ASSERT_OK(store().RecordIntent(ticket, now()));
  ASSERT_OK(store().Abandon(issuer_id(), ticket.serial(), now()));
  const ca::Certificate late = issuer_.issuer->Issue(std::move(ticket)).value();
  EXPECT_FAILS(Code::kConflict, store().RecordCertificate(late, issuer_id()));
  EXPECT_TRUE(store().Find(issuer_id(), late.serial)->der.empty());
}

TEST_P(CertificateStore, AnAbandonedSerialCountsAsRevokedAtThatInstant) {
  const ca::Serial serial = Intend();
  ASSERT_OK(store().Abandon(issuer_id(), serial, now() + Seconds(9)));
  EXPECT_OK(store().Abandon(issuer_id(), serial, now() + Seconds(99)));
  const ca::CertStatus status = store().StatusOf(issuer_id(), serial).value();
  EXPECT_EQ(status.state, SerialState::kAbandoned);
  ASSERT_TRUE(status.revocation);
  EXPECT_EQ(status.revocation->at, now() + Seconds(9));
  EXPECT_EQ(status.revocation->reason, Reason::kUnspecified);
  EXPECT_EQ(Revoked(now()), std::vector<ca::Serial>{serial});
  EXPECT_EQ(store().LastRevocationSequence().value(), 1);
  EXPECT_FAILS(Code::kAlreadyRevoked,
               store().Revoke(issuer_id(), serial, Reason::kKeyCompromise, now()));
}

TEST_P(CertificateStore, AbandonRefusesWhatWasIssued) {
  const Issued issued = Issue({"a.example"});
  EXPECT_FAILS(Code::kConflict, store().Abandon(issuer_id(), issued.serial, now()));
  EXPECT_FAILS(Code::kNotFound, store().Abandon("other", issued.serial, now()));
  EXPECT_FALSE(store().StatusOf(issuer_id(), issued.serial)->revocation);
}

TEST_P(CertificateStore, ListIntentsNamesThemOldestFirst) {
  const ca::Serial first = Intend("a.example");
  (void)Issue({"b.example"});
  const ca::Serial abandoned = Intend("c.example");
  ASSERT_OK(store().Abandon(issuer_id(), abandoned, now()));
  const ca::Serial second = Intend("d.example");
  const auto intents = store().ListIntents(ca::WorkScope::kOwnAndDead, 10);
  ASSERT_OK(intents);
  ASSERT_EQ(intents->size(), 2U);
  EXPECT_EQ((*intents)[0].serial, first);
  EXPECT_EQ((*intents)[1].serial, second);
  EXPECT_EQ(store().ListIntents(ca::WorkScope::kOwnAndDead, 1)->size(), 1U);
  const auto dead = store().ListIntents(ca::WorkScope::kDead, 10);
  ASSERT_OK(dead);
  EXPECT_TRUE(dead->empty()) << "this process is not dead";
}

TEST_P(CertificateStore, RevokeActsOnceOnAnIssuedCertificate) {
  const Issued issued = Issue({"a.example"});
  const ca::Serial intent = Intend("b.example");
  EXPECT_FAILS(Code::kNotFound, store().Revoke(issuer_id(), intent, Reason::kSuperseded, now()));
  EXPECT_FAILS(Code::kNotFound, store().Revoke("other", issued.serial, Reason::kSuperseded, now()));
  ASSERT_OK(store().Revoke(issuer_id(), issued.serial, Reason::kKeyCompromise, now()));
  EXPECT_FAILS(Code::kAlreadyRevoked,
               store().Revoke(issuer_id(), issued.serial, Reason::kSuperseded, now() + Seconds(1)));
  const ca::CertStatus status = store().StatusOf(issuer_id(), issued.serial).value();
  EXPECT_EQ(status.state, SerialState::kIssued);
  ASSERT_TRUE(status.revocation);
  EXPECT_EQ(status.revocation->at, now());
  EXPECT_EQ(status.revocation->reason, Reason::kKeyCompromise);
  EXPECT_EQ(store().LastRevocationSequence().value(), 1);
}

TEST_P(CertificateStore, StatusOfKnowsNothingOfOtherIssuers) {
  const Issued issued = Issue({"a.example"});
  EXPECT_FAILS(Code::kNotFound, store().StatusOf("other", issued.serial));
  EXPECT_FAILS(Code::kNotFound, store().Find("other", issued.serial));
}

TEST_P(CertificateStore, FindByReferenceGivesTheLatest) {
  (void)Issue({"a.example"}, "order-1");
  const ca::Serial latest = Intend("a.example", "order-1");
  (void)Issue({"a.example"}, "");
  EXPECT_EQ(store().FindByReference("order-1")->serial, latest);
  EXPECT_FAILS(Code::kNotFound, store().FindByReference("order-2"));
  EXPECT_FAILS(Code::kNotFound, store().FindByReference(""));
}

TEST_P(CertificateStore, ListFiltersByNameOwnerAndValidityNewestFirst) {
  const Issued first = Issue({"a.example", "b.example"}, "", "ann");
  const Issued second = Issue({"b.example"}, "", "bob");
  const Issued third = Issue({"b.example"}, "", "ann");
  const ca::Serial intent = Intend("b.example");
  ASSERT_OK(store().Revoke(issuer_id(), third.serial, Reason::kSuperseded, now()));
  using Serials = std::vector<ca::Serial>;
  EXPECT_EQ(Listed({}), (Serials{intent, third.serial, second.serial, first.serial}));
  EXPECT_EQ(Listed({.name = "a.example", .owner = {}, .after = {}}), Serials{first.serial});
  EXPECT_EQ(Listed({.name = {}, .owner = "ann", .after = {}}),
            (Serials{third.serial, first.serial}));
  EXPECT_EQ(Listed({.name = "b.example", .owner = "bob", .after = {}}), Serials{second.serial});
  EXPECT_EQ(Listed({.name = {}, .owner = "", .after = {}}), Serials{intent});
  EXPECT_TRUE(Listed({.name = "c.example", .owner = {}, .after = {}}).empty());
  const Time last = first.certificate.not_after;
  for (const auto& owner : {std::optional<std::string>(), std::optional<std::string>("ann")}) {
    ca::CertificateFilter valid{
        .name = {}, .owner = owner, .only_valid = true, .now = last, .after = {}};
    EXPECT_EQ(Listed(valid).back(), first.serial);
    EXPECT_EQ(Listed(valid).size(), owner ? 1U : 2U);
    valid.now = last + Seconds(1);
    EXPECT_TRUE(Listed(valid).empty());
  }
}

TEST_P(CertificateStore, ListGoesOnAfterACursor) {
  std::vector<ca::Serial> expected;
  for (int i = 0; i < 5; ++i) expected.insert(expected.begin(), Issue({"a.example"}).serial);
  for (const auto& name : {std::optional<std::string>(), std::optional<std::string>("a.example")}) {
    ca::CertificateFilter filter{.name = name, .owner = {}, .limit = 2, .after = {}};
    std::vector<ca::Serial> listed;
    for (std::vector<ca::Serial> page = Listed(filter); !page.empty(); page = Listed(filter)) {
      ASSERT_LE(page.size(), 2U);
      listed.insert(listed.end(), page.begin(), page.end());
      filter.after = page.back().ToString();
    }
    EXPECT_EQ(listed, expected);
  }
  EXPECT_FAILS(Code::kMalformed, store().List({.name = {}, .owner = {}, .after = "xyz"}));
  EXPECT_FAILS(Code::kMalformed, store().List({.name = {}, .owner = {}, .after = "0123"}));
}

TEST_P(CertificateStore, VisitRevokedGoesInSerialOrderUntilToldToStop) {
  std::vector<ca::Serial> revoked;
  Time not_after{};
  for (int i = 0; i < 6; ++i) {
    const Issued issued = Issue({"a.example"});
    not_after = issued.certificate.not_after;
    if (i % 2 == 0) continue;
    ASSERT_OK(store().Revoke(issuer_id(), issued.serial, Reason::kSuperseded, now()));
    revoked.push_back(issued.serial);
  }
  std::sort(revoked.begin(), revoked.end());
  EXPECT_EQ(Revoked(now()), revoked);
  EXPECT_EQ(Revoked(not_after), revoked);
  EXPECT_TRUE(Revoked(not_after + Seconds(1)).empty());
  int visits = 0;
  ASSERT_OK(store().VisitRevoked(issuer_id(), now(), [&](const ca::RevokedEntry& entry) {
    EXPECT_EQ(entry.revocation.reason, Reason::kSuperseded);
    EXPECT_OK(store().StatusOf(issuer_id(), entry.serial));  // the store may be used meanwhile
    return ++visits < 2;
  }));
  EXPECT_EQ(visits, 2);
  EXPECT_OK(store().VisitRevoked("other", now(), [&](const ca::RevokedEntry&) {
    ADD_FAILURE() << "an entry of another issuer";
    return false;
  }));
}

TEST_P(CertificateStore, RevocationEventsComeInTheOrderOfTheirCommits) {
  EXPECT_EQ(store().LastRevocationSequence().value(), 0);
  EXPECT_TRUE(store().RevocationsSince(0, 10)->empty());
  std::vector<ca::Serial> serials;
  for (int i = 0; i < 3; ++i) serials.push_back(Issue({"a.example"}).serial);
  for (const ca::Serial& serial : serials) {
    ASSERT_OK(store().Revoke(issuer_id(), serial, Reason::kSuperseded, now()));
  }
  const auto events = store().RevocationsSince(0, 10);
  ASSERT_OK(events);
  ASSERT_EQ(events->size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*events)[i].serial, serials[i]);
    EXPECT_EQ((*events)[i].issuer_id, issuer_id());
    EXPECT_GT((*events)[i].sequence, i == 0 ? 0 : (*events)[i - 1].sequence);
  }
  EXPECT_EQ(store().LastRevocationSequence().value(), events->back().sequence);
  EXPECT_EQ(store().RevocationsSince((*events)[0].sequence, 1)->front().serial, serials[1]);
  EXPECT_TRUE(store().RevocationsSince(events->back().sequence, 10)->empty());
}

TEST_P(CertificateStore, CrlNumbersRiseForEachIssuerAndSurvive) {
  uint64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    const uint64_t number = store().NextCrlNumber(issuer_id()).value();
    EXPECT_GT(number, last);
    last = number;
    if (GetParam().durable) Reopen();
  }
  EXPECT_LT(store().NextCrlNumber("other").value(), last);
}

TEST_P(CertificateStore, OneOfManyRevocationsWins) {
  const Issued issued = Issue({"a.example"});
  std::atomic<int> winners = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      if (store().Revoke(issuer_id(), issued.serial, Reason::kSuperseded, now()).ok()) ++winners;
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(store().RevocationsSince(0, 10)->size(), 1U);
}

class DurableCertificateStore : public CertificateStore {};

TEST_P(DurableCertificateStore, WhatWasStoredIsThereAfterReopening) {
  const Issued issued = Issue({"a.example"}, "order-1");
  const ca::Serial intent = Intend("b.example");
  ASSERT_OK(store().Revoke(issuer_id(), issued.serial, Reason::kSuperseded, now()));
  Reopen();
  EXPECT_EQ(store().FindByReference("order-1")->der, issued.certificate.der);
  EXPECT_TRUE(store().StatusOf(issuer_id(), issued.serial)->revocation);
  EXPECT_EQ(store().ListIntents(ca::WorkScope::kDead, 10)->front().serial, intent);
  EXPECT_EQ(store().LastRevocationSequence().value(), 1);
}

TEST_P(DurableCertificateStore, ACompromisedKeyIsRememberedAfterReopening) {
  const Issued issued = Issue({"a.example"});
  ASSERT_OK(store().Revoke(issuer_id(), issued.serial, Reason::kKeyCompromise, now()));
  Reopen();
  EXPECT_EQ(store().HistoryOf(key_.spki_sha256()).value(), KeyHistory::kCompromised);
  EXPECT_FAILS(Code::kBadPublicKey, store().RecordIntent(Prepare({"a.example"}), now()));
}

}  // namespace agentca::contract
