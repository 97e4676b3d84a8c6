// Complete agents, rules and sources, in one line each.
#pragma once

#include <string>

#include "ca/agent_registry.h"
#include "tests/fakes/fixed.h"

namespace agentca::fakes {

inline ca::Change ByAlice(Seconds later = Seconds(0)) {
  return {"admin alice", ManualClock().Now() + later};
}

// Believable by its form; its keys are not keys.
inline ca::EvidenceSource TokenSource(const std::string& name = "k8s") {
  ca::EvidenceSource source;
  source.name = name;
  source.format = "jwt";
  source.issuer = "https://issuer.test";
  source.jwks = R"({"keys":[]})";
  return source;
}

// A value in every field.
inline ca::EvidenceSource FullSource(const std::string& name = "full") {
  ca::EvidenceSource source = TokenSource(name);
  source.tenant = "acme";
  source.jwks.clear();
  source.jwks_url = "https://issuer.test/keys";
  source.ca_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  source.roots_pem = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n";
  source.fixed_audience = "https://ca.test";
  source.max_level = 2;
  source.required = {{"pcr/sha256/7", "00*"}, {"\u00fcber \"quoted\"", "\\"}};
  return source;
}

inline ca::Agent SomeAgent(const std::string& tenant = "acme", const std::string& name = "web") {
  ca::Agent agent;
  agent.id = {tenant, name};
  agent.sponsor = "team web";
  return agent;
}

// A value in every field; proven by "k8s" and "full".
inline ca::Agent FullAgent(const std::string& tenant = "acme", const std::string& name = "web") {
  ca::Agent agent = SomeAgent(tenant, name);
  agent.purpose = "answers \"questions\" \\ \u2192";
  agent.deployment = "eu-1";
  agent.agent_class = {ca::Degree::kHigh, ca::Degree::kMedium, ca::Degree::kLow,
                       ca::Lifespan::kPersistent};
  agent.profile = "annual-hsm";
  agent.scopes = {"read", "write"};
  agent.evidence = {{"k8s", {{"kubernetes.io/namespace", "prod"}, {"sub", "a*"}, {"sub", "*"}}},
                    {"full", {{"iss", "x"}}}};
  agent.components = {{ca::ComponentKind::kModel, "sha256", Bytes(32, 1), ca::Basis::kDeclared},
                      {ca::ComponentKind::kTools, "sha512", Bytes(64, 0xff), ca::Basis::kDeclared}};
  agent.parent = "spiffe://example.com/t/acme/a/boss";
  agent.max_depth = UINT32_MAX;
  return agent;
}

// Admits what "k8s" says of the namespaces prod-….
inline ca::AdmissionRule FleetRule(const std::string& name = "fleet") {
  ca::AdmissionRule rule;
  rule.name = name;
  rule.source = "k8s";
  rule.claims = {{"kubernetes.io/namespace", "prod-*"}};
  rule.tenant_template = "{kubernetes.io/namespace}";
  rule.name_template = "bot-{kubernetes.io/serviceaccount/name}";
  rule.purpose = "serves";
  rule.sponsor = "team fleet";
  rule.deployment = "eu-1";
  rule.agent_class = {ca::Degree::kMedium, ca::Degree::kLow, ca::Degree::kLow,
                      ca::Lifespan::kSession};
  rule.scopes = {"read"};
  return rule;
}

}  // namespace agentca::fakes
