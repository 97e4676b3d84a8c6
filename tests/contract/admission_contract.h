// The part of the acme::Store contract about agents that their first evidence admits, the list of
// attestations, and races for evidence.
#pragma once

#include "tests/contract/evidence_contract.h"

namespace agentca::contract {

TEST_P(EvidenceStore, TheFirstEvidenceAdmitsAnAgent) {
  AddSource();
  const acme::AuthorizationId dropped = PlaceFor(Register()).id;
  ASSERT_OK(store().RecordDrop(dropped, Admitting(Unregistered("one")), now()));
  const acme::AuthorizationId proven = Begun(Register()).id;
  ASSERT_OK(Finish(proven, Admitting(Unregistered("two"))));
  for (const auto& [id, name] : {std::pair(dropped, "one"), std::pair(proven, "two")}) {
    const auto agent = agents().FindAgent({"acme", name});
    ASSERT_OK(agent);
    EXPECT_EQ(agent->admitted_by, "fleet");
    EXPECT_EQ(agent->status, ca::AgentStatus::kActive);
    const auto history = agents().AgentHistory(agent->id, 0, 10).value();
    ASSERT_EQ(history.size(), 1U);
    EXPECT_EQ(history[0].by, "rule fleet");
    EXPECT_EQ(history[0].at, now());
    const Attestation kept = store().FindAuthorization(id)->attestation.value();
    EXPECT_EQ(kept.agent_version, agent->version);
    EXPECT_FALSE(kept.admit);
  }
}

TEST_P(EvidenceStore, AnAgentAdmittedMeanwhileByTheSameRuleIsTheOne) {
  AddSource();
  const ca::Agent agent = Unregistered();
  ASSERT_OK(store().RecordDrop(PlaceFor(Register()).id, Admitting(agent), now()));
  const acme::AuthorizationId second = PlaceFor(Register()).id;
  ASSERT_OK(store().RecordDrop(second, Admitting(agent), now()));
  EXPECT_EQ(store().FindAuthorization(second)->attestation->agent_version, 1);
  EXPECT_EQ(agents().AgentHistory(agent.id, 0, 10)->size(), 1U);
  SetStatus(agent, ca::AgentStatus::kSuspended);
  EXPECT_FAILS(Code::kUnauthorized,
               store().RecordDrop(PlaceFor(Register()).id, Admitting(agent), now()));
  const acme::AuthorizationId third = Begun(Register()).id;
  ASSERT_OK(Finish(third, Admitting(agent)));
  ExpectInvalid(third, Code::kUnauthorized);
}

TEST_P(EvidenceStore, ARegistrationMadeMeanwhileWinsOverARule) {
  const ca::Agent registered = AddAgent("worker");
  const acme::AuthorizationId mine = PlaceFor(Register()).id;
  EXPECT_FAILS(Code::kUnauthorized, store().RecordDrop(mine, Admitting(Unregistered()), now()));
  ASSERT_OK(store().BeginChallenge(mine, ChallengeType::kAgentAttest01, "{}", now()));
  ASSERT_OK(Finish(mine, Admitting(Unregistered())));
  ExpectInvalid(mine, Code::kUnauthorized);
  EXPECT_TRUE(Listed().empty());
  EXPECT_EQ(agents().FindAgent(registered.id)->version, registered.version);
}

TEST_P(EvidenceStore, AnAgentThatCannotBeAdmittedProvesNothingAndLeavesNothing) {
  const ca::Agent agent = Unregistered();  // its source is gone
  const acme::AuthorizationId mine = PlaceFor(Register()).id;
  EXPECT_FAILS(Code::kUnauthorized, store().RecordDrop(mine, Admitting(agent), now()));
  ASSERT_OK(store().BeginChallenge(mine, ChallengeType::kAgentAttest01, "{}", now()));
  ASSERT_OK(Finish(mine, Admitting(agent)));
  ExpectInvalid(mine, Code::kUnauthorized);
  EXPECT_FAILS(Code::kNotFound, agents().FindAgent(agent.id));
}

TEST_P(EvidenceStore, UsedEvidenceAdmitsNobody) {
  AddSource();
  const Attestation used = make_.NewAttestation(AddAgent());
  ASSERT_OK(store().RecordDrop(PlaceFor(Register()).id, used, now()));
  Attestation again = Admitting(Unregistered());
  again.replay_id = used.replay_id;
  EXPECT_FAILS(Code::kBadAttestation, store().RecordDrop(PlaceFor(Register()).id, again, now()));
  EXPECT_FAILS(Code::kNotFound, agents().FindAgent(again.agent));
}

// ---- Authorizations that come valid ------------------------------------------------------------

TEST_P(EvidenceStore, AnOrderMayComeWithWhatAGrantProved) {
  const ca::Agent agent = AddAgent();
  const acme::Grant grant = make_.NewGrant(agent);
  ASSERT_OK(store().RecordGrant(grant));
  const acme::Account account = Register();
  for (int i = 0; i < 2; ++i) {
    acme::NewOrder request = make_.NewAgentOrder(account, "web.acme.agents.test");
    acme::Authorization& authorization = request.authorizations.front();
    authorization.attestation = grant.attestation;
    authorization.attempt = acme::Attempt{
        ChallengeType::kAgentAttest01, AttemptState::kValid, {}, grant.attestation.verified_at};
    ASSERT_OK(store().CreateOrder(request));
    EXPECT_EQ(StatusOfOrder(request.order.id), OrderStatus::kReady);
    const acme::Authorization found = store().FindAuthorization(authorization.id).value();
    ExpectSame(*found.attestation, grant.attestation);
    EXPECT_EQ(found.attempt->type, ChallengeType::kAgentAttest01);
    EXPECT_EQ(found.attempt->validated_at, grant.attestation.verified_at);
    EXPECT_FAILS(Code::kConflict,
                 store().RecordDrop(authorization.id, make_.NewAttestation(agent), now()));
    EXPECT_TRUE(store().HoldsAuthorizations(account.id, {authorization.identifier}, now()).value());
  }
  EXPECT_EQ(Listed().size(), 1U);
}

// ---- The list ----------------------------------------------------------------------------------

inline acme::AttestationFilter Of(const ca::AgentId& agent) {
  acme::AttestationFilter filter;
  filter.agent = agent;
  return filter;
}

TEST_P(EvidenceStore, ListAttestationsPagesNewestFirst) {
  const ca::Agent web = AddAgent("web");
  const ca::Agent db = AddAgent("db");
  std::vector<acme::AuthorizationId> all;
  std::vector<acme::AuthorizationId> of_web;
  for (int i = 0; i < 7; ++i) {
    const bool is_web = i % 3 != 1;
    const acme::AuthorizationId id = PlaceFor(Register()).id;
    ASSERT_OK(store().RecordDrop(id, make_.NewAttestation(is_web ? web : db), now()));
    all.insert(all.begin(), id);
    if (is_web) of_web.insert(of_web.begin(), id);
  }
  const auto listed = [&](acme::AttestationFilter filter) {
    std::vector<acme::AuthorizationId> ids;
    for (filter.limit = 2; ids.size() < 20;) {
      const auto page = store().ListAttestations(filter).value();
      EXPECT_LE(page.size(), 2U);
      if (page.empty()) break;
      for (const auto& each : page) ids.push_back(each.authorization);
      filter.after = ids.back();
    }
    return ids;
  };
  EXPECT_EQ(listed({}), all);
  EXPECT_EQ(listed(Of(web.id)), of_web);
  EXPECT_TRUE(listed(Of({"acme", "nobody"})).empty());
  EXPECT_TRUE(listed(Of({"other", "web"})).empty());
  EXPECT_EQ(store().ListAttestations({})->size(), all.size());
  EXPECT_FAILS(Code::kMalformed, store().ListAttestations({{}, "nothing", 10}));
}

// ---- Races: exactly one wins -------------------------------------------------------------------

TEST_P(EvidenceStore, OneOfManyDropsWins) {
  const ca::Agent agent = AddAgent();
  const acme::Account account = Register();
  for (int round = 0; round < kRounds; ++round) {
    const acme::AuthorizationId id = PlaceFor(account).id;
    std::vector<Attestation> evidence;
    for (int i = 0; i < kRacers; ++i) evidence.push_back(make_.NewAttestation(agent));
    EXPECT_EQ(1, CountWinners(kRacers, [&](int i) {
                return store().RecordDrop(id, evidence[static_cast<size_t>(i)], now()).ok();
              }));
  }
  EXPECT_EQ(Listed().size(), static_cast<size_t>(kRounds));
}

TEST_P(EvidenceStore, OneOfManyWhoUseTheSameEvidenceWins) {
  const ca::Agent agent = AddAgent();
  const acme::Account account = Register();
  for (int round = 0; round < kRounds; ++round) {
    const Attestation evidence = make_.NewAttestation(agent);
    std::vector<acme::AuthorizationId> ids;
    for (int i = 0; i < kRacers; ++i) ids.push_back(Begun(account).id);
    // Some drop it, some prove their challenge with it.
    EXPECT_EQ(1, CountWinners(kRacers, [&](int i) {
                const auto& id = ids[static_cast<size_t>(i)];
                if (i % 2 == 0) return store().RecordDrop(id, evidence, now()).ok();
                return Finish(id, evidence).ok() && StatusOf(id) == AuthorizationStatus::kValid;
              }));
  }
  EXPECT_EQ(Listed().size(), static_cast<size_t>(kRounds));
}

TEST_P(EvidenceStore, ManyFirstProofsAdmitOneAgent) {
  AddSource();
  std::vector<acme::AuthorizationId> ids;
  std::vector<Attestation> evidence;
  for (int i = 0; i < kRacers; ++i) {
    ids.push_back(PlaceFor(Register()).id);
    evidence.push_back(Admitting(Unregistered()));
  }
  EXPECT_EQ(kRacers, CountWinners(kRacers, [&](int i) {
              const auto at = static_cast<size_t>(i);
              return store().RecordDrop(ids[at], evidence[at], now()).ok();
            }));
  EXPECT_EQ(agents().AgentHistory(Unregistered().id, 0, 10)->size(), 1U);
}

}  // namespace agentca::contract
