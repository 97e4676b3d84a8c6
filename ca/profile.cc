#include "ca/profile.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "ca/dns_name.h"
#include "ca/oid.h"

namespace agentca::ca {
namespace {

constexpr int64_t kDay = 24 * 3600;
constexpr int64_t kMaxServerLifetime = 398 * kDay;  // what browsers and Apple platforms accept
constexpr int64_t kMaxLifetime = 36525 * kDay;
constexpr int64_t kMaxBackdate = 2 * kDay;
constexpr uint32_t kMaxNames = 1000;

constexpr uint16_t kDigitalSignature = 0x8000;
constexpr uint16_t kKeyAgreement = 0x0800;
constexpr uint16_t kKeyCertSign = 0x0400;
constexpr uint16_t kCrlSign = 0x0200;
constexpr uint16_t kOnlyWithKeyAgreement = 0x0180;  // encipherOnly, decipherOnly

struct NamedBit {
  std::string_view name;
  uint16_t bit;
};
// RFC 5280 §4.2.1.3, bit 0 first.
constexpr std::array<NamedBit, 9> kKeyUsages{{{"digitalSignature", kDigitalSignature},
                                              {"nonRepudiation", 0x4000},
                                              {"keyEncipherment", 0x2000},
                                              {"dataEncipherment", 0x1000},
                                              {"keyAgreement", kKeyAgreement},
                                              {"keyCertSign", kKeyCertSign},
                                              {"cRLSign", kCrlSign},
                                              {"encipherOnly", 0x0100},
                                              {"decipherOnly", 0x0080}}};

struct NamedOid {
  std::string_view name;
  std::string_view oid;
};
// RFC 5280 §4.2.1.12.
constexpr std::array<NamedOid, 6> kExtendedKeyUsages{{{"serverAuth", oid::kServerAuth},
                                                      {"clientAuth", oid::kClientAuth},
                                                      {"codeSigning", "1.3.6.1.5.5.7.3.3"},
                                                      {"emailProtection", "1.3.6.1.5.5.7.3.4"},
                                                      {"timeStamping", "1.3.6.1.5.5.7.3.8"},
                                                      {"OCSPSigning", oid::kOcspSigning}}};

Error Bad(std::string_view key, std::string_view why) {
  return {Code::kMalformed, std::string(key) + ": " + std::string(why)};
}

bool HasDuplicates(const std::vector<std::string>& list) {
  return std::set<std::string>(list.begin(), list.end()).size() != list.size();
}

bool Holds(const std::vector<std::string>& list, std::string_view wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

Status CheckName(const RawProfile& raw) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  if (raw.name.empty() || raw.name.size() > 64 ||
      !std::all_of(raw.name.begin(), raw.name.end(), allowed))
    return Bad("name", "1 to 64 lower-case letters, digits, '-' and '_' are allowed");
  return {};
}

Status CheckSubject(const RawProfile& raw) {
  Name sample;
  for (const auto& [attribute, value] : raw.subject) {
    const std::optional<Attribute> known = AttributeFromString(attribute);
    if (!known) return Bad("subject", "unknown attribute " + attribute);
    const bool is_template = value == kFirstDnsTemplate;
    if (is_template && *known != Attribute::kCommonName)
      return Bad("subject", "{first-dns} is for CN only");
    if (!is_template && value.find_first_of("{}") != std::string::npos)
      return Bad("subject", "unknown template " + value);
    sample.push_back({*known, is_template ? "example.test" : value});
  }
  if (const auto encoded = EncodeName(sample); !encoded)
    return Bad("subject", encoded.error().detail);
  return {};
}

Result<uint16_t> ReadKeyUsage(const RawProfile& raw) {
  uint16_t bits = 0;
  for (const std::string& name : raw.key_usage) {
    const auto known = std::find_if(kKeyUsages.begin(), kKeyUsages.end(),
                                    [&](const NamedBit& usage) { return usage.name == name; });
    if (known == kKeyUsages.end()) return Bad("key_usage", "unknown usage " + name);
    if ((bits & known->bit) != 0) return Bad("key_usage", name + " is there twice");
    bits = static_cast<uint16_t>(bits | known->bit);
  }
  if (bits == 0) return Bad("key_usage", "must not be empty");
  if ((bits & kOnlyWithKeyAgreement) != 0 && (bits & kKeyAgreement) == 0)
    return Bad("key_usage", "encipherOnly and decipherOnly mean nothing without keyAgreement");
  // RFC 5280 §4.2.1.9: "If the cA boolean is not asserted, then the keyCertSign bit in the key
  // usage extension MUST NOT be asserted."
  if (raw.is_ca && (bits & kKeyCertSign) == 0) return Bad("key_usage", "a CA needs keyCertSign");
  if (!raw.is_ca && (bits & (kKeyCertSign | kCrlSign)) != 0)
    return Bad("key_usage", "keyCertSign and cRLSign are for CAs");
  return bits;
}

Result<std::vector<std::string>> ReadExtendedKeyUsage(const RawProfile& raw) {
  std::vector<std::string> oids;
  for (const std::string& name : raw.extended_key_usage) {
    const auto known = std::find_if(kExtendedKeyUsages.begin(), kExtendedKeyUsages.end(),
                                    [&](const NamedOid& usage) { return usage.name == name; });
    const std::string oid(known == kExtendedKeyUsages.end() ? name : known->oid);
    if (!IsOid(oid)) return Bad("extended_key_usage", "neither a known usage nor an OID: " + name);
    if (oid == oid::kAnyExtendedKeyUsage)
      return Bad("extended_key_usage", "anyExtendedKeyUsage undoes the extension");
    oids.push_back(oid);
  }
  if (HasDuplicates(oids)) return Bad("extended_key_usage", "a usage is there twice");
  if (raw.is_ca && !oids.empty())
    return Bad("extended_key_usage", "a CA certificate carries no end-entity usages");
  if (!raw.is_ca && oids.empty()) return Bad("extended_key_usage", "must not be empty");
  const bool ocsp = Holds(oids, oid::kOcspSigning);
  if (ocsp && oids.size() > 1)
    return Bad("extended_key_usage", "OCSPSigning stands alone: whoever has it speaks for the CA");
  if (ocsp && raw.max_names != 0) return Bad("max_names", "an OCSP delegate carries no names");
  if (ocsp != raw.ocsp_no_check)
    return Bad("ocsp_no_check", "belongs to OCSPSigning, and OCSPSigning needs it");
  return oids;
}

Result<AllowedKey> ReadAllowedKey(const std::string& text) {
  if (text == "p256") return AllowedKey{KeyType::kP256, 0};
  if (text == "p384") return AllowedKey{KeyType::kP384, 0};
  if (text == "ed25519") return AllowedKey{KeyType::kEd25519, 0};
  int bits = 0;
  const char* const end = text.data() + text.size();
  if (text.starts_with("rsa")) {
    const auto [next, error] = std::from_chars(text.data() + 3, end, bits);
    if (error == std::errc{} && next == end && bits >= 2048 && bits <= 4096)
      return AllowedKey{KeyType::kRsa, bits};
  }
  return Bad("allowed_keys", "not p256, p384, ed25519 or rsa2048 to rsa4096: " + text);
}

Result<std::vector<AllowedKey>> ReadAllowedKeys(const RawProfile& raw, uint16_t key_usage) {
  std::vector<AllowedKey> keys;
  for (const std::string& text : raw.allowed_keys) {
    AGENTCA_ASSIGN(const AllowedKey key, ReadAllowedKey(text));
    const bool again = std::any_of(keys.begin(), keys.end(),
                                   [&](const AllowedKey& other) { return other.type == key.type; });
    if (again) return Bad("allowed_keys", text + " repeats a type");
    if ((KeyUsageFor(key.type, key_usage)) == 0)
      return Bad("allowed_keys", "no bit of key_usage fits " + text);
    keys.push_back(key);
  }
  if (keys.empty()) return Bad("allowed_keys", "must not be empty");
  return keys;
}

Status CheckTimes(const RawProfile& raw, const std::vector<std::string>& eku_oids) {
  if (raw.lifetime_seconds <= 0) return Bad("lifetime", "must be positive");
  if (raw.lifetime_seconds > kMaxLifetime) return Bad("lifetime", "is over a hundred years");
  if (Holds(eku_oids, oid::kServerAuth) && raw.lifetime_seconds > kMaxServerLifetime)
    return Bad("lifetime", "a serverAuth certificate lives 398 days at most");
  if (raw.backdate_seconds < 0 || raw.backdate_seconds > kMaxBackdate)
    return Bad("backdate", "must be between 0 and 48 hours");
  if (raw.backdate_seconds >= raw.lifetime_seconds)
    return Bad("backdate", "must be shorter than the lifetime");
  return {};
}

Status CheckNames(const RawProfile& raw, const std::vector<std::string>& eku_oids) {
  if (raw.max_names > kMaxNames) return Bad("max_names", "is over 1000");
  if (raw.is_ca && raw.max_names != 0) return Bad("max_names", "a CA certificate carries no names");
  if (raw.max_names == 0 && raw.allow_wildcards)
    return Bad("allow_wildcards", "needs max_names above 0");
  if (raw.max_names == 0 && raw.allow_ip_addresses && !raw.is_ca)
    return Bad("allow_ip_addresses", "needs max_names above 0");
  // RFC 9525 §6.4.4: clients no longer look at the subject.
  if (raw.max_names == 0 && Holds(eku_oids, oid::kServerAuth))
    return Bad("max_names", "a serverAuth certificate needs names");
  return {};
}

Status CheckConstraints(const RawProfile& raw) {
  if (raw.path_length && !raw.is_ca) return Bad("path_length", "is for CAs");
  if (raw.path_length && (*raw.path_length < 0 || *raw.path_length > 16))
    return Bad("path_length", "must be between 0 and 16");
  if (!raw.permitted_dns.empty() && !raw.is_ca) return Bad("permitted_dns", "is for CAs");
  for (const std::string& name : raw.permitted_dns)
    if (const Status checked = CheckDnsName(name, false); !checked)
      return Bad("permitted_dns", name + ": " + checked.error().detail);
  if (HasDuplicates(raw.permitted_dns)) return Bad("permitted_dns", "a name is there twice");
  for (const std::string& policy : raw.policies)
    if (!IsOid(policy)) return Bad("policies", "not an OID: " + policy);
  if (HasDuplicates(raw.policies)) return Bad("policies", "an OID is there twice");
  return {};
}

}  // namespace

// RFC 3279 §2.3.1 (RSA), RFC 5480 §3 (EC), RFC 8410 §5 (Ed25519).
uint16_t KeyUsageFor(KeyType type, uint16_t wanted) {
  constexpr uint16_t kSigning = 0xc600;      // signatures, certificates, CRLs
  constexpr uint16_t kEnciphering = 0x3000;  // keys, data
  constexpr uint16_t kAgreement = 0x0980;    // keyAgreement, encipherOnly, decipherOnly
  switch (type) {
    case KeyType::kP256:
    case KeyType::kP384:
      return wanted & (kSigning | kAgreement);
    case KeyType::kEd25519:
      return wanted & kSigning;
    case KeyType::kRsa:
      break;
  }
  return wanted & (kSigning | kEnciphering);
}

Result<Profile> Profile::Make(const RawProfile& raw) {
  AGENTCA_TRY(CheckName(raw));
  AGENTCA_TRY(CheckSubject(raw));
  Profile profile;
  AGENTCA_ASSIGN(profile.key_usage_bits_, ReadKeyUsage(raw));
  AGENTCA_ASSIGN(profile.eku_oids_, ReadExtendedKeyUsage(raw));
  AGENTCA_ASSIGN(profile.allowed_keys_, ReadAllowedKeys(raw, profile.key_usage_bits_));
  AGENTCA_TRY(CheckTimes(raw, profile.eku_oids_));
  AGENTCA_TRY(CheckNames(raw, profile.eku_oids_));
  AGENTCA_TRY(CheckConstraints(raw));
  profile.raw_ = raw;
  return profile;
}

}  // namespace agentca::ca
