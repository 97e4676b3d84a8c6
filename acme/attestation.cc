#include "acme/attestation.h"

#include <algorithm>
#include <charconv>

#include "acme/attest/measurement.h"
#include "ca/base/log.h"

namespace agentca::acme {
namespace {

using attest::BadAttestation;
namespace cause = attest::cause;

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string Join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string Text(const ca::AgentClass& agent_class) {
  return "access " + std::string(ToString(agent_class.access)) + ", decision " +
         std::string(ToString(agent_class.decision)) + ", risk " +
         std::string(ToString(agent_class.risk));
}

// What an operator must read to see why: both sides of the comparison.
std::string Explain(const ca::ClaimMatcher& matcher, const ca::Claims& claims,
                    std::string_view who) {
  const auto found = claims.find(matcher.claim);
  const std::string is = found == claims.end() || found->second.empty()
                             ? "is missing"
                             : "is " + Quoted(Join(found->second));
  return "claim " + Quoted(matcher.claim) + " " + is + ", " + std::string(who) + " wants " +
         Quoted(matcher.pattern);
}

// The rule of the agent that this evidence fulfils; null with the best explanation of why none.
const ca::EvidenceRule* FulfilledRule(const ca::Agent& agent, const std::string& source,
                                      const ca::Claims& claims, std::string& why) {
  for (const ca::EvidenceRule& rule : agent.evidence) {
    if (rule.source != source) continue;
    const ca::ClaimMatcher* mismatch = ca::FirstMismatch(rule.claims, claims);
    if (mismatch == nullptr) return &rule;
    if (why.empty()) why = Explain(*mismatch, claims, "the agent's rule");
  }
  return nullptr;
}

// The agent that one of the rules for this source admits under exactly this name.
Result<ca::Agent> Admit(const ca::AgentId& id, const std::vector<ca::AdmissionRule>& rules,
                        const std::string& source, const ca::Claims& claims) {
  Error refusal =
      BadAttestation(cause::kClaimMismatch, "no admission rule is for source " + source);
  for (const ca::AdmissionRule& rule : rules) {
    if (rule.source != source) continue;
    if (const auto* mismatch = ca::FirstMismatch(rule.claims, claims)) {
      refusal = BadAttestation(cause::kClaimMismatch,
                               Explain(*mismatch, claims, "admission rule " + Quoted(rule.name)));
      continue;
    }
    auto admitted = ca::AdmittedAgent(rule, claims);
    if (admitted.ok() && admitted->id == id) return admitted;
    refusal = admitted.ok() ? BadAttestation(cause::kClaimMismatch,
                                             "by admission rule " + Quoted(rule.name) +
                                                 " the claims name agent " +
                                                 admitted->id.ToString() + ", not " + id.ToString())
                            : admitted.error();
  }
  return refusal;
}

Status CheckActive(const ca::Agent& agent) {
  if (agent.status == ca::AgentStatus::kActive) return {};
  return Error{Code::kUnauthorized,
               "agent " + agent.id.ToString() + " is " + std::string(ToString(agent.status))};
}

std::vector<std::string> SourcesOf(const std::optional<ca::Agent>& agent,
                                   const std::vector<ca::AdmissionRule>& rules) {
  std::vector<std::string> names;
  if (agent) {
    for (const ca::EvidenceRule& rule : agent->evidence) names.push_back(rule.source);
  } else {
    for (const ca::AdmissionRule& rule : rules) names.push_back(rule.source);
  }
  return names;
}

bool SpeaksFor(const ca::EvidenceSource& source, const ca::AgentId& id) {
  return source.tenant.empty() || source.tenant == id.tenant;
}

// A source of which nothing is believed.
class NoTrust final : public attest::Trust {
 public:
  explicit NoTrust(const ca::EvidenceSource& source) : source_(source) {}
  const ca::EvidenceSource& source() const override { return source_; }
  Result<std::vector<ca::PublicKey>> KeysFor(std::string_view) const override {
    return Error{Code::kUnavailable, "nobody asks for keys yet"};
  }
  const std::vector<Bytes>& roots() const override { return roots_; }

