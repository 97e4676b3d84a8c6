#include "ca/issuer.h"

#include <gtest/gtest.h>

#include "ca/der.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::ca {
namespace {

using fakes::SignerFault;
using fakes::TestKey;

const Time kNow = fakes::ManualClock().Now();

class IssuerTest : public testing::Test {
 protected:
  Result<Ticket> Prepare(const CertificateRequest& request, Time now = kNow) {
    return ca_.issuer->Prepare(fakes::ServerProfile(), request, Serial::Random(1, random_), now);
  }
  fakes::SeededRandom random_;
  fakes::TestIssuer ca_ = fakes::MakeIssuer();
};

// OpenSSL builds and judges the path as a strict relying party.
bool PathVerifies(const Certificate& root, const Certificate& leaf, const char* host) {
  using StorePtr = openssl::Owned<X509_STORE, X509_STORE_free>;
  using ContextPtr = openssl::Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
  const auto root_x509 = openssl::Decode<openssl::X509Ptr>(d2i_X509, root.der);
  const auto leaf_x509 = openssl::Decode<openssl::X509Ptr>(d2i_X509, leaf.der);
  const StorePtr store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), root_x509.get());
  const ContextPtr context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), leaf_x509.get(), nullptr);
  X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
  X509_VERIFY_PARAM_set_time(rules, kNow.time_since_epoch().count());
  X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM_set1_host(rules, host, 0);
  return X509_verify_cert(context.get()) == 1;
}

TEST_F(IssuerTest, IssuesWhatAStrictRelyingPartyAccepts) {
  for (TestKey type : {TestKey::kP256, TestKey::kP384, TestKey::kRsa2048}) {
    ca_ = fakes::MakeIssuer(type);
    const auto leaf =
        ca_.issuer->Issue(Prepare(fakes::MakeRequest({"*.a.test", "a.test"})).value());
    ASSERT_TRUE(leaf.ok()) << leaf.error().detail;
    EXPECT_TRUE(PathVerifies(ca_.issuer->certificate(), *leaf, "a.test"));
    EXPECT_TRUE(PathVerifies(ca_.issuer->certificate(), *leaf, "b.a.test"));
    EXPECT_FALSE(PathVerifies(ca_.issuer->certificate(), *leaf, "b.test"));
    EXPECT_FALSE(PathVerifies(fakes::MakeIssuer(type).issuer->certificate(), *leaf, "a.test"));
  }
}

TEST_F(IssuerTest, SignsExactlyTheBytesOfTheTicket) {
  Ticket ticket = Prepare(fakes::MakeRequest({"a.test"})).value();
  const Bytes tbs = ticket.tbs();
  const Certificate leaf = ca_.issuer->Issue(std::move(ticket)).value();
  EXPECT_NE(std::search(leaf.der.begin(), leaf.der.end(), tbs.begin(), tbs.end()), leaf.der.end());
}

TEST_F(IssuerTest, PreparesWithoutTouchingTheKey) {
  const int before = ca_.signer->calls();
  ASSERT_TRUE(Prepare(fakes::MakeRequest({"a.test"})).ok());
  EXPECT_EQ(ca_.signer->calls(), before);
}

TEST_F(IssuerTest, TellsTheTicketWhatTheStoreMustKnow) {
  CertificateRequest request = fakes::MakeRequest({"a.test"});
  request.reference = "order 1";
  request.owner = "account 1";
  const Ticket ticket = Prepare(request).value();
  EXPECT_EQ(ticket.issuer_id(), ca_.issuer->id());
  EXPECT_EQ(ticket.reference(), "order 1");
  EXPECT_EQ(ticket.owner(), "account 1");
  EXPECT_EQ(ticket.profile(), "server");
  EXPECT_EQ(ticket.dns_names(), request.dns_names);
  EXPECT_EQ(ticket.not_after(), kNow - Seconds(3601) + Seconds(90 * 86400));
}

TEST_F(IssuerTest, SpendsATicketOnce) {
  Ticket ticket = Prepare(fakes::MakeRequest({"a.test"})).value();
  EXPECT_FALSE(ticket.spent());
  ASSERT_TRUE(ca_.issuer->Issue(std::move(ticket)).ok());
  EXPECT_TRUE(ticket.spent());  // NOLINT(bugprone-use-after-move): what a moved ticket promises
  const int before = ca_.signer->calls();
  EXPECT_FALSE(ca_.issuer->Issue(std::move(ticket)).ok());
  EXPECT_EQ(ca_.signer->calls(), before);
}

