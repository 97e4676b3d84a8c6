#include "tests/acme/service_fixture.h"

namespace agentca::acme::testing {
namespace {

using fakes::HeaderJson;
using fakes::HeaderOf;
using fakes::JsonQuoted;
using fakes::JwkOf;
using fakes::LinkOf;
using fakes::SignJws;

const std::string kNewAccount = kBase + "/acme/new-account";
const std::string kKeyChange = kBase + "/acme/key-change";

class AccountFlow : public ServiceTest {
 protected:
  static Client Nameless(const Client& client) { return Client{client.key}; }

  // §7.3.5: a well-made inner JWS whose header and payload a test may spoil.
  std::string Inner(const Client& client, fakes::TestSigner& new_key,
                    const std::function<void(fakes::JwsHeader&, fakes::JwsHeader&)>& spoil) {
    fakes::JwsHeader header{{"alg", R"("ES256")"},
                            {"jwk", JwkOf(new_key.public_key())},
                            {"url", JsonQuoted(kKeyChange)}};
    fakes::JwsHeader payload{{"account", JsonQuoted(client.kid)},
                             {"oldKey", JwkOf(client.key->public_key())}};
    spoil(header, payload);
    return SignJws(new_key, HeaderJson(header), HeaderJson(payload));
  }
};

TEST_F(AccountFlow, TheSameKeyFindsTheSameAccount) {
  const Client client = Register();
  Client again = Nameless(client);
  const auto response = Post(again, kNewAccount, R"({"termsOfServiceAgreed":true})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(HeaderOf(response, "Location"), client.kid);
  EXPECT_EQ(Text(response, "orders"), client.kid + "/orders");
}

TEST_F(AccountFlow, OnlyReturnExistingCreatesNothing) {
  Client nobody;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Problem(Post(nobody, kNewAccount, R"({"onlyReturnExisting":true})")),
              "400 accountDoesNotExist");
  }
  EXPECT_EQ(faults_.CallsOf("CreateAccount"), 0);
}

TEST_F(AccountFlow, FlagsAndUnknownMembersAreNotEchoed) {
  Client client;
  const auto response = Post(
      client, kNewAccount,
      R"({"onlyReturnExisting":false,"termsOfServiceAgreed":true,"colour":1,"orders":"https://x"})");
  EXPECT_EQ(response.status, 201);
  EXPECT_FALSE(Has(response, "onlyReturnExisting"));
  EXPECT_FALSE(Has(response, "termsOfServiceAgreed"));
  EXPECT_FALSE(Has(response, "colour"));
  EXPECT_TRUE(Text(response, "orders").starts_with(kBase));
}

TEST_F(AccountFlow, ContactsAreCheckedAndUpdated) {
  Client client = Register();
  EXPECT_EQ(Texts(Post(client, client.kid, R"({"contact":["mailto:a@example.test"]})"), "contact"),
            std::vector<std::string>{"mailto:a@example.test"});
  EXPECT_EQ(Problem(Post(client, client.kid, R"({"contact":["tel:+1"]})")),
            "400 unsupportedContact");
  for (const char* bad :
       {"mailto:", "mailto:a", "mailto:a@b,c@d", "mailto:a@b?subject=x", "mailto:a@b%2Cc@d",
        "mailto:a b@c", "mailto:a@@b", "mailto:.a@b", "mailto:a@b."}) {
    const std::string payload = R"({"contact":[)" + JsonQuoted(bad) + "]}";
    EXPECT_EQ(Problem(Post(client, client.kid, payload)), "400 invalidContact") << bad;
  }
  EXPECT_EQ(Texts(Get(client, client.kid), "contact").size(), 1U);
  EXPECT_EQ(Post(client, client.kid, R"({"contact":[]})").status, 200);
  EXPECT_TRUE(Texts(Get(client, client.kid), "contact").empty());
}

TEST_F(AccountFlow, NewAccountsOfOneAddressAreLimited) {
  policy_.new_accounts_per_hour = 2;
  Restart();
  Register();
  const Client known = Register();
  Client late;
  const auto response = Post(late, kNewAccount, "{}");
  EXPECT_EQ(Problem(response), "429 rateLimited");
  EXPECT_EQ(HeaderOf(response, "Retry-After"), "1800");
  Client again = Nameless(known);
  EXPECT_EQ(Post(again, kNewAccount, "{}").status, 200);
}

TEST_F(AccountFlow, TermsMustBeAgreedToAndAgainWhenTheyChange) {
  policy_.terms_of_service = "https://ca.example.test/terms-1";
  Restart();
  Client client;
  EXPECT_EQ(Problem(Post(client, kNewAccount, "{}")), "403 userActionRequired");
  client = Register();
  EXPECT_EQ(NewOrder(client, {"a.example.test"}).status, 201);

  policy_.terms_of_service = "https://ca.example.test/terms-2";
  Restart();
  const auto refused = NewOrder(client, {"a.example.test"});
  EXPECT_EQ(Problem(refused), "403 userActionRequired");
  EXPECT_EQ(Text(refused, "instance"), policy_.terms_of_service);
  EXPECT_EQ(LinkOf(refused, "terms-of-service"), policy_.terms_of_service);
  // §7.3.2: an update of the account changes nothing of this.
  EXPECT_EQ(Post(client, client.kid, R"({"termsOfServiceAgreed":true})").status, 200);
  EXPECT_EQ(NewOrder(client, {"a.example.test"}).status, 403);
  Client again = Nameless(client);
  EXPECT_EQ(Post(again, kNewAccount, R"({"termsOfServiceAgreed":true})").status, 200);
  EXPECT_EQ(NewOrder(client, {"a.example.test"}).status, 201);
}

TEST_F(AccountFlow, DeactivationIsFinalAndCancelsPendingOrders) {
  Client client = Register();
  const std::string order = HeaderOf(NewOrder(client, {"a.example.test"}), "Location");
  EXPECT_EQ(Post(client, client.kid, R"({"status":"revoked"})").status, 200);  // ignored
  EXPECT_EQ(Text(Get(client, client.kid), "status"), "valid");
  EXPECT_EQ(Text(Post(client, client.kid, R"({"status":"deactivated"})"), "status"), "deactivated");
  EXPECT_EQ(Problem(Get(client, client.kid)), "401 unauthorized");
  EXPECT_EQ(Problem(Get(client, order)), "401 unauthorized");
  Client again = Nameless(client);
  EXPECT_EQ(Problem(Post(again, kNewAccount, "{}")), "401 unauthorized");
  const auto view = backend_->acme().FindOrder(order.substr((kBase + "/acme/order/").size()));
  ASSERT_TRUE(view.ok());
  EXPECT_TRUE(view->order.cancelled);
}

TEST_F(AccountFlow, AnotherAccountsUrlsAreClosed) {
  Client owner = Register();
  Client stranger = Register();
  for (const std::string& url : {owner.kid, owner.kid + "/orders"}) {
    EXPECT_EQ(Problem(Get(stranger, url)), "403 unauthorized");
  }
  EXPECT_EQ(Problem(Post(stranger, owner.kid, R"({"status":"deactivated"})")), "403 unauthorized");
  EXPECT_EQ(Get(owner, owner.kid).status, 200);
}

TEST_F(AccountFlow, KeyChangeReplacesTheKeyAndKeepsOrders) {
  Client client = Register();
  const std::string order = HeaderOf(NewOrder(client, {"a.example.test"}), "Location");
  auto new_key = std::make_shared<fakes::TestSigner>();
  const std::string inner = Inner(client, *new_key, [](auto&, auto&) {});
  EXPECT_EQ(Post(client, kKeyChange, inner).status, 200);
  EXPECT_EQ(Problem(Get(client, order)), "400 malformed");  // the old key is dead at once
  Client changed{new_key, client.kid};
  EXPECT_EQ(Text(Get(changed, order), "status"), "pending");
  Client old = Nameless(client);
  EXPECT_EQ(Problem(Post(old, kNewAccount, R"({"onlyReturnExisting":true})")),
            "400 accountDoesNotExist");
}

TEST_F(AccountFlow, KeyChangeChecksEveryPartOfTheInnerJws) {
  Client client = Register();
  fakes::TestSigner new_key;
  fakes::TestSigner other;
  using Spoil = std::function<void(fakes::JwsHeader&, fakes::JwsHeader&)>;
  const std::vector<Spoil> faults{
      [](auto& header, auto&) { header["nonce"] = R"("AAAA")"; },
      [](auto& header, auto&) { header["url"] = R"("https://ca.example.test/x")"; },
      [&](auto& header, auto&) {
        header.erase("jwk");
        header["kid"] = JsonQuoted(client.kid);
      },
      [&](auto& header, auto&) { header["jwk"] = JwkOf(other.public_key()); },
      [](auto&, auto& payload) { payload["account"] = R"("https://ca.example.test/x")"; },
      [](auto&, auto& payload) { payload.erase("account"); },
      [](auto&, auto& payload) { payload.erase("oldKey"); },
      [&](auto&, auto& payload) { payload["oldKey"] = JwkOf(other.public_key()); }};
  for (size_t i = 0; i < faults.size(); ++i) {
    EXPECT_EQ(Problem(Post(client, kKeyChange, Inner(client, new_key, faults[i]))), "400 malformed")
        << i;
  }
  EXPECT_EQ(Get(client, client.kid).status, 200);
  EXPECT_EQ(faults_.CallsOf("ChangeKey"), 0);
}

TEST_F(AccountFlow, TheKeyOfACertificateBecomesNoAccountsKey) {
  Client client = Register();
  Client thief;
  const ca::Certificate certificate = Obtain(client, {"a.example.test"}, *thief.key);
  const auto refused = [&](const std::string& why) {
    for (const auto& response :
         {Post(thief, kNewAccount, R"({"termsOfServiceAgreed":true})"),
          Post(client, kKeyChange, Inner(client, *thief.key, [](auto&, auto&) {}))}) {
      EXPECT_EQ(Problem(response), "400 badPublicKey");
      EXPECT_EQ(Text(response, "detail"), why);
    }
  };
  refused("the key is a certificate's; accounts need their own");
  ASSERT_TRUE(certificates_
                  .Revoke(issuer_.issuer->id(), certificate.serial, ca::Reason::kKeyCompromise,
                          clock_.Now())
                  .ok());
  refused("the public key was compromised");
  EXPECT_EQ(faults_.CallsOf("ChangeKey"), 0);
  EXPECT_EQ(Get(client, client.kid).status, 200);
}

TEST_F(AccountFlow, KeyChangeToAKeyInUseIs409WithItsAccount) {
  Client client = Register();
  const Client other = Register();
  const auto taken = Post(client, kKeyChange, Inner(client, *other.key, [](auto&, auto&) {}));
  EXPECT_EQ(taken.status, 409);
  EXPECT_EQ(HeaderOf(taken, "Location"), other.kid);
  const auto same = Post(client, kKeyChange, Inner(client, *client.key, [](auto&, auto&) {}));
  EXPECT_EQ(same.status, 409);
  EXPECT_EQ(HeaderOf(same, "Location"), client.kid);
}

}  // namespace
}  // namespace agentca::acme::testing
