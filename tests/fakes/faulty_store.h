// Stores that fail on demand, both ways: "failed" and "failed, but persisted".
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "acme/store.h"
#include "ca/certificate_store.h"

namespace agentca::fakes {

enum class FailWhen {
  kBefore,  // nothing is persisted
  kAfter,   // the verb took effect, but its caller is told that it failed
};

// Which call fails. Thread-safe.
class FaultPlan {
 public:
  // The `nth` call from now of `verb`, e.g. "FinishOrder", fails; 1 is the next. Replaces what was
  // planned for that verb before.
  void Fail(const std::string& verb, FailWhen when, int nth = 1,
            Error error = {Code::kUnavailable, "the store is away"}) {
    const std::lock_guard lock(mutex_);
    faults_.insert_or_assign(verb, Fault{when, nth, std::move(error)});
  }
  // Every call fails before, from now on or until nullopt is set.
  void FailAll(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    outage_ = std::move(error);
  }
  // Whatever the verbs, `count` calls in a row fail, the `nth` from now the first of them.
  void FailCalls(int nth, int count, FailWhen when) {
    const std::lock_guard lock(mutex_);
    row_ = Row{when, nth - 1, count};
  }
  // Whether all of those have come; what is left of them does not come any more.
  bool EndFailedCalls() {
    const std::lock_guard lock(mutex_);
    const bool all = row_ && row_->left == 0;
    row_.reset();
    return all;
  }
  // What happens elsewhere just before or after the next call of `verb`.
  void Before(const std::string& verb, std::function<void()> happens) {
    const std::lock_guard lock(mutex_);
    before_.insert_or_assign(verb, std::move(happens));
  }
  void After(const std::string& verb, std::function<void()> happens) {
    const std::lock_guard lock(mutex_);
    after_.insert_or_assign(verb, std::move(happens));
  }
  int CallsOf(const std::string& verb) const {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(verb);
    return found == calls_.end() ? 0 : found->second;
  }

  template <class Call>
  auto Run(const char* verb, const Call& call) -> decltype(call()) {
    const std::optional<Fault> fault = Next(verb);
    if (fault && fault->when == FailWhen::kBefore) return fault->error;
    Happen(before_, verb);
    auto outcome = call();
    Happen(after_, verb);
    if (fault && outcome.ok()) return fault->error;
    return outcome;
  }

 private:
  struct Fault {
    FailWhen when;
    int remaining;
    Error error;
  };
  struct Row {
    FailWhen when;
    int to_come, left;
  };
  std::optional<Fault> Next(const char* verb) {
    const std::lock_guard lock(mutex_);
    ++calls_[verb];
    if (outage_) return Fault{FailWhen::kBefore, 0, *outage_};
    if (row_ && row_->left > 0 && --row_->to_come < 0) {
      --row_->left;
      return Fault{row_->when, 0, {Code::kUnavailable, "the store is away"}};
    }
    const auto found = faults_.find(verb);
    if (found == faults_.end() || --found->second.remaining > 0) return std::nullopt;
    Fault fault = std::move(found->second);
    faults_.erase(found);
    return fault;
  }

  using Events = std::map<std::string, std::function<void()>>;
  void Happen(Events& events, const char* verb) {
    std::function<void()> happens;
    {
      const std::lock_guard lock(mutex_);
      const auto found = events.find(verb);
      if (found == events.end()) return;
      happens = std::move(found->second);
      events.erase(found);
    }
    happens();
  }

  mutable std::mutex mutex_;  // guards everything below
  Events before_, after_;
  std::map<std::string, Fault> faults_;
  std::map<std::string, int> calls_;
  std::optional<Error> outage_;
  std::optional<Row> row_;
};

class FaultyStore final : public acme::Store {
 public:
  FaultyStore(acme::Store& inner, FaultPlan& plan) : inner_(inner), plan_(plan) {}

