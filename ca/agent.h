// AI agents as this CA knows them: who may hold which certificate, proven by which evidence.
// Plain values; ca/agent_registry.h remembers them, ca/issuance_policy.h says what follows.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/base/result.h"

namespace agentca::ca {

// ---- Names --------------------------------------------------------------------------------------

// Both are DNS labels (RFC 1123: letters, digits, inner hyphens; lower case; at most 63 octets), so
// that every agent has a DNS name and a SPIFFE ID.
struct AgentId {
  std::string tenant;
  std::string name;
  friend auto operator<=>(const AgentId&, const AgentId&) = default;
  std::string ToString() const { return tenant + "/" + name; }  // as commands and logs write it
};
Result<AgentId> ParseAgentId(std::string_view text);  // "TENANT/NAME"; kMalformed
bool IsAgentLabel(std::string_view text);

// How agents are named here. A value; thread-safe.
class AgentNaming {
 public:
  // `zone`: "agents.example.com"; `trust_domain`: "example.com". Both checked by the caller.
  AgentNaming(std::string zone, std::string trust_domain);
  const std::string& zone() const { return zone_; }
  const std::string& trust_domain() const { return trust_domain_; }
  // Equal to the zone or below it, however deep: such names are proven by evidence or not at all.
  bool IsInZone(std::string_view dns_name) const;
  // The agent of "<agent>.<tenant>.<zone>"; nullopt for every other name.
  std::optional<AgentId> AgentOf(std::string_view dns_name) const;
  std::string DnsNameOf(const AgentId& id) const;   // "<agent>.<tenant>.<zone>"
  std::string SpiffeIdOf(const AgentId& id) const;  // "spiffe://<trust-domain>/t/<tenant>/a/<agent>"

