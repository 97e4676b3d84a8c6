// The part of the acme::Store contract about evidence of agents: drops, challenges, single use.
#pragma once

#include "tests/contract/acme_authorizations_contract.h"

namespace agentca::contract {

using acme::Attestation;

class EvidenceStore : public AcmeStore {
 protected:
  ca::AgentRegistry& agents() { return backend_->agents(); }
  ca::Change By(const std::string& whom = "admin alice") const { return {.by = whom, .at = now()}; }

  ca::Agent AddAgent(const std::string& name = "web") {
    ca::Agent agent;
    agent.id = {"acme", name};
    agent.sponsor = "Alice";
    return agents().AddAgent(agent, By()).value();
  }
  void SetStatus(const ca::Agent& agent, ca::AgentStatus status) {
    ASSERT_OK(agents().SetAgentStatus(agent.id, status, "a test", By()));
  }
  // An agent that the rule "fleet" admits when its evidence is kept.
  ca::Agent Unregistered(const std::string& name = "worker") {
    ca::Agent agent;
    agent.id = {"acme", name};
    agent.sponsor = "the fleet";
    agent.admitted_by = "fleet";
    agent.evidence = {{.source = "cluster", .claims = {{"sub", "worker-*"}}}};
    return agent;
  }
  void AddSource() {
    ca::EvidenceSource source;
    source.name = "cluster";
    source.format = "x5c";
    source.roots_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    ASSERT_OK(agents().PutSource(source, By()));
  }
  Attestation Admitting(const ca::Agent& agent) {
    Attestation attestation = make_.NewAttestation(agent);
    attestation.admit = agent;
    return attestation;
  }

  acme::Authorization PlaceFor(const acme::Account& account, const std::string& name = "web") {
    const auto request = make_.NewAgentOrder(account, name + ".acme.agents.test");
    return store().CreateOrder(request).value().authorizations.front();
  }
  acme::Authorization Begun(const acme::Account& account,
                            ChallengeType type = ChallengeType::kAgentAttest01) {
    const acme::AuthorizationId id = PlaceFor(account).id;
    return store().BeginChallenge(id, type, "{\"fmt\":\"jwt\"}", now()).value().authorization;
  }
  Status Finish(const acme::AuthorizationId& id, std::optional<Attestation> attestation) {
    return store().FinishChallenge(id, acme::Proof{{}, std::move(attestation)}, now());
  }
  void ExpectInvalid(const acme::AuthorizationId& id, Code code) {
    const acme::Authorization found = store().FindAuthorization(id).value();
    EXPECT_EQ(acme::StatusOf(found, now()), AuthorizationStatus::kInvalid);
    ASSERT_TRUE(found.attempt && found.attempt->error);
    EXPECT_EQ(found.attempt->error->code, code) << found.attempt->error->detail;
    EXPECT_EQ(StatusOfOrder(found.order_id), OrderStatus::kInvalid);
  }
  AuthorizationStatus StatusOf(const acme::AuthorizationId& id) {
    return acme::StatusOf(store().FindAuthorization(id).value(), now());
  }
  std::vector<acme::AttestationRecord> Listed() { return store().ListAttestations({}).value(); }
};

inline void ExpectSame(const Attestation& a, const Attestation& b) {
  EXPECT_EQ(a.agent, b.agent);
  EXPECT_EQ(a.agent_version, b.agent_version);
  EXPECT_EQ(a.format, b.format);
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.level, b.level);
  EXPECT_EQ(a.key_bound, b.key_bound);
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.evidence_hash, b.evidence_hash);
  EXPECT_EQ(a.replay_id, b.replay_id);
  EXPECT_EQ(a.verified_at, b.verified_at);
  EXPECT_EQ(a.claims, b.claims);
  EXPECT_EQ(a.components, b.components);
  EXPECT_FALSE(a.admit || b.admit);
}

// ---- Drops -------------------------------------------------------------------------------------

