#include "ca/lint.h"

#include <algorithm>

#include "ca/lint_extensions.h"
#include "ca/openssl.h"
#include "ca/signed_object.h"

namespace agentca::ca {
namespace {

constexpr long kVersion3 = 2;
constexpr long kMaxSerialNumber = 64;  // ub-serial-number; OpenSSL has no name for it

// Octets read and octets wanted are the same.
bool Same(ByteView a, ByteView b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

void LintForm(X509* x509, ByteView tbs, const LintContext& lint) {
  // What OpenSSL would write for what it read: anything that is not DER differs.
  lint.Expect(Same(openssl::Encode(i2d_re_X509_tbs, x509), tbs), "TBSCertificate is not DER");
  lint.Expect(X509_get_version(x509) == kVersion3, "version is not 3");
  const ASN1_INTEGER* const serial = X509_get0_serialNumber(x509);
  const openssl::BignumPtr number(ASN1_INTEGER_to_BN(serial, nullptr));
  if (lint.Expect(number != nullptr, "serial number cannot be read")) {
    lint.Expect(BN_is_negative(number.get()) == 0 && BN_is_zero(number.get()) == 0,
                "serial number is not positive");
    // The sign bit counts: 20 octets hold 159 bits.
    lint.Expect(BN_num_bits(number.get()) <= 159, "serial number is longer than 20 octets");
  }
  lint.Expect(Same(openssl::Encode(i2d_X509_ALGOR, X509_get0_tbs_sigalg(x509)),
                   AlgorithmIdentifier(lint.issuer.algorithm)),
              "signature algorithm is not the issuer's");
  const ASN1_BIT_STRING *issuer_uid = nullptr, *subject_uid = nullptr;
  X509_get0_uids(x509, &issuer_uid, &subject_uid);
  lint.Expect(issuer_uid == nullptr && subject_uid == nullptr, "unique identifiers are present");
}

// One attribute as OpenSSL reads it: NID and UTF-8.
using ReadAttribute = std::pair<int, std::string>;

std::vector<ReadAttribute> WantedSubject(const LintContext& lint) {
  std::vector<ReadAttribute> wanted;
  const auto add = [&](std::string_view attribute, const std::string& value) {
    wanted.emplace_back(OBJ_txt2nid(std::string(attribute).c_str()), value);
  };
  if (lint.request.subject) {
    for (const NamePart& part : *lint.request.subject) add(ToString(part.attribute), part.value);
    return wanted;
  }
  const std::vector<std::string>& names = lint.request.dns_names;
  for (const auto& [attribute, value] : lint.profile.raw().subject) {
    if (value != kFirstDnsTemplate)
      add(attribute, value);
    else if (!names.empty() && names.front().size() <= static_cast<size_t>(ub_common_name))
      add(attribute, names.front());
  }
  return wanted;
}

long UpperBound(int nid) {
  switch (nid) {
    case NID_commonName:
      return ub_common_name;
    case NID_organizationName:
      return ub_organization_name;
    case NID_organizationalUnitName:
      return ub_organization_unit_name;
    case NID_serialNumber:
      return kMaxSerialNumber;
    case NID_countryName:
      return 2;
    default:
      return 0;
  }
}

// RFC 5280 §4.1.2.4: DirectoryString is UTF8String or PrintableString here; X.520 wants
// PrintableString for country and serialNumber.
bool HasRightType(int nid, const ASN1_STRING* value) {
  const int type = ASN1_STRING_type(value);
  if (nid == NID_countryName || nid == NID_serialNumber) return type == V_ASN1_PRINTABLESTRING;
  return type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING;
}

void LintSubject(const X509* x509, const LintContext& lint) {
  const X509_NAME* const subject = X509_get_subject_name(x509);
  std::vector<ReadAttribute> found;
  for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
    const X509_NAME_ENTRY* const entry = X509_NAME_get_entry(subject, i);
    lint.Expect(X509_NAME_ENTRY_set(entry) == i, "subject has an RDN of several attributes");
    const int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    const ASN1_STRING* const value = X509_NAME_ENTRY_get_data(entry);
    unsigned char* utf8 = nullptr;
    const int length = ASN1_STRING_to_UTF8(&utf8, value);
    if (!lint.Expect(length > 0, "subject has an attribute that is not text")) continue;
    const std::string text(utf8, utf8 + length);
    OPENSSL_free(utf8);
    const auto characters = std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; });
    lint.Expect(characters <= UpperBound(nid), "subject attribute is longer than its upper bound");
    lint.Expect(HasRightType(nid, value), "subject attribute is of the wrong string type");
    found.emplace_back(nid, text);
  }
  lint.Expect(found == WantedSubject(lint), "subject is not the one of profile and request");
}

