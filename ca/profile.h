// What a certificate of one kind may look like. Read from profiles/*.json at start (the JSON is
// read elsewhere), validated here once, and then a value that cannot be wrong.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ca/base/clock.h"
#include "ca/name.h"
#include "ca/public_key.h"

namespace agentca::ca {

// Stands for the first DNS name of the request, as the whole value of a CN. The attribute is left
// out when the name is longer than a CN may be, or when there is no DNS name.
inline constexpr std::string_view kFirstDnsTemplate = "{first-dns}";

// As the operator wrote it.
struct RawProfile {
  std::string name;
  std::vector<std::pair<std::string, std::string>>
      subject;                         // ("O","Example"), ("CN","{first-dns}")
  std::vector<std::string> key_usage;  // "digitalSignature", "keyEncipherment", …
  std::vector<std::string>
      extended_key_usage;                 // "serverAuth", "clientAuth", "OCSPSigning", or an OID
  std::vector<std::string> allowed_keys;  // "p256", "p384", "ed25519", "rsa2048", "rsa3072", …
  std::vector<std::string> policies;      // OIDs
  int64_t lifetime_seconds = 0;
  int64_t backdate_seconds = 0;
  uint32_t max_names = 0;  // 0: no names allowed (OCSP delegate)
  bool allow_wildcards = false;
  bool allow_ip_addresses = false;
  bool ocsp_no_check = false;  // id-pkix-ocsp-nocheck; then no AIA and no CRLDP
  bool is_ca = false;          // only `agentca init` uses such a profile
  std::optional<int> path_length;
  // Name constraints, CA profiles only. With them all IP addresses are excluded as well, unless
  // allow_ip_addresses is set.
  std::vector<std::string> permitted_dns;
};

struct AllowedKey {
  KeyType type;
  int min_bits;  // RSA only
};

// The bits of `wanted` that a key of this type can serve: key encipherment is RSA's, key agreement
// is EC's. Certificates carry these, so that one profile can allow several key types.
uint16_t KeyUsageFor(KeyType type, uint16_t wanted);

class Profile {
 public:
  // kMalformed names the key of the profile that is wrong and why. Refuses what a sound CA never
  // issues: empty lifetime, CA bit with end-entity EKUs, OCSPSigning with serverAuth, lifetime over
  // 398 days for serverAuth, …
  static Result<Profile> Make(const RawProfile& raw);

  const std::string& name() const { return raw_.name; }
  const RawProfile& raw() const { return raw_; }
  Seconds lifetime() const { return Seconds(raw_.lifetime_seconds); }
  Seconds backdate() const { return Seconds(raw_.backdate_seconds); }
  const std::vector<AllowedKey>& allowed_keys() const { return allowed_keys_; }
  uint16_t key_usage_bits() const { return key_usage_bits_; }  // der::NamedBits order
  const std::vector<std::string>& extended_key_usage_oids() const { return eku_oids_; }

 private:
  Profile() = default;
  RawProfile raw_;
  std::vector<AllowedKey> allowed_keys_;
  uint16_t key_usage_bits_ = 0;
  std::vector<std::string> eku_oids_;
};

}  // namespace agentca::ca
