// An agent, what it proved, and the profile for its certificate.
#pragma once

#include "ca/agent_certificate.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::fakes {

inline constexpr std::string_view kTestArc = "1.3.6.1.4.1.32473.1";

inline ca::AgentNaming TestNaming() { return {"agents.example.test", "example.test"}; }

inline ca::Agent TestAgent() {
  ca::Agent agent;
  agent.id = {"acme", "planner"};
  agent.purpose = "plans deliveries";
  agent.sponsor = "Ada Lovelace";
  agent.deployment = "prod-eu";
  agent.agent_class = {ca::Degree::kMedium, ca::Degree::kLow, ca::Degree::kLow,
                       ca::Lifespan::kSession};
  agent.scopes = {"tickets:read"};
  agent.components = {{ca::ComponentKind::kModel, "sha256", Bytes(32, 0xaa), ca::Basis::kDeclared}};
  return agent;
}

inline ca::AgentProof TestProof(int level = 3, bool key_bound = true) {
  return {{"jwt", level, ManualClock().Now(), key_bound, Bytes(32, 0x11)}, {}};
}

inline ca::RawProfile RawAgentProfile() {
  ca::RawProfile raw;
  raw.name = "agent";
  raw.key_usage = {"digitalSignature"};
  raw.extended_key_usage = {"clientAuth", "serverAuth"};
  raw.allowed_keys = {"p256", "p384", "ed25519", "rsa2048"};
  raw.lifetime_seconds = 7 * 86400;
  raw.backdate_seconds = 300;
  raw.max_names = 2;
  return raw;
}
inline ca::Profile AgentProfile() { return ca::Profile::Make(RawAgentProfile()).value(); }

// Of TestAgent with TestProof, under the default policy.
inline ca::CertificateRequest MakeAgentRequest(TestKey type = TestKey::kP256) {
  return ca::AgentCertificateRequest(NewPublicKey(type), TestAgent(), TestProof(), TestNaming(),
                                     kTestArc, ca::DefaultPolicy().medium)
      .value();
}

}  // namespace agentca::fakes
