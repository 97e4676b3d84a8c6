// One function per subcommand. An error is printed by the caller: kMalformed (wrong usage or
// configuration) becomes exit status 2, every other 1.
#pragma once

#include <span>
#include <string>

#include "acme/cli/settings.h"

namespace agentca::cli {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitExists = 3;  // `init` found something and changed nothing

Result<int> RunInit(const Settings& settings);
Result<int> RunJoin(const Settings& settings);
Result<int> RunServe(const Settings& settings);
Result<int> RunSigner(const Settings& settings);
Result<int> RunCertList(const Settings& settings);
Result<int> RunCertShow(const Settings& settings);
Result<int> RunCertRevoke(const Settings& settings);
Result<int> RunStatus(const Settings& settings);
Result<int> RunAuditVerify(const Settings& settings);
// Clients of the admin API.
Result<int> RunAgentAdd(const Settings& settings);
Result<int> RunAgentList(const Settings& settings);
Result<int> RunAgentShow(const Settings& settings);
Result<int> RunAgentChange(const Settings& settings);
Result<int> RunAgentSuspend(const Settings& settings);
Result<int> RunAgentResume(const Settings& settings);
Result<int> RunAgentRetire(const Settings& settings);
Result<int> RunAgentRevoke(const Settings& settings);
Result<int> RunRuleAdd(const Settings& settings);
Result<int> RunRuleList(const Settings& settings);
Result<int> RunRuleRemove(const Settings& settings);
Result<int> RunEvidenceAdd(const Settings& settings);
Result<int> RunEvidenceList(const Settings& settings);
Result<int> RunEvidenceRemove(const Settings& settings);
Result<int> RunApprovalList(const Settings& settings);
Result<int> RunApprovalGrant(const Settings& settings);
Result<int> RunApprovalDeny(const Settings& settings);
Result<int> RunAdminAdd(const Settings& settings);
Result<int> RunAttest(const Settings& settings);

// Everything after the program's name; returns its exit status.
int Run(std::span<const std::string> arguments);

}  // namespace agentca::cli
