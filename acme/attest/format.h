// One format of evidence: octets that somebody else made → what they prove. Pure: no storage, no
// clock; keys come from the source.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ca/agent.h"
#include "ca/base/clock.h"
#include "ca/public_key.h"

namespace agentca::acme::attest {

inline constexpr size_t kMaxEvidence = 64 * 1024;  // octets, decoded
inline constexpr size_t kMaxChain = 8;             // certificates
inline constexpr size_t kMaxPop = 1024;            // octets

// The response to the challenge, and the body of a drop:
// {"fmt":"jwt","evidence":"<b64url>","chain":["<b64url DER>",…],"spki":"<b64url>","pop":"<b64url>"}
struct EvidenceStatement {
  std::string format;
  Bytes evidence;
  std::vector<Bytes> chain;          // DER, leaf first
  std::optional<ca::PublicKey> key;  // of `spki`: the key that the certificate shall carry
  Bytes pop;                         // X.509-style signature (ECDSA: DER) by `key`
};
// kMalformed names the member. Unknown members are ignored.
Result<EvidenceStatement> ParseEvidenceStatement(std::string_view json);

// What evidence must be bound to.
struct Expectation {
  std::string audience;                // the challenge's URL, or that of the grant
  Sha256Digest nonce{};                // N = SHA-256(keyAuthorization)
  const ca::PublicKey* key = nullptr;  // K is its spki_sha256; null: no key is to be bound
  Time now{};
};
// "<audience>#<b64url(N)>" without a key, "<audience>#<b64url(SHA-256(N ‖ K))>" with one.
std::string TokenAudience(const Expectation& expectation);
// N without a key, SHA-256(N ‖ K) with one: what goes where a format has room for 32 octets.
Sha256Digest BoundNonce(const Expectation& expectation);
// "agent-attest-01\0" ‖ N, and ‖ K with a key: what `pop` and the evidence of `x5c` are signatures
// over.
Bytes SignedMessage(const Expectation& expectation);
// Whether `signature` is that of `key` over SignedMessage, in X.509's form, with the algorithm that
// goes with the key: ES256, ES384, EdDSA, RS256.
bool VerifyPossession(const Expectation& expectation, const ca::PublicKey& key, ByteView signature);

// What one piece of evidence proves.
struct Attested {
  ca::Claims claims;
  int level = 0;                          // 1 to 4, before the source's max_level
  bool key_bound = false;                 // the evidence itself covers K
  bool proves_possession = false;         // the format shows that the holder of K made it: no `pop`
  std::vector<ca::Component> components;  // signed or attested digests
  // Single use: issuer and `jti`, or what else identifies it; "" : the hash of the evidence alone.
  std::string replay_id;
};

// The keys that a source believes, parsed. Made and cached by the caller (acme/attest/trust.h);
// refetching of JWK Sets on an unknown `kid` happens behind it.
class Trust {
 public:
  virtual ~Trust() = default;
  virtual const ca::EvidenceSource& source() const = 0;
  // The keys with this `kid` ("" : those without, or the only one). kUnavailable: the JWK Set
  // cannot be fetched now; kBadAttestation: there is none.
  virtual Result<std::vector<ca::PublicKey>> KeysFor(std::string_view kid) const = 0;
  virtual const std::vector<Bytes>& roots() const = 0;  // DER, from roots_pem
};

// Thread-safe. Errors: kMalformed (not of the format at all), kBadAttestation with a detail that
// names the cause ("untrusted root", "stale nonce", "key mismatch", "expired", "claim mismatch",
// "measurement denied", "debug mode", …), kUnavailable (keys out of reach).
class Format {
 public:
  virtual ~Format() = default;
  virtual std::string_view name() const = 0;  // "jwt"
  // Which of the sources of this format made it, by what the evidence says before anything is
  // verified (`iss`, trust domain, …): the names of candidates among `sources`, in order. A hint.
  virtual std::vector<std::string> Candidates(
      const EvidenceStatement& statement, const std::vector<ca::EvidenceSource>& sources) const = 0;
  virtual Result<Attested> Verify(const EvidenceStatement& statement, const Trust& trust,
                                  const Expectation& expectation) const = 0;
};

// Why evidence is refused: these words and no others, so that operators can look them up and alarms
// can be set on them.
namespace cause {
inline constexpr std::string_view kBadSignature = "bad signature";  // or none, or not by our rules
inline constexpr std::string_view kClaimMismatch = "claim mismatch";
inline constexpr std::string_view kDebugMode = "debug mode";
inline constexpr std::string_view kExpired = "expired";
inline constexpr std::string_view kForeignAudience = "foreign audience";
inline constexpr std::string_view kKeyMismatch = "key mismatch";
inline constexpr std::string_view kMeasurementDenied = "measurement denied";
inline constexpr std::string_view kNotYetValid = "not yet valid";
inline constexpr std::string_view kReplayed = "replayed";
inline constexpr std::string_view kStaleNonce = "stale nonce";
inline constexpr std::string_view kUnknownKey = "unknown key";  // no source of ours has it
inline constexpr std::string_view kUntrustedRoot = "untrusted root";
inline constexpr std::string_view kWrongIssuer = "wrong issuer";
}  // namespace cause

// kBadAttestation, "<cause>: <detail>", with the cause alone as its one entry of `causes` (the
// subproblem on the wire). `cause` is one of the words above.
Error BadAttestation(std::string_view cause, std::string detail);
// The cause of such an error; "" for others.
std::string_view CauseOf(const Error& error);

// How far the clocks of those who make evidence may be off.
inline constexpr Seconds kClockLeeway{60};

std::unique_ptr<Format> MakeJwtFormat();
std::unique_ptr<Format> MakeJwtSvidFormat();
std::unique_ptr<Format> MakeX5cFormat();
std::unique_ptr<Format> MakeStatementFormat();
std::unique_ptr<Format> MakeEatFormat();
std::unique_ptr<Format> MakeTpmFormat();
// What this CA can read, in one place.
std::vector<std::unique_ptr<Format>> AllFormats();

}  // namespace agentca::acme::attest
