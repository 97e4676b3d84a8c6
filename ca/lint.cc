#include "ca/lint.h"

#include <algorithm>

#include "ca/asn1_forms.h"
#include "ca/lint_extensions.h"
#include "ca/openssl.h"

namespace agentca::ca {
namespace {

constexpr long kVersion3 = 2;
constexpr long kMaxSerialNumber = 64;  // ub-serial-number; OpenSSL has no name for it

// Octets read and octets wanted are the same.
bool Same(ByteView a, ByteView b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

void LintForm(const TbsForm& form, ByteView tbs, const LintContext& lint) {
  // OpenSSL keeps a BOOLEAN as it was written; setting it writes it anew.
  for (int i = 0; i < sk_X509_EXTENSION_num(form.extensions); ++i) {
    X509_EXTENSION* const extension = sk_X509_EXTENSION_value(form.extensions, i);
    X509_EXTENSION_set_critical(extension, X509_EXTENSION_get_critical(extension));
  }
  // What OpenSSL would write for what it read: anything that is not DER differs.
  lint.Expect(Same(EncodeTbs(form), tbs), "TBSCertificate is not DER");
  lint.Expect(form.version != nullptr && ASN1_INTEGER_get(form.version) == kVersion3,
              "version is not 3");
  const openssl::BignumPtr number(ASN1_INTEGER_to_BN(form.serial, nullptr));
  if (lint.Expect(number != nullptr, "serial number cannot be read")) {
    lint.Expect(BN_is_negative(number.get()) == 0 && BN_is_zero(number.get()) == 0,
                "serial number is not positive");
    // The sign bit counts: 20 octets hold 159 bits.
    lint.Expect(BN_num_bits(number.get()) <= 159, "serial number is longer than 20 octets");
  }
  lint.Expect(Same(openssl::Encode(i2d_X509_ALGOR, form.algorithm),
                   AlgorithmIdentifier(lint.issuer.algorithm)),
              "signature algorithm is not the issuer's");
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

void LintSubject(const X509_NAME* subject, const LintContext& lint) {
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

void LintValidity(const X509_VAL& validity, const LintContext& lint) {
  const std::optional<Time> not_before = ReadTime(validity.notBefore);
  const std::optional<Time> not_after = ReadTime(validity.notAfter);
  if (!lint.Expect(not_before && not_after, "validity is not in the form of RFC 5280")) return;
  lint.Expect(*not_before < *not_after, "notAfter is not after notBefore");
  lint.Expect(*not_after - *not_before + Seconds(1) <= lint.profile.lifetime(),
              "validity is longer than the profile's lifetime");
  lint.Expect(*not_after - *not_before + Seconds(1) <=
                  lint.request.lifetime.value_or(lint.profile.lifetime()),
              "validity is longer than the lifetime asked for");
  lint.Expect(lint.request.not_before.value_or(*not_before) == *not_before,
              "notBefore is not the one ordered");
  lint.Expect(lint.request.not_after.value_or(*not_after) == *not_after,
              "notAfter is not the one ordered");
}

// The request's key was read and judged by OpenSSL; the certificate's must be that very one.
void LintKey(ByteView spki, const LintContext& lint) {
  lint.Expect(Same(spki, lint.request.key.spki()), "public key is not the one of the request");
  const EVP_PKEY* const key = lint.request.key.evp();
  const auto fits = [key](const AllowedKey& rule) {
    const int id = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);
    switch (rule.type) {
      case KeyType::kP256:
        return id == EVP_PKEY_EC && bits == 256;
      case KeyType::kP384:
        return id == EVP_PKEY_EC && bits == 384;
      case KeyType::kEd25519:
        return id == EVP_PKEY_ED25519;
      case KeyType::kRsa:
        break;
    }
    return id == EVP_PKEY_RSA && bits >= rule.min_bits;
  };
  const std::vector<AllowedKey>& rules = lint.profile.allowed_keys();
  lint.Expect(std::any_of(rules.begin(), rules.end(), fits),
              "public key is of a type that the profile does not allow");
}

}  // namespace

std::vector<std::string> LintTbsCertificate(ByteView tbs, const Profile& profile,
                                            const IssuerInfo& issuer,
                                            const CertificateRequest& request) {
  std::vector<std::string> findings;
  const LintContext lint{profile, issuer, request, findings};
  const openssl::ErrorScope errors;
  const FormPtr<TbsForm> form = ParseTbs(tbs);
  if (!form) return {"OpenSSL cannot read the TBSCertificate"};
  LintForm(*form, tbs, lint);
  lint.Expect(Same(openssl::Encode(i2d_X509_NAME, form->issuer), issuer.subject),
              "issuer is not the subject of the issuing certificate");
  LintValidity(*form->validity, lint);
  LintSubject(form->subject, lint);
  LintKey(View(form->public_key), lint);
  LintExtensions(form->extensions, X509_NAME_entry_count(form->subject) == 0, lint);
  return findings;
}

}  // namespace agentca::ca
