#include "acme/attest/attester_certificate.h"

#include <algorithm>
#include <array>

#include "acme/attest/format.h"
#include "ca/base/utf8.h"
#include "ca/openssl.h"

namespace agentca::acme::attest {
namespace {

using ca::openssl::GeneralNamesPtr;
using ca::openssl::Owned;
using ca::openssl::X509Ptr;

void FreeText(unsigned char* text) { OPENSSL_free(text); }
void FreeBignumText(char* text) { OPENSSL_free(text); }
using PurposesPtr = Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;

Error Malformed(std::string detail) {
  return {Code::kMalformed, "the attester's certificate " + std::move(detail)};
}

std::string Dotted(const ASN1_OBJECT* object) {
  char text[128];
  const int size = OBJ_obj2txt(text, sizeof text, object, 1);
  return size > 0 && static_cast<size_t>(size) < sizeof text ? text : "";
}

Result<std::string> TextOf(const ASN1_STRING* string) {
  unsigned char* data = nullptr;
  const int size = ASN1_STRING_to_UTF8(&data, string);
  const Owned<unsigned char, FreeText> owner(data);
  std::string text =
      size < 0 ? "" : std::string(reinterpret_cast<char*>(data), static_cast<size_t>(size));
  if (size < 0 || !IsPlainText(text)) return Malformed("has a name that is no plain text");
  return text;
}

struct NamePart {
  std::string_view oid;
  std::string_view claim;
};
constexpr std::array kNameParts{
    NamePart{"2.5.4.3", "CN"},
    NamePart{"2.5.4.10", "O"},
    NamePart{"2.5.4.11", "OU"},
    NamePart{"2.5.4.6", "C"},
    NamePart{"2.5.4.7", "L"},
    NamePart{"2.5.4.8", "ST"},
    NamePart{"2.5.4.5", "serialNumber"},
};
// TCG EK Credential Profile §3.1.2: tcg-at-tpmManufacturer, -tpmModel, -tpmVersion.
constexpr std::array kTpmParts{
    NamePart{"2.23.133.2.1", "manufacturer"},
    NamePart{"2.23.133.2.2", "model"},
    NamePart{"2.23.133.2.3", "version"},
};

Status AddName(std::string_view prefix, const X509_NAME* name, std::span<const NamePart> parts,
               ca::Claims& claims) {
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    const std::string oid = Dotted(X509_NAME_ENTRY_get_object(entry));
    const auto part = std::find_if(parts.begin(), parts.end(),
                                   [&](const NamePart& each) { return each.oid == oid; });
    if (part == parts.end()) continue;
    AGENTCA_ASSIGN(std::string text, TextOf(X509_NAME_ENTRY_get_data(entry)));
    claims[std::string(prefix) + std::string(part->claim)].push_back(std::move(text));
  }
  return {};
}

// The SAN is critical in such certificates, their subject being empty (RFC 5280 §4.2.1.6).
Status AddTpmNames(const X509* x509, ca::Claims& claims) {
  int found = 0;
  const GeneralNamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, &found, nullptr)));
  if (!names) return found == -1 ? Status() : Malformed("has an unreadable subjectAltName");
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DIRNAME) continue;
    AGENTCA_TRY(AddName("tpm/", name->d.directoryName, kTpmParts, claims));
  }
  return {};
}

Result<std::vector<std::string>> ReadPurposes(const X509* x509) {
  std::vector<std::string> out;
  int found = 0;
  const PurposesPtr purposes(
      static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(x509, NID_ext_key_usage, &found, nullptr)));
  if (!purposes && found != -1) return Malformed("has an unreadable extended key usage");
  for (int i = 0; purposes && i < sk_ASN1_OBJECT_num(purposes.get()); ++i) {
    out.push_back(Dotted(sk_ASN1_OBJECT_value(purposes.get(), i)));
  }
  return out;
}

Result<std::string> SerialOf(const X509* x509) {
  const ca::openssl::BignumPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), nullptr));
  const Owned<char, FreeBignumText> text(number ? BN_bn2hex(number.get()) : nullptr);
  if (!text) return Malformed("has an unreadable serial number");
  std::string serial(text.get());
  std::transform(serial.begin(), serial.end(), serial.begin(),
                 [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  return serial;
}

}  // namespace

Result<AttesterCertificate> AttesterCertificate::Parse(ByteView der) {
  const ca::openssl::ErrorScope errors;
  const X509Ptr x509 = ca::openssl::Decode<X509Ptr>(d2i_X509, der);
  if (!x509) return Malformed("cannot be read");
  if (X509_check_ca(x509.get()) != 0) {
    return BadAttestation(cause::kUntrustedRoot, "the attester's certificate is that of a CA");
  }
  // UINT32_MAX without the extension.
  if ((X509_get_key_usage(x509.get()) & KU_DIGITAL_SIGNATURE) == 0) {
    return BadAttestation(cause::kUntrustedRoot,
                          "the attester's certificate is not for signatures (key usage)");
  }
  auto key = ca::PublicKey::FromSpki(
      ca::openssl::Encode(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(x509.get())));
  if (!key.ok()) return Malformed("has a key that is not accepted: " + key.error().detail);
  AttesterCertificate out{*std::move(key), {}, {}};
  AGENTCA_ASSIGN(out.purposes, ReadPurposes(x509.get()));
  AGENTCA_ASSIGN(std::string serial, SerialOf(x509.get()));
  out.claims["serial"] = {std::move(serial)};
  AGENTCA_TRY(AddName("subject/", X509_get_subject_name(x509.get()), kNameParts, out.claims));
  AGENTCA_TRY(AddName("issuer/", X509_get_issuer_name(x509.get()), kNameParts, out.claims));
  AGENTCA_TRY(AddTpmNames(x509.get(), out.claims));
  return out;
}

bool AttesterCertificate::HasPurpose(std::string_view oid) const {
  return std::find(purposes.begin(), purposes.end(), oid) != purposes.end();
}

}  // namespace agentca::acme::attest
