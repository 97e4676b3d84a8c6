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
Result<int> RunServe(const Settings& settings);
Result<int> RunSigner(const Settings& settings);
Result<int> RunCertList(const Settings& settings);
Result<int> RunCertShow(const Settings& settings);
Result<int> RunCertRevoke(const Settings& settings);
Result<int> RunStatus(const Settings& settings);
Result<int> RunAuditVerify(const Settings& settings);
Result<int> RunAttest(const Settings& settings);

// Everything after the program's name; returns its exit status.
int Run(std::span<const std::string> arguments);

}  // namespace agentca::cli