std::optional<Time> ReadTime(const ASN1_TIME* time) {
  std::tm utc{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &utc) != 1) return std::nullopt;
  // RFC 5280 §4.1.2.5: UTCTime through 2049, seconds always, Zulu always.
  const int type = utc.tm_year < 150 ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME;
  const int length = type == V_ASN1_UTCTIME ? 13 : 15;
  if (ASN1_STRING_type(time) != type || ASN1_STRING_length(time) != length) return std::nullopt;
  return Time{Seconds{timegm(&utc)}};
}

void LintValidity(const X509* x509, const LintContext& lint) {
  const std::optional<Time> not_before = ReadTime(X509_get0_notBefore(x509));
  const std::optional<Time> not_after = ReadTime(X509_get0_notAfter(x509));
  if (!lint.Expect(not_before && not_after, "validity is not in the form of RFC 5280")) return;
  lint.Expect(*not_before < *not_after, "notAfter is not after notBefore");
  lint.Expect(*not_after - *not_before + Seconds(1) <= lint.profile.lifetime(),
              "validity is longer than the profile's lifetime");
  lint.Expect(lint.request.not_before.value_or(*not_before) == *not_before,
              "notBefore is not the one ordered");
  lint.Expect(lint.request.not_after.value_or(*not_after) == *not_after,
              "notAfter is not the one ordered");
}

void LintKey(const X509* x509, const LintContext& lint) {
  lint.Expect(
      Same(openssl::Encode(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(x509)), lint.request.key.spki()),
      "public key is not the one of the request");
  const EVP_PKEY* const key = X509_get0_pubkey(x509);
  if (!lint.Expect(key != nullptr, "public key cannot be read")) return;
  const bool allowed = std::any_of(
      lint.profile.allowed_keys().begin(), lint.profile.allowed_keys().end(),
      [&](const AllowedKey& rule) {
        switch (rule.type) {
          case KeyType::kP256:
            return EVP_PKEY_get_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) == 256;
          case KeyType::kP384:
            return EVP_PKEY_get_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) == 384;
          case KeyType::kEd25519:
            return EVP_PKEY_get_id(key) == EVP_PKEY_ED25519;
          case KeyType::kRsa:
            break;
        }
        return EVP_PKEY_get_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= rule.min_bits;
      });
  lint.Expect(allowed, "public key is of a type that the profile does not allow");
}

}  // namespace

std::vector<std::string> LintTbsCertificate(ByteView tbs, const Profile& profile,
                                            const IssuerInfo& issuer,
                                            const CertificateRequest& request) {
  std::vector<std::string> findings;
  const LintContext lint{profile, issuer, request, findings};
  const openssl::ErrorScope errors;
  const auto x509 =
      openssl::Decode<openssl::X509Ptr>(d2i_X509, WrapUnsigned(tbs, issuer.algorithm));
  if (!x509) return {"OpenSSL cannot read the TBSCertificate"};
  LintExtensions(x509.get(), lint);
  LintSubject(x509.get(), lint);
  lint.Expect(
      Same(openssl::Encode(i2d_X509_NAME, X509_get_issuer_name(x509.get())), issuer.subject),
      "issuer is not the subject of the issuing certificate");
  LintValidity(x509.get(), lint);
  LintKey(x509.get(), lint);
  LintForm(x509.get(), tbs, lint);  // last: it makes OpenSSL forget the octets it read
  return findings;
}

}  // namespace agentca::ca
