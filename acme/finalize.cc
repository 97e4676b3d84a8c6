#include "acme/finalize.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>

#include "acme/agent_finalize.h"
#include "acme/identifier.h"
#include "acme/jws.h"
#include "acme/order.h"
#include "acme/order_state.h"
#include "acme/problem.h"
#include "ca/csr.h"

namespace agentca::acme {
namespace {

Error BadCsr(std::string detail) { return {Code::kBadCsr, std::move(detail)}; }

Result<Bytes> ReadCsr(const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const JsonDocument payload, request.ParsePayload());
  AGENTCA_ASSIGN(const std::string text, payload.root().String("csr"));
  return FromBase64Url(text);
}

// What the certificate shall say: names of the order, key of the CSR.
ca::CertificateRequest MakeRequest(const Order& order, const ca::Csr& csr) {
  ca::CertificateRequest request{
      csr.key, {}, {}, {}, {}, order.not_before, order.not_after, {}, order.id, order.account_id};
  for (const Identifier& identifier : order.identifiers) {
    if (identifier.type == Identifier::Type::kDns) {
      request.dns_names.push_back(identifier.value);
    } else {
      request.ip_addresses.push_back(AddressOctets(identifier.value));
    }
  }
  std::sort(request.dns_names.begin(), request.dns_names.end());
  std::sort(request.ip_addresses.begin(), request.ip_addresses.end());
  return request;
}

// §11.1: a key that signs as an account must not be a certificate's.
Status CheckKey(Context& context, const ca::PublicKey& key) {
  const auto holder = context.memory.store.FindAccountByThumbprint(Thumbprint(key));
  if (holder.ok()) return BadCsr("the CSR's key is the key of an account");
  if (holder.error().code != Code::kNotFound) return holder.error();
  return {};
}

Status CheckNames(const ca::Csr& csr, const ca::CertificateRequest& wanted) {
  // §7.4: "The CSR MUST indicate the exact same set of requested identifiers as the initial
  // newOrder request."
  if (csr.dns_names == wanted.dns_names && csr.ip_addresses == wanted.ip_addresses) return {};
  return BadCsr("the CSR does not name exactly the identifiers of the order");
}

// What of the CSR can be wrong by itself, and what stands against the agent of the order. What
// profile and store refuse comes with the issuance.
Result<Issuable> CheckCsr(Context& context, const OrderView& view, const Bytes& der, Time now) {
  AGENTCA_ASSIGN(const ca::Csr csr, ca::ParseCsr(der));
  ca::CertificateRequest wanted = MakeRequest(view.order, csr);
  AGENTCA_TRY(CheckNames(csr, wanted));
  AGENTCA_TRY(CheckKey(context, csr.key));
  if (IsForAgent(context, view)) return IssuableForAgent(context, view, csr, der, now);
  return Issuable{&context.authority.profile, std::move(wanted), {}, {}};
}

Status CheckReady(const OrderView& view, Time now) {
  const OrderStatus status = StatusOf(view.order, view.authorizations, now);
  if (status == OrderStatus::kReady) return {};
  return Error{Code::kOrderNotReady, "the order is " + std::string(ToString(status))};
}

bool IsUnknown(Code code) { return code == Code::kUnavailable || code == Code::kInternal; }

// The marks of the issuance move the order along in the same transactions: ready → processing with
// the intent (an order that was approved is processing already), processing → valid with the
// certificate.
class OrderJournal final : public ca::Journal {
 public:
  enum class Progress { kNone, kUnknown, kBegun };  // unknown: the store cannot say
  OrderJournal(Store& store, const Order& order, const FinalizeGuard& guard)
      : store_(store), order_(order), guard_(guard) {}

  Status RecordIntent(const ca::Ticket& ticket, Time now) override {
    progress_ = Progress::kUnknown;  // also when it throws
    serial_ = ticket.serial();
    Status begun = order_.approval ? store_.BeginApproved(order_.id, ticket, guard_, now)
                                   : store_.BeginFinalize(order_.id, ticket, guard_, now);
    if (begun.ok()) {
      progress_ = Progress::kBegun;
    } else if (!IsUnknown(begun.error().code)) {
      progress_ = Progress::kNone;
    }
    return begun;
  }
  Status RecordCertificate(const ca::Certificate& certificate,
                           const ca::IssuerId& issuer) override {
    return store_.CompleteOrder(order_.id, certificate, issuer, guard_.agent);
  }
  Progress progress() const { return progress_; }
  const std::optional<ca::Serial>& serial() const { return serial_; }  // of the last intent

