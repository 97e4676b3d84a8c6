#include "ca/certificate.h"

#include <array>
#include <cassert>

#include "ca/openssl.h"

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
  return std::chrono::floor<Seconds>(std::chrono::system_clock::from_time_t(timegm(&utc)));
}

Bytes Octets(const ASN1_STRING* string) {
  const unsigned char* const data = ASN1_STRING_get0_data(string);
  return Bytes(data, data + ASN1_STRING_length(string));
}

Status ReadNames(const X509* x509, Certificate& out) {
  int critical = 0;
  const openssl::GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(x509, NID_subject_alt_name, &critical, nullptr)));
  if (!names && critical != -1) return Malformed("has an invalid subjectAltName");
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS)
      out.dns_names.emplace_back(AsText(Octets(name->d.dNSName)));
    else if (name->type == GEN_IPADD)
      out.ip_addresses.push_back(Octets(name->d.iPAddress));
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
  const auto x509 = openssl::Decode<openssl::X509Ptr>(d2i_X509, der);
  if (!x509) return Malformed("is not one DER Certificate");

  const ASN1_INTEGER* const number = X509_get0_serialNumber(x509.get());
  if (ASN1_STRING_type(number) == V_ASN1_NEG_INTEGER) return Malformed("has a negative serial");
  AGENTCA_ASSIGN(Serial serial, Serial::FromBytes(Octets(number)));
  Result<PublicKey> key =
      PublicKey::FromSpki(openssl::Encode(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(x509.get())));
  if (!key) return Malformed("has a key that is not accepted: " + key.error().detail);
  AGENTCA_ASSIGN(const Time not_before, TimeOf(X509_get0_notBefore(x509.get())));
  AGENTCA_ASSIGN(const Time not_after, TimeOf(X509_get0_notAfter(x509.get())));
  Certificate certificate{ToBytes(der),
                          std::move(serial),
                          *std::move(key),
                          openssl::Encode(i2d_X509_NAME, X509_get_subject_name(x509.get())),
                          openssl::Encode(i2d_X509_NAME, X509_get_issuer_name(x509.get())),
                          not_before,
                          not_after,
                          {},
                          {}};
  AGENTCA_TRY(ReadNames(x509.get(), certificate));
  return certificate;
}

}  // namespace agentca::ca