TEST_P(EvidenceStore, ADropIsFoundByNameAndNonceTogether) {
  const acme::Account account = Register();
  const acme::Authorization other = PlaceFor(account);
  const acme::Authorization mine = PlaceFor(account);
  const auto found = store().FindByDropKey(mine.identifier, *mine.drop_key);
  ASSERT_OK(found);
  ExpectSame(found->authorization, mine);
  EXPECT_EQ(found->authorization.drop_key, mine.drop_key);
  EXPECT_EQ(found->thumbprint, account.thumbprint);
  EXPECT_EQ(store().FindByDropKey(other.identifier, *other.drop_key)->authorization.id, other.id);

  Sha256Digest nearly = *mine.drop_key;
  nearly.back() ^= 1;
  EXPECT_FAILS(Code::kNotFound, store().FindByDropKey(mine.identifier, nearly));
  EXPECT_FAILS(Code::kNotFound, store().FindByDropKey(mine.identifier, {}));
  const acme::Identifier elsewhere{acme::Identifier::Type::kDns, "db.acme.agents.test"};
  EXPECT_FAILS(Code::kNotFound, store().FindByDropKey(elsewhere, *mine.drop_key));
}

TEST_P(EvidenceStore, ADropIsFoundWithTheThumbprintOfToday) {
  const acme::Account account = Register();
  const acme::Authorization mine = PlaceFor(account);
  ASSERT_OK(store().ChangeKey(account.id, account.thumbprint, fakes::NewPublicKey(), "new"));
  const auto found = store().FindByDropKey(mine.identifier, *mine.drop_key);
  ASSERT_OK(found);
  EXPECT_EQ(found->thumbprint, "new");
}

TEST_P(EvidenceStore, WhatWasDroppedIsThereAndTheAuthorizationStillPending) {
  const ca::Agent agent = AddAgent();
  const acme::Account account = Register();
  const acme::Authorization mine = PlaceFor(account);
  const Attestation attestation = make_.NewAttestation(agent);
  ASSERT_OK(store().RecordDrop(mine.id, attestation, now()));
  EXPECT_EQ(StatusOf(mine.id), AuthorizationStatus::kPending);
  ExpectSame(*store().FindAuthorization(mine.id)->attestation, attestation);
  ExpectSame(*store().FindOrder(mine.order_id)->authorizations[0].attestation, attestation);
  ExpectSame(*store().FindByDropKey(mine.identifier, *mine.drop_key)->authorization.attestation,
             attestation);
  ASSERT_EQ(Listed().size(), 1U);
  EXPECT_EQ(Listed()[0].authorization, mine.id);
  EXPECT_EQ(Listed()[0].account, account.id);
  ExpectSame(Listed()[0].attestation, attestation);
}

TEST_P(EvidenceStore, AnAttestationOfStrangeTextIsKept) {
  const acme::Authorization mine = PlaceFor(Register());
  Attestation attestation = make_.NewAttestation(AddAgent());
  attestation.key.reset();
  attestation.key_bound = false;
  attestation.replay_id.clear();
  attestation.components.push_back({ca::ComponentKind::kModel, "sha512", {}, ca::Basis::kAttested});
  attestation.claims = {{"quote \" \\ line\nfeed", {"\u00fcml\u00e4ut", ""}}, {"none", {}}};
  ASSERT_OK(store().RecordDrop(mine.id, attestation, now()));
  ExpectSame(*store().FindAuthorization(mine.id)->attestation, attestation);
}

TEST_P(EvidenceStore, ClaimsThatAreNoTextDoNoHarm) {
  const acme::Authorization mine = PlaceFor(Register());
  Attestation attestation = make_.NewAttestation(AddAgent());
  attestation.replay_id = std::string("a\0\xff", 3);
  attestation.claims = {{std::string("a\0", 2), {"\xff\xfe"}}, {"a?", {std::string(1, '\0')}}};
  ASSERT_OK(store().RecordDrop(mine.id, attestation, now()));
  EXPECT_OK(store().FindAuthorization(mine.id));
  EXPECT_EQ(Listed().size(), 1U);
  attestation.evidence_hash = {};
  EXPECT_FAILS(Code::kBadAttestation,
               store().RecordDrop(PlaceFor(Register()).id, attestation, now()));
}