 private:
  const ca::EvidenceSource& source_;
  const std::vector<Bytes> roots_;
};

}  // namespace

Result<const attest::Format*> Attestor::Find(std::string_view name) const {
  const auto found = std::find_if(agents_.formats.begin(), agents_.formats.end(),
                                  [&](const auto& each) { return each->name() == name; });
  if (found != agents_.formats.end()) return found->get();
  return Error{Code::kMalformed, "evidence: this CA does not read the format \"fmt\" names"};
}

Result<Attestor::Subject> Attestor::SubjectOf(const ca::AgentId& id) const {
  auto agent = agents_.registry.FindAgent(id);
  if (agent.ok()) {
    AGENTCA_TRY(CheckActive(*agent));
    return Subject{*std::move(agent), {}};
  }
  if (agent.error().code != Code::kNotFound) return std::move(agent).error();
  AGENTCA_ASSIGN(auto rules, agents_.registry.ListRules());
  if (rules.empty()) {
    return Error{
        Code::kRejectedIdentifier,
        "no such agent: " + id.ToString() + " is not registered, and no rule admits agents",
        "dns:" + agents_.naming.DnsNameOf(id)};
  }
  return Subject{std::nullopt, std::move(rules)};
}

Status Attestor::CheckOrderable(const ca::AgentId& id) const {
  AGENTCA_TRY(SubjectOf(id));
  return {};
}

Result<Attestor::Trusts> Attestor::TrustsFor(const ca::AgentId& id, const Subject& subject,
                                             Time now) const {
  AGENTCA_ASSIGN(Trusts trusts, agents_.trust.Sources(now));
  const auto names = SourcesOf(subject.agent, subject.rules);
  std::erase_if(trusts, [&](const auto& trust) {
    const ca::EvidenceSource& source = trust->source();
    return !SpeaksFor(source, id) ||
           std::find(names.begin(), names.end(), source.name) == names.end();
  });
  return trusts;
}

Attestor::Offer Attestor::OfferFor(const ca::AgentId& id, Time now) const {
  Offer offer;
  const auto subject = SubjectOf(id);
  if (!subject.ok()) return offer;
  const auto binds = [&](const ca::AgentClass& agent_class, std::string_view profile) {
    return agents_.policy.RowFor(agent_class, profile).key_binding();
  };
  offer.key_binding =
      subject->agent ? binds(subject->agent->agent_class, subject->agent->profile)
                     : std::all_of(subject->rules.begin(), subject->rules.end(),
                                   [&](const auto& rule) { return binds(rule.agent_class, ""); });
  const auto trusts = TrustsFor(id, *subject, now);
  for (const auto& format : agents_.formats) {
    const bool usable =
        !trusts.ok() || std::any_of(trusts->begin(), trusts->end(), [&](const auto& trust) {
          return trust->source().format == format->name();
        });
    if (usable) offer.formats.emplace_back(format->name());
  }
  return offer;
}

Status Attestor::CheckPolicy(const ca::Agent& agent, int level, bool key_bound, bool fresh) const {
  const ca::PolicyRow& row = agents_.policy.RowFor(agent.agent_class, agent.profile);
  const std::string who = "agent " + agent.id.ToString() + " (" + Text(agent.agent_class) + ")";
  if (!fresh && !agents_.policy.raw().allow_fixed_audience) {
    return Error{Code::kUnauthorized,
                 "the policy of this CA accepts no tokens for a fixed audience"};
  }
  if (level < row.level) {
    return Error{Code::kUnauthorized, who + " needs evidence of level " +
                                          std::to_string(row.level) + "; this is of level " +
                                          std::to_string(level)};
  }
  if (row.key_binding() && !key_bound) {
    return Error{Code::kUnauthorized,
                 who + " needs evidence that is bound to the certificate's key"};
  }
  return {};
}

// The operator's limit; the formats have one of their own.
Status Attestor::CheckBearerAge(const attest::Attested& attested, Time now) const {
  const auto found = attested.claims.find("iat");
  if (found == attested.claims.end() || found->second.size() != 1) return {};
  const std::string& text = found->second.front();
  int64_t issued = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), issued);
  if (failed != std::errc() || end == text.data()) return {};
  const int64_t age = now.time_since_epoch().count() - issued;
  if (age <= agents_.policy.raw().fixed_audience_age.count()) return {};
  return BadAttestation(cause::kExpired,
                        "the token for a fixed audience is " + std::to_string(age) +
                            " seconds old; the policy allows " +
                            std::to_string(agents_.policy.raw().fixed_audience_age.count()));
}

