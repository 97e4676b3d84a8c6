// RFC 8555 §7.1 objects as plain values. Status is never stored twice: see order_state.h.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ca/agent.h"
#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/certificate.h"
#include "ca/public_key.h"

namespace agentca::acme {

// Unguessable (RFC 8555 §10.5): base64url of 5 octets of time (seconds, big-endian) and 16 random
// octets. The time in front keeps database pages that are written together together.
using AccountId = std::string;
using OrderId = std::string;
using AuthorizationId = std::string;
std::string NewId(Time now, Random& random);

struct Identifier {
  enum class Type : uint8_t { kDns, kIp };
  Type type = Type::kDns;
  std::string value;  // dns: lower-case A-labels, "*." kept in orders; ip: RFC 5952 text
  friend auto operator<=>(const Identifier&, const Identifier&) = default;
};
std::string_view ToString(Identifier::Type type);  // "dns", "ip"

// ---- Accounts (§7.1.2) -------------------------------------------------------------------------
enum class AccountStatus : uint8_t { kValid, kDeactivated, kRevoked };

struct Account {
  AccountId id;
  AccountStatus status = AccountStatus::kValid;
  ca::PublicKey key;
  std::string thumbprint;             // RFC 7638, base64url; unique among all accounts
  std::vector<std::string> contacts;
  std::string agreed_terms;           // URL agreed to; "" when none was asked for
  Time created_at{};
  std::string grant{};                // key id of the grant it was made with; "" : none
};

// ---- Evidence (agent-attest-01) ----------------------------------------------------------------
// What was proven about an agent, once. Kept with the authorization, and for ever in the list of
// attestations; its evidence_hash and replay_id are single use.
struct Attestation {
  ca::AgentId agent;
  int64_t agent_version = 0;  // of the registration that it was judged by
  std::string format, source;
  int level = 0;
  bool key_bound = false;
  std::optional<Sha256Digest> key;  // SHA-256 of the SPKI that the certificate must carry
  Sha256Digest evidence_hash{};
  std::string replay_id;  // "" : the hash alone
  Time verified_at{};
  ca::Claims claims;
  std::vector<ca::Component> components;
  std::optional<ca::Agent> admit{};  // to be admitted in the transaction that keeps this
};

// Proof of an agent before there is an account: an External Account Binding (RFC 8555 §7.3.4),
// single use. The account made with it stays bound to the agent.
struct Grant {
  std::string key_id;
  Bytes mac_key;             // 32 octets; kept until it is spent, then wiped from the store
  Attestation attestation;
  Time created_at{}, expires_at{};  // to be spent before
};

// ---- Challenges and authorizations (§7.1.4, §8) ------------------------------------------------
enum class ChallengeType : uint8_t { kHttp01, kDns01, kTlsAlpn01, kAgentAttest01 };
std::string_view ToString(ChallengeType type);                         // "http-01", …
std::optional<ChallengeType> ChallengeTypeFromString(std::string_view text);

// What became of the one challenge a client chose. All challenges of an authorization share its
// token; at most one of them is ever attempted, so its state lives in the authorization's row.
enum class AttemptState : uint8_t { kProcessing, kValid, kInvalid };
struct Attempt {
  ChallengeType type;
  AttemptState state = AttemptState::kProcessing;
  std::optional<Error> error;        // of the failure, or of the last try while processing (§8.2)
  std::optional<Time> validated_at;  // with kValid
  std::string payload{};             // agent-attest-01: the response, while it is processing
};

struct Authorization {
  AuthorizationId id;
  OrderId order_id;
  AccountId account_id;
  Identifier identifier;             // base name: never "*."
  bool wildcard = false;
  std::string token;                 // §8.3: ≥ 128 bits, base64url
  std::vector<ChallengeType> offered;
  Time expires_at{};
  bool deactivated = false;
  std::optional<Attempt> attempt;
  // Names in the agents zone. N = SHA-256(token "." thumbprint) when it was made: what a drop is
  // found by. The attestation is there from the drop on, or from FinishChallenge.
  std::optional<Sha256Digest> drop_key{};
  std::optional<Attestation> attestation{};
};

// ---- Orders (§7.1.3) ---------------------------------------------------------------------------
// An order of a class that needs a human stays processing until one decides.
enum class Decision : uint8_t { kWaiting, kGranted, kDenied };
std::string_view ToString(Decision decision);  // "waiting", "granted", "denied"
struct Approval {
  ca::AgentId agent;
  Bytes csr;  // DER: what to issue once granted
  Decision decision = Decision::kWaiting;
  Time asked_at{};
  std::string decided_by, reason;
  std::optional<Time> decided_at;
};

struct Order {
  OrderId id;
  AccountId account_id;
  Time created_at{};
  Time expires_at{};
  std::vector<Identifier> identifiers;               // as ordered
  std::optional<Time> not_before, not_after;         // as ordered
  bool finalizing = false;                           // BeginFinalize happened
  bool cancelled = false;                            // account deactivated while not yet finalizing
  std::optional<Approval> approval{};                // finalizing, and a human must agree
  std::optional<ca::Serial> certificate;             // FinishOrder with success
  std::optional<Error> error;                        // FinishOrder with failure
};

struct OrderView {
  Order order;
  std::vector<Authorization> authorizations;  // one per distinct identifier, in order of identifiers
};

}  // namespace agentca::acme