TEST_P(EvidenceStore, TheFirstDropWins) {
  const ca::Agent agent = AddAgent();
  const acme::Authorization mine = PlaceFor(Register());
  const Attestation first = make_.NewAttestation(agent);
  ASSERT_OK(store().RecordDrop(mine.id, first, now()));
  EXPECT_FAILS(Code::kConflict, store().RecordDrop(mine.id, make_.NewAttestation(agent), now()));
  EXPECT_FAILS(Code::kConflict, store().RecordDrop(mine.id, first, now()));
  EXPECT_FAILS(Code::kNotFound, store().RecordDrop("nothing", make_.NewAttestation(agent), now()));
  ExpectSame(*store().FindAuthorization(mine.id)->attestation, first);
  EXPECT_EQ(Listed().size(), 1U);
}

TEST_P(EvidenceStore, ADropNeedsAnAuthorizationThatIsPending) {
  const ca::Agent agent = AddAgent();
  const acme::Account account = Register();
  const auto drop = [&](const acme::AuthorizationId& id, Time at) {
    return store().RecordDrop(id, make_.NewAttestation(agent), at);
  };
  EXPECT_FAILS(Code::kConflict, drop(PlaceFor(account).id, now() + Seconds(1800)));
  const acme::AuthorizationId deactivated = PlaceFor(account).id;
  ASSERT_OK(store().DeactivateAuthorization(deactivated, now()));
  EXPECT_FAILS(Code::kConflict, drop(deactivated, now()));
  const acme::AuthorizationId valid = PlaceFor(account).id;
  Validate(valid);
  EXPECT_FAILS(Code::kConflict, drop(valid, now()));
  const acme::AuthorizationId invalid = Begun(account).id;
  ASSERT_OK(store().FinishChallenge(invalid, Error{Code::kBadAttestation, "expired"}, now()));
  EXPECT_FAILS(Code::kConflict, drop(invalid, now()));
  EXPECT_TRUE(Listed().empty());
  // A client may ask for validation before its hook has dropped anything.
  EXPECT_OK(drop(Begun(account, ChallengeType::kDns01).id, now()));
}

TEST_P(EvidenceStore, ADropNeedsAnAgentThatIsActive) {
  const ca::Agent agent = AddAgent();
  const acme::Authorization mine = PlaceFor(Register());
  const Attestation attestation = make_.NewAttestation(agent);
  SetStatus(agent, ca::AgentStatus::kSuspended);
  EXPECT_FAILS(Code::kUnauthorized, store().RecordDrop(mine.id, attestation, now()));
  const Attestation nobodys = make_.NewAttestation(Unregistered("nobody"));
  EXPECT_FAILS(Code::kUnauthorized, store().RecordDrop(mine.id, nobodys, now()));
  EXPECT_FALSE(store().FindAuthorization(mine.id)->attestation);
  EXPECT_TRUE(Listed().empty());
  SetStatus(agent, ca::AgentStatus::kActive);
  EXPECT_OK(store().RecordDrop(mine.id, attestation, now()));
  SetStatus(agent, ca::AgentStatus::kRetired);
  EXPECT_FAILS(Code::kUnauthorized,
               store().RecordDrop(PlaceFor(Register()).id, make_.NewAttestation(agent), now()));
}

// ---- Single use --------------------------------------------------------------------------------

