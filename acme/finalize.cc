#include "acme/finalize.h"

#include <algorithm>
#include <exception>

#include "acme/identifier.h"
#include "acme/jws.h"
#include "acme/order.h"
#include "acme/order_state.h"
#include "acme/problem.h"
#include "ca/csr.h"

namespace agentca::acme {
namespace {

Error BadCsr(std::string detail) { return {Code::kBadCsr, std::move(detail)}; }

Result<ca::Csr> ReadCsr(const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const JsonDocument payload, request.ParsePayload());
  AGENTCA_ASSIGN(const std::string text, payload.root().String("csr"));
  AGENTCA_ASSIGN(const Bytes der, FromBase64Url(text));
  return ca::ParseCsr(der);
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

// All that can be wrong with the CSR, while the order can still stay ready.
Result<ca::CertificateRequest> CheckCsr(Context& context, const VerifiedRequest& request,
                                        const Order& order) {
  AGENTCA_ASSIGN(const ca::Csr csr, ReadCsr(request));
  ca::CertificateRequest wanted = MakeRequest(order, csr);
  // §7.4: "The CSR MUST indicate the exact same set of requested identifiers as the initial
  // newOrder request."
  if (csr.dns_names != wanted.dns_names || csr.ip_addresses != wanted.ip_addresses) {
    return BadCsr("the CSR does not name exactly the identifiers of the order");
  }
  AGENTCA_TRY(CheckKey(context, csr));
  // A rehearsal: whatever the profile refuses is refused here, not after the order began.
  const auto serial = ca::Serial::Random(1, context.world.random);
  const auto tbs =
      ca::BuildTbsCertificate(context.authority.profile, context.authority.issuance.issuer().info(),
                              wanted, serial, request.now());
  if (tbs.ok()) return wanted;
  if (tbs.error().code == Code::kBadPublicKey) return BadCsr(tbs.error().detail);
  return tbs.error();
}

Status CheckReady(const OrderView& view, Time now) {
  const OrderStatus status = StatusOf(view.order, view.authorizations, now);
  if (status == OrderStatus::kReady) return {};
  return Error{Code::kOrderNotReady, "the order is " + std::string(ToString(status))};
}

// ready → processing. When the store cannot say whether it did, the order is settled later.
Status Begin(Context& context, const OrderId& id, Time now) {
  if (!context.settlement.Claim(id)) {
    return Error{Code::kOrderNotReady, "the order is being finalized"};
  }
  const Status begun = context.memory.store.BeginFinalize(id, {}, now);
  if (begun.ok()) return {};
  if (begun.error().code == Code::kUnavailable || begun.error().code == Code::kInternal) {
    context.settlement.Conclude(id, InterruptedOrder());
  } else {
    context.settlement.Release(id);
  }
  return begun;
}

Result<ca::Certificate> Issue(Context& context, const ca::CertificateRequest& wanted, Time now) {
  try {  // whatever is raised, the order settles
    return context.authority.issuance.Issue(context.authority.profile, wanted, now);
  } catch (const std::exception& e) {
    return Error{Code::kInternal, std::string("issuance threw: ") + e.what()};
  }
}

void IssueAndSettle(Context& context, const ca::CertificateRequest& wanted, const OrderId& id,
                    Time now) {
  auto certificate = Issue(context, wanted, now);
  if (certificate.ok()) {
    context.settlement.Finish(id, certificate->serial);
    return;
  }
  const Error error = Disclose(std::move(certificate).error(), context.world.random);
  // The store may have kept a certificate of which we only heard an error.
  context.settlement.Conclude(id, error.code == Code::kUnavailable ? InterruptedOrder() : error);
}

}  // namespace

Result<http::Response> HandleFinalize(Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const OrderView view, FindOwnOrder(context, request));
  AGENTCA_TRY(CheckReady(view, request.now()));
  AGENTCA_ASSIGN(const ca::CertificateRequest wanted, CheckCsr(context, request, view.order));
  if (!context.authority.keys.Healthy()) {
    return Error{Code::kUnavailable, "the issuing key cannot be used now"};
  }
  AGENTCA_TRY(Begin(context, view.order.id, request.now()));
  IssueAndSettle(context, wanted, view.order.id, request.now());

  AGENTCA_ASSIGN(const OrderView settled, context.memory.store.FindOrder(view.order.id));
  return OrderResponse(context, settled, request.now());
}

}  // namespace agentca::acme
