// What every storage::Maintenance does.
#pragma once

#include "storage/maintenance.h"
#include "tests/contract/grant_contract.h"
#include "tests/fakes/line_lists.h"

namespace agentca::contract {

using storage::Mending;
using storage::Prunable;

class StoreMaintenance : public GrantStore {
 protected:
  storage::Maintenance& store_as_whole() { return *backend_->maintenance(); }
  ca::CertificateStore& certificates() { return backend_->certificates(); }
  const ca::IssuerId& issuer_id() const { return issuer_.issuer->id(); }
  // When all that the fixture makes is over.
  Time Later() const { return now() + Seconds(3650LL * 86400); }

  ca::Certificate IssueFor(const acme::OrderId& id) {
    ca::Ticket ticket = NewTicket(id);
    EXPECT_OK(store().BeginFinalize(id, ticket, {}, now()));
    ca::Certificate certificate = issuer_.issuer->Issue(std::move(ticket)).value();
    EXPECT_OK(Complete(id, certificate));
    return certificate;
  }
  struct Settled {
    acme::OrderId order;
    acme::AuthorizationId authorization;
    ca::Certificate certificate;
  };
  Settled IssueOne() {
    const acme::OrderView view = PlaceReady(account_.id);
    return {view.order.id, view.authorizations.front().id, IssueFor(view.order.id)};
  }
  size_t Prune(Prunable what, Time before, bool dry_run = false) {
    size_t deleted = 0;
    storage::PruneCursor cursor;
    for (bool more = true; more;) {
      const auto step = store_as_whole().Prune(what, before, cursor, dry_run);
      EXPECT_OK(step);
      if (!step.ok()) break;
      deleted += step->deleted;
      more = step->more;
      cursor = step->next;
    }
    return deleted;
  }
  std::vector<std::string> Faults() {
    std::vector<std::string> faults;
    EXPECT_OK(store_as_whole().Check([&](const storage::Finding& finding) {
      faults.push_back(finding.table + " " + finding.key + ": " + finding.fault);
    }));
    return faults;
  }
  std::vector<std::string> Exported() {
    std::vector<std::string> lines;
    EXPECT_OK(store_as_whole().Export([&](std::string_view line) -> Status {
      lines.emplace_back(line);
      return {};
    }));
    return lines;
  }
  // One of everything.
  void Fill() {
    const ca::Agent agent = AddAgent();
    AddSource();
    const acme::Grant grant = Granted(agent);
    ASSERT_OK(store().CreateAccount({AccountWith(grant)}));
    PlaceWaiting(agent);
    const Settled revoked = IssueOne();
    IssueOne();
    Place(account_.id, "*.wild.example");
    ASSERT_OK(certificates().Revoke(issuer_id(), revoked.certificate.serial,
                                    ca::Reason::kKeyCompromise, now()));
    ASSERT_OK(certificates().NextCrlNumber(issuer_id()));
    ASSERT_OK(backend_->documents().Put("ocsp/x", 0, {1, {0x00, 0xff, 0x7f}}));
  }
  // An empty store of each durable kind.
  std::vector<std::unique_ptr<storage::Backend>> EmptyStores() {
    std::vector<std::unique_ptr<storage::Backend>> stores;
    for (const BackendKind& kind : DurableBackends()) {
      auto& directory = directories_.emplace_back(std::make_unique<fakes::TemporaryDirectory>());
      stores.push_back(
          storage::Open(kind.uri(*directory), storage::OpenMode::kCreate).value());
    }
    return stores;
  }

