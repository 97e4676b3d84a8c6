#include "acme/admin/routes.h"

#include <array>

#include "acme/admin/handlers.h"
#include "acme/path_pattern.h"

namespace agentca::acme::admin {
namespace {

using enum Role;

constexpr std::array kRoutes{
    Route{"GET", "/status", kAuditor, HandleStatus},
    Route{"GET", "/agents", kAuditor, HandleAgentList},
    Route{"POST", "/agents", kOperator, HandleAgentAdd},
    Route{"POST", "/agents/revoke", kOperator, HandleManyRevoke},
    Route{"GET", "/agents/*/*", kAuditor, HandleAgent},
    Route{"PUT", "/agents/*/*", kOperator, HandleAgentChange},
    Route{"GET", "/agents/*/*/history", kAuditor, HandleAgentHistory},
    Route{"GET", "/agents/*/*/attestations", kAuditor, HandleAgentAttestations},
    Route{"POST", "/agents/*/*/suspend", kOperator, HandleAgentSuspend},
    Route{"POST", "/agents/*/*/resume", kOperator, HandleAgentResume},
    Route{"POST", "/agents/*/*/retire", kOperator, HandleAgentRetire},
    Route{"POST", "/agents/*/*/revoke", kOperator, HandleAgentRevoke},
    Route{"GET", "/rules", kAuditor, HandleRuleList},
    Route{"PUT", "/rules/*", kAdmin, HandleRulePut},
    Route{"DELETE", "/rules/*", kAdmin, HandleRuleRemove},
    Route{"GET", "/sources", kAuditor, HandleSourceList},
    Route{"PUT", "/sources/*", kAdmin, HandleSourcePut},
    Route{"DELETE", "/sources/*", kAdmin, HandleSourceRemove},
    Route{"GET", "/trust/history", kAuditor, HandleTrustHistory},
    Route{"GET", "/approvals", kAuditor, HandleApprovalList},
    Route{"POST", "/approvals/*/grant", kOperator, HandleApprovalGrant},
    Route{"POST", "/approvals/*/deny", kOperator, HandleApprovalDeny},
    Route{"GET", "/attestations", kAuditor, HandleAttestationList},
    Route{"GET", "/certificates", kAuditor, HandleCertificateList},
    Route{"POST", "/admins", kAdmin, HandleAdminAdd},
};

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

Result<const Route*> FindRoute(std::string_view method, std::string_view path,
                               std::vector<std::string>& ids) {
  Error none{Code::kNotFound, "there is no such resource"};
  if (!path.starts_with(kBasePath)) return none;
  path.remove_prefix(kBasePath.size());
  if (method == "HEAD") method = "GET";
  std::string allowed;
  for (const Route& route : kRoutes) {
    auto matched = MatchPath(route.path, path);
    if (!matched) continue;
    if (route.method == method) {
      ids = *std::move(matched);
      return &route;
    }
    allowed.append(allowed.empty() ? "" : ", ").append(route.method);
  }
  if (allowed.empty()) return none;
  return Error{Code::kMethodNotAllowed, "this resource takes " + allowed, allowed};
}

}  // namespace agentca::acme::admin
