#include "ca/csr.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "ca/asn1_forms.h"
#include "ca/der.h"
#include "ca/dns_name.h"

namespace agentca::ca {
namespace {

constexpr size_t kMaxNames = 1000;

Error Bad(std::string_view why) { return {Code::kBadCsr, "CSR " + std::string(why)}; }

template <class T>
void SortUnique(std::vector<T>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

Status AddDnsName(std::string_view text, Csr& csr) {
  std::string name = ToLowerAscii(text);
  if (const Status checked = CheckDnsName(name, true); !checked)
    return Bad("asks for a name that cannot be: " + checked.error().detail);
  csr.dns_names.push_back(std::move(name));
  return {};
}

std::optional<Bytes> ParseIp(const std::string& text) {
  std::array<uint8_t, 16> octets{};
  if (inet_pton(AF_INET, text.c_str(), octets.data()) == 1)
    return Bytes(octets.begin(), octets.begin() + 4);
  if (inet_pton(AF_INET6, text.c_str(), octets.data()) == 1)
    return Bytes(octets.begin(), octets.end());
  return std::nullopt;
}

// RFC 8555 §7.4: "…the CSR MUST indicate the exact same set of requested identifiers as the initial
// newOrder request … either in the commonName portion of the requested subject name or in an
// extensionRequest attribute requesting a subjectAltName extension, or both." The rest of the
// subject is not looked at.
Status ReadCommonNames(const X509_NAME* subject, Csr& csr) {
  for (int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1); i >= 0;
       i = X509_NAME_get_index_by_NID(subject, NID_commonName, i)) {
    unsigned char* utf8 = nullptr;
    const int length =
        ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
    if (length < 0) return Bad("has a common name that is not text");
    const std::string text(utf8, utf8 + length);
    OPENSSL_free(utf8);
    if (text.empty()) continue;
    if (text.find('\0') != std::string::npos) return Bad("has a NUL in its common name");
    if (std::optional<Bytes> address = ParseIp(text))
      csr.ip_addresses.push_back(*std::move(address));
    else
      AGENTCA_TRY(AddDnsName(text, csr));
  }
  return {};
}

const char* TypeOf(const GENERAL_NAME* name) {
  switch (name->type) {
    case GEN_OTHERNAME:
      return "otherName";
    case GEN_EMAIL:
      return "rfc822Name";
    case GEN_X400:
      return "x400Address";
    case GEN_DIRNAME:
      return "directoryName";
    case GEN_EDIPARTY:
      return "ediPartyName";
    case GEN_URI:
      return "uniformResourceIdentifier";
    case GEN_RID:
      return "registeredID";
    default:
      return "unknown";
  }
}

Status ReadAlternativeNames(const STACK_OF(X509_EXTENSION) * extensions, Csr& csr) {
  if (X509v3_get_ext_by_NID(extensions, NID_subject_alt_name, -1) < 0) return {};
  const auto names = ReadExtension<openssl::GeneralNamesPtr>(extensions, NID_subject_alt_name);
  if (!names) return Bad("has an unreadable subjectAltName");
  if (sk_GENERAL_NAME_num(names.get()) > static_cast<int>(kMaxNames))
    return Bad("asks for more than 1000 names");
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) {
      const std::string_view text = AsText(View(name->d.dNSName));
      if (text.find('\0') != std::string_view::npos) return Bad("has a NUL in a DNS name");
      AGENTCA_TRY(AddDnsName(text, csr));
    } else if (name->type == GEN_IPADD) {
      const ByteView octets = View(name->d.iPAddress);
      if (octets.size() != 4 && octets.size() != 16)
        return Bad("has an IP address that is not 4 or 16 octets");
      csr.ip_addresses.push_back(ToBytes(octets));
    } else {
      return Bad(std::string("asks for a name of a type that is not issued here: ") + TypeOf(name));
    }
  }
  return {};
}

bool HasDuplicates(const STACK_OF(X509_EXTENSION) * extensions) {
  std::set<Bytes> seen;
  for (int i = 0; i < sk_X509_EXTENSION_num(extensions); ++i) {
    ASN1_OBJECT* const id = X509_EXTENSION_get_object(sk_X509_EXTENSION_value(extensions, i));
    if (!seen.insert(openssl::Encode(i2d_ASN1_OBJECT, id)).second) return true;
  }
  return false;
}

