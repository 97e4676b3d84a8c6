// The handlers of the admin API, by file. Each is called only after the caller's role was checked.
#pragma once

#include "acme/admin/context.h"

namespace agentca::acme::admin {

// agents.cc
Result<http::Response> HandleAgentList(Context& context, const Call& call);
Result<http::Response> HandleAgentAdd(Context& context, const Call& call);
Result<http::Response> HandleAgent(Context& context, const Call& call);
Result<http::Response> HandleAgentChange(Context& context, const Call& call);
Result<http::Response> HandleAgentHistory(Context& context, const Call& call);

// endings.cc
Result<http::Response> HandleAgentSuspend(Context& context, const Call& call);
Result<http::Response> HandleAgentResume(Context& context, const Call& call);
Result<http::Response> HandleAgentRetire(Context& context, const Call& call);
Result<http::Response> HandleAgentRevoke(Context& context, const Call& call);
Result<http::Response> HandleManyRevoke(Context& context, const Call& call);

// trust.cc
Result<http::Response> HandleRuleList(Context& context, const Call& call);
Result<http::Response> HandleRulePut(Context& context, const Call& call);
Result<http::Response> HandleRuleRemove(Context& context, const Call& call);
Result<http::Response> HandleSourceList(Context& context, const Call& call);
Result<http::Response> HandleSourcePut(Context& context, const Call& call);
Result<http::Response> HandleSourceRemove(Context& context, const Call& call);
Result<http::Response> HandleTrustHistory(Context& context, const Call& call);

// approvals.cc
Result<http::Response> HandleApprovalList(Context& context, const Call& call);
Result<http::Response> HandleApprovalGrant(Context& context, const Call& call);
Result<http::Response> HandleApprovalDeny(Context& context, const Call& call);

// records.cc
Result<http::Response> HandleStatus(Context& context, const Call& call);
Result<http::Response> HandleAgentAttestations(Context& context, const Call& call);
Result<http::Response> HandleAttestationList(Context& context, const Call& call);
Result<http::Response> HandleCertificateList(Context& context, const Call& call);

// admins.cc
Result<http::Response> HandleAdminAdd(Context& context, const Call& call);

}  // namespace agentca::acme::admin