  std::vector<std::unique_ptr<fakes::TemporaryDirectory>> directories_;
};

// ---- Pruning ----

TEST_P(StoreMaintenance, OrdersGoWithTheirAuthorizationsWhenTheyAreOver) {
  const Settled settled = IssueOne();
  const acme::OrderView unused = Place(account_.id);
  const acme::OrderView processing = PlaceProcessing(account_.id);
  EXPECT_EQ(Prune(Prunable::kOrders, now()), 0U);
  EXPECT_EQ(Prune(Prunable::kOrders, Later(), true), 2U);
  EXPECT_OK(store().FindOrder(settled.order));
  EXPECT_EQ(Prune(Prunable::kOrders, Later()), 2U);
  EXPECT_FAILS(Code::kNotFound, store().FindOrder(settled.order));
  EXPECT_FAILS(Code::kNotFound, store().FindAuthorization(settled.authorization));
  EXPECT_FAILS(Code::kNotFound, store().FindOrder(unused.order.id));
  EXPECT_OK(store().FindOrder(processing.order.id));  // somebody's work, whatever its age
  EXPECT_OK(certificates().Find(issuer_id(), settled.certificate.serial));
  EXPECT_EQ(Faults(), std::vector<std::string>());
}

TEST_P(StoreMaintenance, AnOrderStaysWhileAnAuthorizationOfItLives) {
  acme::NewOrder request = make_.NewOrder(account_.id, "a.example");
  request.authorizations.front().expires_at = request.order.expires_at + Seconds(86400);
  ASSERT_OK(store().CreateOrder(request));
  EXPECT_EQ(Prune(Prunable::kOrders, request.order.expires_at + Seconds(1)), 0U);
  EXPECT_EQ(Prune(Prunable::kOrders, request.authorizations.front().expires_at + Seconds(1)), 1U);
}

TEST_P(StoreMaintenance, ManyOrdersGoInManySteps) {
  constexpr size_t kMany = 230;
  for (size_t i = 0; i < kMany; ++i) Place(account_.id);
  const acme::OrderView kept = PlaceProcessing(account_.id);
  EXPECT_EQ(Prune(Prunable::kOrders, Later(), true), kMany);
  EXPECT_EQ(Prune(Prunable::kOrders, Later()), kMany);
  EXPECT_OK(store().FindOrder(kept.order.id));
}

TEST_P(StoreMaintenance, AnApprovalGoesWithItsOrder) {
  const ca::Agent agent = AddAgent();
  const acme::OrderId id = PlaceWaiting(agent);
  EXPECT_EQ(Prune(Prunable::kOrders, Later()), 0U);  // it waits for a human
  ASSERT_OK(Decide(id, acme::Decision::kDenied));
  ASSERT_OK(store().FinishOrder(id, Error{Code::kUnauthorized, "denied"}));
  EXPECT_EQ(Prune(Prunable::kOrders, Later()), 1U);
  EXPECT_TRUE(store().ListApprovals(true, "", 10)->empty());
}

TEST_P(StoreMaintenance, ACertificateStaysWhileItLastsAndWhileItsOrderDoes) {
  const Settled settled = IssueOne();
  const ca::Certificate& certificate = settled.certificate;
  EXPECT_EQ(Prune(Prunable::kCertificates, Later()), 0U);  // the order names it
  EXPECT_EQ(Prune(Prunable::kOrders, Later()), 1U);
  EXPECT_EQ(Prune(Prunable::kCertificates, certificate.not_after), 0U);
  EXPECT_EQ(Prune(Prunable::kCertificates, certificate.not_after + Seconds(1), true), 1U);
  EXPECT_EQ(Prune(Prunable::kCertificates, certificate.not_after + Seconds(1)), 1U);
  EXPECT_FAILS(Code::kNotFound, certificates().StatusOf(issuer_id(), certificate.serial));
  ca::CertificateFilter by_name;
  by_name.name = "a.example";
  EXPECT_TRUE(certificates().List(by_name)->empty());
  EXPECT_EQ(Faults(), std::vector<std::string>());
}

TEST_P(StoreMaintenance, AnIntentIsNeverPruned) {
  const ca::Ticket ticket = NewTicket("reference");
  ASSERT_OK(certificates().RecordIntent(ticket, now()));
  EXPECT_EQ(Prune(Prunable::kCertificates, Later()), 0U);
  ASSERT_OK(certificates().Abandon(issuer_id(), ticket.serial(), now()));
  EXPECT_EQ(Prune(Prunable::kCertificates, Later()), 1U);
}

TEST_P(StoreMaintenance, ACompromisedKeyIsNeverForgotten) {
  const Settled settled = IssueOne();
  ASSERT_OK(certificates().Revoke(issuer_id(), settled.certificate.serial,
                                  ca::Reason::kKeyCompromise, now()));
  Prune(Prunable::kOrders, Later());
  EXPECT_EQ(Prune(Prunable::kCertificates, Later()), 1U);
  EXPECT_EQ(certificates().HistoryOf(key_.spki_sha256()).value(), ca::KeyHistory::kCompromised);
}

TEST_P(StoreMaintenance, TheSequenceOfRevocationsGoesOn) {
  for (int i = 0; i < 3; ++i)
    ASSERT_OK(certificates().Revoke(issuer_id(), IssueOne().certificate.serial,
                                    ca::Reason::kSuperseded, now() + Seconds(i)));
  EXPECT_EQ(Prune(Prunable::kRevocations, now()), 0U);
  EXPECT_EQ(Prune(Prunable::kRevocations, now() + Seconds(1)), 1U);
  EXPECT_EQ(Faults(), std::vector<std::string>());
  EXPECT_EQ(Prune(Prunable::kRevocations, Later()), 1U);  // the last one stays
  EXPECT_EQ(certificates().LastRevocationSequence().value(), 3);
  ASSERT_OK(certificates().Revoke(issuer_id(), IssueOne().certificate.serial,
                                  ca::Reason::kSuperseded, now()));
  EXPECT_EQ(certificates().LastRevocationSequence().value(), 4);
}

TEST_P(StoreMaintenance, AGrantStaysWhileAnAccountRestsOnIt) {
  const ca::Agent agent = AddAgent();
  const acme::Grant spent = Granted(agent);
  const acme::Grant unspent = Granted(agent);
  const acme::Account account = AccountWith(spent);
  ASSERT_OK(store().CreateAccount({account}));
  EXPECT_EQ(Prune(Prunable::kGrants, spent.expires_at), 0U);
  EXPECT_EQ(Prune(Prunable::kGrants, Later()), 1U);
  EXPECT_FAILS(Code::kNotFound, store().FindGrant(unspent.key_id));
  EXPECT_OK(store().FindGrant(spent.key_id));
  EXPECT_EQ(Prune(Prunable::kAttestations, Later()), 1U);  // the grant needs the other one
  EXPECT_OK(store().FindGrant(spent.key_id));
  ASSERT_OK(store().DeactivateAccount(account.id));
  EXPECT_EQ(Prune(Prunable::kGrants, Later()), 1U);
  EXPECT_EQ(Prune(Prunable::kAttestations, Later()), 1U);
}

TEST_P(StoreMaintenance, EvidenceIsUsedOnceUntilItIsForgotten) {
  const ca::Agent agent = AddAgent();
  const acme::Grant grant = Granted(agent);
  EXPECT_EQ(Prune(Prunable::kGrants, Later()), 1U);
  EXPECT_EQ(Prune(Prunable::kAttestations, now()), 0U);
  acme::Grant again = make_.NewGrant(agent);
  again.attestation = grant.attestation;
  EXPECT_FALSE(store().RecordGrant(again).ok());
  EXPECT_EQ(Prune(Prunable::kAttestations, Later()), 1U);
  EXPECT_OK(store().RecordGrant(again));
}

// ---- Export and import ----

TEST_P(StoreMaintenance, WhatIsExportedIsImportedAsItWas) {
  Fill();
  const std::vector<std::string> lines = Exported();
  for (const auto& other : EmptyStores()) {
    fakes::LineList in(lines);
    const auto imported = other->maintenance()->Import(in);
    ASSERT_OK(imported);
    std::vector<std::string> again;
    const auto exported = other->maintenance()->Export([&](std::string_view line) -> Status {
      again.emplace_back(line);
      return {};
    });
    ASSERT_OK(exported);
    EXPECT_EQ(again, lines);
    EXPECT_EQ(imported->total, exported->total);
    EXPECT_EQ(other->certificates().LastRevocationSequence().value(), 1);
    EXPECT_EQ(other->certificates().NextCrlNumber(issuer_id()).value(), 2U);
    fakes::LineList twice(lines);
    EXPECT_FAILS(Code::kConflict, other->maintenance()->Import(twice));
  }
}

TEST_P(StoreMaintenance, ADamagedExportIsRefusedAsAWhole) {
  Fill();
  const std::vector<std::string> lines = Exported();
  const auto stores = EmptyStores();
  for (const auto& other : stores) {
    const auto refused = [&](std::vector<std::string> broken) {
      fakes::LineList in(std::move(broken));
      const auto imported = other->maintenance()->Import(in);
      EXPECT_FALSE(imported.ok());
      // Nothing of it is there, or a whole one would be refused below.
    };
    for (size_t i = 0; i < lines.size(); i += 3) {
      refused({lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(i)});  // truncated
      std::vector<std::string> changed = lines;
      changed[i][changed[i].size() / 2] ^= 1;
      refused(changed);
      changed = lines;
      changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i));
      refused(changed);
      changed = lines;
      changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(i), lines[i]);
      refused(changed);
    }
    std::vector<std::string> newer = lines;
    newer[0] = R"({"format":"agentca-export","version":1,"schema":999})";
    refused(newer);
    fakes::LineList in(lines);
    EXPECT_OK(other->maintenance()->Import(in));
  }
}