 private:
  Store& store_;
  const Order& order_;
  const FinalizeGuard& guard_;
  Progress progress_ = Progress::kNone;
  std::optional<ca::Serial> serial_;
};
using Progress = OrderJournal::Progress;

struct Outcome {
  Result<ca::Certificate> certificate;
  Progress progress;
  std::optional<ca::Serial> serial;
};
Outcome Issue(Context& context, const Issuable& issuable, const OrderView& view, Time now) {
  OrderJournal journal(context.memory.store, view.order, issuable.guard);
  const auto issue = [&]() -> Result<ca::Certificate> {
    try {  // whatever is raised, the order settles
      return context.authority.issuance.Issue(*issuable.profile, issuable.request, now, journal);
    } catch (const std::exception& e) {
      return Error{Code::kInternal, std::string("issuance threw: ") + e.what()};
    }
  };
  auto certificate = issue();
  if (certificate.ok() && issuable.guard.agent) FollowUp(context, view, *certificate, now);
  return {std::move(certificate), journal.progress(), journal.serial()};
}

// The store may have been away for the intent's end as well. As long as this process lives nobody
// else settles it; and a commit of which nothing was heard may be on its way until its connection is
// given up.
void InsistOnTheEnd(Context& context, const Outcome& outcome, Time now) {
  if (!outcome.serial || outcome.progress == Progress::kNone) return;
  constexpr std::chrono::seconds kOnItsWay{60};
  const auto until = std::chrono::steady_clock::now() + kOnItsWay;
  context.settlement.Insist(
      "abandoning " + outcome.serial->ToString(),
      [&store = context.memory.certificates, issuer = context.authority.issuance.issuer().id(),
       serial = *outcome.serial, progress = outcome.progress, now, until]() -> Status {
        const Status abandoned = store.Abandon(issuer, serial, now);
        if (abandoned.ok() || IsUnknown(abandoned.error().code)) return abandoned;
        const bool may_come = abandoned.error().code == Code::kNotFound &&
                              progress == Progress::kUnknown &&
                              std::chrono::steady_clock::now() < until;
        if (may_come) return Error{Code::kUnavailable, "the intent may be on its way"};
        return {};  // settled, or never there
      });
}

// Of an order that began, or may have. The store may have kept a certificate of which we only heard
// an error.
Error Conclude(Context& context, const OrderId& id, Error cause) {
  const Error error = Disclose(std::move(cause), context.world.random);
  context.settlement.Conclude(id, error.code == Code::kUnavailable ? InterruptedOrder() : error);
  return error;
}

// For a claimed order that is ready: the order as it is afterwards, or why it was left ready. The
// key of a CSR that the profile does not allow, or that was compromised, is the CSR's fault.
Result<OrderView> IssueAndSettle(Context& context, const Issuable& issuable, OrderView view,
                                 Time now) {
  const OrderId id = view.order.id;
  Outcome outcome = Issue(context, issuable, view, now);
  if (outcome.certificate.ok()) {
    context.settlement.Release(id);
    view.order.finalizing = true;
    view.order.certificate = std::move(outcome.certificate->serial);
    return view;
  }
  Error error = std::move(outcome.certificate).error();
  if (outcome.progress == Progress::kNone) {
    context.settlement.Release(id);
    return error.code == Code::kBadPublicKey ? BadCsr(error.detail) : error;
  }
  error = Conclude(context, id, std::move(error));
  InsistOnTheEnd(context, outcome, now);
  if (outcome.progress == Progress::kUnknown) return error;
  return context.memory.store.FindOrder(id);
}

// Nobody is asked about what would be refused in the end.
Status Rehearse(const Context& context, const Issuable& issuable, Time now) {
  AGENTCA_ASSIGN(const ca::KeyHistory history,
                 context.memory.certificates.HistoryOf(issuable.request.key.spki_sha256()));
  if (history == ca::KeyHistory::kCompromised) return BadCsr("the public key was compromised");
  const auto serial = ca::Serial::Random(1, context.world.random);
  const auto tbs = ca::BuildTbsCertificate(
      *issuable.profile, context.authority.issuance.issuer().info(), issuable.request, serial, now);
  if (tbs.ok()) return {};
  if (tbs.error().code == Code::kBadPublicKey) return BadCsr(tbs.error().detail);
  return tbs.error();
}

// For a claimed order that is ready: it waits for a human then, and nothing is prepared. Should the
// store not say whether it does, the order is ready or waits, and either is as well.
Result<OrderView> Ask(Context& context, const Issuable& issuable, const OrderId& id, Time now) {
  Status asked = Rehearse(context, issuable, now);
  if (asked.ok()) {
    asked = context.memory.store.AskApproval(id, *issuable.approval, issuable.guard, now);
  }
  context.settlement.Release(id);
  AGENTCA_TRY(std::move(asked));
  return context.memory.store.FindOrder(id);
}

Error ExpiredApproval() {
  return {Code::kUnauthorized, "the order expired before anybody agreed to it"};
}

Error Denied(const Approval& approval) {
  const std::string why = approval.reason.empty() ? "" : ": " + approval.reason;
  return {Code::kUnauthorized, "the approval was denied" + why};
}

// Did the order take its intent before, in this process or one that died meanwhile?
Result<bool> WasTried(Context& context, const OrderId& id) {
  const auto record = context.memory.certificates.FindByReference(id);
  if (record.ok()) return true;
  if (record.error().code == Code::kNotFound) return false;
  return record.error();
}

// For a claimed order that was granted. An error: try again, it is still claimed; otherwise it is
// concluded, or being so.
Status IssueApproved(Context& context, const OrderView& view, Time now) {
  const OrderId& id = view.order.id;
  AGENTCA_ASSIGN(const bool tried, WasTried(context, id));
  if (tried) {
    context.settlement.Conclude(id, InterruptedOrder());
    return {};
  }
  if (!context.authority.keys.Healthy()) {
    return Error{Code::kUnavailable, "the issuing key cannot be used now"};
  }
  const auto issuable = CheckCsr(context, view, view.order.approval->csr, now);
  if (!issuable.ok()) {
    if (issuable.error().code == Code::kUnavailable) return issuable.error();
    Conclude(context, id, issuable.error());
    return {};
  }
  Outcome outcome = Issue(context, *issuable, view, now);
  if (outcome.certificate.ok()) {
    context.settlement.Release(id);
    return {};
  }
  Error error = std::move(outcome.certificate).error();
  InsistOnTheEnd(context, outcome, now);
  // Whether it has its intent shows when the store is back.
  const bool unseen = outcome.progress == Progress::kUnknown;
  if (unseen && error.code == Code::kUnavailable) return error;
  if (error.code == Code::kOrderNotReady) {  // it began elsewhere
    context.settlement.Conclude(id, InterruptedOrder());
  } else {
    Conclude(context, id, std::move(error));
  }
  return {};
}

// As IssueApproved, whatever was decided. kConflict: nothing was.
Status SettleClaimed(Context& context, const OrderView& view, Time now) {
  const Approval& approval = *view.order.approval;
  if (approval.decision == Decision::kGranted) return IssueApproved(context, view, now);
  if (approval.decision == Decision::kDenied) {
    context.settlement.Conclude(view.order.id, Denied(approval));
  } else if (now >= view.order.expires_at) {
    context.settlement.Conclude(view.order.id, ExpiredApproval());
  } else {
    return Error{Code::kConflict, "nobody has decided about the order"};
  }
  return {};
}

}  // namespace

