// Certificates: serial numbers, the TBS builder (RFC 5280 §4) and what we read back from our own.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <vector>

#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/base/random.h"
#include "ca/profile.h"
#include "ca/public_key.h"

namespace agentca::ca {

// Positive INTEGER of RFC 5280 §4.1.2.2 as its minimal big-endian octets, 1 to 20 of them.
class Serial {
 public:
  static constexpr size_t kRandomOctets = 12;
  // One prefix octet (1 to 127: tells nodes or installations apart) and 96 random bits.
  static Serial Random(uint8_t prefix, agentca::Random& random);
  static Result<Serial> FromBytes(ByteView big_endian);  // leading zeros dropped
  static Result<Serial> FromHex(std::string_view hex);   // as ToString writes it
  const Bytes& bytes() const { return bytes_; }
  std::string ToString() const { return ToHex(bytes_); }
  friend auto operator<=>(const Serial&, const Serial&) = default;

 private:
  explicit Serial(Bytes bytes) : bytes_(std::move(bytes)) {}
  Bytes bytes_;
};

// One of our issuers: short, stable, fit for URLs. Lower-case hex of the first 8 octets of
// SHA-256(SPKI of the issuer).
using IssuerId = std::string;
IssuerId IssuerIdOf(const PublicKey& issuer_key);

// RFC 5280 §5.3.1; unspecified(0) is never written to a CRL or an OCSP answer.
enum class Reason : uint8_t {
  kUnspecified = 0,
  kKeyCompromise = 1,
  kCaCompromise = 2,
  kAffiliationChanged = 3,
  kSuperseded = 4,
  kCessationOfOperation = 5,
  kCertificateHold = 6,
  kRemoveFromCrl = 8,
  kPrivilegeWithdrawn = 9,
  kAaCompromise = 10,
};
std::string_view ToString(Reason reason);                // "keyCompromise", …
Result<Reason> ReasonFromInt(int64_t value);             // kBadRevocationReason
Result<Reason> ReasonFromString(std::string_view name);  // kBadRevocationReason

// A certificate as we need it after issuance. Made from DER by OpenSSL.
struct Certificate {
  static Result<Certificate> Parse(ByteView der);  // kMalformed
  Bytes der;
  Serial serial;
  PublicKey key;
  Bytes subject;  // DER Name
  Bytes issuer;   // DER Name
  Time not_before;
  Time not_after;
  std::vector<std::string> dns_names;
  std::vector<Bytes> ip_addresses;
};

// Does its signature verify with this key?
bool IsSignedBy(const Certificate& certificate, const PublicKey& issuer_key);

// Who signs, as the issued certificate must say it.
struct IssuerInfo {
  IssuerId id;
  Bytes subject;         // DER Name of the issuing certificate, byte for byte
  Bytes key_identifier;  // its SKI
  std::string ocsp_url;  // empty: omitted, as are the next two
  std::string ca_issuers_url;
  std::string crl_url;
  SignatureAlgorithm algorithm;
};

// What one certificate shall say beyond its profile.
struct CertificateRequest {
  PublicKey key;
  std::vector<std::string> dns_names{};  // A-labels, lower case; "*." only where the profile allows
  std::vector<Bytes> ip_addresses{};
  std::vector<std::string> uris{};   // added by the CA itself, never from a CSR
  std::optional<Name> subject{};     // overrides the profile's subject
  std::optional<Time> not_before{};  // as ordered (RFC 8555 §7.4); refused outside the profile
  std::optional<Time> not_after{};
  std::vector<Bytes> extra_extensions{};  // complete DER Extension values made by us
  std::string reference{};  // opaque to the CA: the order it is for; stored with the intent
  std::string owner{};      // opaque to the CA: the account; "" for our own certificates
  std::vector<std::string> policies{};  // OIDs, after the profile's
  // Shorter than the profile's, which is the upper bound.
  std::optional<Seconds> lifetime{};
  // The certificate is an agent's and carries an AgentIdentity under this arc: the lint holds it to
  // what ca/agent_identity.h and SPIFFE want of one.
  std::string agent_arc{};
};

// Both ends belong to the validity (RFC 5280 §4.1.2.5): a lifetime of L seconds is not_after −
// not_before + 1. What was ordered is honoured exactly or refused (RFC 8555 §7.4, kMalformed); a
// certificate never reaches outside [now − backdate, now + lifetime), whoever asks. L is the lesser
// of profile and request. With a lifetime in the request it is backdated by a tenth of L at most,
// so that clients that renew in the last third of a life do not find themselves there at once.
struct Validity {
  Time not_before;
  Time not_after;
};
Result<Validity> ChooseValidity(const Profile&, const CertificateRequest&, Time now);

// The TBSCertificate, or kBadCsr / kRejectedIdentifier / kBadPublicKey with the rule of the profile
// that refused. `now` is the instant of issuance; notBefore = now − backdate unless ordered.
Result<Bytes> BuildTbsCertificate(const Profile&, const IssuerInfo&, const CertificateRequest&,
                                  const Serial&, Time now);

}  // namespace agentca::ca
