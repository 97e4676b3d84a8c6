#include "bench/acme_client.h"

#include <httplib.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <thread>

#include "acme/json.h"
#include "ca/base/bytes.h"

namespace agentca::bench {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

constexpr std::chrono::seconds kPollDeadline{20};

Key MakeKey() {
  Key key(EVP_EC_gen("P-256"));
  if (!key) throw FlowError("key generation failed");
  return key;
}

// RFC 7638 §3.2: members in lexicographic order, no white space; also fine as the jwk itself.
std::string JwkOf(EVP_PKEY* key) {
  unsigned char point[65];
  size_t length = 0;
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, sizeof point,
                                      &length) != 1 ||
      length != sizeof point)
    throw FlowError("public key has an unexpected form");
  const auto coordinate = [&](size_t offset) { return ToBase64Url(ByteView(point + offset, 32)); };
  return R"({"crv":"P-256","kty":"EC","x":")" + coordinate(1) + R"(","y":")" + coordinate(33) +
         R"("})";
}

std::string MakeCsr(EVP_PKEY* key, const std::string& dns_name) {
  std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>> request(X509_REQ_new());
  std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>> names(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + dns_name).c_str()));
  STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
  sk_X509_EXTENSION_push(extensions, names.get());
  X509_REQ_add_extensions(request.get(), extensions);
  sk_X509_EXTENSION_free(extensions);
  X509_REQ_set_pubkey(request.get(), key);
  if (X509_REQ_sign(request.get(), key, EVP_sha256()) <= 0) throw FlowError("CSR signing failed");
  unsigned char* der = nullptr;
  const int length = i2d_X509_REQ(request.get(), &der);
  std::unique_ptr<unsigned char, Deleter<[](unsigned char* p) { OPENSSL_free(p); }>> owner(der);
  return ToBase64Url(ByteView(der, static_cast<size_t>(length)));
}

acme::JsonDocument ParseJson(const std::string& step, const std::string& text) {
  auto document = acme::JsonDocument::Parse(text);
  if (!document.ok()) throw FlowError(step + ": answer is not JSON");
  return std::move(document).value();
}

}  // namespace

class AcmeClient::Session {
 public:
  Session(const std::string& directory_url, const std::string& ca_file,
          std::chrono::milliseconds poll_interval, Prover& prover)
      : origin_(directory_url.substr(0, directory_url.find('/', directory_url.find("//") + 2))),
        http_(origin_),
        poll_interval_(poll_interval),
        prover_(prover),
        account_key_(MakeKey()),
        certificate_key_(MakeKey()),
        jwk_(JwkOf(account_key_.get())),
        thumbprint_(ToBase64Url(Sha256(AsBytes(jwk_)))) {
    http_.set_ca_cert_path(ca_file.c_str());
    http_.set_keep_alive(true);
    http_.set_tcp_nodelay(true);
    http_.set_read_timeout(30);
    const auto answer = http_.Get(PathOf(directory_url).c_str());
    if (!answer || answer->status != 200) throw FlowError("directory: no answer");
    const auto directory = ParseJson("directory", answer->body);
    new_nonce_ = StringMember("directory", directory.root(), "newNonce");
    new_account_ = StringMember("directory", directory.root(), "newAccount");
    new_order_ = StringMember("directory", directory.root(), "newOrder");
    kid_ = Post("newAccount", new_account_, R"({"termsOfServiceAgreed":true})")
               .get_header_value("Location");
    if (kid_.empty()) throw FlowError("newAccount: no Location");
  }

  std::string Obtain(const std::string& dns_name, Latencies& latencies) {
    const auto ordered = Timed(latencies, "newOrder", new_order_,
                               R"({"identifiers":[{"type":"dns","value":")" + dns_name + R"("}]})");
    const std::string order_url = ordered.get_header_value("Location");
    const auto order = ParseJson("newOrder", ordered.body);
    const auto urls = order.root().OptionalStrings("authorizations");
    if (!urls.ok() || !*urls || (*urls)->size() != 1) throw FlowError("newOrder: authorizations");
    const std::string authorization_url = (*urls)->front();

    const auto authorization = ParseJson(
        "authorization", Timed(latencies, "authorization", authorization_url, "").body);
    const auto challenges = authorization.root().Find("challenges");
    if (!challenges) throw FlowError("authorization: no challenges");
    const auto answer = prover_.Begin(*challenges, dns_name, thumbprint_);
    Timed(latencies, "challenge", answer.url, answer.payload);
    AwaitValid(latencies, "pollAuthorization", authorization_url);
    prover_.End(answer);

    const auto finalized =
        Timed(latencies, "finalize", StringMember("newOrder", order.root(), "finalize"),
              R"({"csr":")" + MakeCsr(certificate_key_.get(), dns_name) + R"("})");
    const auto finished = ParseJson("finalize", finalized.body);
    std::string certificate_url =
        finished.root().OptionalString("certificate").value().value_or("");
    if (StringMember("finalize", finished.root(), "status") != "valid") {
      const auto polled = AwaitValid(latencies, "pollOrder", order_url);
      certificate_url = StringMember("pollOrder", polled.root(), "certificate");
    }
    return Timed(latencies, "certificate", certificate_url, "").body;
  }