Result<Attestation> Attestor::JudgeBy(const attest::Format& format, const attest::Trust& trust,
                                      const ca::AgentId& id, const Subject& subject,
                                      const attest::Expectation& expectation,
                                      const attest::EvidenceStatement& statement) const {
  const ca::EvidenceSource& source = trust.source();
  AGENTCA_ASSIGN(attest::Attested attested, format.Verify(statement, trust, expectation));
  AGENTCA_TRY(attest::CheckRequired(source, attested.claims));

  Attestation out;
  if (subject.agent) {
    std::string why;
    if (FulfilledRule(*subject.agent, source.name, attested.claims, why) == nullptr) {
      return BadAttestation(cause::kClaimMismatch, why);
    }
    out.agent_version = subject.agent->version;
  } else {
    AGENTCA_ASSIGN(out.admit, Admit(id, subject.rules, source.name, attested.claims));
  }
  const ca::Agent& agent = subject.agent ? *subject.agent : *out.admit;
  const bool fresh = attested.level > ca::kMinLevel;
  const int level = std::min(attested.level, source.max_level);
  AGENTCA_TRY(CheckPolicy(agent, level, attested.key_bound, fresh));
  if (!fresh) AGENTCA_TRY(CheckBearerAge(attested, expectation.now));
  if (statement.key && !attested.proves_possession &&
      !attest::VerifyPossession(expectation, *statement.key, statement.pop)) {
    return BadAttestation(cause::kKeyMismatch,
                          "\"pop\" is not a signature by the key in \"spki\" over this challenge");
  }

  out.agent = id;
  out.format = format.name();
  out.source = source.name;
  out.level = level;
  out.key_bound = attested.key_bound;
  if (statement.key) out.key = statement.key->spki_sha256();
  out.evidence_hash = Sha256(statement.evidence);
  out.replay_id = std::move(attested.replay_id);
  out.verified_at = expectation.now;
  out.claims = std::move(attested.claims);
  out.components = std::move(attested.components);
  return out;
}

Result<Attestation> Attestor::Judge(const ca::AgentId& id, const attest::Expectation& expectation,
                                    const attest::EvidenceStatement& statement) const {
  AGENTCA_ASSIGN(const attest::Format* format, Find(statement.format));
  AGENTCA_ASSIGN(const Subject subject, SubjectOf(id));
  AGENTCA_ASSIGN(const Trusts trusts, TrustsFor(id, subject, expectation.now));
  std::vector<ca::EvidenceSource> sources;
  std::vector<std::string> names;
  for (const auto& trust : trusts) {
    if (trust->source().format != statement.format) continue;
    sources.push_back(trust->source());
    names.push_back(trust->source().name);
  }
  // Of several sources that might have made it the first that proves the agent counts; else the
  // client learns what the first said, unless the keys of one are only out of reach.
  std::optional<Error> refusal;
  for (const std::string& name : format->Candidates(statement, sources)) {
    const auto trust = std::find_if(trusts.begin(), trusts.end(),
                                    [&](const auto& each) { return each->source().name == name; });
    if (trust == trusts.end()) continue;
    auto attestation = JudgeBy(*format, **trust, id, subject, expectation, statement);
    if (attestation.ok()) return attestation;
    if (!refusal || attestation.error().code == Code::kUnavailable) refusal = attestation.error();
  }
  if (refusal) return *std::move(refusal);
  const std::string who = "agent " + id.ToString();
  if (names.empty()) {
    return BadAttestation(cause::kWrongIssuer,
                          "no source of format " + statement.format + " may speak for " + who);
  }
  return BadAttestation(
      statement.chain.empty() ? cause::kWrongIssuer : cause::kUntrustedRoot,
      "none of the sources that may speak for " + who + " made this evidence: " + Join(names));
}

