// What every acme::Store does: its guards, and the invariants of acme/order_state.h by number.
#pragma once

#include <optional>
#include <set>

#include "acme/order_state.h"
#include "tests/contract/backends.h"
#include "tests/fakes/acme_objects.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::contract {

using acme::AccountStatus;
using acme::AttemptState;
using acme::AuthorizationStatus;
using acme::ChallengeType;
using acme::OrderStatus;

class AcmeStore : public BackendTest {
 protected:
  acme::Store& store() { return backend_->acme(); }
  Time now() const { return make_.now(); }

  acme::Account Register() {
    acme::Account account = make_.NewAccount();
    EXPECT_OK(store().CreateAccount({account}));
    return account;
  }
  acme::OrderView Place(const acme::AccountId& account, const std::string& name = "a.example") {
    return store().CreateOrder(make_.NewOrder(account, name)).value();
  }
  void Validate(const acme::AuthorizationId& id) {
    ASSERT_OK(store().BeginChallenge(id, ChallengeType::kDns01, {}, now()));
    ASSERT_OK(store().FinishChallenge(id, acme::Proof{}, now()));
  }
  acme::OrderView PlaceReady(const acme::AccountId& account,
                             const std::string& name = "a.example") {
    acme::OrderView view = Place(account, name);
    for (const auto& each : view.authorizations) Validate(each.id);
    return store().FindOrder(view.order.id).value();
  }
  acme::OrderView PlaceProcessing(const acme::AccountId& account) {
    acme::OrderView view = PlaceReady(account);
    EXPECT_OK(Begin(view.order.id, now()));
    return view;
  }
  ca::Ticket NewTicket(const acme::OrderId& id) { return NewTicket(id, make_.NewSerial()); }
  ca::Ticket NewTicket(const acme::OrderId& id, const ca::Serial& serial) {
    ca::CertificateRequest request{.key = key_};
    request.dns_names = {"a.example"};
    request.reference = id;
    return issuer_.issuer->Prepare(fakes::ServerProfile(), request, serial, now()).value();
  }
  Status Begin(const acme::OrderId& id, Time at) {
    return store().BeginFinalize(id, NewTicket(id), {}, at);
  }
  Status Complete(const acme::OrderId& id, const ca::Certificate& certificate) {
    return store().CompleteOrder(id, certificate, issuer_.issuer->id(), {});
  }
  // Of this process and dead ones; they are this process's then.
  std::vector<acme::OrderId> ProcessingOrders() {
    return store().ClaimOrders(ca::WorkScope::kOwnAndDead, now(), 10).value();
  }
  std::vector<acme::PendingValidation> ProcessingChallenges() {
    return store().ClaimChallenges(ca::WorkScope::kOwnAndDead, 10).value();
  }
  // Nothing when the serial was never recorded.
  std::optional<ca::SerialState> StateOf(const ca::Serial& serial) {
    const auto status = backend_->certificates().StatusOf(issuer_.issuer->id(), serial);
    if (!status.ok()) return std::nullopt;
    return status->state;
  }
  OrderStatus StatusOfOrder(const acme::OrderId& id, Time at) {
    const acme::OrderView view = store().FindOrder(id).value();
    return acme::StatusOf(view.order, view.authorizations, at);
  }
  OrderStatus StatusOfOrder(const acme::OrderId& id) { return StatusOfOrder(id, now()); }

  fakes::AcmeObjects make_;
  const ca::PublicKey key_ = fakes::NewPublicKey();
  const fakes::TestIssuer issuer_ = fakes::MakeIssuer();
};

inline void ExpectSame(const acme::Account& a, const acme::Account& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.thumbprint, b.thumbprint);
  EXPECT_EQ(a.contacts, b.contacts);
  EXPECT_EQ(a.agreed_terms, b.agreed_terms);
  EXPECT_EQ(a.created_at, b.created_at);
}

inline void ExpectSame(const Error& a, const Error& b) {
  EXPECT_EQ(a.code, b.code);
  EXPECT_EQ(a.detail, b.detail);
  EXPECT_EQ(a.subject, b.subject);
  ASSERT_EQ(a.causes.size(), b.causes.size());
  for (size_t i = 0; i < a.causes.size(); ++i) ExpectSame(a.causes[i], b.causes[i]);
}

