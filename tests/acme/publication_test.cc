// Headers, methods and encodings of what relying parties fetch.
#include "acme/publication.h"

#include <gtest/gtest.h>

#include "acme/ocsp_path.h"
#include "tests/fakes/fake_certificate_store.h"
#include "tests/fakes/fake_cluster.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/ocsp_client.h"
#include "tests/fakes/plain_pki.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::acme {
namespace {

TEST(OcspPath, DecodesBase64AndPercentEncodingOnce) {
  const Bytes der = {0x30, 0x03, 0xfb, 0xff, 0xfe};  // base64 with both + and /
  EXPECT_EQ(ToBase64(der), "MAP7//4=");
  for (const char* path :
       {"MAP7//4=", "MAP7%2F%2f4%3D", "/MAP7//4=", "%2FMAP7%2F/4%3d", "MAP7//4", "///MAP7//4="}) {
    const auto decoded = OcspRequestFromPath(path);
    ASSERT_TRUE(decoded.ok()) << path;
    EXPECT_EQ(*decoded, der) << path;
  }
  const Bytes plus = {0x30, 0x00, 0xfb, 0xe0};
  EXPECT_EQ(*OcspRequestFromPath(ToBase64(plus)), plus);
}

TEST(OcspPath, RefusesWhatIsNoBase64) {
  for (const char* path : {"", "/", "%", "%2", "%zz", "M%252F==", "MAP7 //4=", "MAP7_-4=", "M",
                           "MA=P", "====", "MAP%007"}) {
    const auto decoded = OcspRequestFromPath(path);
    ASSERT_FALSE(decoded.ok()) << path;
    EXPECT_EQ(decoded.error().code, Code::kMalformed) << path;
  }
  EXPECT_EQ(OcspRequestFromPath(std::string(6000, 'A')).error().code, Code::kPayloadTooLarge);
  EXPECT_EQ(OcspRequestFromPath(std::string(60'000, 'A')).error().code, Code::kPayloadTooLarge);
}

http::Request Make(std::string method, std::string path) {
  http::Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  return request;
}

std::string HeaderOf(const http::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers)
    if (http::EqualNames(key, name)) return value;
  return "";
}

ByteView BodyOf(const http::Response& response) {
  return response.shared_body ? ByteView(*response.shared_body) : AsBytes(response.body);
}

class PublicationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_.Add(issuer_.info.id, serial_, now_ + Seconds(86400));
    responder_.Serve(issuer_.certificate, issuer_.info.id,
                     {delegate_.certificate, delegate_.signer});
    ASSERT_TRUE(publisher_.PublishNow().ok());
  }
  Publication::Parts Parts() {
    return {responder_,
            clock_,
            "-----BEGIN CERTIFICATE-----\n",
            {{issuer_.info.id, issuer_.certificate.der}},
            {{issuer_.info.id, &publisher_}},
            health_};
  }
  Bytes Ask(std::optional<Bytes> nonce = {}) const {
    return fakes::MakeOcspRequest(issuer_.certificate,
                                  {{serial_}, ca::OcspHash::kSha1, std::move(nonce)});
  }
  http::Response Get(const std::string& path, const std::string& if_none_match = "") {
    auto request = Make("GET", path);
    if (!if_none_match.empty()) request.headers.emplace_back("if-none-match", if_none_match);
    return publication_.Handle(request);
  }
  http::Response Post(ByteView body, const std::string& type = "application/ocsp-request") {
    auto request = Make("POST", "/ocsp");
    request.headers.emplace_back("Content-Type", type);
    request.body = AsText(body);
    return publication_.Handle(request);
  }
  std::string CrlPath() const { return "/crl/" + issuer_.info.id + ".crl"; }

  fakes::ManualClock clock_;
  const Time now_ = clock_.Now();
  fakes::FakeCertificateStore store_;
  fakes::PlainIssuer issuer_{now_};
  fakes::PlainDelegate delegate_{issuer_, now_ - Seconds(60), now_ + Seconds(7 * 86400)};
  const ca::Serial serial_ = *ca::Serial::FromHex("0102030405");
  fakes::TemporaryDirectory directory_;
  ca::Responder responder_{store_, clock_, {}};
  fakes::LeaseBook book_;
  fakes::FakeLeases leases_{book_, "node"};
  fakes::FakeDocuments documents_;
  const ca::CrlPublisher::Shared shared_{store_, leases_, documents_};
  ca::CrlPublisher publisher_{issuer_.info, issuer_.signer,       shared_, clock_,
                              {},           directory_ / "ca.crl"};
  Status ready_;
  Health health_{[this] { return ready_; }};
  Publication publication_{Parts()};
};

TEST_F(PublicationTest, AnswersOcspByPostAndByGetWithTheSameOctets) {
  const Bytes request = Ask();
  const auto post = Post(request);
  ASSERT_EQ(post.status, 200);
  EXPECT_EQ(HeaderOf(post, "Content-Type"), "application/ocsp-response");
  const auto reading = fakes::ReadOcsp(BodyOf(post), request, issuer_.certificate, now_);
  EXPECT_TRUE(reading.verified);
  EXPECT_EQ(reading.statuses, std::vector<int>{V_OCSP_CERTSTATUS_GOOD});
  const auto get = Get("/ocsp/" + ToBase64(request));
  EXPECT_EQ(ToBytes(BodyOf(get)), ToBytes(BodyOf(post)));
  EXPECT_EQ(ToBytes(BodyOf(Get("/ocsp//" + ToBase64(request)))), ToBytes(BodyOf(post)));
  EXPECT_EQ(Post(request, "Application/OCSP-Request ; charset=x").status, 200);
}

TEST_F(PublicationTest, LetsCachesKeepAnOcspAnswerBrieflyAndClientsUntilItExpires) {
  const std::string path = "/ocsp/" + ToBase64(Ask());
  const auto first = Get(path);
  clock_.Advance(Seconds(21'500));
  const auto later = Get(path);
  for (const auto& response : {first, later})
    EXPECT_EQ(HeaderOf(response, "Cache-Control"),
              "max-age=300, public, no-transform, must-revalidate");
  EXPECT_EQ(HeaderOf(first, "Last-Modified"), ToHttpDate(now_));
  EXPECT_EQ(HeaderOf(first, "Expires"), ToHttpDate(now_ + Seconds(43200)));
  EXPECT_EQ(HeaderOf(first, "ETag"), HeaderOf(later, "ETag"));
  delegate_.signer->Fail(fakes::SignerFault::kUnavailable);
  clock_.Advance(Seconds(21'600));
  EXPECT_EQ(HeaderOf(Get(path), "Cache-Control"),
            "max-age=100, public, no-transform, must-revalidate")
      << "never longer than the answer lives";
}

TEST_F(PublicationTest, Answers304ToAGetWithTheCurrentTagOnly) {
  const Bytes request = Ask();
  const std::string path = "/ocsp/" + ToBase64(request);
  const std::string etag = HeaderOf(Get(path), "ETag");
  ASSERT_TRUE(etag.starts_with("\"") && etag.ends_with("\""));
  for (const std::string& tags :
       {etag, "W/" + etag, "\"other\" , " + etag, std::string("*"), "  " + etag + "  "}) {
    const auto response = Get(path, tags);
    EXPECT_EQ(response.status, 304) << tags;
    EXPECT_TRUE(BodyOf(response).empty());
    EXPECT_EQ(HeaderOf(response, "ETag"), etag);
  }
  for (const std::string& tags : {std::string("\"other\""), etag.substr(1), std::string(",,")})
    EXPECT_EQ(Get(path, tags).status, 200) << tags;
  auto post = Make("POST", "/ocsp");
  post.headers = {{"Content-Type", "application/ocsp-request"}, {"If-None-Match", etag}};
  post.body = AsText(request);
  EXPECT_EQ(publication_.Handle(post).status, 200);
}

TEST_F(PublicationTest, LetsNobodyKeepAnswersWithANonceOrErrors) {
  const auto with_nonce = Post(Ask(Bytes(32, 7)));
  EXPECT_EQ(with_nonce.status, 200);
  EXPECT_NE(HeaderOf(with_nonce, "Cache-Control").find("no-store"), std::string::npos);
  EXPECT_EQ(HeaderOf(with_nonce, "ETag"), "");
  const auto unknown =
      Post(fakes::MakeOcspRequest(issuer_.certificate, {{*ca::Serial::FromHex("0aff")}}));
  EXPECT_EQ(unknown.status, 200);
  EXPECT_NE(HeaderOf(unknown, "Cache-Control").find("no-store"), std::string::npos);
}

TEST_F(PublicationTest, AnswersMalformedOcspRequestsWith400) {
  const auto post = Post(Bytes{0x30, 0x01});
  EXPECT_EQ(post.status, 400);
  EXPECT_EQ(ToBytes(BodyOf(post)), ca::OcspErrorResponse(ca::OcspErrorStatus::kMalformedRequest));
  EXPECT_EQ(Get("/ocsp/MAE=").status, 400);
  EXPECT_EQ(Get("/ocsp/!!!!").status, 400);
  EXPECT_EQ(Post({}).status, 400);
}

TEST_F(PublicationTest, RefusesOcspRequestsOfTheWrongShape) {
  EXPECT_EQ(Post(Ask(), "application/json").status, 415);
  EXPECT_EQ(Post(Ask(), "").status, 415);
  EXPECT_EQ(Post(Bytes(ca::kMaxOcspRequestSize + 1, 0x30)).status, 413);
  EXPECT_EQ(Get("/ocsp/" + std::string(8000, 'A')).status, 413);
  const auto get = Get("/ocsp");
  EXPECT_EQ(get.status, 405);
  EXPECT_EQ(HeaderOf(get, "Allow"), "POST");
  EXPECT_EQ(publication_.Handle(Make("DELETE", "/ocsp")).status, 405);
  EXPECT_EQ(Get("/ocspx").status, 404);
}

TEST_F(PublicationTest, AnswersCachedOcspOnTheFastPathOnly) {
  const auto request = Make("GET", "/ocsp/" + ToBase64(Ask()));
  EXPECT_FALSE(publication_.HandleFast(request));
  (void)publication_.Handle(request);
  ASSERT_TRUE(publication_.HandleFast(request));
  EXPECT_EQ(publication_.HandleFast(request)->status, 200);
  ASSERT_TRUE(store_.Revoke(issuer_.info.id, serial_, ca::Reason::kKeyCompromise, now_).ok());
  responder_.Evict(issuer_.info.id, serial_);
  EXPECT_FALSE(publication_.HandleFast(request));
  EXPECT_FALSE(publication_.HandleFast(Make("GET", "/readyz")));
}

TEST_F(PublicationTest, ServesTheCurrentCrl) {
  const auto response = Get(CrlPath());
  ASSERT_EQ(response.status, 200);
  EXPECT_EQ(HeaderOf(response, "Content-Type"), "application/pkix-crl");
  EXPECT_EQ(HeaderOf(response, "Last-Modified"), ToHttpDate(now_));
  EXPECT_EQ(HeaderOf(response, "Expires"), ToHttpDate(now_ + Seconds(86400)));
  EXPECT_EQ(HeaderOf(response, "Cache-Control"), "max-age=300, public, no-transform");
  EXPECT_TRUE(ca::ParseCrl(BodyOf(response), issuer_.signer.public_key()).ok());
  const auto etag = HeaderOf(response, "ETag");
  EXPECT_EQ(Get(CrlPath(), etag).status, 304);
  clock_.Advance(Seconds(1));
  ASSERT_TRUE(publisher_.PublishNow().ok());
  EXPECT_EQ(Get(CrlPath(), etag).status, 200);
}

TEST_F(PublicationTest, SaysWhenThereIsNoCrlYet) {
  const ca::CrlPublisher empty{issuer_.info, issuer_.signer,         shared_, clock_,
                               {},           directory_ / "none.crl"};
  auto parts = Parts();
  parts.crls[issuer_.info.id] = &empty;
  Publication publication(std::move(parts));
  const auto response = publication.Handle(Make("GET", CrlPath()));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(HeaderOf(response, "Retry-After"), "1");
}

TEST_F(PublicationTest, ServesCertificates) {
  const auto der = Get("/issuer/" + issuer_.info.id + ".der");
  EXPECT_EQ(HeaderOf(der, "Content-Type"), "application/pkix-cert");
  EXPECT_EQ(ToBytes(BodyOf(der)), issuer_.certificate.der);
  const auto root = Get("/root.pem");
  EXPECT_EQ(HeaderOf(root, "Content-Type"), "application/x-pem-file");
  EXPECT_EQ(AsText(BodyOf(root)), "-----BEGIN CERTIFICATE-----\n");
  EXPECT_EQ(Get("/root.pem", HeaderOf(root, "ETag")).status, 304);
}

TEST_F(PublicationTest, TellsHealthFromReadiness) {
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/readyz").status, 200);
  ready_ = Error{Code::kUnavailable, "signer"};
  const auto response = Get("/readyz");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(AsText(BodyOf(response)), "signer\n");
  EXPECT_EQ(HeaderOf(response, "Retry-After"), "1");
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(PublicationTest, ServesHeadWhereGetAndNothingElse) {
  for (const std::string& path : {CrlPath(), std::string("/root.pem"), std::string("/healthz"),
                                  std::string("/readyz"), "/ocsp/" + ToBase64(Ask())}) {
    EXPECT_EQ(publication_.Handle(Make("HEAD", path)).status, 200) << path;
    EXPECT_EQ(publication_.Handle(Make("PUT", path)).status, 405) << path;
  }
  for (const char* path :
       {"/", "/crl/", "/crl/x.crl", "/issuer/../root.pem", "/ROOT.PEM", "/root.pem/", "/directory"})
    EXPECT_EQ(Get(path).status, 404) << path;
  const auto refused = publication_.Refuse(431, "the header fields are too long");
  EXPECT_EQ(refused.status, 431);
  EXPECT_EQ(HeaderOf(refused, "Content-Type"), "text/plain; charset=utf-8");
}

}  // namespace
}  // namespace agentca::acme