 private:
  std::string zone_, trust_domain_;
};

// ---- Class --------------------------------------------------------------------------------------

enum class Degree : uint8_t { kLow = 0, kMedium = 1, kHigh = 2 };
enum class Lifespan : uint8_t { kEphemeral = 0, kSession = 1, kPersistent = 2 };
std::string_view ToString(Degree degree);      // "low", "medium", "high"
std::string_view ToString(Lifespan lifespan);  // "ephemeral", "session", "persistent"
Result<Degree> DegreeFromString(std::string_view text);      // kMalformed
Result<Lifespan> LifespanFromString(std::string_view text);  // kMalformed

struct AgentClass {
  Degree access = Degree::kLow;
  Degree decision = Degree::kLow;
  Degree risk = Degree::kLow;
  Lifespan lifespan = Lifespan::kEphemeral;
  friend bool operator==(const AgentClass&, const AgentClass&) = default;
};

// ---- Components ---------------------------------------------------------------------------------

enum class ComponentKind : uint8_t { kModel = 0, kImage = 1, kConfig = 2, kPrompt = 3, kTools = 4 };
// How we know: said by the registration, signed by an attester, or measured by hardware.
enum class Basis : uint8_t { kDeclared = 0, kSigned = 1, kAttested = 2 };
std::string_view ToString(ComponentKind kind);
std::string_view ToString(Basis basis);
Result<ComponentKind> ComponentKindFromString(std::string_view text);
Result<Basis> BasisFromString(std::string_view text);

struct Component {
  ComponentKind kind = ComponentKind::kModel;
  std::string hash_algorithm;  // "sha256", "sha384" or "sha512"
  Bytes digest;
  Basis basis = Basis::kDeclared;
  friend bool operator==(const Component&, const Component&) = default;
};

// ---- Evidence that is believed ------------------------------------------------------------------

// What a verified piece of evidence says, flattened: members of nested objects are joined by "/",
// as in "kubernetes.io/serviceaccount/name"; an array of strings has several values. Numbers and
// booleans are written as JSON writes them.
using Claims = std::map<std::string, std::vector<std::string>>;

// `pattern` is the whole value, or a prefix of it followed by one final "*". A claim with several
// values matches when one of them does.
struct ClaimMatcher {
  std::string claim;
  std::string pattern;
  bool Matches(const Claims& claims) const;
  friend bool operator==(const ClaimMatcher&, const ClaimMatcher&) = default;
};
// The first matcher that does not hold, for the message; null when all do.
const ClaimMatcher* FirstMismatch(const std::vector<ClaimMatcher>& matchers, const Claims& claims);

// Whom we believe: an issuer of tokens, a signer of statements, a vendor of TPMs. Named, so that
// agents and rules refer to it.
struct EvidenceSource {
  std::string name;    // an agent label
  std::string format;  // "jwt", "jwt-svid", "x5c", "statement", "eat", "tpm"
  std::string tenant;  // "" : any; otherwise it speaks for agents of this tenant alone
  std::string issuer;  // JWT, EAT: exact `iss`; jwt-svid: the SPIFFE trust domain; else unused
  std::string jwks;      // pinned JWK Set (JSON); "" when jwks_url is used
  std::string jwks_url;  // https; fetched through the network policy
  std::string ca_pem;    // the CAs that the server of jwks_url must chain to
  std::string roots_pem;  // x5c, tpm, eat with a chain: trust anchors
  // A fixed audience is L1: no nonce of ours is in the token. "" : only the challenge's audience.
  std::string fixed_audience;
  int max_level = 4;  // evidence from here counts for no more than this
  // tpm: "pcr/sha256/<index>" → hex digests; eat: claim → values. One of each claim must match.
  std::vector<ClaimMatcher> required;
  friend bool operator==(const EvidenceSource&, const EvidenceSource&) = default;
};

// One way in which an agent may prove itself: evidence of this source with these claims.
struct EvidenceRule {
  std::string source;
  std::vector<ClaimMatcher> claims;
  friend bool operator==(const EvidenceRule&, const EvidenceRule&) = default;
};

// ---- Agents -------------------------------------------------------------------------------------

enum class AgentStatus : uint8_t { kActive = 0, kSuspended = 1, kRetired = 2 };
std::string_view ToString(AgentStatus status);  // "active", …
Result<AgentStatus> AgentStatusFromString(std::string_view text);

struct Agent {
  AgentId id;
  std::string purpose;
  std::string sponsor;  // the accountable human or team; never empty
  std::string deployment;
  AgentClass agent_class;
  std::string profile;  // "" or "annual-hsm" (a row of the policy beside the classes)
  std::vector<std::string> scopes;
  std::vector<EvidenceRule> evidence;  // any one of these suffices
  std::vector<Component> components;   // declared
  std::string parent;                  // SPIFFE ID of the agent that delegates to it; "" : none
  std::optional<uint32_t> max_depth;   // of delegation
  AgentStatus status = AgentStatus::kActive;
  std::string admitted_by;  // name of the admission rule; "" when registered by an administrator
  int64_t version = 0;      // counts its changes, from 1; made by the registry
  Time created_at{};
  Time changed_at{};
};
// What an administrator may say: labels, plain text of at most 256 octets a field, sponsor present,
// at most 64 scopes, rules, claims of a rule and components. Each way to prove it demands a claim:
// without one, whatever the source vouches for would be this agent. kMalformed names the field.
Status CheckAgent(const Agent& agent);

// Admits agents of a fleet when they first prove themselves: attested claims give the name.
struct AdmissionRule {
  std::string name;    // an agent label
  std::string source;  // of the evidence
  std::vector<ClaimMatcher> claims;
  // Text with "{claim}" replaced by the claim's one value. The result must be an agent label. The
  // name holds at least one: a single agent is registered, not admitted.
  std::string tenant_template, name_template;
  // What the admitted agent gets.
  std::string purpose, sponsor, deployment;
  AgentClass agent_class;
  std::vector<std::string> scopes;
  friend bool operator==(const AdmissionRule&, const AdmissionRule&) = default;
};
Status CheckAdmissionRule(const AdmissionRule& rule);
Status CheckEvidenceSource(const EvidenceSource& source);  // its own fields; keys are read elsewhere
// Whom these claims name under this rule; kBadAttestation ("claim mismatch: …") names the claim
// that the rule does not want, is missing, has several values or makes no label.
Result<AgentId> NameByRule(const AdmissionRule& rule, const Claims& claims);
// The agent that a rule admits on these claims, named as NameByRule does. Its evidence is this
// rule's, with the claims that gave the name pinned to their values: nobody else whom the rule
// would admit passes for it.
Result<Agent> AdmittedAgent(const AdmissionRule& rule, const Claims& claims);

}  // namespace agentca::ca