// extensionRequest ATTRIBUTE ::= { SINGLE VALUE, ID pkcs-9-at-extensionRequest }   RFC 2985 §5.4.2
Status ReadAttributes(const STACK_OF(X509_ATTRIBUTE) * attributes, Csr& csr) {
  bool seen = false;
  for (int i = 0; i < sk_X509_ATTRIBUTE_num(attributes); ++i) {
    X509_ATTRIBUTE* const attribute = sk_X509_ATTRIBUTE_value(attributes, i);
    const int nid = OBJ_obj2nid(X509_ATTRIBUTE_get0_object(attribute));
    if (nid != NID_ext_req && nid != NID_ms_ext_req) continue;
    if (std::exchange(seen, true)) return Bad("has several extension requests");
    if (X509_ATTRIBUTE_count(attribute) != 1) return Bad("has an extension request of many values");
    const ASN1_TYPE* const value = X509_ATTRIBUTE_get0_type(attribute, 0);
    if (value == nullptr || ASN1_TYPE_get(value) != V_ASN1_SEQUENCE)
      return Bad("has an extension request that is not a SEQUENCE");
    const auto extensions =
        openssl::Decode<openssl::ExtensionsPtr>(d2i_X509_EXTENSIONS, View(value->value.sequence));
    if (!extensions) return Bad("has an unreadable extension request");
    if (HasDuplicates(extensions.get())) return Bad("has an extension twice");
    AGENTCA_TRY(ReadAlternativeNames(extensions.get(), csr));
  }
  return {};
}

bool IsEcdsa(SignatureAlgorithm algorithm) {
  return algorithm == SignatureAlgorithm::kEcdsaSha256 ||
         algorithm == SignatureAlgorithm::kEcdsaSha384;
}

// RFC 5758 §3.2: the parameters of ECDSA are absent. OpenSSL's provider for keys in a TPM writes
// NULL there; that is taken, too.
std::optional<SignatureAlgorithm> AlgorithmOf(const X509_ALGOR* algorithm) {
  const Bytes der = openssl::Encode(i2d_X509_ALGOR, algorithm);
  const ASN1_OBJECT* id = nullptr;
  int parameters = V_ASN1_UNDEF;
  X509_ALGOR_get0(&id, &parameters, nullptr, algorithm);
  const Bytes bare = parameters == V_ASN1_NULL
                         ? der::Sequence({openssl::Encode(i2d_ASN1_OBJECT, id)})
                         : Bytes();
  for (SignatureAlgorithm known :
       {SignatureAlgorithm::kEcdsaSha256, SignatureAlgorithm::kEcdsaSha384,
        SignatureAlgorithm::kEd25519, SignatureAlgorithm::kRsaPkcs1Sha256}) {
    const ByteView wanted = AlgorithmIdentifier(known);
    if (std::equal(der.begin(), der.end(), wanted.begin(), wanted.end())) return known;
    if (IsEcdsa(known) && std::equal(bare.begin(), bare.end(), wanted.begin(), wanted.end()))
      return known;
  }
  return std::nullopt;
}

// RFC 2986 §4.2; the signature proves that the client has the private key (RFC 8555 §11.1).
Status CheckSignature(const RequestForm& form, const PublicKey& key) {
  const std::optional<SignatureAlgorithm> algorithm = AlgorithmOf(form.algorithm);
  if (!algorithm)
    return Bad("is not signed with ECDSA and SHA-256 or SHA-384, Ed25519, or RSA and SHA-256");
  // Unused bits would let one signature be written in several ways.
  if ((form.signature->flags & 7) != 0) return Bad("has a signature that is not whole octets");
  // EncodeRequest gave the octets that came in, so this gives those that were signed.
  if (!key.Verify(*algorithm, EncodeRequestInfo(*form.info), View(form.signature)))
    return Bad("has a signature that does not verify");
  return {};
}

}  // namespace

Result<Csr> ParseCsr(ByteView der) {
  if (der.size() > kMaxCsrSize) return Bad("is larger than 64 KiB");
  const openssl::ErrorScope errors;
  const FormPtr<RequestForm> form = ParseRequest(der);
  if (!form) return Bad("is not one CertificationRequest");
  const Bytes canonical = EncodeRequest(*form);
  if (!std::equal(der.begin(), der.end(), canonical.begin(), canonical.end()))
    return Bad("is not DER");
  if (ASN1_INTEGER_get(form->info->version) != 0) return Bad("is not of version 1");
  Result<PublicKey> key = PublicKey::FromSpki(View(form->info->public_key));
  if (!key) return Bad("has a key that is not accepted: " + key.error().detail);
  Csr csr{*std::move(key), {}, {}};
  AGENTCA_TRY(CheckSignature(*form, csr.key));
  AGENTCA_TRY(ReadCommonNames(form->info->subject, csr));
  AGENTCA_TRY(ReadAttributes(form->info->attributes, csr));
  SortUnique(csr.dns_names);
  SortUnique(csr.ip_addresses);
  return csr;
}

}  // namespace agentca::ca
