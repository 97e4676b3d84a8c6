// The AgentIdentity extension: what a certificate says of its agent beyond the name.
//
//   AgentIdentity ::= SEQUENCE {
//     version INTEGER, agentId UTF8String, tenant UTF8String,
//     sponsor [0] UTF8String OPTIONAL, deployment [1] UTF8String OPTIONAL,
//     class [2] SEQUENCE { access Lvl, decision Lvl, risk Lvl, lifespan Life },
//     scopes [3] SEQUENCE OF UTF8String OPTIONAL,
//     components [4] SEQUENCE OF Component OPTIONAL,
//     parent [5] OCTET STRING OPTIONAL, maxDepth [6] INTEGER OPTIONAL,
//     attestation [7] SEQUENCE { format UTF8String, level INTEGER, verifiedAt GeneralizedTime,
//                                keyBound BOOLEAN, evidenceHash OCTET STRING } }
//   Lvl ::= ENUMERATED { low(0), medium(1), high(2) }
//   Life ::= ENUMERATED { ephemeral(0), session(1), persistent(2) }
//   Component ::= SEQUENCE { kind ENUMERATED { model(0), image(1), config(2), prompt(3), tools(4)
//   },
//     hashAlg OBJECT IDENTIFIER, digest OCTET STRING,
//     basis ENUMERATED { declared(0), signed(1), attested(2) } }
//
// Tags are IMPLICIT; version is 1.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "ca/agent.h"

namespace agentca::ca {

// Below the enterprise number for examples (RFC 5612), until an operator configures an arc of their
// own. Not below 2.25: Go refuses certificates whose OIDs have parts beyond 31 bits.
inline constexpr std::string_view kDefaultAgentArc = "1.3.6.1.4.1.32473.1";
// Whether the extension and the policies may lie under it: an OID whose parts all read, and not one
// under which standard extensions lie. kMalformed.
Status CheckAgentArc(std::string_view arc);
// Below the arc: .1 is the extension, .2.<level> the certificate policy of a level.
std::string AgentIdentityOid(std::string_view arc);
std::string LevelPolicyOid(std::string_view arc, int level);

// Digests of components: names as ca/agent.h has them.
struct HashAlgorithm {
  std::string_view name;
  std::string_view oid;
  size_t octets;
};
inline constexpr std::array<HashAlgorithm, 3> kHashAlgorithms{
    {{"sha256", "2.16.840.1.101.3.4.2.1", 32},
     {"sha384", "2.16.840.1.101.3.4.2.2", 48},
     {"sha512", "2.16.840.1.101.3.4.2.3", 64}}};
const HashAlgorithm* HashAlgorithmNamed(std::string_view name);  // null when it is none of them
const HashAlgorithm* HashAlgorithmOf(std::string_view oid);

struct AgentIdentity {
  std::string agent, tenant;
  std::string sponsor, deployment;  // "" : left out
  AgentClass agent_class;
  std::vector<std::string> scopes;
  std::vector<Component> components;
  Bytes parent;  // octets of the parent's SPIFFE ID; empty: left out
  std::optional<uint32_t> max_depth;
  struct Attested {
    std::string format;
    int level = 0;
    Time verified_at{};
    bool key_bound = false;
    Bytes evidence_hash;  // SHA-256 of the evidence
    friend bool operator==(const Attested&, const Attested&) = default;
  } attestation;
  friend bool operator==(const AgentIdentity&, const AgentIdentity&) = default;
};

// Longest extnValue that is written or read.
inline constexpr size_t kMaxAgentIdentity = size_t{32} << 10;

// A complete, non-critical DER Extension, for CertificateRequest::extra_extensions. kMalformed
// names the member: agent or tenant no label, text over 256 octets or with control characters, a
// component of an unknown hash algorithm or another length, a level that is none, a hash that is
// not SHA-256, more than kMaxAgentIdentity in all.
Result<Bytes> EncodeAgentIdentity(std::string_view arc, const AgentIdentity& identity);
// The content of its extnValue alone.
Result<Bytes> EncodeAgentIdentityValue(const AgentIdentity& identity);
// From the content of extnValue, taken apart by OpenSSL. Strict: exactly the octets that
// EncodeAgentIdentityValue writes for the result. kMalformed.
Result<AgentIdentity> ParseAgentIdentity(ByteView value);
// The identity in a certificate of ours; nullopt when it has none. kMalformed, also when it is
// critical or there twice.
Result<std::optional<AgentIdentity>> AgentIdentityOf(ByteView certificate_der,
                                                     std::string_view arc);

}  // namespace agentca::ca
