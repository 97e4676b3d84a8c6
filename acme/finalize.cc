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

// §11.1: a key that signs as an account must not be a certificate's.
Status CheckKey(Context& context, const ca::PublicKey& key) {
  const auto holder = context.memory.store.FindAccountByThumbprint(Thumbprint(key));
  if (holder.ok()) return BadCsr("the CSR's key is the key of an account");
  if (holder.error().code != Code::kNotFound) return holder.error();
  return {};
}

// What of the CSR can be wrong by itself. What profile and store refuse comes with the issuance.
Result<ca::CertificateRequest> CheckCsr(Context& context, const VerifiedRequest& request,
                                        const Order& order) {
  AGENTCA_ASSIGN(const ca::Csr csr, ReadCsr(request));
  ca::CertificateRequest wanted = MakeRequest(order, csr);
  // §7.4: "The CSR MUST indicate the exact same set of requested identifiers as the initial
  // newOrder request."
  if (csr.dns_names != wanted.dns_names || csr.ip_addresses != wanted.ip_addresses) {
    return BadCsr("the CSR does not name exactly the identifiers of the order");
  }
  AGENTCA_TRY(CheckKey(context, csr.key));
  return wanted;
}

Status CheckReady(const OrderView& view, Time now) {
  const OrderStatus status = StatusOf(view.order, view.authorizations, now);
  if (status == OrderStatus::kReady) return {};
  return Error{Code::kOrderNotReady, "the order is " + std::string(ToString(status))};
}

// The marks of the issuance move the order along in the same transactions:
// ready → processing with the intent, processing → valid with the certificate.
class OrderJournal final : public ca::Journal {
 public:
  enum class Progress { kNone, kUnknown, kBegun };  // unknown: the store cannot say
  OrderJournal(Store& store, const OrderId& id) : store_(store), id_(id) {}

  Status RecordIntent(const ca::Ticket& ticket, Time now) override {
    progress_ = Progress::kUnknown;  // also when it throws
    Status begun = store_.BeginFinalize(id_, ticket, now);
    if (begun.ok()) {
      progress_ = Progress::kBegun;
    } else if (const Code code = begun.error().code;
               code != Code::kUnavailable && code != Code::kInternal) {
      progress_ = Progress::kNone;
    }
    return begun;
  }
  Status RecordCertificate(const ca::Certificate& certificate,
                           const ca::IssuerId& issuer) override {
    return store_.CompleteOrder(id_, certificate, issuer);
  }
  Progress progress() const { return progress_; }

 private:
  Store& store_;
  const OrderId& id_;
  Progress progress_ = Progress::kNone;
};
using Progress = OrderJournal::Progress;

Result<ca::Certificate> Issue(Context& context, const ca::CertificateRequest& wanted, Time now,
                              ca::Journal& journal) {
  try {  // whatever is raised, the order settles
    return context.authority.issuance.Issue(context.authority.profile, wanted, now, journal);
  } catch (const std::exception& e) {
    return Error{Code::kInternal, std::string("issuance threw: ") + e.what()};
  }
}

// The order as it is afterwards, or why it was left ready. The key of a CSR that the profile does
// not allow, or that was compromised, is the CSR's fault.
Result<OrderView> IssueAndSettle(Context& context, const ca::CertificateRequest& wanted,
                                 OrderView view, Time now) {
  const OrderId& id = view.order.id;
  if (!context.settlement.Claim(id)) {
    return Error{Code::kOrderNotReady, "the order is being finalized"};
  }
  OrderJournal journal(context.memory.store, id);
  auto certificate = Issue(context, wanted, now, journal);
  if (certificate.ok()) {
    context.settlement.Release(id);
    view.order.finalizing = true;
    view.order.certificate = std::move(certificate->serial);
    return view;
  }
  if (journal.progress() == Progress::kNone) {
    context.settlement.Release(id);
    const Error& refused = certificate.error();
    return refused.code == Code::kBadPublicKey ? BadCsr(refused.detail) : refused;
  }
  const Error error = Disclose(std::move(certificate).error(), context.world.random);
  // The store may have kept a certificate of which we only heard an error.
  context.settlement.Conclude(id, error.code == Code::kUnavailable ? InterruptedOrder() : error);
  if (journal.progress() == Progress::kUnknown) return error;
  return context.memory.store.FindOrder(id);
}

}  // namespace

Result<http::Response> HandleFinalize(Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(OrderView view, FindOwnOrder(context, request));
  AGENTCA_TRY(CheckReady(view, request.now()));
  AGENTCA_ASSIGN(const ca::CertificateRequest wanted, CheckCsr(context, request, view.order));
  if (!context.authority.keys.Healthy()) {
    return Error{Code::kUnavailable, "the issuing key cannot be used now"};
  }
  AGENTCA_ASSIGN(const OrderView settled,
                 IssueAndSettle(context, wanted, std::move(view), request.now()));
  return OrderResponse(context, settled, request.now());
}

}  // namespace agentca::acme