inline void ExpectSame(const acme::Authorization& a, const acme::Authorization& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.order_id, b.order_id);
  EXPECT_EQ(a.account_id, b.account_id);
  EXPECT_EQ(a.identifier, b.identifier);
  EXPECT_EQ(a.wildcard, b.wildcard);
  EXPECT_EQ(a.token, b.token);
  EXPECT_EQ(a.offered, b.offered);
  EXPECT_EQ(a.expires_at, b.expires_at);
  EXPECT_EQ(a.deactivated, b.deactivated);
  EXPECT_EQ(a.attempt.has_value(), b.attempt.has_value());
}

// An error as strangers can make it, causes included.
inline Error OddError() {
  return {Code::kCompound,
          "quote \" backslash \\ line\nfeed, \u00fcml\u00e4ut",
          "dns:b.example",
          {{Code::kDns, "no such name", "dns:a.example"},
           {Code::kIncorrectResponse, "", "", {{Code::kTls, "deep", "ip:192.0.2.1"}}}}};
}

// ---- Accounts ----------------------------------------------------------------------------------

TEST_P(AcmeStore, AccountIsFoundAsItWasCreated) {
  const acme::Account account = Register();
  ExpectSame(store().FindAccount(account.id).value(), account);
  ExpectSame(store().FindAccountByThumbprint(account.thumbprint).value(), account);
  EXPECT_FAILS(Code::kNotFound, store().FindAccount("nobody"));
  EXPECT_FAILS(Code::kNotFound, store().FindAccountByThumbprint("nobody"));
}

TEST_P(AcmeStore, CreateAccountWithAKnownKeyReturnsTheFirstUnchanged) {
  const acme::Account first = Register();
  ASSERT_OK(store().DeactivateAccount(first.id));
  acme::Account second = first;
  second.id = make_.NewId();
  second.contacts = {"mailto:other@example.test"};
  const auto again = store().CreateAccount({second});
  ASSERT_OK(again);
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->account.id, first.id);
  EXPECT_EQ(again->account.contacts, first.contacts);
  EXPECT_EQ(again->account.status, AccountStatus::kDeactivated);
  EXPECT_FAILS(Code::kNotFound, store().FindAccount(second.id));
}

TEST_P(AcmeStore, CreateAccountNeverOverwritesAnId) {
  const acme::Account first = Register();
  acme::Account second = make_.NewAccount();
  second.id = first.id;
  EXPECT_FAILS(Code::kConflict, store().CreateAccount({second}));
  ExpectSame(store().FindAccount(first.id).value(), first);
}

TEST_P(AcmeStore, OnlyAValidAccountChanges) {
  const acme::Account account = Register();
  const auto contacts = store().UpdateContacts(account.id, {"mailto:new@example.test"});
  ASSERT_OK(contacts);
  EXPECT_EQ(contacts->contacts, std::vector<std::string>{"mailto:new@example.test"});
  EXPECT_EQ(store().AgreeToTerms(account.id, "https://t2").value().agreed_terms, "https://t2");
  const acme::Account changed = store().FindAccount(account.id).value();
  EXPECT_EQ(changed.contacts, std::vector<std::string>{"mailto:new@example.test"});
  EXPECT_EQ(changed.agreed_terms, "https://t2");

  ASSERT_OK(store().DeactivateAccount(account.id));
  EXPECT_FAILS(Code::kAccountInactive, store().UpdateContacts(account.id, {}));
  EXPECT_FAILS(Code::kAccountInactive, store().AgreeToTerms(account.id, "https://t3"));
  EXPECT_EQ(store().FindAccount(account.id)->agreed_terms, "https://t2");
  EXPECT_FAILS(Code::kNotFound, store().UpdateContacts("nobody", {}));
  EXPECT_FAILS(Code::kNotFound, store().AgreeToTerms("nobody", ""));
}