// ---- Back-ups ----

TEST_P(StoreMaintenance, RecallsASerialThatIsNotKnown) {
  const ca::Serial serial = make_.NewSerial();
  EXPECT_EQ(store_as_whole().UnknownOf({serial}).value(), std::vector<ca::Serial>{serial});
  const storage::Recollection lost{issuer_id(), serial, now(), now() + Seconds(999), {}};
  EXPECT_EQ(store_as_whole().Recall(lost, now(), true).value(), Mending::kAdded);
  EXPECT_EQ(store_as_whole().UnknownOf({serial})->size(), 1U);
  EXPECT_EQ(store_as_whole().Recall(lost, now(), false).value(), Mending::kAdded);
  EXPECT_TRUE(store_as_whole().UnknownOf({serial})->empty());
  const ca::CertStatus status = certificates().StatusOf(issuer_id(), serial).value();
  EXPECT_EQ(status.state, ca::SerialState::kAbandoned);
  EXPECT_EQ(status.not_after, lost.not_after);
  ASSERT_TRUE(status.revocation);
  EXPECT_EQ(status.revocation->at, now());
  EXPECT_EQ(certificates().RevocationsSince(0, 10)->size(), 1U);
  EXPECT_EQ(store_as_whole().Recall(lost, now(), false).value(), Mending::kNone);
  EXPECT_OK(certificates().Find(issuer_id(), serial));
  EXPECT_EQ(Faults(), std::vector<std::string>());
}

