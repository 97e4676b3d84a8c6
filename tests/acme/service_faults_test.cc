// Every call that a whole life of a certificate makes to its store, failing both ways: "failed" and
// "failed, but persisted". Which calls there are is found out by going on until none is left.
#include <set>

#include "tests/acme/service_fixture.h"

namespace agentca::acme::testing {
namespace {

using fakes::Eventually;
using fakes::FailWhen;
using fakes::HeaderOf;

// More tries than there are failures in a row, for each step.
constexpr int kTries = 12;
constexpr int kMostCalls = 500;
const std::string kName = "a.example.test";

struct Outage {
  FailWhen when;
  int calls;  // that fail one after the other
};

// As gtest names a parameter.
void PrintTo(const Outage& outage, std::ostream* out) {
  *out << (outage.when == FailWhen::kBefore ? "before" : "after") << outage.calls;
}

class EveryCall : public ServiceTest, public ::testing::WithParamInterface<Outage> {
 protected:
  // A client that tries again what brought no answer, as RFC 8555 clients do.
  http::Response Insist(Client& client, const std::string& url, const std::string& payload) {
    http::Response response;
    for (int i = 0; i < kTries; ++i) {
      response = Post(client, url, payload);
      if (response.status < 500 && Problem(response) != "400 badNonce") return response;
    }
    ADD_FAILURE() << url << " answers " << response.status << " " << response.body;
    return response;
  }

  Client Enrol() {
    Client client;
    const auto response =
        Insist(client, kBase + "/acme/new-account", R"({"termsOfServiceAgreed":true})");
    EXPECT_TRUE(response.status == 201 || response.status == 200) << response.body;
    client.kid = HeaderOf(response, "Location");
    return client;
  }

  std::string OrderStatusOf(Client& client, const std::string& order) {
    return Text(Insist(client, order, ""), "status");
  }

  // "valid" or "invalid", in the end.
  std::string Drive(Client& client, const std::string& order, const Bytes& csr) {
    std::string status;
    const bool settled = Eventually([&] {
      const auto view = Insist(client, order, "");
      status = Text(view, "status");
      if (status == "pending") {
        for (const std::string& url : Texts(view, "authorizations")) {
          if (Text(Insist(client, url, ""), "status") == "pending")
            Insist(client, ChallengeUrl(url, "dns-01"), "{}");
        }
      } else if (status == "ready") {
        Insist(client, order + "/finalize", R"({"csr":")" + ToBase64Url(csr) + R"("})");
      }
      return status == "valid" || status == "invalid";
    });
    EXPECT_TRUE(settled) << "the order is still " << status;
    return status;
  }

  // Records whose reference is this order's id, by state.
  std::multiset<ca::SerialState> StatesOf(const std::string& order) {
    const OrderId id = order.substr((kBase + "/acme/order/").size());
    std::multiset<ca::SerialState> states;
    const auto records = backend_->certificates().List({});
    EXPECT_TRUE(records.ok());
    for (const auto& record : *records) {
      if (record.reference == id) states.insert(record.state);
    }
    return states;
  }

  // What an outage leaves to the sweep of a start.
  void SettleRest() {
    Restart();
    EXPECT_TRUE(service_->Recover().ok());
    EXPECT_TRUE(ca::AbandonInterrupted(certificates_, *audit_, ca::WorkScope::kOwnAndDead,
                                       clock_.Now())
                    .ok());
    const auto left = certificates_.ListIntents(ca::WorkScope::kOwnAndDead, 1);
    EXPECT_TRUE(left.ok() && left->empty()) << "an intent is left";
  }

