// Orders of classes that need a human: who agreed, and why.
#include "acme/admin/handlers.h"
#include "acme/admin/record_json.h"
#include "acme/admin/strict_json.h"

namespace agentca::acme::admin {
namespace {

Result<ApprovalRecord> FindApproval(Context& context, const OrderId& id) {
  AGENTCA_ASSIGN(const OrderView view, context.parts.memory.store.FindOrder(id));
  if (!view.order.approval) return Error{Code::kNotFound, "the order asks for no approval"};
  return ApprovalRecord{view.order.id, view.order.account_id, *view.order.approval};
}

Result<http::Response> Decide(Context& context, const Call& call, Decision decision) {
  const OrderId& id = call.ids.at(0);
  AGENTCA_ASSIGN(const JsonDocument body, call.Body());
  AGENTCA_TRY(CheckMembers(body.root(), {"reason"}));
  AGENTCA_ASSIGN(const std::string reason, ReadReason(body.root()));
  AGENTCA_ASSIGN(const ApprovalRecord asked, FindApproval(context, id));
  const std::string event = decision == Decision::kGranted ? "approval-grant" : "approval-deny";
  const std::string subject = id + " for " + asked.approval.agent.ToString();
  AGENTCA_TRY(Audited(context, call, event, subject, reason, [&] {
    return context.parts.memory.store.DecideApproval(id, decision, call.caller.ToString(), reason,
                                                     call.now);
  }));
  if (context.parts.hooks.on_decided) context.parts.hooks.on_decided(id);
  AGENTCA_ASSIGN(const ApprovalRecord decided, FindApproval(context, id));
  JsonWriter json;
  WriteApproval(json, decided);
  return JsonResponse(200, std::move(json).Take());
}

}  // namespace

Result<http::Response> HandleApprovalList(Context& context, const Call& call) {
  AGENTCA_ASSIGN(const Query query, Query::Parse(call.request.query, {"all", "after", "limit"}));
  if (query.Has("all") && query.Text("all") != "1")
    return Error{Code::kMalformed, "query parameter all: must be 1, or left out"};
  AGENTCA_ASSIGN(const size_t limit, query.Limit());
  AGENTCA_ASSIGN(const auto records, context.parts.memory.store.ListApprovals(
                                         query.Has("all"), query.Text("after"), limit + 1));
  JsonWriter json;
  json.BeginObject().Key("approvals").BeginArray();
  for (size_t i = 0; i < records.size() && i < limit; ++i) WriteApproval(json, records[i]);
  json.EndArray();
  if (records.size() > limit) json.Member("next", records[limit - 1].order);
  json.EndObject();
  return JsonResponse(200, std::move(json).Take());
}

Result<http::Response> HandleApprovalGrant(Context& context, const Call& call) {
  return Decide(context, call, Decision::kGranted);
}

Result<http::Response> HandleApprovalDeny(Context& context, const Call& call) {
  return Decide(context, call, Decision::kDenied);
}

}  // namespace agentca::acme::admin