  Result<acme::AccountCreation> CreateAccount(const acme::NewAccount& request) override {
    return plan_.Run("CreateAccount", [&] { return inner_.CreateAccount(request); });
  }
  Result<acme::Account> FindAccount(const acme::AccountId& id) override {
    return plan_.Run("FindAccount", [&] { return inner_.FindAccount(id); });
  }
  Result<acme::Account> FindAccountByThumbprint(std::string_view thumbprint) override {
    return plan_.Run("FindAccountByThumbprint",
                     [&] { return inner_.FindAccountByThumbprint(thumbprint); });
  }
  Result<acme::Account> UpdateContacts(const acme::AccountId& id,
                                       const std::vector<std::string>& contacts) override {
    return plan_.Run("UpdateContacts", [&] { return inner_.UpdateContacts(id, contacts); });
  }
  Result<acme::Account> AgreeToTerms(const acme::AccountId& id, std::string_view url) override {
    return plan_.Run("AgreeToTerms", [&] { return inner_.AgreeToTerms(id, url); });
  }
  Status DeactivateAccount(const acme::AccountId& id) override {
    return plan_.Run("DeactivateAccount", [&] { return inner_.DeactivateAccount(id); });
  }
  Status ChangeKey(const acme::AccountId& id, std::string_view old_thumbprint,
                   const ca::PublicKey& key, std::string_view new_thumbprint) override {
    return plan_.Run("ChangeKey",
                     [&] { return inner_.ChangeKey(id, old_thumbprint, key, new_thumbprint); });
  }
  Result<acme::OrderView> CreateOrder(const acme::NewOrder& request) override {
    return plan_.Run("CreateOrder", [&] { return inner_.CreateOrder(request); });
  }
  Result<acme::OrderView> FindOrder(const acme::OrderId& id) override {
    return plan_.Run("FindOrder", [&] { return inner_.FindOrder(id); });
  }
  Result<acme::OrderPage> ListOrders(const acme::AccountId& id, std::string_view after,
                                     size_t limit, Time now) override {
    return plan_.Run("ListOrders", [&] { return inner_.ListOrders(id, after, limit, now); });
  }
  Result<acme::OrderView> FindOrderByCertificate(const ca::Serial& serial) override {
    return plan_.Run("FindOrderByCertificate",
                     [&] { return inner_.FindOrderByCertificate(serial); });
  }
  Result<acme::Authorization> FindAuthorization(const acme::AuthorizationId& id) override {
    return plan_.Run("FindAuthorization", [&] { return inner_.FindAuthorization(id); });
  }
  Result<Started> BeginChallenge(const acme::AuthorizationId& id, acme::ChallengeType type,
                                 std::string_view payload, Time now) override {
    return plan_.Run("BeginChallenge",
                     [&] { return inner_.BeginChallenge(id, type, payload, now); });
  }
  Status RecordRetry(const acme::AuthorizationId& id, const Error& error) override {
    return plan_.Run("RecordRetry", [&] { return inner_.RecordRetry(id, error); });
  }
  Status FinishChallenge(const acme::AuthorizationId& id, const Result<acme::Proof>& outcome,
                         Time now) override {
    return plan_.Run("FinishChallenge", [&] { return inner_.FinishChallenge(id, outcome, now); });
  }
  Result<acme::PendingValidation> FindByDropKey(const acme::Identifier& identifier,
                                                const Sha256Digest& nonce) override {
    return plan_.Run("FindByDropKey", [&] { return inner_.FindByDropKey(identifier, nonce); });
  }
  Status RecordDrop(const acme::AuthorizationId& id, const acme::Attestation& attestation,
                    Time now) override {
    return plan_.Run("RecordDrop", [&] { return inner_.RecordDrop(id, attestation, now); });
  }
  Result<std::vector<acme::AttestationRecord>> ListAttestations(
      const acme::AttestationFilter& filter) override {
    return plan_.Run("ListAttestations", [&] { return inner_.ListAttestations(filter); });
  }
  Status RecordGrant(const acme::Grant& grant) override {
    return plan_.Run("RecordGrant", [&] { return inner_.RecordGrant(grant); });
  }
  Result<acme::Grant> FindGrant(std::string_view key_id) override {
    return plan_.Run("FindGrant", [&] { return inner_.FindGrant(key_id); });
  }
  Result<acme::Authorization> DeactivateAuthorization(const acme::AuthorizationId& id,
                                                      Time now) override {
    return plan_.Run("DeactivateAuthorization",
                     [&] { return inner_.DeactivateAuthorization(id, now); });
  }
  Result<std::vector<acme::PendingValidation>> ClaimChallenges(ca::WorkScope scope,
                                                               size_t limit) override {
    return plan_.Run("ClaimChallenges", [&] { return inner_.ClaimChallenges(scope, limit); });
  }
  Result<bool> HoldsAuthorizations(const acme::AccountId& id,
                                   const std::vector<acme::Identifier>& identifiers,
                                   Time now) override {
    return plan_.Run("HoldsAuthorizations",
                     [&] { return inner_.HoldsAuthorizations(id, identifiers, now); });
  }
  Status BeginFinalize(const acme::OrderId& id, const ca::Ticket& ticket,
                       const acme::FinalizeGuard& guard, Time now) override {
    return plan_.Run("BeginFinalize",
                     [&] { return inner_.BeginFinalize(id, ticket, guard, now); });
  }
  Status AskApproval(const acme::OrderId& id, const acme::Approval& approval,
                     const acme::FinalizeGuard& guard, Time now) override {
    return plan_.Run("AskApproval", [&] { return inner_.AskApproval(id, approval, guard, now); });
  }
  Status BeginApproved(const acme::OrderId& id, const ca::Ticket& ticket,
                       const acme::FinalizeGuard& guard, Time now) override {
    return plan_.Run("BeginApproved",
                     [&] { return inner_.BeginApproved(id, ticket, guard, now); });
  }
  Status CompleteOrder(const acme::OrderId& id, const ca::Certificate& certificate,
                       const ca::IssuerId& issuer,
                       const std::optional<ca::AgentId>& agent) override {
    return plan_.Run("CompleteOrder",
                     [&] { return inner_.CompleteOrder(id, certificate, issuer, agent); });
  }
  Status FinishOrder(const acme::OrderId& id, const Result<ca::Serial>& outcome) override {
    return plan_.Run("FinishOrder", [&] { return inner_.FinishOrder(id, outcome); });
  }
  Status DecideApproval(const acme::OrderId& id, acme::Decision decision, const std::string& by,
                        const std::string& reason, Time now) override {
    return plan_.Run("DecideApproval",
                     [&] { return inner_.DecideApproval(id, decision, by, reason, now); });
  }
  Result<std::vector<acme::ApprovalRecord>> ListApprovals(bool all, std::string_view after,
                                                          size_t limit) override {
    return plan_.Run("ListApprovals", [&] { return inner_.ListApprovals(all, after, limit); });
  }
  Result<std::vector<acme::OrderId>> ClaimOrders(ca::WorkScope scope, Time now,
                                                 size_t limit) override {
    return plan_.Run("ClaimOrders", [&] { return inner_.ClaimOrders(scope, now, limit); });
  }
  Status CheckHealth() override {
    return plan_.Run("CheckHealth", [&] { return inner_.CheckHealth(); });
  }