Result<Attestation> Attestor::Attest(const ca::AgentId& id, attest::Expectation expectation,
                                     const attest::EvidenceStatement& statement) const {
  expectation.key = statement.key ? &*statement.key : nullptr;
  auto attestation = Judge(id, expectation, statement);
  if (!attestation.ok()) {
    const Error& error = attestation.error();
    Log(Level::kInfo, "evidence refused",
        {{"agent", id.ToString()}, {"format", statement.format}, {"detail", error.detail}});
  }
  return attestation;
}

Status Attestor::CheckForm(const ca::AgentId& id, const attest::EvidenceStatement& statement,
                           Time now) const {
  AGENTCA_ASSIGN(const attest::Format* format, Find(statement.format));
  AGENTCA_ASSIGN(const Subject subject, SubjectOf(id));
  AGENTCA_ASSIGN(const Trusts trusts, TrustsFor(id, subject, now));
  attest::Expectation nothing;
  nothing.now = now;
  nothing.key = statement.key ? &*statement.key : nullptr;
  for (const auto& trust : trusts) {
    if (trust->source().format != statement.format) continue;
    const auto verdict = format->Verify(statement, NoTrust(trust->source()), nothing);
    if (verdict.ok() || verdict.error().code != Code::kMalformed) return {};
    return verdict.error();
  }
  return {};
}

Status Attestor::Recheck(const ca::Agent& agent, const Attestation& attestation, Time now) const {
  AGENTCA_TRY(CheckActive(agent));
  AGENTCA_ASSIGN(const Trusts trusts, TrustsFor(agent.id, {agent, {}}, now));
  const auto trust = std::find_if(trusts.begin(), trusts.end(), [&](const auto& each) {
    return each->source().name == attestation.source && each->source().format == attestation.format;
  });
  if (trust == trusts.end()) {
    return Error{Code::kUnauthorized, "source " + Quoted(attestation.source) +
                                          " may no longer speak for agent " + agent.id.ToString()};
  }
  const ca::EvidenceSource& source = (*trust)->source();
  std::string why;
  Status required = attest::CheckRequired(source, attestation.claims);
  if (!required.ok()) {
    why = required.error().detail;
  } else if (FulfilledRule(agent, source.name, attestation.claims, why) != nullptr) {
    why.clear();
  }
  if (!why.empty()) return Error{Code::kUnauthorized, "the evidence does not suffice now: " + why};
  return CheckPolicy(agent, std::min(attestation.level, source.max_level), attestation.key_bound,
                     true);
}

Status AuditAttestation(ca::ChainedLog& audit, const Attestation& attestation,
                        std::string_view subject, Time now) {
  const std::string agent = attestation.agent.ToString();
  const std::string level = std::to_string(attestation.level);
  const std::string hash = ToHex(attestation.evidence_hash);
  return audit.Append("evidence-verified",
                      {{"agent", agent},
                       {"for", subject},
                       {"format", attestation.format},
                       {"source", attestation.source},
                       {"level", level},
                       {"keyBound", attestation.key_bound ? "yes" : "no"},
                       {"evidence", hash}},
                      now);
}

}  // namespace agentca::acme
