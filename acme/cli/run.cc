#include <algorithm>
#include <iostream>

#include "acme/cli/commands.h"
#include "acme/cli/help.h"

namespace agentca::cli {
namespace {

using Function = Result<int> (*)(const Settings&);

// Commands that ask the admin API.
Function ClientOf(Command command) {
  switch (command) {
    case Command::kAgentAdd:
      return &RunAgentAdd;
    case Command::kAgentList:
      return &RunAgentList;
    case Command::kAgentShow:
      return &RunAgentShow;
    case Command::kAgentChange:
      return &RunAgentChange;
    case Command::kAgentSuspend:
      return &RunAgentSuspend;
    case Command::kAgentResume:
      return &RunAgentResume;
    case Command::kAgentRetire:
      return &RunAgentRetire;
    case Command::kAgentRevoke:
      return &RunAgentRevoke;
    case Command::kRuleAdd:
      return &RunRuleAdd;
    case Command::kRuleList:
      return &RunRuleList;
    case Command::kRuleRemove:
      return &RunRuleRemove;
    case Command::kEvidenceAdd:
      return &RunEvidenceAdd;
    case Command::kEvidenceList:
      return &RunEvidenceList;
    case Command::kEvidenceRemove:
      return &RunEvidenceRemove;
    case Command::kApprovalList:
      return &RunApprovalList;
    case Command::kApprovalGrant:
      return &RunApprovalGrant;
    case Command::kApprovalDeny:
      return &RunApprovalDeny;
    default:
      break;
  }
  return &RunAdminAdd;
}

Function FunctionOf(Command command) {
  switch (command) {
    case Command::kInit:
      return &RunInit;
    case Command::kJoin:
      return &RunJoin;
    case Command::kServe:
      return &RunServe;
    case Command::kSigner:
      return &RunSigner;
    case Command::kCertList:
      return &RunCertList;
    case Command::kCertShow:
      return &RunCertShow;
    case Command::kCertRevoke:
      return &RunCertRevoke;
    case Command::kStatus:
      return &RunStatus;
    case Command::kAttest:
      return &RunAttest;
    case Command::kAuditVerify:
      return &RunAuditVerify;
    default:
      break;
  }
  return ClientOf(command);
}

// The command that the first one or two arguments name, and how many they are.
std::pair<const CommandInfo*, size_t> FindCommand(std::span<const std::string> arguments) {
  for (size_t words = std::min<size_t>(2, arguments.size()); words > 0; --words) {
    const std::string text = words == 2 ? arguments[0] + " " + arguments[1] : arguments[0];
    for (const CommandInfo& info : CommandTable())
      if (info.words == text) return {&info, words};
  }
  return {nullptr, 0};
}

int Complain(const Error& error, std::string_view hint) {
  std::cerr << "agentca: " << error.detail << "\n";
  if (error.code == Code::kMalformed && !hint.empty()) std::cerr << "Try: " << hint << "\n";
  return error.code == Code::kMalformed ? kExitUsage : kExitFailure;
}

int Help(std::span<const std::string> arguments) {
  if (arguments.empty()) {
    std::cout << Overview();
    return kExitSuccess;
  }
  const auto [info, words] = FindCommand(arguments);
  if (info == nullptr || words != arguments.size())
    return Complain({Code::kMalformed, "no command '" + arguments.front() + "'"}, "agentca help");
  std::cout << HelpFor(info->command);
  return kExitSuccess;
}

}  // namespace

int Run(std::span<const std::string> arguments) {
  if (arguments.empty()) {
    std::cerr << Overview();
    return kExitUsage;
  }
  if (arguments[0] == "help" || arguments[0] == "--help" || arguments[0] == "-h")
    return Help(arguments.subspan(1));
  if (arguments[0] == "--version") {
    std::cout << "agentca " << AGENTCA_VERSION << "\n";
    return kExitSuccess;
  }
  const auto [info, words] = FindCommand(arguments);
  if (info == nullptr)
    return Complain({Code::kMalformed, "no command '" + arguments.front() + "'"}, "agentca help");
  const auto settings = Settings::Read(info->command, arguments.subspan(words));
  const std::string hint = "agentca help " + std::string(info->words);
  if (!settings.ok()) return Complain(settings.error(), hint);
  if (settings->help()) {
    std::cout << HelpFor(info->command);
    return kExitSuccess;
  }
  const auto exit_status = FunctionOf(info->command)(*settings);
  return exit_status.ok() ? *exit_status : Complain(exit_status.error(), hint);
}

}  // namespace agentca::cli