TEST_F(IssuerTest, MovesATicketWithoutDoublingIt) {
  Ticket first = Prepare(fakes::MakeRequest({"a.test"})).value();
  Ticket second = Prepare(fakes::MakeRequest({"b.test"})).value();
  const Bytes tbs = first.tbs();
  second = std::move(first);
  EXPECT_TRUE(first.spent());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(second.tbs(), tbs);
  EXPECT_EQ(ca_.issuer->Issue(std::move(second)).value().dns_names.front(), "a.test");
}

TEST_F(IssuerTest, RefusesTicketsOfAnotherIssuer) {
  const fakes::TestIssuer other = fakes::MakeIssuer();
  EXPECT_FALSE(other.issuer->Issue(Prepare(fakes::MakeRequest({"a.test"})).value()).ok());
  EXPECT_EQ(other.signer->calls(), 1) << "only its own certificate";
}

TEST_F(IssuerTest, ReturnsNothingWhenTheSignerFails) {
  for (auto [fault, code] : {std::pair{SignerFault::kUnavailable, Code::kUnavailable},
                             {SignerFault::kRefused, Code::kInternal},
                             {SignerFault::kWrongSignature, Code::kInternal},
                             {SignerFault::kOtherMessage, Code::kInternal}}) {
    ca_.signer->Fail(fault);
    const auto leaf = ca_.issuer->Issue(Prepare(fakes::MakeRequest({"a.test"})).value());
    ASSERT_FALSE(leaf.ok());
    EXPECT_EQ(leaf.error().code, code);
  }
}

TEST_F(IssuerTest, LetsNothingOutliveItsOwnCertificate) {
  const Time end = ca_.issuer->certificate().not_after;
  const Time late = end - Seconds(86400);
  const Ticket clipped = Prepare(fakes::MakeRequest({"a.test"}), late).value();
  EXPECT_EQ(clipped.not_after(), end);
  CertificateRequest ordered = fakes::MakeRequest({"a.test"});
  ordered.not_after = end + Seconds(1);
  EXPECT_EQ(Prepare(ordered, late).error().code, Code::kMalformed);
  EXPECT_EQ(Prepare(fakes::MakeRequest({"a.test"}), end).error().code, Code::kInternal);
}

TEST_F(IssuerTest, RefusesWhatTheLintFinds) {
  CertificateRequest request = fakes::MakeRequest({"a.test"});
  request.extra_extensions = {
      der::Sequence({der::Oid("2.5.29.19"), der::OctetString(der::Sequence({}))})};
  const auto ticket = Prepare(request);
  ASSERT_FALSE(ticket.ok());
  EXPECT_EQ(ticket.error().code, Code::kInternal);
  EXPECT_EQ(ticket.error().detail, "refused by lint: extension 2.5.29.19 is there twice");
}

TEST(Issuer, IsMadeOnlyWithTheKeyAndTheNameOfItsCertificate) {
  const fakes::TestIssuer ca = fakes::MakeIssuer();
  const auto make = [&](IssuerInfo info, std::unique_ptr<fakes::TestSigner> signer) {
    return Issuer::Make(ca.issuer->certificate(), std::move(info), std::move(signer)).ok();
  };
  const auto same_key = [&] {
    EVP_PKEY_up_ref(ca.signer->key());
    return std::make_unique<fakes::TestSigner>(openssl::PkeyPtr(ca.signer->key()), TestKey::kP256);
  };
  const IssuerInfo good = ca.issuer->info();
  EXPECT_TRUE(make(good, same_key()));
  EXPECT_FALSE(make(good, std::make_unique<fakes::TestSigner>()));
  IssuerInfo bad = good;
  bad.id = "0000000000000000";
  EXPECT_FALSE(make(bad, same_key()));
  bad = good;
  bad.subject = EncodeName({{Attribute::kCommonName, "Other"}}).value();
  EXPECT_FALSE(make(bad, same_key()));
  bad = good;
  bad.key_identifier.front() ^= 1;
  EXPECT_FALSE(make(bad, same_key()));
  bad = good;
  bad.algorithm = SignatureAlgorithm::kEcdsaSha384;
  EXPECT_FALSE(make(bad, same_key()));
}

TEST_F(IssuerTest, IsNotMadeFromAnEndEntityCertificate) {
  auto signer = std::make_unique<fakes::TestSigner>();
  CertificateRequest request{.key = signer->public_key()};
  request.dns_names = {"a.test"};
  const Certificate leaf = ca_.issuer->Issue(Prepare(request).value()).value();
  IssuerInfo info{IssuerIdOf(leaf.key), leaf.subject, leaf.key.key_identifier(), "", "", "",
                  signer->algorithm()};
  const auto made = Issuer::Make(leaf, std::move(info), std::move(signer));
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().detail, "issuing certificate is not of a CA");
}

}  // namespace
}  // namespace agentca::ca