 private:
  acme::Store& inner_;
  FaultPlan& plan_;
};

class FaultyCertificateStore final : public ca::CertificateStore {
 public:
  FaultyCertificateStore(ca::CertificateStore& inner, FaultPlan& plan)
      : inner_(inner), plan_(plan) {}

  Status RecordIntent(const ca::Ticket& ticket, Time now) override {
    return plan_.Run("RecordIntent", [&] { return inner_.RecordIntent(ticket, now); });
  }
  Status RecordCertificate(const ca::Certificate& certificate,
                           const ca::IssuerId& issuer) override {
    return plan_.Run("RecordCertificate",
                     [&] { return inner_.RecordCertificate(certificate, issuer); });
  }
  Status Abandon(const ca::IssuerId& issuer, const ca::Serial& serial, Time at) override {
    return plan_.Run("Abandon", [&] { return inner_.Abandon(issuer, serial, at); });
  }
  Result<ca::KeyHistory> HistoryOf(const Sha256Digest& key) override {
    return plan_.Run("HistoryOf", [&] { return inner_.HistoryOf(key); });
  }
  Result<std::vector<ca::CertificateRecord>> ListIntents(ca::WorkScope scope,
                                                         size_t limit) override {
    return plan_.Run("ListIntents", [&] { return inner_.ListIntents(scope, limit); });
  }
  Result<ca::CertStatus> StatusOf(const ca::IssuerId& issuer, const ca::Serial& serial) override {
    return plan_.Run("StatusOf", [&] { return inner_.StatusOf(issuer, serial); });
  }
  Result<ca::CertificateRecord> Find(const ca::IssuerId& issuer,
                                     const ca::Serial& serial) override {
    return plan_.Run("Find", [&] { return inner_.Find(issuer, serial); });
  }
  Result<ca::CertificateRecord> FindByReference(std::string_view reference) override {
    return plan_.Run("FindByReference", [&] { return inner_.FindByReference(reference); });
  }
  Result<std::vector<ca::CertificateRecord>> List(const ca::CertificateFilter& filter) override {
    return plan_.Run("List", [&] { return inner_.List(filter); });
  }
  Status Revoke(const ca::IssuerId& issuer, const ca::Serial& serial, ca::Reason reason,
                Time at) override {
    return plan_.Run("Revoke", [&] { return inner_.Revoke(issuer, serial, reason, at); });
  }
  Status VisitRevoked(const ca::IssuerId& issuer, Time not_before,
                      const std::function<bool(const ca::RevokedEntry&)>& visit) override {
    return plan_.Run("VisitRevoked",
                     [&] { return inner_.VisitRevoked(issuer, not_before, visit); });
  }
  Result<std::vector<ca::RevocationEvent>> RevocationsSince(int64_t after, size_t limit) override {
    return plan_.Run("RevocationsSince", [&] { return inner_.RevocationsSince(after, limit); });
  }
  Result<int64_t> LastRevocationSequence() override {
    return plan_.Run("LastRevocationSequence", [&] { return inner_.LastRevocationSequence(); });
  }
  Result<uint64_t> NextCrlNumber(const ca::IssuerId& issuer) override {
    return plan_.Run("NextCrlNumber", [&] { return inner_.NextCrlNumber(issuer); });
  }

 private:
  ca::CertificateStore& inner_;
  FaultPlan& plan_;
};

}  // namespace agentca::fakes
