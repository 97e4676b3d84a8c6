// tls-alpn-01 against pebble-challtestsrv and against certificates wrong in one point each.
#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "acme/http/socket_bio.h"
#include "tests/acme/validation_fixture.h"

namespace agentca::acme::testing {
namespace {

// What a challenge certificate says; the defaults are right for a.test.
struct Presented {
  std::string names = "DNS:a.test";  // OpenSSL's notation; "": no extension
  bool name_twice = false;
  bool critical = true;
  int identifiers = 1;                  // acmeIdentifier extensions
  Bytes identifier;                     // DER of its value
  std::string protocol = "acme-tls/1";  // "": no ALPN at all
  int max_version = 0;                  // 0: any
};

Bytes Identifying(std::string_view key_authorization) {
  const auto digest = Sha256(AsBytes(key_authorization));
  Bytes der = {0x04, 0x20};
  der.insert(der.end(), digest.begin(), digest.end());
  return der;
}

// One TLS handshake after another with a certificate as described.
class AlpnServer {
 public:
  explicit AlpnServer(const Presented& presented)
      : presented_(presented),
        context_(SSL_CTX_new(TLS_server_method())),
        server_([this](int descriptor) { Serve(descriptor); }) {}
  ~AlpnServer() { SSL_CTX_free(context_); }
  uint16_t port() const { return server_.port(); }
  std::string server_name() const { return server_name_; }

 private:
  void Serve(int descriptor) {
    if (!ready_) Prepare();
    SSL* ssl = SSL_new(context_);
    BIO* bio = http::NewSocketBio(descriptor);
    SSL_set_bio(ssl, bio, bio);
    (void)SSL_accept(ssl);
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name != nullptr) server_name_ = name;
    char octet;
    (void)SSL_read(ssl, &octet, 1);
    SSL_free(ssl);
  }

  void Prepare() {
    ready_ = true;
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    for (int i = 0; i < (presented_.names.empty() ? 0 : presented_.name_twice ? 2 : 1); ++i)
      Add(certificate,
          X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, presented_.names.c_str()));
    for (int i = 0; i < presented_.identifiers; ++i) Add(certificate, AcmeIdentifier());
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(context_, certificate);
    SSL_CTX_use_PrivateKey(context_, key);
    if (presented_.max_version != 0)
      SSL_CTX_set_max_proto_version(context_, presented_.max_version);
    if (!presented_.protocol.empty()) SSL_CTX_set_alpn_select_cb(context_, Select, &presented_);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }

  static void Add(X509* certificate, X509_EXTENSION* extension) {
    ASSERT_NE(extension, nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  X509_EXTENSION* AcmeIdentifier() const {
    ASN1_OBJECT* oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING* value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, presented_.identifier.data(),
                          static_cast<int>(presented_.identifier.size()));
    X509_EXTENSION* extension =
        X509_EXTENSION_create_by_OBJ(nullptr, oid, presented_.critical ? 1 : 0, value);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    return extension;
  }

  // Answers with its own protocol whatever the client offers: the client must check.
  static int Select(SSL*, const unsigned char** out, unsigned char* length, const unsigned char*,
                    unsigned int, void* presented) {
    const auto& protocol = static_cast<Presented*>(presented)->protocol;
    *out = reinterpret_cast<const unsigned char*>(protocol.data());
    *length = static_cast<unsigned char>(protocol.size());
    return SSL_TLSEXT_ERR_OK;
  }

  Presented presented_;
  bool ready_ = false;
  std::string server_name_;
  SSL_CTX* context_;
  SocketServer server_;
};

class TlsAlpn01 : public ::testing::Test {
 protected:
  static Presented Right() {
    Presented presented;
    presented.identifier = Identifying(kKeyAuthorization);
    return presented;
  }
  Result<Proof> VerifyAt(uint16_t port, const Identifier& identifier = Dns("a.test")) {
    network_.tls_alpn01_port = port;
    return Verify(*MakeTlsAlpn01(network_), identifier);
  }
  void ExpectRefused(const Presented& presented, const std::string& words,
                     Code code = Code::kIncorrectResponse) {
    AlpnServer server(presented);
    const auto proof = VerifyAt(server.port());
    ASSERT_FALSE(proof.ok()) << words;
    EXPECT_EQ(proof.error().code, code) << proof.error().detail;
    EXPECT_NE(proof.error().detail.find(words), std::string::npos) << proof.error().detail;
  }