  // Returns false when the whole of it made fewer than `nth` calls.
  bool LiveThrough(int nth) {
    const auto [when, calls] = GetParam();
    faults_.FailCalls(nth, calls, when);
    const int signed_before = issuer_.signer->calls();
    Client client = Enrol();
    const auto created =
        Insist(client, kBase + "/acme/new-order",
               R"({"identifiers":[{"type":"dns","value":")" + kName + R"("}]})");
    EXPECT_EQ(created.status, 201) << created.body;
    const std::string order = HeaderOf(created, "Location");
    fakes::TestSigner key;
    const std::string status = Drive(client, order, fakes::MakeCsr(key, {kName}));
    const auto states = StatesOf(order);
    EXPECT_EQ(states.count(ca::SerialState::kIssued), status == "valid" ? 1u : 0u) << status;
    EXPECT_LE(issuer_.signer->calls() - signed_before, 1) << "an order is signed for once";
    if (status == "valid") RevokeAndLook(client, order);
    const bool came = faults_.EndFailedCalls();
    SettleRest();
    EXPECT_EQ(OrderStatusOf(client, order), status) << "a restart changes nothing";
    return came;
  }

  void RevokeAndLook(Client& client, const std::string& order) {
    const auto chain = Insist(client, Text(Insist(client, order, ""), "certificate"), "");
    const auto record =
        backend_->certificates().FindByReference(order.substr((kBase + "/acme/order/").size()));
    ASSERT_TRUE(record.ok());
    EXPECT_EQ(chain.body, ToPem("CERTIFICATE", record->der) + chain_pem_);
    const auto revoked = Insist(client, kBase + "/acme/revoke-cert",
                                R"({"certificate":")" + ToBase64Url(record->der) + R"("})");
    EXPECT_TRUE(revoked.status == 200 || Problem(revoked) == "400 alreadyRevoked") << revoked.body;
    const auto after = backend_->certificates().StatusOf(record->issuer_id, record->serial);
    EXPECT_TRUE(after.ok() && after->revocation) << "an acknowledged revocation stands";
  }
};

TEST_P(EveryCall, LeavesOneCertificateOrNoneAndARevocationThatStands) {
  int nth = 1;
  while (nth < kMostCalls && LiveThrough(nth) && !HasFailure()) ++nth;
  EXPECT_LT(nth, kMostCalls);
  EXPECT_GT(nth, 15) << "a life has more calls than that";
  EXPECT_FALSE(HasFailure()) << "when calls from the " << nth << "th on fail";
  for (const char* verb : {"CreateAccount", "CreateOrder", "BeginChallenge", "FinishChallenge",
                           "BeginFinalize", "CompleteOrder", "Revoke"}) {
    EXPECT_GT(faults_.CallsOf(verb), nth / 2) << verb << " was not part of it";
  }
}

// As long as the process lives nobody else abandons it, and its serial has no status meanwhile.
TEST_F(ServiceTest, AnIntentIsAbandonedAsSoonAsTheStoreThatFailedBothTimesIsBack) {
  Client client = Register();
  for (const FailWhen intent : {FailWhen::kBefore, FailWhen::kAfter}) {
    const std::string order = ReadyOrder(client, {kName});
    fakes::TestSigner key;
    if (intent == FailWhen::kAfter) {
      faults_.Fail("BeginFinalize", intent);
    } else {
      issuer_.signer->Fail(fakes::SignerFault::kUnavailable);
    }
    faults_.Fail("Abandon", FailWhen::kBefore);
    Finalize(client, order, fakes::MakeCsr(key, {kName}));
    issuer_.signer->Fail(fakes::SignerFault::kNone);
    EXPECT_TRUE(Settles(client, order, "invalid"));
    const OrderId id = order.substr((kBase + "/acme/order/").size());
    EXPECT_TRUE(Eventually([&] {
      const auto record = backend_->certificates().FindByReference(id);
      return record.ok() && record->state == ca::SerialState::kAbandoned;
    }));
  }
}

INSTANTIATE_TEST_SUITE_P(Outages, EveryCall,
                         ::testing::Values(Outage{FailWhen::kBefore, 1}, Outage{FailWhen::kAfter, 1},
                                           Outage{FailWhen::kBefore, 3},
                                           Outage{FailWhen::kAfter, 3}),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace agentca::acme::testing
