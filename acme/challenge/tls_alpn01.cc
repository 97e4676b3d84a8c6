// RFC 8737 (names) and RFC 8738 §6 (IP addresses).
#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>

#include "acme/challenge/challenges.h"
#include "acme/challenge/wire.h"

namespace agentca::acme {
namespace {

constexpr char kAcmeIdentifierOid[] = "1.3.6.1.5.5.7.1.31";  // RFC 8737 §6.1
constexpr std::string_view kProtocol = "acme-tls/1";
constexpr unsigned char kProtocolList[] =
    "\x0a"
    "acme-tls/1";

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, Freer<ASN1_OBJECT_free>>;
using OctetsPtr = std::unique_ptr<ASN1_OCTET_STRING, Freer<ASN1_OCTET_STRING_free>>;

Error Incorrect(std::string detail) { return Error{Code::kIncorrectResponse, std::move(detail)}; }

ByteView OctetsOf(const ASN1_STRING* string) {
  return {ASN1_STRING_get0_data(string), static_cast<size_t>(ASN1_STRING_length(string))};
}

bool EqualOctets(ByteView a, ByteView b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

Bytes AddressOctets(const std::string& text) {
  Bytes octets(16);
  if (::inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) return octets;
  octets.resize(4);
  if (::inet_pton(AF_INET, text.c_str(), octets.data()) == 1) return octets;
  return {};
}

// RFC 8738 §6: "…the IN-ADDR.ARPA [RFC1034] or IP6.ARPA [RFC3596] reverse mapping of the address".
std::string ReverseName(ByteView address) {
  std::string name;
  for (auto octet = address.rbegin(); octet != address.rend(); ++octet) {
    if (address.size() == 4) {
      name += std::to_string(*octet) + ".";
    } else {
      const std::string digits = ToHex(ByteView(&*octet, 1));
      name += {digits[1], '.', digits[0], '.'};
    }
  }
  return name + (address.size() == 4 ? "in-addr.arpa" : "ip6.arpa");
}

std::string Lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// §3: "a subjectAltName extension containing the dNSName being validated and no other entries"
Status CheckNames(const X509* certificate, const Identifier& identifier) {
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  if (!names) return Incorrect("the certificate has no single, readable subjectAltName");
  if (sk_GENERAL_NAME_num(names.get()) != 1)
    return Incorrect("the subjectAltName holds " +
                     std::to_string(sk_GENERAL_NAME_num(names.get())) + " names instead of one");
  const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), 0);
  bool equal = false;
  if (identifier.type == Identifier::Type::kDns && name->type == GEN_DNS) {
    equal = Lowered(AsText(OctetsOf(name->d.dNSName))) == identifier.value;
  } else if (identifier.type == Identifier::Type::kIp && name->type == GEN_IPADD) {
    equal = EqualOctets(OctetsOf(name->d.iPAddress), AddressOctets(identifier.value));
  }
  if (!equal) return Incorrect("the subjectAltName is not the identifier");
  return {};
}

// §3: "id-pe-acmeIdentifier … MUST be critical", Authorization ::= OCTET STRING (SIZE (32))
Status CheckAcmeIdentifier(const X509* certificate, const Sha256Digest& digest) {
  const ObjectPtr oid(OBJ_txt2obj(kAcmeIdentifierOid, 1));
  const int index = X509_get_ext_by_OBJ(certificate, oid.get(), -1);
  if (index < 0) return Incorrect("the certificate has no acmeIdentifier extension");
  if (X509_get_ext_by_OBJ(certificate, oid.get(), index) >= 0)
    return Incorrect("the certificate has more than one acmeIdentifier extension");
  X509_EXTENSION* extension = X509_get_ext(certificate, index);
  if (X509_EXTENSION_get_critical(extension) != 1)
    return Incorrect("the acmeIdentifier extension is not critical");
  const ByteView value = OctetsOf(X509_EXTENSION_get_data(extension));
  const unsigned char* cursor = value.data();
  const OctetsPtr octets(d2i_ASN1_OCTET_STRING(nullptr, &cursor, static_cast<long>(value.size())));
  ERR_clear_error();
  if (!octets || cursor != value.data() + value.size())
    return Incorrect("the acmeIdentifier extension is malformed");
  if (!EqualOctets(OctetsOf(octets.get()), digest))
    return Incorrect("the acmeIdentifier is not the digest of the key authorization");
  return {};
}

class TlsAlpn01 final : public Verifier {
 public:
  explicit TlsAlpn01(const ValidationNetwork& network) : network_(network), tls_(MakeTls()) {}
  std::string_view name() const override { return "tls-alpn-01"; }

  Result<Proof> Verify(const Evidence& evidence) const override {
    const Identifier& identifier = evidence.identifier;
    const Deadline deadline = std::chrono::steady_clock::now() + network_.limits.total;
    const bool literal = identifier.type == Identifier::Type::kIp;
    const std::string sni =
        literal ? ReverseName(AddressOctets(identifier.value)) : identifier.value;
    if (!tls_) return Error{Code::kTls, "TLS cannot start"};
    AGENTCA_ASSIGN(auto dialed,
                   Dial(network_, identifier.value, literal, network_.tls_alpn01_port, deadline));
    auto judged = Converse(*dialed.wire, sni, evidence, deadline);
    if (judged.ok()) return Proof{{identifier}, std::nullopt};
    Error error = std::move(judged).error();
    error.detail = "tls-alpn-01 with " + identifier.value + " (" + dialed.address + ") port " +
                   std::to_string(network_.tls_alpn01_port) + ": " + error.detail;
    return error;
  }

 private:
  static std::shared_ptr<SSL_CTX> MakeTls() {
    auto context = MakeValidationTls();
    // SSL_CTX_set_alpn_protos returns 0 on success, unlike its siblings.
    if (context &&
        SSL_CTX_set_alpn_protos(context.get(), kProtocolList, sizeof kProtocolList - 1) != 0)
      return nullptr;
    return context;
  }

  Status Converse(Wire& wire, const std::string& sni, const Evidence& evidence,
                  Deadline deadline) const {
    AGENTCA_TRY(wire.StartTls(tls_.get(), sni, deadline));
    const unsigned char* protocol = nullptr;
    unsigned int length = 0;
    SSL_get0_alpn_selected(wire.ssl(), &protocol, &length);
    if (AsText({protocol, length}) != kProtocol)
      return Incorrect("the server did not negotiate acme-tls/1");
    const X509Ptr certificate(SSL_get1_peer_certificate(wire.ssl()));
    if (!certificate) return Incorrect("the server sent no certificate");
    AGENTCA_TRY(CheckNames(certificate.get(), evidence.identifier));
    return CheckAcmeIdentifier(certificate.get(), Sha256(AsBytes(evidence.key_authorization)));
  }

  const ValidationNetwork network_;
  const std::shared_ptr<SSL_CTX> tls_;
};

}  // namespace

std::unique_ptr<Verifier> MakeTlsAlpn01(const ValidationNetwork& network) {
  return std::make_unique<TlsAlpn01>(network);
}

}  // namespace agentca::acme
