// What the ACME server must remember, as protocol verbs: each is ONE guarded, durable transaction.
// Implemented in storage/. There is no Update, Save or Delete here on purpose.
#pragma once

#include <string>
#include <vector>

#include "acme/model.h"
#include "acme/verifier.h"
#include "ca/issuer.h"

namespace agentca::acme {

struct NewAccount {
  Account account;  // complete; id made by the caller
};
struct AccountCreation {
  Account account;
  bool created;  // false: the key had an account already, which is `account`, unchanged
};

struct NewOrder {
  Order order;
  std::vector<Authorization> authorizations;  // each with order_id and account_id set
};

struct OrderPage {
  std::vector<OrderId> orders;  // newest first
  std::string next;             // cursor for the next page; "" when this is the last
};

struct PendingValidation {
  Authorization authorization;
  std::string thumbprint;  // of the account key, for the key authorization
};

// Thread-safe. When a verb returns success its effect survives power loss. kUnavailable: the store
// is away and nothing is known of the effect. kNotFound: no such object. kConflict: the guard of
// the transition refused (the caller re-reads and reports what is there).
class Store {
 public:
  virtual ~Store() = default;

  // §7.3. By key: an existing account is returned and not changed.
  virtual Result<AccountCreation> CreateAccount(const NewAccount&) = 0;
  virtual Result<Account> FindAccount(const AccountId&) = 0;
  virtual Result<Account> FindAccountByThumbprint(std::string_view thumbprint) = 0;
  // §7.3.2, §7.3.3; only a valid account changes (kAccountInactive otherwise).
  virtual Result<Account> UpdateContacts(const AccountId&, const std::vector<std::string>&) = 0;
  virtual Result<Account> AgreeToTerms(const AccountId&, std::string_view terms_url) = 0;
  // §7.3.6: the account, and every order of it that is not yet finalizing becomes cancelled. A
  // second call changes nothing and succeeds.
  virtual Status DeactivateAccount(const AccountId&) = 0;
  // §7.3.5. kUnauthorized when the account's key is no longer `old_thumbprint`; kAccountKeyInUse
  // with the other account's id as `subject` when the new key has an account.
  virtual Status ChangeKey(const AccountId&, std::string_view old_thumbprint,
                           const ca::PublicKey& new_key, std::string_view new_thumbprint) = 0;

  // §7.4. kAccountInactive when the account is no longer valid.
  virtual Result<OrderView> CreateOrder(const NewOrder&) = 0;
  virtual Result<OrderView> FindOrder(const OrderId&) = 0;
  // §7.1.2.1: orders whose status at `now` is not invalid. `after`: cursor, "" for the first page.
  virtual Result<OrderPage> ListOrders(const AccountId&, std::string_view after, size_t limit,
                                       Time now) = 0;
  virtual Result<OrderView> FindOrderByCertificate(const ca::Serial&) = 0;

  virtual Result<Authorization> FindAuthorization(const AuthorizationId&) = 0;
  // §7.5.1 pending → processing. `started` false: it had been started before (same type) and the
  // authorization is returned as it is. kConflict: another challenge was started, or the
  // authorization is not pending at `now`.
  struct Started {
    Authorization authorization;
    bool started;
  };
  virtual Result<Started> BeginChallenge(const AuthorizationId&, ChallengeType, Time now) = 0;
  // §8.2: the attempt stays processing and shows `error` until the next try.
  virtual Status RecordRetry(const AuthorizationId&, const Error& error) = 0;
  // processing → valid (Proof) or invalid (Error). kConflict when it is not processing, also when
  // the authorization was deactivated meanwhile.
  virtual Status FinishChallenge(const AuthorizationId&, const Result<Proof>&, Time now) = 0;
  // §7.5.2. Pending or valid → deactivated; repeats succeed; kConflict when invalid or expired.
  virtual Result<Authorization> DeactivateAuthorization(const AuthorizationId&, Time now) = 0;
  // Attempts still processing: what a restart must take up again.
  virtual Result<std::vector<PendingValidation>> ListProcessingChallenges() = 0;
  // §7.6: does the account hold, at `now`, a valid authorization for every one of these? "*.x" needs
  // a wildcard authorization for x.
  virtual Result<bool> HoldsAuthorizations(const AccountId&, const std::vector<Identifier>&,
                                           Time now) = 0;

  // ready → processing, exactly once, together with ca::CertificateStore::RecordIntent and its
  // errors. kOrderNotReady when it is not ready; kAccountInactive.
  virtual Status BeginFinalize(const OrderId&, const ca::Ticket&, Time now) = 0;
  // processing → valid, together with ca::CertificateStore::RecordCertificate and its errors.
  // kConflict also when the order is not processing.
  virtual Status CompleteOrder(const OrderId&, const ca::Certificate&, const ca::IssuerId&) = 0;
  // processing → valid with this certificate, which is recorded, or invalid with this error.
  virtual Status FinishOrder(const OrderId&, const Result<ca::Serial>&) = 0;
  // Orders still processing: what the sweep at start settles.
  virtual Result<std::vector<OrderId>> ListProcessingOrders() = 0;

  // True when a write would succeed now (readyz). Cheap.
  virtual Status CheckHealth() = 0;
};

}  // namespace agentca::acme