 private:
  static std::string PathOf(const std::string& url) {
    return url.substr(url.find('/', url.find("//") + 2));
  }

  acme::JsonDocument AwaitValid(Latencies& latencies, const std::string& step,
                                const std::string& url) {
    for (const auto deadline = SteadyClock::now() + kPollDeadline; SteadyClock::now() < deadline;) {
      const std::string body = Timed(latencies, step, url, "").body;
      auto document = ParseJson(step, body);
      const std::string status = StringMember(step, document.root(), "status");
      if (status == "valid") return document;
      if (status != "pending" && status != "processing" && status != "ready")
        throw FlowError(step + ": status " + status + ": " + body);
      std::this_thread::sleep_for(poll_interval_);
    }
    throw FlowError(step + ": not valid in time");
  }

  httplib::Response Timed(Latencies& latencies, const std::string& step, const std::string& url,
                          const std::string& payload) {
    const auto start = SteadyClock::now();
    auto response = Post(step, url, payload);
    latencies.Add(step, SteadyClock::now() - start);
    return response;
  }

  // POST, or POST-as-GET for an empty payload. A badNonce is retried with the nonce it came with.
  httplib::Response Post(const std::string& step, const std::string& url,
                         const std::string& payload) {
    for (int attempt = 0; attempt < 5; ++attempt) {
      const std::string header = ToBase64Url(AsBytes(
          R"({"alg":"ES256",)" + (kid_.empty() ? R"("jwk":)" + jwk_ : R"("kid":")" + kid_ + '"') +
          R"(,"nonce":")" + TakeNonce() + R"(","url":")" + url + R"("})"));
      const std::string body = ToBase64Url(AsBytes(payload));
      const std::string jws = R"({"protected":")" + header + R"(","payload":")" + body +
                              R"(","signature":")" +
                              SignEs256(account_key_.get(), header + "." + body) + R"("})";
      const auto answer = http_.Post(PathOf(url).c_str(), jws, "application/jose+json");
      if (!answer) throw FlowError(step + ": " + httplib::to_string(answer.error()));
      nonce_ = answer->get_header_value("Replay-Nonce");
      if (answer->status / 100 == 2) return *answer;
      if (answer->body.find("acme:error:badNonce") == std::string::npos)
        throw FlowError(step + ": " + std::to_string(answer->status) + " " +
                        answer->body.substr(0, 200));
    }
    throw FlowError(step + ": badNonce again and again");
  }

  std::string TakeNonce() {
    if (nonce_.empty()) {
      const auto answer = http_.Head(PathOf(new_nonce_).c_str());
      if (!answer) throw FlowError("newNonce: no answer");
      nonce_ = answer->get_header_value("Replay-Nonce");
    }
    return std::exchange(nonce_, "");
  }

  const std::string origin_;
  httplib::Client http_;
  const std::chrono::milliseconds poll_interval_;
  Prover& prover_;
  const Key account_key_;
  const Key certificate_key_;
  const std::string jwk_;
  const std::string thumbprint_;
  std::string new_nonce_, new_account_, new_order_, kid_, nonce_;
};

AcmeClient::AcmeClient(const std::string& directory_url, const std::string& ca_file,
                       std::chrono::milliseconds poll_interval, Prover& prover)
    : session_(std::make_unique<Session>(directory_url, ca_file, poll_interval, prover)) {}
AcmeClient::~AcmeClient() = default;

std::string AcmeClient::Obtain(const std::string& dns_name, Latencies& latencies) {
  return session_->Obtain(dns_name, latencies);
}

}  // namespace agentca::bench
