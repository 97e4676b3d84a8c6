// Verbs of the stores, each on objects of its own, for tests of connections that end.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "tests/storage/postgres_fixture.h"

namespace agentca::storage {

// One verb on objects of its own, and whether its effect is there, once.
struct Trial {
  std::function<Status()> run;
  std::function<bool(Backend&)> there;
};
template <class T>
Status AsStatus(const Result<T>& result) {
  return result.ok() ? Status() : Status(result.error());
}

inline ca::Agent NewAgent() { return fakes::SomeAgent("acme", "a" + std::to_string(NewRowId())); }

inline ca::Agent AddedTo(Backend& node) {
  return node.agents().AddAgent(NewAgent(), fakes::ByAlice()).value();
}

inline size_t EventsOf(Backend& at, const ca::Serial& serial) {
  size_t count = 0;
  const auto events = at.certificates().RevocationsSince(0, 1'000'000).value();
  for (const auto& each : events) count += each.serial == serial ? 1U : 0U;
  return count;
}

inline Trial CreatesAccount(Flows& flows, Backend& node) {
  const acme::Account account = flows.make.NewAccount();
  return {[&node, account]() -> Status {
            AGENTCA_ASSIGN(const auto creation, node.acme().CreateAccount({account}));
            if (creation.created) return {};
            return Error{Code::kInternal, "it says that the account was there"};
          },
          [account](Backend& at) {
            return IsOk(at.acme().FindAccountByThumbprint(account.thumbprint));
          }};
}

inline Trial ChangesKey(Flows& flows, Backend& node) {
  const acme::Account account = flows.Register(node);
  const acme::Account next = flows.make.NewAccount();
  return {[&node, account, next] {
            return node.acme().ChangeKey(account.id, account.thumbprint, next.key, next.thumbprint);
          },
          [account, next](Backend& at) {
            const auto found = at.acme().FindAccountByThumbprint(next.thumbprint);
            return found.ok() && found->id == account.id;
          }};
}

inline Trial CreatesOrder(Flows& flows, Backend& node) {
  const acme::NewOrder order = flows.make.NewOrder(flows.Register(node).id, "a.example");
  return {[&node, order] { return AsStatus(node.acme().CreateOrder(order)); },
          [order](Backend& at) { return IsOk(at.acme().FindOrder(order.order.id)); }};
}

inline Trial BeginsChallenge(Flows& flows, Backend& node) {
  const auto id = flows.Place(node, flows.Register(node).id).authorizations[0].id;
  return {[&flows, &node, id]() -> Status {
            AGENTCA_ASSIGN(const auto begun, node.acme().BeginChallenge(
                                                 id, acme::ChallengeType::kDns01, {}, flows.now()));
            if (begun.started) return {};
            return Error{Code::kInternal, "nobody validates"};
          },
          [id](Backend& at) { return at.acme().FindAuthorization(id)->attempt.has_value(); }};
}

inline Trial FinishesChallenge(Flows& flows, Backend& node, const Result<acme::Proof>& outcome) {
  const auto id = flows.Place(node, flows.Register(node).id).authorizations[0].id;
  EXPECT_TRUE(
      IsOk(node.acme().BeginChallenge(id, acme::ChallengeType::kDns01, {}, flows.now())));
  return {[&flows, &node, id, outcome] {
            return node.acme().FinishChallenge(id, outcome, flows.now());
          },
          [id, outcome](Backend& at) {
            const auto state = at.acme().FindAuthorization(id)->attempt->state;
            return state == (outcome.ok() ? acme::AttemptState::kValid
                                          : acme::AttemptState::kInvalid);
          }};
}

inline Trial FinishesAttested(Flows& flows, Backend& node) {
  const ca::Agent agent = AddedTo(node);
  return FinishesChallenge(flows, node, acme::Proof{{}, flows.make.NewAttestation(agent)});
}

inline Trial BeginsFinalize(Flows& flows, Backend& node) {
  const auto id = flows.PlaceReady(node, flows.Register(node).id).order.id;
  const auto ticket = std::make_shared<ca::Ticket>(flows.NewTicket(id));
  return {[&flows, &node, id, ticket] {
            return node.acme().BeginFinalize(id, *ticket, {}, flows.now());
          },
          [&flows, id, ticket](Backend& at) {
            return at.acme().FindOrder(id)->order.finalizing &&
                   at.certificates().StatusOf(flows.issuer_id(), ticket->serial()).ok();
          }};
}

inline Trial CompletesOrder(Flows& flows, Backend& node) {
  const auto id = flows.PlaceReady(node, flows.Register(node).id).order.id;
  ca::Ticket ticket = flows.NewTicket(id);
  EXPECT_TRUE(IsOk(node.acme().BeginFinalize(id, ticket, {}, flows.now())));
  const ca::Certificate certificate = flows.issuer.issuer->Issue(std::move(ticket)).value();
  return {[&flows, &node, id, certificate] {
            return node.acme().CompleteOrder(id, certificate, flows.issuer_id(), {});
          },
          [&flows, id, certificate](Backend& at) {
            const auto record = at.certificates().Find(flows.issuer_id(), certificate.serial);
            return at.acme().FindOrder(id)->order.certificate == certificate.serial &&
                   record.ok() && record->der == certificate.der;
          }};
}

inline Trial FinishesOrder(Flows& flows, Backend& node) {
  const auto id = flows.PlaceReady(node, flows.Register(node).id).order.id;
  EXPECT_TRUE(IsOk(node.acme().BeginFinalize(id, flows.NewTicket(id), {}, flows.now())));
  const Error error{Code::kUnauthorized, "no \"more\""};
  return {[&node, id, error] { return node.acme().FinishOrder(id, error); },
          [id](Backend& at) { return at.acme().FindOrder(id)->order.error.has_value(); }};
}

inline Trial RecordsIntent(Flows& flows, Backend& node) {
  const auto ticket = std::make_shared<ca::Ticket>(flows.NewTicket(""));
  return {[&flows, &node, ticket] {
            return node.certificates().RecordIntent(*ticket, flows.now());
          },
          [&flows, ticket](Backend& at) {
            return IsOk(at.certificates().StatusOf(flows.issuer_id(), ticket->serial()));
          }};
}

inline Trial RecordsCertificate(Flows& flows, Backend& node) {
  const ca::Certificate certificate = flows.Intend(node);
  return {[&flows, &node, certificate] {
            return node.certificates().RecordCertificate(certificate, flows.issuer_id());
          },
          [&flows, certificate](Backend& at) {
            return at.certificates().Find(flows.issuer_id(), certificate.serial)->der ==
                   certificate.der;
          }};
}

inline Trial Abandons(Flows& flows, Backend& node) {
  const ca::Certificate certificate = flows.Intend(node);
  return {[&flows, &node, certificate] {
            return node.certificates().Abandon(flows.issuer_id(), certificate.serial, flows.now());
          },
          [certificate](Backend& at) { return EventsOf(at, certificate.serial) == 1; }};
}

inline Trial Revokes(Flows& flows, Backend& node) {
  const ca::Certificate certificate = flows.IssueOne(node);
  return {[&flows, &node, certificate] {
            return node.certificates().Revoke(flows.issuer_id(), certificate.serial,
                                              ca::Reason::kSuperseded, flows.now());
          },
          [certificate](Backend& at) { return EventsOf(at, certificate.serial) == 1; }};
}

inline Trial RecordsGrant(Flows& flows, Backend& node) {
  const ca::Agent agent = AddedTo(node);
  const acme::Grant grant = flows.make.NewGrant(agent);
  return {[&node, grant] { return node.acme().RecordGrant(grant); },
          [grant](Backend& at) { return IsOk(at.acme().FindGrant(grant.key_id)); }};
}

// An agent's order whose evidence was dropped, or is yet to be.
struct Proven {
  ca::Agent agent;
  acme::Attestation attestation;
  acme::AuthorizationId authorization;
  acme::OrderId order;
  acme::FinalizeGuard guard;
};
inline Proven PlaceFor(Flows& flows, Backend& node) {
  Proven made;
  made.agent = AddedTo(node);
  made.attestation = flows.make.NewAttestation(made.agent);
  const auto order = flows.make.NewAgentOrder(flows.Register(node), "a.acme.agents.test");
  EXPECT_TRUE(IsOk(node.acme().CreateOrder(order)));
  made.authorization = order.authorizations[0].id;
  made.order = order.order.id;
  made.guard = {made.agent.id, made.agent.version, flows.now() - Seconds(600)};
  return made;
}
inline Proven PlaceProven(Flows& flows, Backend& node) {
  Proven made = PlaceFor(flows, node);
  const auto& id = made.authorization;
  constexpr auto kType = acme::ChallengeType::kAgentAttest01;
  acme::Store& store = node.acme();
  EXPECT_TRUE(IsOk(store.BeginChallenge(id, kType, "{}", flows.now())));
  EXPECT_TRUE(IsOk(store.FinishChallenge(id, acme::Proof{{}, made.attestation}, flows.now())));
  return made;
}
inline acme::Approval Asking(Flows& flows, const Proven& made) {
  acme::Approval approval;
  approval.agent = made.agent.id;
  approval.csr = {0x30, 0x00};
  approval.asked_at = flows.now();
  return approval;
}
inline Proven PlaceWaiting(Flows& flows, Backend& node) {
  Proven made = PlaceProven(flows, node);
  EXPECT_TRUE(IsOk(
      node.acme().AskApproval(made.order, Asking(flows, made), made.guard, flows.now())));
  return made;
}

inline Trial RecordsDrop(Flows& flows, Backend& node) {
  const Proven made = PlaceFor(flows, node);
  return {[&flows, &node, made] {
            return node.acme().RecordDrop(made.authorization, made.attestation, flows.now());
          },
          [made](Backend& at) {
            const auto kept = at.acme().FindAuthorization(made.authorization)->attestation;
            const acme::AttestationFilter filter{.agent = made.agent.id};
            return kept && kept->evidence_hash == made.attestation.evidence_hash &&
                   at.acme().ListAttestations(filter)->size() == 1;
          }};
}

inline Trial AsksApproval(Flows& flows, Backend& node) {
  const Proven made = PlaceProven(flows, node);
  return {[&flows, &node, made] {
            const acme::Approval asking = Asking(flows, made);
            return node.acme().AskApproval(made.order, asking, made.guard, flows.now());
          },
          [made](Backend& at) {
            const auto found = at.acme().FindOrder(made.order);
            return found->order.finalizing && found->order.approval.has_value();
          }};
}

inline Trial DecidesApproval(Flows& flows, Backend& node) {
  const Proven made = PlaceWaiting(flows, node);
  return {[&flows, &node, made] {
            return node.acme().DecideApproval(made.order, acme::Decision::kGranted, "bob",
                                              "because", flows.now());
          },
          [made](Backend& at) {
            const auto approval = at.acme().FindOrder(made.order)->order.approval;
            return approval->decision == acme::Decision::kGranted && approval->decided_by == "bob";
          }};
}

inline Trial BeginsApproved(Flows& flows, Backend& node) {
  const Proven made = PlaceWaiting(flows, node);
  EXPECT_TRUE(IsOk(node.acme().DecideApproval(made.order, acme::Decision::kGranted, "bob",
                                              "because", flows.now())));
  const auto ticket = std::make_shared<ca::Ticket>(flows.NewTicket(made.order));
  return {[&flows, &node, made, ticket] {
            return node.acme().BeginApproved(made.order, *ticket, made.guard, flows.now());
          },
          [made, ticket](Backend& at) {
            const auto record = at.certificates().FindByReference(made.order);
            return record.ok() && record->state == ca::SerialState::kIntent &&
                   record->serial == ticket->serial();
          }};
}

inline size_t HistoryOf(Backend& at, const ca::AgentId& id) {
  return at.agents().AgentHistory(id, 0, 100)->size();
}

inline Trial AddsAgent(Flows&, Backend& node) {
  const ca::Agent agent = NewAgent();
  return {[&node, agent] { return AsStatus(node.agents().AddAgent(agent, fakes::ByAlice())); },
          [agent](Backend& at) {
            return at.agents().FindAgent(agent.id).ok() && HistoryOf(at, agent.id) == 1;
          }};
}

inline Trial ChangesAgent(Flows&, Backend& node) {
  ca::Agent agent = AddedTo(node);
  agent.purpose = "another";
  return {[&node, agent] { return AsStatus(node.agents().ChangeAgent(agent, fakes::ByAlice())); },
          [agent](Backend& at) {
            return at.agents().FindAgent(agent.id)->purpose == "another" &&
                   HistoryOf(at, agent.id) == 2;
          }};
}

inline Trial Suspends(Flows&, Backend& node) {
  const ca::Agent agent = AddedTo(node);
  return {[&node, agent] {
            return AsStatus(node.agents().SetAgentStatus(agent.id, ca::AgentStatus::kSuspended,
                                                         "why", fakes::ByAlice()));
          },
          [agent](Backend& at) {
            return at.agents().FindAgent(agent.id)->status == ca::AgentStatus::kSuspended &&
                   HistoryOf(at, agent.id) == 2;
          }};
}

inline Trial NotesEvent(Flows& flows, Backend& node) {
  const ca::AgentId id = AddedTo(node).id;
  const ca::Change change{"order x", flows.now()};
  return {[&node, id, change] {
            return node.agents().NoteAgentEvent(id, "drift", "another image", change);
          },
          [id](Backend& at) { return HistoryOf(at, id) == 2; }};
}

inline Trial RemovesSource(Flows&, Backend& node) {
  const ca::EvidenceSource source = fakes::TokenSource("s" + std::to_string(NewRowId()));
  EXPECT_TRUE(IsOk(node.agents().PutSource(source, fakes::ByAlice())));
  return {[&node, source] { return node.agents().RemoveSource(source.name, fakes::ByAlice()); },
          [source](Backend& at) {
            const auto sources = at.agents().ListSources().value();
            for (const auto& each : sources)
              if (each.name == source.name) return false;
            return true;
          }};
}

inline size_t RemovalsOf(Backend& at, const std::string& rule) {
  size_t count = 0;
  const auto events = at.agents().HistoryOfTrust(0, 10'000).value();
  for (const auto& each : events)
    if (each.what == "rule removed" && each.detail.find(rule) != std::string::npos) ++count;
  return count;
}

inline Trial RemovesRule(Flows&, Backend& node) {
  const std::string name = "r" + std::to_string(NewRowId());
  EXPECT_TRUE(IsOk(node.agents().PutSource(fakes::TokenSource(), fakes::ByAlice())));
  EXPECT_TRUE(IsOk(node.agents().PutRule(fakes::FleetRule(name), fakes::ByAlice())));
  return {[&node, name] { return node.agents().RemoveRule(name, fakes::ByAlice()); },
          [name](Backend& at) {
            const auto rules = at.agents().ListRules().value();
            const bool gone = std::none_of(rules.begin(), rules.end(),
                                           [&](const auto& each) { return each.name == name; });
            return gone && RemovalsOf(at, name) == 1;
          }};
}

}  // namespace agentca::storage