TEST_P(StoreMaintenance, RecallsARevocationWithItsDateAndReason) {
  const Settled settled = IssueOne();
  const ca::Revocation revocation{now() - Seconds(77), ca::Reason::kKeyCompromise};
  const storage::Recollection lost{issuer_id(), settled.certificate.serial, now(),
                                   settled.certificate.not_after, revocation};
  EXPECT_EQ(store_as_whole().Recall(lost, now(), false).value(), Mending::kRevoked);
  const auto status = certificates().StatusOf(issuer_id(), settled.certificate.serial).value();
  EXPECT_EQ(status.state, ca::SerialState::kIssued);
  EXPECT_EQ(status.revocation->at, revocation.at);
  EXPECT_EQ(status.revocation->reason, revocation.reason);
  EXPECT_EQ(certificates().HistoryOf(key_.spki_sha256()).value(), ca::KeyHistory::kCompromised);
  EXPECT_EQ(store_as_whole().Recall(lost, now(), false).value(), Mending::kNone);
}

TEST_P(StoreMaintenance, ARecalledRevocationEndsAnIntent) {
  const ca::Ticket ticket = NewTicket("reference");
  ASSERT_OK(certificates().RecordIntent(ticket, now()));
  storage::Recollection lost{issuer_id(), ticket.serial(), now(), ticket.not_after(), {}};
  EXPECT_EQ(store_as_whole().Recall(lost, now(), false).value(), Mending::kNone);
  lost.revocation = ca::Revocation{now(), ca::Reason::kUnspecified};
  EXPECT_EQ(store_as_whole().Recall(lost, now(), false).value(), Mending::kRevoked);
  EXPECT_EQ(StateOf(ticket.serial()), ca::SerialState::kAbandoned);
}

TEST_P(StoreMaintenance, ACrlNumberIsRaisedAndNeverLowered) {
  EXPECT_EQ(store_as_whole().CrlNumberOf(issuer_id()).value(), 0U);
  ASSERT_OK(store_as_whole().RaiseCrlNumber(issuer_id(), 41));
  ASSERT_OK(store_as_whole().RaiseCrlNumber(issuer_id(), 7));
  EXPECT_EQ(store_as_whole().CrlNumberOf(issuer_id()).value(), 41U);
  EXPECT_EQ(certificates().NextCrlNumber(issuer_id()).value(), 42U);
}

TEST_P(StoreMaintenance, AStoreInUseIsSound) {
  Fill();
  EXPECT_EQ(Faults(), std::vector<std::string>());
}

}  // namespace agentca::contract
