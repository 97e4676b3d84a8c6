// `x5c`: who holds the key of a certificate that a configured CA issued.
//
//   chain     the certificate and its intermediates, leaf first, up to one of the source's roots;
//   good
//             for TLS client authentication
//   evidence  the leaf key's signature over "agent-attest-01\0" ‖ N ‖ K (level 3), or without K
//   when
//             no certificate key is named (level 2); as X.509 has it: ECDSA in DER
//
// Claims come from the leaf: "dns", "uri", "email" (subject alternative names), "subject/CN",
// "subject/O", … and the same of "issuer", "serial" (hexadecimal), "key" (SHA-256 of its SPKI).
#include <array>

#include "acme/attest/chain.h"
#include "acme/attest/token.h"
#include "ca/certificate.h"
#include "ca/openssl.h"

namespace agentca::acme::attest {
namespace {

using ca::openssl::GeneralNamesPtr;
using ca::openssl::X509Ptr;

constexpr std::string_view kName = "x5c";

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

void FreeText(unsigned char* text) { OPENSSL_free(text); }

// Text without NUL and control characters: what is shown and matched is all there is.
Result<std::string> TextOf(const ASN1_STRING* string) {
  unsigned char* data = nullptr;
  const int size = ASN1_STRING_to_UTF8(&data, string);
  const ca::openssl::Owned<unsigned char, FreeText> owner(data);
  if (size < 0) return Malformed("the certificate has a name that is no text");
  std::string text(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return Malformed("the certificate has a name with a control character");
    }
  }
  return text;
}

Status AddNameClaims(std::string_view prefix, const X509_NAME* name, ca::Claims& claims) {
  constexpr std::array kParts{NID_commonName,   NID_organizationName, NID_organizationalUnitName,
                              NID_countryName,  NID_localityName,     NID_stateOrProvinceName,
                              NID_serialNumber, NID_domainComponent};
  for (const int part : kParts) {
    for (int at = -1; (at = X509_NAME_get_index_by_NID(name, part, at)) >= 0;) {
      AGENTCA_ASSIGN(std::string text,
                     TextOf(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))));
      claims[std::string(prefix) + OBJ_nid2sn(part)].push_back(std::move(text));
    }
  }
  return {};
}

// RFC 5280 §4.2.1.6.
Status AddAlternativeNames(const X509* leaf, ca::Claims& claims) {
  int found = 0;
  const GeneralNamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, &found, nullptr)));
  if (!names) {
    return found == -1 ? Status() : Malformed("subjectAltName of the certificate cannot be read");
  }
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    const char* claim = type == GEN_DNS ? "dns" : type == GEN_URI ? "uri" : "email";
    if (type != GEN_DNS && type != GEN_URI && type != GEN_EMAIL) continue;
    AGENTCA_ASSIGN(std::string text, TextOf(static_cast<const ASN1_STRING*>(value)));
    claims[claim].push_back(std::move(text));
  }
  return {};
}

Result<ca::Claims> ClaimsOf(const X509* x509, const ca::Certificate& leaf) {
  ca::Claims claims;
  AGENTCA_TRY(AddAlternativeNames(x509, claims));
  AGENTCA_TRY(AddNameClaims("subject/", X509_get_subject_name(x509), claims));
  AGENTCA_TRY(AddNameClaims("issuer/", X509_get_issuer_name(x509), claims));
  claims["serial"] = {leaf.serial.ToString()};
  claims["key"] = {ToHex(leaf.key.spki_sha256())};
  return claims;
}

class X5c final : public Format {
 public:
  std::string_view name() const override { return kName; }

  // Which roots a chain ends at, only its verification can tell.
  std::vector<std::string> Candidates(
      const EvidenceStatement&, const std::vector<ca::EvidenceSource>& sources) const override {
    std::vector<std::string> names;
    for (const ca::EvidenceSource& source : sources) {
      if (source.format == kName) names.push_back(source.name);
    }
    return names;
  }

  Result<Attested> Verify(const EvidenceStatement& statement, const Trust& trust,
                          const Expectation& expectation) const override {
    AGENTCA_TRY(VerifyChain(statement.chain, trust.roots(), Purpose::kClient, expectation.now));
    const ca::openssl::ErrorScope errors;
    const X509Ptr x509 = ca::openssl::Decode<X509Ptr>(d2i_X509, statement.chain.front());
    const auto leaf = ca::Certificate::Parse(statement.chain.front());
    if (!x509 || !leaf.ok()) return Malformed("the certificate is not one that we can use");
    if (X509_check_ca(x509.get()) != 0) {
      return BadAttestation(cause::kUntrustedRoot, "the first certificate is that of a CA");
    }
    AGENTCA_TRY(CheckSignature(statement.evidence, leaf->key, expectation));
    Attested attested;
    attested.key_bound = expectation.key != nullptr;
    attested.level = attested.key_bound ? 3 : 2;
    // The evidence is the very signature that `pop` would be.
    attested.proves_possession = attested.key_bound && *expectation.key == leaf->key;
    AGENTCA_ASSIGN(attested.claims, ClaimsOf(x509.get(), *leaf));
    return attested;
  }

 private:
  static Status CheckSignature(ByteView signature, const ca::PublicKey& key,
                               const Expectation& expectation) {
    if (VerifyPossession(expectation, key, signature)) return {};
    Expectation keyless = expectation;
    keyless.key = nullptr;
    if (expectation.key != nullptr && VerifyPossession(keyless, key, signature)) {
      return BadAttestation(cause::kKeyMismatch,
                            "the signature does not cover the key of \"spki\"");
    }
    return BadAttestation(
        cause::kBadSignature,
        "not that of the certificate's key over this challenge's nonce and this key");
  }
};

}  // namespace

std::unique_ptr<Format> MakeX5cFormat() { return std::make_unique<X5c>(); }

}  // namespace agentca::acme::attest