Status CheckDecided(Context& context, const OrderId& id) {
  AGENTCA_ASSIGN(const OrderView view, context.memory.store.FindOrder(id));
  const auto& approval = view.order.approval;
  if (!approval) return Error{Code::kNotFound, "the order asks for nobody's approval"};
  if (approval->decision == Decision::kWaiting) {
    return Error{Code::kConflict, "nobody has decided about the order"};
  }
  if (StatusOf(view.order, view.authorizations, Time{}) == OrderStatus::kProcessing) return {};
  return Error{Code::kConflict, "the order is settled"};
}

Status SettleDecided(Context& context, const OrderId& id, Time now) {
  if (!context.settlement.Claim(id)) return {};  // somebody is at it
  const auto view = context.memory.store.FindOrder(id);
  Status settled;
  if (!view.ok()) {
    settled = view.error();
  } else if (StatusOf(view->order, view->authorizations, Time{}) == OrderStatus::kProcessing) {
    settled = SettleClaimed(context, *view, now);
    if (settled.ok()) return {};  // and released, or the settlement does it
  }
  context.settlement.Release(id);
  return settled;
}

Result<http::Response> HandleFinalize(Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(OrderView view, FindOwnOrder(context, request));
  AGENTCA_TRY(CheckReady(view, request.now()));
  AGENTCA_ASSIGN(const Bytes csr, ReadCsr(request));
  AGENTCA_ASSIGN(const Issuable issuable, CheckCsr(context, view, csr, request.now()));
  if (!context.authority.keys.Healthy()) {
    return Error{Code::kUnavailable, "the issuing key cannot be used now"};
  }
  if (!context.settlement.Claim(view.order.id)) {
    return Error{Code::kOrderNotReady, "the order is being finalized"};
  }
  const OrderId id = view.order.id;
  AGENTCA_ASSIGN(const OrderView settled,
                 issuable.approval
                     ? Ask(context, issuable, id, request.now())
                     : IssueAndSettle(context, issuable, std::move(view), request.now()));
  return OrderResponse(context, settled, request.now());
}

}  // namespace agentca::acme