TEST_P(AcmeStore, DeactivateAccountCancelsWhatIsNotYetFinalizing) {
  const acme::Account account = Register();
  const acme::Account other = Register();
  const auto pending = Place(account.id);
  const auto ready = PlaceReady(account.id);
  const auto processing = PlaceProcessing(account.id);
  const auto bystander = PlaceReady(other.id);
  ASSERT_OK(store().DeactivateAccount(account.id));
  EXPECT_OK(store().DeactivateAccount(account.id));
  EXPECT_TRUE(store().FindOrder(pending.order.id)->order.cancelled);
  EXPECT_EQ(StatusOfOrder(pending.order.id), OrderStatus::kInvalid);
  EXPECT_EQ(StatusOfOrder(ready.order.id), OrderStatus::kInvalid);
  EXPECT_EQ(StatusOfOrder(processing.order.id), OrderStatus::kProcessing);
  EXPECT_EQ(StatusOfOrder(bystander.order.id), OrderStatus::kReady);
  EXPECT_OK(store().FinishOrder(processing.order.id, make_.NewSerial()));
  EXPECT_EQ(StatusOfOrder(processing.order.id), OrderStatus::kValid);
  EXPECT_FAILS(Code::kNotFound, store().DeactivateAccount("nobody"));
}

TEST_P(AcmeStore, ChangeKeyGuardsOldAndNewKey) {
  const acme::Account account = Register();
  const acme::Account other = Register();
  const auto key = fakes::NewPublicKey();
  EXPECT_FAILS(Code::kNotFound, store().ChangeKey("nobody", account.thumbprint, key, "new"));
  EXPECT_FAILS(Code::kUnauthorized, store().ChangeKey(account.id, "stale", key, "new"));
  const auto taken = store().ChangeKey(account.id, account.thumbprint, other.key, other.thumbprint);
  EXPECT_FAILS(Code::kAccountKeyInUse, taken);
  EXPECT_EQ(taken.error().subject, other.id);
  ExpectSame(store().FindAccount(account.id).value(), account);

  ASSERT_OK(store().ChangeKey(account.id, account.thumbprint, key, "new"));
  EXPECT_EQ(store().FindAccountByThumbprint("new")->key, key);
  EXPECT_FAILS(Code::kNotFound, store().FindAccountByThumbprint(account.thumbprint));
  ASSERT_OK(store().DeactivateAccount(account.id));
  EXPECT_FAILS(Code::kAccountInactive,
               store().ChangeKey(account.id, "new", fakes::NewPublicKey(), "newer"));
}

// ---- Orders ------------------------------------------------------------------------------------

TEST_P(AcmeStore, OrderIsFoundAsItWasCreated) {
  const acme::Account account = Register();
  acme::NewOrder request =
      make_.NewOrder(account.id, {{acme::Identifier::Type::kDns, "b.example"},
                                  {acme::Identifier::Type::kDns, "*.a.example"},
                                  {acme::Identifier::Type::kIp, "2001:db8::1"}});
  request.order.not_before = now() + Seconds(5);
  request.order.not_after = now() + Seconds(500);
  ASSERT_OK(store().CreateOrder(request));
  const acme::OrderView view = store().FindOrder(request.order.id).value();
  EXPECT_EQ(view.order.account_id, account.id);
  EXPECT_EQ(view.order.created_at, request.order.created_at);
  EXPECT_EQ(view.order.expires_at, request.order.expires_at);
  EXPECT_EQ(view.order.identifiers, request.order.identifiers);
  EXPECT_EQ(view.order.not_before, request.order.not_before);
  EXPECT_EQ(view.order.not_after, request.order.not_after);
  EXPECT_FALSE(view.order.finalizing || view.order.cancelled || view.order.certificate ||
               view.order.error);
  ASSERT_EQ(view.authorizations.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    ExpectSame(view.authorizations[i], request.authorizations[i]);
    ExpectSame(store().FindAuthorization(request.authorizations[i].id).value(),
               request.authorizations[i]);
  }
  EXPECT_FAILS(Code::kNotFound, store().FindOrder("nothing"));
  EXPECT_FAILS(Code::kNotFound, store().FindAuthorization("nothing"));
}