TEST_P(EvidenceStore, Invariant7_EvidenceIsUsedOnceByWhomever) {
  const ca::Agent agent = AddAgent();
  const acme::Account account = Register();
  const Attestation used = make_.NewAttestation(agent);
  ASSERT_OK(store().RecordDrop(PlaceFor(account).id, used, now()));
  const auto refused = [&](const Attestation& attestation, const acme::Account& by) {
    const acme::AuthorizationId id = PlaceFor(by).id;
    EXPECT_FAILS(Code::kBadAttestation, store().RecordDrop(id, attestation, now()));
    EXPECT_FALSE(store().FindAuthorization(id)->attestation);
  };
  refused(used, account);
  refused(used, Register());
  Attestation same_token = make_.NewAttestation(agent);
  same_token.replay_id = used.replay_id;
  refused(same_token, Register());
  Attestation same_hash = make_.NewAttestation(AddAgent("db"));
  same_hash.evidence_hash = used.evidence_hash;
  refused(same_hash, account);
  EXPECT_EQ(Listed().size(), 1U);
}

TEST_P(EvidenceStore, EvidenceWithoutReplayIdsIsToldApartByItsHash) {
  const ca::Agent agent = AddAgent();
  for (int i = 0; i < 2; ++i) {
    Attestation attestation = make_.NewAttestation(agent);
    attestation.replay_id.clear();
    EXPECT_OK(store().RecordDrop(PlaceFor(Register()).id, attestation, now()));
  }
}

TEST_P(EvidenceStore, Invariant7_AChallengeProvenWithUsedEvidenceFails) {
  const ca::Agent agent = AddAgent();
  const acme::Account account = Register();
  const Attestation used = make_.NewAttestation(agent);
  ASSERT_OK(Finish(Begun(account).id, used));
  Attestation same_token = make_.NewAttestation(agent);
  same_token.replay_id = used.replay_id;
  for (const Attestation& again : {used, same_token}) {
    const acme::AuthorizationId id = Begun(Register()).id;
    EXPECT_OK(Finish(id, again));
    ExpectInvalid(id, Code::kBadAttestation);
    EXPECT_FALSE(store().FindAuthorization(id)->attestation);
  }
  EXPECT_EQ(Listed().size(), 1U);
}

// ---- Challenges --------------------------------------------------------------------------------

TEST_P(EvidenceStore, AChallengeProvenByEvidenceKeepsIt) {
  const ca::Agent agent = AddAgent();
  const acme::Account account = Register();
  const acme::Authorization mine = Begun(account);
  const Attestation attestation = make_.NewAttestation(agent);
  ASSERT_OK(Finish(mine.id, attestation));
  EXPECT_EQ(StatusOf(mine.id), AuthorizationStatus::kValid);
  EXPECT_EQ(StatusOfOrder(mine.order_id), OrderStatus::kReady);
  ExpectSame(*store().FindAuthorization(mine.id)->attestation, attestation);
  ASSERT_EQ(Listed().size(), 1U);
  EXPECT_EQ(Listed()[0].authorization, mine.id);
  EXPECT_EQ(Listed()[0].account, account.id);
  EXPECT_FAILS(Code::kConflict, Finish(mine.id, make_.NewAttestation(agent)));
  EXPECT_EQ(Listed().size(), 1U);
}

TEST_P(EvidenceStore, AChallengeRestsOnWhatWasDropped) {
  const ca::Agent agent = AddAgent();
  const acme::Account account = Register();
  for (const bool verifier_says_so : {true, false}) {
    const acme::Authorization mine = Begun(account, ChallengeType::kDns01);
    const Attestation dropped = make_.NewAttestation(agent);
    ASSERT_OK(store().RecordDrop(mine.id, dropped, now()));
    ASSERT_OK(Finish(mine.id, verifier_says_so ? std::optional(dropped) : std::nullopt));
    EXPECT_EQ(StatusOf(mine.id), AuthorizationStatus::kValid);
    ExpectSame(*store().FindAuthorization(mine.id)->attestation, dropped);
  }
  EXPECT_EQ(Listed().size(), 2U);
}

