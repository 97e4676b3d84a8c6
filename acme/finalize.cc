#include "acme/finalize.h"

#include <algorithm>
#include <exception>

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

// §11.1: a key that signs as an account must not be a certificate's. A compromised key must not be
// anybody's; the store would refuse it, but only when the order has begun.
Status CheckKey(Context& context, const ca::Csr& csr) {
  AGENTCA_ASSIGN(const ca::KeyHistory history,
                 context.memory.certificates.HistoryOf(csr.key.spki_sha256()));
  if (history == ca::KeyHistory::kCompromised) return BadCsr("the public key was compromised");
  const auto holder = context.memory.store.FindAccountByThumbprint(Thumbprint(csr.key));
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

// A rehearsal: whatever the profile refuses is refused here, not after the order began.
Status Rehearse(const Context& context, const Issuable& issuable, Time now) {
  const auto serial = ca::Serial::Random(1, context.world.random);
  const auto tbs = ca::BuildTbsCertificate(
      *issuable.profile, context.authority.issuance.issuer().info(), issuable.request, serial, now);
  if (tbs.ok()) return {};
  if (tbs.error().code == Code::kBadPublicKey) return BadCsr(tbs.error().detail);
  return tbs.error();
}

// All that can be wrong with the CSR, while the order can still stay ready.
Result<Issuable> CheckCsr(Context& context, const OrderView& view, const Bytes& der, Time now) {
  AGENTCA_ASSIGN(const ca::Csr csr, ca::ParseCsr(der));
  ca::CertificateRequest wanted = MakeRequest(view.order, csr);
  AGENTCA_TRY(CheckNames(csr, wanted));
  AGENTCA_TRY(CheckKey(context, csr));
  Issuable issuable{&context.authority.profile, std::move(wanted), {}};
  if (IsForAgent(context, view)) {
    AGENTCA_ASSIGN(issuable, IssuableForAgent(context, view, csr, der, now));
  }
  AGENTCA_TRY(Rehearse(context, issuable, now));
  return issuable;
}

Status CheckReady(const OrderView& view, Time now) {
  const OrderStatus status = StatusOf(view.order, view.authorizations, now);
  if (status == OrderStatus::kReady) return {};
  return Error{Code::kOrderNotReady, "the order is " + std::string(ToString(status))};
}

// ready → processing. When the store cannot say whether it did, the order is settled later.
Status Begin(Context& context, const OrderId& id, const FinalizeGuard& guard, Time now) {
  if (!context.settlement.Claim(id)) {
    return Error{Code::kOrderNotReady, "the order is being finalized"};
  }
  const Status begun = context.memory.store.BeginFinalize(id, guard, now);
  if (begun.ok()) return {};
  if (begun.error().code == Code::kUnavailable || begun.error().code == Code::kInternal) {
    context.settlement.Conclude(id, InterruptedOrder());
  } else {
    context.settlement.Release(id);
  }
  return begun;
}

Result<ca::Certificate> Issue(Context& context, const Issuable& issuable, Time now) {
  try {  // whatever is raised, the order settles
    return context.authority.issuance.Issue(*issuable.profile, issuable.request, now);
  } catch (const std::exception& e) {
    return Error{Code::kInternal, std::string("issuance threw: ") + e.what()};
  }
}

void IssueAndSettle(Context& context, const Issuable& issuable, const OrderView& view, Time now) {
  const OrderId& id = view.order.id;
  auto certificate = Issue(context, issuable, now);
  if (certificate.ok()) {
    if (issuable.guard.agent) FollowUp(context, view, *certificate, now);
    context.settlement.Finish(id, certificate->serial);
    return;
  }
  const Error error = Disclose(std::move(certificate).error(), context.world.random);
  // The store may have kept a certificate of which we only heard an error.
  context.settlement.Conclude(id, error.code == Code::kUnavailable ? InterruptedOrder() : error);
}

Error ExpiredApproval() {
  return {Code::kUnauthorized, "the order expired before anybody agreed to it"};
}

Error Denied(const Approval& approval) {
  const std::string why = approval.reason.empty() ? "" : ": " + approval.reason;
  return {Code::kUnauthorized, "the approval was denied" + why};
}

// What became of an order that was granted before, in a process that died meanwhile.
Result<bool> WasTried(Context& context, const OrderId& id) {
  const auto record = context.memory.certificates.FindByReference(id);
  if (record.ok()) return true;
  if (record.error().code == Code::kNotFound) return false;
  return record.error();
}

// What BeginFinalize had looked at and time may have changed since, beside the agent.
Status CheckStillOrdered(Context& context, const Order& order, Time now) {
  if (now >= order.expires_at) return ExpiredApproval();
  AGENTCA_ASSIGN(const Account account, context.memory.store.FindAccount(order.account_id));
  if (account.status == AccountStatus::kValid) return {};
  return Error{Code::kUnauthorized, "the account was deactivated"};
}

Status SettleClaimed(Context& context, const OrderView& view, Time now) {
  const OrderId& id = view.order.id;
  const Approval& approval = *view.order.approval;
  if (approval.decision == Decision::kWaiting) {
    if (now >= view.order.expires_at) {
      context.settlement.Finish(id, ExpiredApproval());
      return {};
    }
    return Error{Code::kConflict, "nobody has decided about the order"};
  }
  if (approval.decision == Decision::kDenied) {
    context.settlement.Finish(id, Denied(approval));
    return {};
  }
  AGENTCA_ASSIGN(const bool tried, WasTried(context, id));
  if (tried) {
    context.settlement.Conclude(id, InterruptedOrder());
    return {};
  }
  if (!context.authority.keys.Healthy()) {
    return Error{Code::kUnavailable, "the issuing key cannot be used now"};
  }
  Status holds = CheckStillOrdered(context, view.order, now);
  auto issuable = holds.ok() ? CheckCsr(context, view, approval.csr, now)
                             : Result<Issuable>(std::move(holds).error());
  if (issuable.ok()) {
    IssueAndSettle(context, *issuable, view, now);
    return {};
  }
  if (issuable.error().code == Code::kUnavailable) return std::move(issuable).error();
  context.settlement.Finish(id, Disclose(std::move(issuable).error(), context.world.random));
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
    if (settled.ok()) return {};  // the settlement releases it
  }
  context.settlement.Release(id);
  return settled;
}

Result<http::Response> HandleFinalize(Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const OrderView view, FindOwnOrder(context, request));
  AGENTCA_TRY(CheckReady(view, request.now()));
  AGENTCA_ASSIGN(const Bytes csr, ReadCsr(request));
  AGENTCA_ASSIGN(const Issuable issuable, CheckCsr(context, view, csr, request.now()));
  if (!context.authority.keys.Healthy()) {
    return Error{Code::kUnavailable, "the issuing key cannot be used now"};
  }
  AGENTCA_TRY(Begin(context, view.order.id, issuable.guard, request.now()));
  if (issuable.guard.approval) {
    context.settlement.Release(view.order.id);  // until a human decides
  } else {
    IssueAndSettle(context, issuable, view, request.now());
  }

  AGENTCA_ASSIGN(const OrderView settled, context.memory.store.FindOrder(view.order.id));
  return OrderResponse(context, settled, request.now());
}

}  // namespace agentca::acme
