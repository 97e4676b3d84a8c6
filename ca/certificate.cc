#include "ca/certificate.h"

#include <array>
#include <cassert>

#include "ca/asn1_forms.h"

namespace agentca::ca {
namespace {

constexpr size_t kMaxSerialOctets = 20;
constexpr size_t kMaxCertificateSize = 64 * 1024;

struct ReasonName {
  Reason reason;
  std::string_view name;
};
constexpr std::array<ReasonName, 10> kReasons{{
    {Reason::kUnspecified, "unspecified"},
    {Reason::kKeyCompromise, "keyCompromise"},
    {Reason::kCaCompromise, "cACompromise"},
    {Reason::kAffiliationChanged, "affiliationChanged"},
    {Reason::kSuperseded, "superseded"},
    {Reason::kCessationOfOperation, "cessationOfOperation"},
    {Reason::kCertificateHold, "certificateHold"},
    {Reason::kRemoveFromCrl, "removeFromCRL"},
    {Reason::kPrivilegeWithdrawn, "privilegeWithdrawn"},
    {Reason::kAaCompromise, "aACompromise"},
}};

Error Malformed(std::string_view why) {
  return {Code::kMalformed, "certificate " + std::string(why)};
}

Result<Time> TimeOf(const ASN1_TIME* time) {
  std::tm utc{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &utc) != 1) return Malformed("has an invalid time");
  return Time{Seconds{timegm(&utc)}};
}

Status ReadNames(const STACK_OF(X509_EXTENSION) * extensions, Certificate& out) {
  if (X509v3_get_ext_by_NID(extensions, NID_subject_alt_name, -1) < 0) return {};
  const auto names = ReadExtension<openssl::GeneralNamesPtr>(extensions, NID_subject_alt_name);
  if (!names) return Malformed("has an invalid subjectAltName");
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS)
      out.dns_names.emplace_back(AsText(View(name->d.dNSName)));
    else if (name->type == GEN_IPADD)
      out.ip_addresses.push_back(ToBytes(View(name->d.iPAddress)));
  }
  return {};
}

}  // namespace

Serial Serial::Random(uint8_t prefix, agentca::Random& random) {
  assert(prefix >= 1 && prefix <= 127);
  Bytes octets(1 + kRandomOctets, prefix);
  random.Fill(std::span(octets).subspan(1));
  return Serial(std::move(octets));
}

// RFC 5280 §4.1.2.2: "CAs MUST force the serialNumber to be a non-negative integer" and "MUST NOT
// use serialNumber values longer than 20 octets", the sign octet counted.
Result<Serial> Serial::FromBytes(ByteView big_endian) {
  while (!big_endian.empty() && big_endian.front() == 0) big_endian = big_endian.subspan(1);
  if (big_endian.empty()) return Error{Code::kMalformed, "serial number is zero"};
  const size_t sign_octet = (big_endian.front() & 0x80) != 0 ? 1 : 0;
  if (big_endian.size() + sign_octet > kMaxSerialOctets)
    return Error{Code::kMalformed, "serial number is longer than 20 octets"};
  return Serial(ToBytes(big_endian));
}

Result<Serial> Serial::FromHex(std::string_view hex) {
  AGENTCA_ASSIGN(const Bytes octets, agentca::FromHex(hex));
  return FromBytes(octets);
}

IssuerId IssuerIdOf(const PublicKey& issuer_key) {
  return ToHex(std::span(issuer_key.spki_sha256()).first(8));
}

std::string_view ToString(Reason reason) {
  for (const ReasonName& known : kReasons)
    if (known.reason == reason) return known.name;
  return "unspecified";
}

Result<Reason> ReasonFromInt(int64_t value) {
  for (const ReasonName& known : kReasons)
    if (static_cast<int64_t>(known.reason) == value) return known.reason;
  return Error{Code::kBadRevocationReason, "not a reason code of RFC 5280, section 5.3.1"};
}

Result<Reason> ReasonFromString(std::string_view name) {
  for (const ReasonName& known : kReasons)
    if (known.name == name) return known.reason;
  return Error{Code::kBadRevocationReason, "not a reason of RFC 5280, section 5.3.1"};
}

Result<Certificate> Certificate::Parse(ByteView der) {
  if (der.size() > kMaxCertificateSize) return Malformed("is too large");
  const openssl::ErrorScope errors;
  const FormPtr<CertificateForm> form = ParseCertificate(der);
  if (!form) return Malformed("is not one DER Certificate");
  const TbsForm& tbs = *form->tbs;
  if (ASN1_STRING_type(tbs.serial) == V_ASN1_NEG_INTEGER)
    return Malformed("has a negative serial number");
  AGENTCA_ASSIGN(Serial serial, Serial::FromBytes(View(tbs.serial)));
  Result<PublicKey> key = PublicKey::FromSpki(View(tbs.public_key));
  if (!key) return Malformed("has a key that is not accepted: " + key.error().detail);
  AGENTCA_ASSIGN(const Time not_before, TimeOf(tbs.validity->notBefore));
  AGENTCA_ASSIGN(const Time not_after, TimeOf(tbs.validity->notAfter));
  Certificate certificate{ToBytes(der),
                          std::move(serial),
                          *std::move(key),
                          openssl::Encode(i2d_X509_NAME, tbs.subject),
                          openssl::Encode(i2d_X509_NAME, tbs.issuer),
                          not_before,
                          not_after,
                          {},
                          {}};
  AGENTCA_TRY(ReadNames(tbs.extensions, certificate));
  return certificate;
}

bool IsSignedBy(const Certificate& certificate, const PublicKey& issuer_key) {
  const openssl::ErrorScope errors;
  const auto x509 = openssl::Decode<openssl::X509Ptr>(d2i_X509, certificate.der);
  return x509 && X509_verify(x509.get(), issuer_key.evp()) == 1;
}

}  // namespace agentca::ca