TEST_P(EvidenceStore, AChallengeDoesNotReplaceWhatWasDropped) {
  const ca::Agent agent = AddAgent();
  const acme::Authorization mine = Begun(Register());
  const Attestation dropped = make_.NewAttestation(agent);
  ASSERT_OK(store().RecordDrop(mine.id, dropped, now()));
  const Attestation other = make_.NewAttestation(agent);
  EXPECT_OK(Finish(mine.id, other));
  ExpectInvalid(mine.id, Code::kBadAttestation);
  ExpectSame(*store().FindAuthorization(mine.id)->attestation, dropped);
  EXPECT_OK(store().RecordDrop(PlaceFor(Register()).id, other, now()));
}

TEST_P(EvidenceStore, AnAgentSuspendedMeanwhileProvesNothing) {
  const ca::Agent agent = AddAgent();
  const acme::Account account = Register();
  const acme::Authorization dropped = Begun(account, ChallengeType::kDns01);
  ASSERT_OK(store().RecordDrop(dropped.id, make_.NewAttestation(agent), now()));
  const acme::Authorization direct = Begun(account);
  SetStatus(agent, ca::AgentStatus::kSuspended);
  EXPECT_OK(Finish(dropped.id, std::nullopt));
  ExpectInvalid(dropped.id, Code::kUnauthorized);
  EXPECT_OK(Finish(direct.id, make_.NewAttestation(agent)));
  ExpectInvalid(direct.id, Code::kUnauthorized);
  EXPECT_EQ(Listed().size(), 1U);
}

TEST_P(EvidenceStore, AFailedOrDeactivatedChallengeKeepsNoEvidence) {
  const ca::Agent agent = AddAgent();
  const acme::Account account = Register();
  const Attestation attestation = make_.NewAttestation(agent);
  const acme::AuthorizationId gone = Begun(account).id;
  ASSERT_OK(store().DeactivateAuthorization(gone, now()));
  EXPECT_FAILS(Code::kConflict, Finish(gone, attestation));
  EXPECT_FAILS(Code::kConflict, Finish(PlaceFor(account).id, attestation));  // not begun
  EXPECT_FAILS(Code::kNotFound, Finish("nothing", attestation));
  EXPECT_TRUE(Listed().empty());
  EXPECT_OK(Finish(Begun(account).id, attestation));
}

TEST_P(EvidenceStore, APayloadIsKeptWhileItsAttemptIsProcessing) {
  const acme::Account account = Register();
  const std::string payload =
      "{\"fmt\":\"jwt\",\"evidence\":\"" + std::string(100'000, 'x') + "\"}";
  const acme::AuthorizationId mine = PlaceFor(account).id;
  const auto begun = store().BeginChallenge(mine, ChallengeType::kAgentAttest01, payload, now());
  ASSERT_OK(begun);
  EXPECT_EQ(begun->authorization.attempt->payload, payload);
  EXPECT_EQ(store()
                .BeginChallenge(mine, ChallengeType::kAgentAttest01, "{}", now())
                ->authorization.attempt->payload,
            payload);
  ASSERT_OK(store().RecordRetry(mine, OddError()));
  const auto pending = ProcessingChallenges();
  ASSERT_EQ(pending.size(), 1U);
  EXPECT_EQ(pending.front().authorization.attempt->payload, payload);
  ASSERT_OK(store().FinishChallenge(mine, OddError(), now()));
  EXPECT_EQ(store().FindAuthorization(mine)->attempt->payload, "");

  const acme::AuthorizationId deactivated = Begun(account).id;
  EXPECT_EQ(store().DeactivateAuthorization(deactivated, now())->attempt->payload, "");
  EXPECT_EQ(store().FindAuthorization(deactivated)->attempt->payload, "");
  EXPECT_EQ(Begun(account, ChallengeType::kDns01).attempt->payload, "");
}

}  // namespace agentca::contract
