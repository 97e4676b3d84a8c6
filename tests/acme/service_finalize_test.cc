#include <barrier>
#include <set>
#include <thread>

#include "tests/acme/service_fixture.h"

namespace agentca::acme::testing {
namespace {

using fakes::FailWhen;
using fakes::HeaderOf;
using fakes::MakeCsr;
using fakes::TestKey;
using fakes::TestSigner;

const std::string kName = "a.example.test";

class FinalizeFlow : public ServiceTest {
 protected:
  OrderId IdOf(const std::string& url) { return url.substr((kBase + "/acme/order/").size()); }
  ca::Ticket Prepare(const std::string& order) {
    ca::CertificateRequest request{.key = key_.public_key()};
    request.dns_names = {kName};
    request.reference = IdOf(order);
    const auto serial = ca::Serial::Random(1, random_);
    return issuer_.issuer->Prepare(profile_, request, serial, clock_.Now()).value();
  }

  Client client_ = Register();
  TestSigner key_;
  const Bytes csr_ = MakeCsr(key_, {kName});
};

TEST_F(FinalizeFlow, IssuesAChainForTheKeyAndNamesOfTheOrder) {
  const std::string order = ReadyOrder(client_, {kName, "*.b.example.test"});
  const auto finalized =
      Finalize(client_, order, MakeCsr(key_, {"*.b.example.test", "A.example.TEST"}));
  EXPECT_EQ(Text(finalized, "status"), "valid") << finalized.body;
  EXPECT_EQ(HeaderOf(finalized, "Location"), order);
  const auto chain = Get(client_, Text(finalized, "certificate"));
  EXPECT_EQ(HeaderOf(chain, "Content-Type"), "application/pem-certificate-chain");
  const auto record = certificates_.FindByReference(IdOf(order));
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(chain.body, ToPem("CERTIFICATE", record->der) + chain_pem_);
  const auto leaf = ca::Certificate::Parse(record->der);
  EXPECT_EQ(leaf->key, key_.public_key());
  EXPECT_EQ(std::set<std::string>(leaf->dns_names.begin(), leaf->dns_names.end()),
            (std::set<std::string>{kName, "*.b.example.test"}));
}

TEST_F(FinalizeFlow, RefusesAnOrderThatIsNotReadyAndChangesNothing) {
  const auto created = NewOrder(client_, {kName});
  const std::string order = HeaderOf(created, "Location");
  EXPECT_EQ(Problem(Finalize(client_, order, csr_)), "403 orderNotReady");
  EXPECT_EQ(Get(client_, order).body, created.body);
}

TEST_F(FinalizeFlow, RefusesBadCsrsAndLeavesTheOrderReady) {
  const std::string order = ReadyOrder(client_, {kName});
  Bytes broken = csr_;
  broken.back() ^= 1;
  Bytes trailing = csr_;
  trailing.push_back(0);
  for (const Bytes& csr :
       {MakeCsr(key_, {"b.example.test"}), MakeCsr(key_, {kName, "b.example.test"}),
        MakeCsr(*client_.key, {kName}), MakeCsr(*Register().key, {kName}), broken, trailing,
        Bytes(), Bytes{0x30, 0x80}}) {
    EXPECT_EQ(Problem(Finalize(client_, order, csr)), "400 badCSR");
  }
  EXPECT_EQ(Problem(Post(client_, order + "/finalize", R"({"csr":"AA=="})")), "400 malformed");
  EXPECT_EQ(Problem(Post(client_, order + "/finalize", "{}")), "400 malformed");
  EXPECT_EQ(Text(Get(client_, order), "status"), "ready");
  EXPECT_EQ(faults_.CallsOf("BeginFinalize"), 0);
  EXPECT_EQ(Text(Finalize(client_, order, csr_), "status"), "valid");
}

TEST_F(FinalizeFlow, RefusesACompromisedKeyAndLeavesTheOrderReady) {
  const ca::Certificate first = Obtain(client_, {kName}, key_);
  const std::string order = ReadyOrder(client_, {kName});
  ASSERT_TRUE(
      certificates_
          .Revoke(issuer_.issuer->id(), first.serial, ca::Reason::kKeyCompromise, clock_.Now())
          .ok());
  const auto refused = Finalize(client_, order, csr_);
  EXPECT_EQ(Problem(refused), "400 badCSR");
  EXPECT_NE(Text(refused, "detail").find("the public key was compromised"), std::string::npos);
  EXPECT_EQ(Text(Get(client_, order), "status"), "ready");
  TestSigner fresh;
  EXPECT_EQ(Text(Finalize(client_, order, MakeCsr(fresh, {kName})), "status"), "valid");
}

TEST_F(FinalizeFlow, CertifiesTheSameKeyAgainUnlessItWasCompromised) {
  const ca::Certificate first = Obtain(client_, {kName}, key_);
  ASSERT_TRUE(certificates_
                  .Revoke(issuer_.issuer->id(), first.serial, ca::Reason::kSuperseded, clock_.Now())
                  .ok());
  Obtain(client_, {kName}, key_);
}

TEST_F(FinalizeFlow, RefusesAKeyThatTheProfileDoesNotAllowAndLeavesTheOrderReady) {
  ca::RawProfile raw = fakes::RawServerProfile();
  raw.allowed_keys = {"p256"};
  profile_ = ca::Profile::Make(raw).value();
  const std::string order = ReadyOrder(client_, {kName});
  TestSigner p384(TestKey::kP384);
  EXPECT_EQ(Problem(Finalize(client_, order, MakeCsr(p384, {kName}))), "400 badCSR");
  EXPECT_EQ(Text(Get(client_, order), "status"), "ready");
}

TEST_F(FinalizeFlow, HonoursTheTimesOfTheOrder) {
  const Time start = clock_.Now();
  const Time end = start + Seconds(7200);
  const auto created = Post(client_, kBase + "/acme/new-order",
                            R"({"identifiers":[{"type":"dns","value":"a.example.test"}],)"
                            R"("notBefore":")" +
                                ToRfc3339(start) + R"(","notAfter":")" + ToRfc3339(end) + "\"}");
  const std::string order = HeaderOf(created, "Location");
  Post(client_, ChallengeUrl(Texts(created, "authorizations").at(0), "http-01"), "{}");
  ASSERT_TRUE(Settles(client_, order, "ready"));
  EXPECT_EQ(Text(Finalize(client_, order, csr_), "status"), "valid");
  const auto leaf = ca::Certificate::Parse(certificates_.FindByReference(IdOf(order))->der).value();
  EXPECT_EQ(leaf.not_before, start);
  EXPECT_EQ(leaf.not_after, end);
}

TEST_F(FinalizeFlow, OfParallelCallsExactlyOneIssues) {
  const std::string order = ReadyOrder(client_, {kName});
  constexpr int kThreads = 4;
  std::vector<std::string> bodies;
  const std::string url = order + "/finalize";
  const std::string payload = R"({"csr":")" + ToBase64Url(csr_) + R"("})";
  for (int i = 0; i < kThreads; ++i) {
    bodies.push_back(fakes::SignJws(
        *client_.key, fakes::HeaderJson(Header(url, *client_.key, client_.kid)), payload));
  }
  std::atomic<int> won{0};
  std::atomic<int> refused{0};
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  for (const std::string& body : bodies) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      const auto response = PostRaw(url, body);
      if (response.status == 200) ++won;
      if (response.status == 403) ++refused;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(refused, kThreads - 1);
  EXPECT_EQ(certificates_.List({.name = kName, .owner = {}, .after = {}})->size(), 1U);
}

TEST_F(FinalizeFlow, WaitsForTheKeyInsteadOfSpendingTheOrder) {
  const std::string order = ReadyOrder(client_, {kName});
  keys_.SetHealthy(false);
  const auto refused = Finalize(client_, order, csr_);
  EXPECT_EQ(Problem(refused), "503 serverInternal");
  EXPECT_NE(HeaderOf(refused, "Retry-After"), "");
  EXPECT_EQ(Text(Get(client_, order), "status"), "ready");
  keys_.SetHealthy(true);
  EXPECT_EQ(Text(Finalize(client_, order, csr_), "status"), "valid");
}

TEST_F(FinalizeFlow, AFailedSignatureSettlesTheOrderWithoutInternals) {
  for (const auto fault :
       {fakes::SignerFault::kUnavailable, fakes::SignerFault::kRefused,
        fakes::SignerFault::kWrongSignature, fakes::SignerFault::kOtherMessage}) {
    const std::string order = ReadyOrder(client_, {kName});
    issuer_.signer->Fail(fault);
    const auto settled = Finalize(client_, order, csr_);
    issuer_.signer->Fail(fakes::SignerFault::kNone);
    EXPECT_EQ(Text(settled, "status"), "invalid");
    EXPECT_TRUE(Has(settled, "error"));
    EXPECT_EQ(settled.body.find("signer"), std::string::npos) << settled.body;
    EXPECT_EQ(certificates_.FindByReference(IdOf(order))->state, ca::SerialState::kAbandoned);
  }
}

// Each store write of an issuance, failing both ways: the order settles, and it is valid exactly
// when a certificate is recorded for it.
class FinalizeWithFaults : public FinalizeFlow,
                           public ::testing::WithParamInterface<std::tuple<std::string, FailWhen>> {
 protected:
  // The status, after checking that the certificate store agrees.
  std::string AgreedStatus(const std::string& order) {
    std::string status;
    EXPECT_TRUE(fakes::Eventually([&] {
      status = Text(Get(client_, order), "status");
      return status == "valid" || status == "invalid" || status == "ready";
    }));
    const auto record = certificates_.FindByReference(IdOf(order));
    const bool issued = record.ok() && record->state == ca::SerialState::kIssued;
    EXPECT_EQ(status == "valid", issued) << status;
    return status;
  }
};

TEST_P(FinalizeWithFaults, SettlesInAgreementWithTheCertificateStore) {
  const auto [verb, when] = GetParam();
  const std::string order = ReadyOrder(client_, {kName});
  faults_.Fail(verb, when);
  Finalize(client_, order, csr_);
  if (AgreedStatus(order) == "ready") {
    EXPECT_EQ(Text(Finalize(client_, order, csr_), "status"), "valid");
  }
}

TEST_P(FinalizeWithFaults, SettlesInAgreementAlsoWhenTheCertificateIsNotRecorded) {
  const auto [verb, when] = GetParam();
  for (const FailWhen completion : {FailWhen::kBefore, FailWhen::kAfter}) {
    const std::string order = ReadyOrder(client_, {kName});
    faults_.Fail("CompleteOrder", completion);
    faults_.Fail(verb, when);
    Finalize(client_, order, csr_);
    if (AgreedStatus(order) == "ready") {  // the fault of CompleteOrder is still to come
      Finalize(client_, order, csr_);
      EXPECT_NE(AgreedStatus(order), "ready");
    }
  }
}

TEST_P(FinalizeWithFaults, SettlesInAgreementAlsoWhenNothingIsSigned) {
  const auto [verb, when] = GetParam();
  const std::string order = ReadyOrder(client_, {kName});
  issuer_.signer->Fail(fakes::SignerFault::kUnavailable);
  faults_.Fail(verb, when);
  Finalize(client_, order, csr_);
  issuer_.signer->Fail(fakes::SignerFault::kNone);
  EXPECT_NE(AgreedStatus(order), "valid");
}

INSTANTIATE_TEST_SUITE_P(
    Verbs, FinalizeWithFaults,
    ::testing::Combine(::testing::Values<std::string>("BeginFinalize", "CompleteOrder", "Abandon",
                                                      "FinishOrder"),
                       ::testing::Values(FailWhen::kBefore, FailWhen::kAfter)));

TEST_F(FinalizeFlow, AStartSettlesWhatWasLeftProcessing) {
  const std::string interrupted = ReadyOrder(client_, {kName});
  ASSERT_TRUE(
      backend_->acme().BeginFinalize(IdOf(interrupted), Prepare(interrupted), {}, clock_.Now()).ok());
  const std::string issued = ReadyOrder(client_, {kName});
  ca::Ticket ticket = Prepare(issued);
  ASSERT_TRUE(backend_->acme().BeginFinalize(IdOf(issued), ticket, {}, clock_.Now()).ok());
  const ca::Certificate certificate = issuer_.issuer->Issue(std::move(ticket)).value();
  ASSERT_TRUE(
      backend_->certificates().RecordCertificate(certificate, issuer_.issuer->id()).ok());

  EXPECT_EQ(Text(Get(client_, issued), "status"), "processing");
  EXPECT_NE(HeaderOf(Get(client_, issued), "Retry-After"), "");
  Restart();
  ASSERT_TRUE(service_->Recover().ok());
  EXPECT_EQ(Text(Get(client_, issued), "status"), "valid");
  const auto error = Get(client_, interrupted);
  EXPECT_EQ(Text(error, "status"), "invalid");
  EXPECT_NE(error.body.find("make a new order"), std::string::npos);
}

TEST_F(FinalizeFlow, AnOrderIsFinalizedOnce) {
  const std::string order = ReadyOrder(client_, {kName});
  EXPECT_EQ(Text(Finalize(client_, order, csr_), "status"), "valid");
  EXPECT_EQ(Problem(Finalize(client_, order, csr_)), "403 orderNotReady");
}

}  // namespace
}  // namespace agentca::acme::testing
