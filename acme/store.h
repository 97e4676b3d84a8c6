// What the ACME server must remember, as protocol verbs: each is ONE guarded, durable transaction.
// Implemented in storage/. There is no Update, Save or Delete here on purpose.
#pragma once

#include <string>
#include <vector>

#include "acme/model.h"
#include "acme/verifier.h"
#include "ca/issuer.h"
#include "ca/leases.h"

namespace agentca::acme {

struct NewAccount {
  Account account;  // complete; id made by the caller. `grant` names the grant that it spends.
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

// What finalize decided by, compared again in the transaction that begins it.
struct FinalizeGuard {
  std::optional<ca::AgentId> agent{};  // of the order's one name in the agents zone
  int64_t agent_version = 0;
  Time verified_after{};  // evidence must be younger
};

struct AttestationFilter {
  std::optional<ca::AgentId> agent{};
  std::string after{};  // cursor: AttestationRecord::authorization of the last row seen, newest first
  size_t limit = 100;
};
struct AttestationRecord {
  AuthorizationId authorization;  // or the key id of a grant
  AccountId account;              // "" for a grant that is not spent
  Attestation attestation;        // without `admit`
};

struct ApprovalRecord {
  OrderId order;
  AccountId account;
  Approval approval;
};

struct PendingValidation {
  Authorization authorization;
  std::string thumbprint;  // of the account key, for the key authorization
};

// Thread-safe. When a verb returns success its effect survives power loss. kUnavailable: the store
// is away and nothing is known of the effect. kNotFound: no such object. kConflict: the guard of
// the transition refused (the caller re-reads and reports what is there).
//
// An attempt or order that is processing is the work of the process that began or claimed it, and
// nobody's where that is said. RecordRetry, FinishChallenge, CompleteOrder and FinishOrder by another
// process are refused (kConflict), and so is BeginApproved (kOrderNotReady): it has lost that work
// to a claim.
class Store {
 public:
  virtual ~Store() = default;

  // §7.3. By key: an existing account is returned and not changed. A new one with a grant spends it:
  // kUnauthorized when there is none of that key id, it is spent or expired at `created_at`, or its
  // agent is not active.
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

  // §7.4. kAccountInactive when the account is no longer valid. Authorizations may come valid, with
  // their attestation, when a grant allows it.
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
  // `payload` is kept with the attempt (agent-attest-01).
  virtual Result<Started> BeginChallenge(const AuthorizationId&, ChallengeType,
                                         std::string_view payload, Time now) = 0;
  // §8.2: the attempt stays processing and shows `error` until the next try.
  virtual Status RecordRetry(const AuthorizationId&, const Error& error) = 0;
  // processing → valid (Proof) or invalid (Error). kConflict when it is not processing, also when
  // the authorization was deactivated meanwhile. With an attestation in the proof, in the same
  // transaction: the attestation is recorded, its agent admitted where it says so; when its
  // evidence_hash or replay_id was used before, by another authorization, the attempt becomes
  // invalid instead (kBadAttestation, "replayed"), and so it does when the agent is no longer
  // active (kUnauthorized). Where evidence was dropped before, a valid attempt rests on that: its
  // agent must be active still, and a proof with other evidence is kBadAttestation.
  virtual Status FinishChallenge(const AuthorizationId&, const Result<Proof>&, Time now) = 0;
  // agent-attest-01. The authorization for this identifier whose drop_key is `nonce`, compared in
  // constant time, with the thumbprint of its account's key today; kNotFound.
  virtual Result<PendingValidation> FindByDropKey(const Identifier&, const Sha256Digest& nonce) = 0;
  // The first valid evidence wins: kConflict when the authorization has an attestation or is not
  // pending at `now`; kBadAttestation "replayed"; kUnauthorized: the agent is not active, or it was
  // to be admitted and was registered otherwise meanwhile. Admits.
  virtual Status RecordDrop(const AuthorizationId&, const Attestation&, Time now) = 0;
  // kMalformed: no such page.
  virtual Result<std::vector<AttestationRecord>> ListAttestations(const AttestationFilter&) = 0;

  // Grants. The attestation is recorded and guarded as by RecordDrop. kConflict: the key id is used.
  virtual Status RecordGrant(const Grant&) = 0;
  // With its mac_key unless spent; kNotFound. Expired ones are found: the caller knows the time.
  virtual Result<Grant> FindGrant(std::string_view key_id) = 0;

  // §7.5.2. Pending or valid → deactivated; repeats succeed; kConflict when invalid or expired.
  virtual Result<Authorization> DeactivateAuthorization(const AuthorizationId&, Time now) = 0;
  // Attempts still processing that somebody left behind: they become this process's, in the
  // transaction that returns them, at most `limit` of them.
  virtual Result<std::vector<PendingValidation>> ClaimChallenges(ca::WorkScope, size_t limit) = 0;
  // §7.6: does the account hold, at `now`, a valid authorization for every one of these? "*.x" needs
  // a wildcard authorization for x.
  virtual Result<bool> HoldsAuthorizations(const AccountId&, const std::vector<Identifier>&,
                                           Time now) = 0;

  // ready → processing, exactly once, together with ca::CertificateStore::RecordIntent and its
  // errors. kOrderNotReady when it is not ready; kAccountInactive; kUnauthorized when the guard's
  // agent is not active, has another version, or its evidence is too old. What is refused leaves
  // the order as it was, and nothing is recorded.
  virtual Status BeginFinalize(const OrderId&, const ca::Ticket&, const FinalizeGuard&,
                               Time now) = 0;
  // ready → processing under the same guard, without an intent: a human is asked first. Nobody's
  // work.
  virtual Status AskApproval(const OrderId&, const Approval&, const FinalizeGuard&, Time now) = 0;
  // The intent of an order that was asked for and granted, exactly once, under the same guard. Makes
  // it this process's work.
  // kOrderNotReady when it is not granted, is settled, or has had an intent, whatever became of
  // that; kUnauthorized also when it expired before `now`.
  virtual Status BeginApproved(const OrderId&, const ca::Ticket&, const FinalizeGuard&,
                               Time now) = 0;
  // processing → valid, together with ca::CertificateStore::RecordCertificate and its errors.
  // kConflict also when the order is not processing; kUnauthorized when its agent, if it has one, is
  // not active: a suspension either is seen here or finds the certificate.
  virtual Status CompleteOrder(const OrderId&, const ca::Certificate&, const ca::IssuerId&,
                               const std::optional<ca::AgentId>& agent) = 0;
  // processing → valid with this certificate, which is recorded, or invalid with this error.
  virtual Status FinishOrder(const OrderId&, const Result<ca::Serial>&) = 0;
  // A human decides, once: kConflict when it is decided or the order is settled, kNotFound when the
  // order asks for nothing, kUnauthorized: to be granted, but the agent is not active.
  // Granted or denied, the order stays processing until FinishOrder.
  virtual Status DecideApproval(const OrderId&, Decision, const std::string& by,
                                const std::string& reason, Time now) = 0;
  // Newest first; only those that wait, unless `all`. `after`: cursor, the last order seen;
  // kMalformed when there is no such page.
  virtual Result<std::vector<ApprovalRecord>> ListApprovals(bool all, std::string_view after,
                                                            size_t limit) = 0;
  // Orders still processing, claimed as by ClaimChallenges. Those that wait for a human are left
  // alone until one has decided or they have expired at `now`.
  virtual Result<std::vector<OrderId>> ClaimOrders(ca::WorkScope, Time now, size_t limit) = 0;

  // True when a write would succeed now (readyz). Cheap.
  virtual Status CheckHealth() = 0;
};

}  // namespace agentca::acme