  FixedResolver resolver_{{{127, 0, 0, 1}}};
  ValidationNetwork network_{resolver_, LoopbackAllowed(), {}};
};

TEST_F(TlsAlpn01, AcceptsTheCertificateOfChalltestsrv) {
  ChallengeServer server;
  server.Manage("/add-tlsalpn01",
                R"({"host":"a.test","content":")" + std::string(kKeyAuthorization) + R"("})");
  const auto proof = VerifyAt(server.tls());
  ASSERT_TRUE(proof.ok()) << proof.error().detail;
  EXPECT_EQ(proof->proven, std::vector<Identifier>{Dns("a.test")});
  server.Manage("/add-tlsalpn01", R"({"host":"b.test","content":"other.thumbprint"})");
  EXPECT_EQ(VerifyAt(server.tls(), Dns("b.test")).error().code, Code::kIncorrectResponse);
}

TEST_F(TlsAlpn01, AcceptsARightCertificateAndSendsTheName) {
  AlpnServer server(Right());
  const auto proof = VerifyAt(server.port());
  ASSERT_TRUE(proof.ok()) << proof.error().detail;
}

TEST_F(TlsAlpn01, ComparesNamesWithoutRegardToCase) {
  auto presented = Right();
  presented.names = "DNS:A.Test";
  AlpnServer server(presented);
  EXPECT_TRUE(VerifyAt(server.port()).ok());
}

TEST_F(TlsAlpn01, RefusesOtherNames) {
  auto presented = Right();
  presented.names = "DNS:b.test";
  ExpectRefused(presented, "subjectAltName is not the identifier");
  presented.names = "DNS:a.test,DNS:b.test";
  ExpectRefused(presented, "2 names instead of one");
  presented.names = "DNS:a.test,DNS:a.test";
  ExpectRefused(presented, "2 names instead of one");
  presented.names = "DNS:a.test,email:x@a.test";
  ExpectRefused(presented, "2 names instead of one");
  presented.names = "DNS:*.test";
  ExpectRefused(presented, "subjectAltName is not the identifier");
  presented.names = "email:a.test";
  ExpectRefused(presented, "subjectAltName is not the identifier");
  presented.names = "IP:127.0.0.1";
  ExpectRefused(presented, "subjectAltName is not the identifier");
  presented.names = "";
  ExpectRefused(presented, "no single, readable subjectAltName");
  presented.names = "DNS:a.test";
  presented.name_twice = true;
  ExpectRefused(presented, "no single, readable subjectAltName");
}

TEST_F(TlsAlpn01, RefusesOtherAcmeIdentifiers) {
  auto presented = Right();
  presented.critical = false;
  ExpectRefused(presented, "not critical");
  presented = Right();
  presented.identifiers = 0;
  ExpectRefused(presented, "no acmeIdentifier");
  presented.identifiers = 2;
  ExpectRefused(presented, "more than one acmeIdentifier");
  presented = Right();
  presented.identifier = Identifying("other.thumbprint");
  ExpectRefused(presented, "not the digest");
  presented = Right();
  presented.identifier.push_back(0);
  ExpectRefused(presented, "malformed");
  presented = Right();
  presented.identifier.erase(presented.identifier.begin(), presented.identifier.begin() + 2);
  ExpectRefused(presented, "malformed");
  presented = Right();
  presented.identifier = {0x04, 0x00};
  ExpectRefused(presented, "not the digest");
}

TEST_F(TlsAlpn01, RequiresItsProtocol) {
  auto presented = Right();
  presented.protocol = "";
  ExpectRefused(presented, "did not negotiate acme-tls/1");
}

TEST_F(TlsAlpn01, RequiresTls12) {
  auto presented = Right();
  presented.max_version = TLS1_1_VERSION;
  ExpectRefused(presented, "TLS handshake", Code::kTls);
  presented.max_version = TLS1_2_VERSION;
  AlpnServer server(presented);
  EXPECT_TRUE(VerifyAt(server.port()).ok());
}

TEST_F(TlsAlpn01, ProvesIpAddresses) {
  auto presented = Right();
  presented.names = "IP:127.0.0.1";
  const Identifier address{Identifier::Type::kIp, "127.0.0.1"};
  std::string name;
  {
    AlpnServer server(presented);
    const auto proof = VerifyAt(server.port(), address);
    EXPECT_TRUE(proof.ok()) << proof.error().detail;
  }
  presented.names = "DNS:127.0.0.1";
  AlpnServer server(presented);
  EXPECT_FALSE(VerifyAt(server.port(), address).ok());
}

TEST_F(TlsAlpn01, EndsWhenTheServerStalls) {
  network_.limits.total = 200ms;
  SocketServer stalls([](int descriptor) {
    while (StaysFor(descriptor, 20s)) {
    }
    char drain[4096];
    while (::recv(descriptor, drain, sizeof drain, 0) > 0) {
    }
  });
  const auto proof = VerifyAt(stalls.port());
  ASSERT_FALSE(proof.ok());
  EXPECT_NE(proof.error().detail.find("no answer in time"), std::string::npos);
}

TEST_F(TlsAlpn01, RefusesRubbish) {
  SocketServer rubbish([](int descriptor) {
    SendAll(descriptor, "HTTP/1.1 400 Bad Request\r\n\r\n");
    char drain[4096];
    while (::recv(descriptor, drain, sizeof drain, 0) > 0) {
    }
  });
  const auto proof = VerifyAt(rubbish.port());
  ASSERT_FALSE(proof.ok());
  EXPECT_EQ(proof.error().code, Code::kTls);
}

TEST_F(TlsAlpn01, ConnectsToNoDeniedAddress) {
  AlpnServer server(Right());
  network_.policy = NetworkPolicy({}, NetworkPolicy::DefaultDeny());
  EXPECT_EQ(VerifyAt(server.port()).error().code, Code::kRejectedIdentifier);
}

}  // namespace
}  // namespace agentca::acme::testing