TEST_P(AcmeStore, CreateOrderNeedsAValidAccount) {
  const acme::Account account = Register();
  ASSERT_OK(store().DeactivateAccount(account.id));
  const acme::NewOrder request = make_.NewOrder(account.id, "a.example");
  EXPECT_FAILS(Code::kAccountInactive, store().CreateOrder(request));
  EXPECT_FAILS(Code::kNotFound, store().FindOrder(request.order.id));
  EXPECT_FAILS(Code::kNotFound, store().FindAuthorization(request.authorizations[0].id));
  EXPECT_FAILS(Code::kNotFound, store().CreateOrder(make_.NewOrder("nobody", "a.example")));
}

TEST_P(AcmeStore, CreateOrderIsAllOrNothing) {
  const acme::Account account = Register();
  const acme::OrderView first = Place(account.id);
  acme::NewOrder clash = make_.NewOrder(account.id, {{acme::Identifier::Type::kDns, "b.example"},
                                                     {acme::Identifier::Type::kDns, "c.example"}});
  clash.authorizations[1].id = first.authorizations[0].id;
  EXPECT_FAILS(Code::kConflict, store().CreateOrder(clash));
  EXPECT_FAILS(Code::kNotFound, store().FindOrder(clash.order.id));
  EXPECT_FAILS(Code::kNotFound, store().FindAuthorization(clash.authorizations[0].id));
  ExpectSame(store().FindAuthorization(first.authorizations[0].id).value(),
             first.authorizations[0]);
}

TEST_P(AcmeStore, ListOrdersPagesNewestFirstAndHidesInvalidOnes) {
  const acme::Account account = Register();
  std::vector<acme::OrderId> expected;
  for (int i = 0; i < 7; ++i) {
    acme::NewOrder request = make_.NewOrder(account.id, "a.example");
    request.order.created_at += Seconds(i);
    ASSERT_OK(store().CreateOrder(request));
    if (i % 3 != 1) {
      expected.insert(expected.begin(), request.order.id);
      continue;
    }
    const acme::AuthorizationId id = request.authorizations[0].id;
    ASSERT_OK(store().BeginChallenge(id, ChallengeType::kHttp01, {}, now()));
    ASSERT_OK(store().FinishChallenge(id, Error{Code::kDns, "no"}, now()));
  }
  (void)Place(Register().id);
  std::vector<acme::OrderId> listed;
  std::string cursor;
  do {
    const auto page = store().ListOrders(account.id, cursor, 2, now());
    ASSERT_OK(page);
    ASSERT_LE(page->orders.size(), 2U);
    listed.insert(listed.end(), page->orders.begin(), page->orders.end());
    cursor = page->next;
  } while (!cursor.empty() && listed.size() < 20);
  EXPECT_EQ(listed, expected);
  const auto exact = store().ListOrders(account.id, "", expected.size(), now());
  EXPECT_EQ(exact->next, "");
  EXPECT_TRUE(store().ListOrders(account.id, "", 10, now() + Seconds(7200))->orders.empty());
  EXPECT_FAILS(Code::kMalformed, store().ListOrders(account.id, "nothing", 10, now()));
}

TEST_P(AcmeStore, Invariant1_BeginFinalizeSucceedsOnceAndOnlyWhenReady) {
  const acme::Account account = Register();
  const acme::OrderView view = Place(account.id);
  EXPECT_FAILS(Code::kOrderNotReady, Begin(view.order.id, now()));
  EXPECT_FALSE(store().FindOrder(view.order.id)->order.finalizing);
  Validate(view.authorizations[0].id);
  EXPECT_FAILS(Code::kOrderNotReady, Begin(view.order.id, now() + Seconds(3600)));
  EXPECT_FAILS(Code::kOrderNotReady, Begin(view.order.id, now() + Seconds(1800)));
  EXPECT_OK(Begin(view.order.id, now()));
  EXPECT_FAILS(Code::kOrderNotReady, Begin(view.order.id, now()));
  EXPECT_FAILS(Code::kNotFound, Begin("nothing", now()));
}

TEST_P(AcmeStore, Invariant1_BeginFinalizeNeedsAValidAccount) {
  const acme::Account account = Register();
  const acme::OrderView view = PlaceReady(account.id);
  ASSERT_OK(store().DeactivateAccount(account.id));
  EXPECT_FAILS(Code::kAccountInactive, Begin(view.order.id, now()));
  EXPECT_FALSE(store().FindOrder(view.order.id)->order.finalizing);
}

TEST_P(AcmeStore, Invariant2_FinishOrderSettlesAProcessingOrderOnce) {
  const acme::Account account = Register();
  const acme::OrderView ready = PlaceReady(account.id);
  EXPECT_FAILS(Code::kConflict, store().FinishOrder(ready.order.id, make_.NewSerial()));
  ASSERT_OK(Begin(ready.order.id, now()));
  const ca::Serial serial = make_.NewSerial();
  ASSERT_OK(store().FinishOrder(ready.order.id, serial));
  EXPECT_FAILS(Code::kConflict, store().FinishOrder(ready.order.id, make_.NewSerial()));
  EXPECT_FAILS(Code::kConflict, store().FinishOrder(ready.order.id, Error{Code::kInternal, ""}));
  EXPECT_EQ(store().FindOrder(ready.order.id)->order.certificate, serial);
  EXPECT_EQ(StatusOfOrder(ready.order.id), OrderStatus::kValid);
  EXPECT_EQ(store().FindOrderByCertificate(serial)->order.id, ready.order.id);
  EXPECT_FAILS(Code::kNotFound, store().FindOrderByCertificate(make_.NewSerial()));
  EXPECT_FAILS(Code::kNotFound, store().FinishOrder("nothing", serial));
}

TEST_P(AcmeStore, Invariant2_FinishOrderWithAnErrorKeepsAllOfIt) {
  const acme::OrderView view = PlaceProcessing(Register().id);
  ASSERT_OK(store().FinishOrder(view.order.id, OddError()));
  EXPECT_FAILS(Code::kConflict, store().FinishOrder(view.order.id, make_.NewSerial()));
  const acme::Order order = store().FindOrder(view.order.id)->order;
  ASSERT_TRUE(order.error);
  ExpectSame(*order.error, OddError());
  EXPECT_FALSE(order.certificate);
}

TEST_P(AcmeStore, ACertificateBelongsToOneOrder) {
  const acme::Account account = Register();
  const acme::OrderView first = PlaceProcessing(account.id);
  const acme::OrderView second = PlaceProcessing(account.id);
  const ca::Serial serial = make_.NewSerial();
  ASSERT_OK(store().FinishOrder(first.order.id, serial));
  EXPECT_FAILS(Code::kConflict, store().FinishOrder(second.order.id, serial));
  EXPECT_EQ(StatusOfOrder(second.order.id), OrderStatus::kProcessing);
}

TEST_P(AcmeStore, Invariant5_AFinalizingOrderDoesNotExpire) {
  const acme::OrderView view = PlaceProcessing(Register().id);
  const Time late = now() + Seconds(10'000'000);
  EXPECT_EQ(StatusOfOrder(view.order.id, late), OrderStatus::kProcessing);
  ASSERT_OK(store().FinishOrder(view.order.id, make_.NewSerial()));
  EXPECT_EQ(StatusOfOrder(view.order.id, late), OrderStatus::kValid);
}

TEST_P(AcmeStore, ClaimOrdersNamesThoseThatAreProcessing) {
  const acme::Account account = Register();
  (void)PlaceReady(account.id);
  const auto settled = PlaceProcessing(account.id);
  ASSERT_OK(store().FinishOrder(settled.order.id, make_.NewSerial()));
  const auto failed = PlaceProcessing(account.id);
  ASSERT_OK(store().FinishOrder(failed.order.id, Error{Code::kInternal, "x"}));
  const auto left = PlaceProcessing(account.id);
  EXPECT_EQ(ProcessingOrders(), std::vector<acme::OrderId>{left.order.id});
  const auto dead = store().ClaimOrders(ca::WorkScope::kDead, now(), 10);
  ASSERT_OK(dead);
  EXPECT_TRUE(dead->empty()) << "this process is not dead";
}

TEST_P(AcmeStore, CheckHealthSaysWell) { EXPECT_OK(store().CheckHealth()); }

}  // namespace agentca::contract
