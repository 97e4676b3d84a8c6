// The one table of options: it drives the command line, --help and agentca.conf, and a test holds
// man/agentca.1 and man/agentca.conf.5 against it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace agentca::cli {

enum class Command : uint32_t {
  kInit = 1 << 0,
  kServe = 1 << 1,
  kSigner = 1 << 2,
  kCertList = 1 << 3,
  kCertShow = 1 << 4,
  kCertRevoke = 1 << 5,
  kStatus = 1 << 6,
  kAuditVerify = 1 << 7,
  kAttest = 1 << 8,
  kJoin = 1 << 9,
  // Clients of the admin API.
  kAgentAdd = 1 << 10,
  kAgentList = 1 << 11,
  kAgentShow = 1 << 12,
  kAgentChange = 1 << 13,
  kAgentSuspend = 1 << 14,
  kAgentResume = 1 << 15,
  kAgentRetire = 1 << 16,
  kAgentRevoke = 1 << 17,
  kRuleAdd = 1 << 18,
  kRuleList = 1 << 19,
  kRuleRemove = 1 << 20,
  kEvidenceAdd = 1 << 21,
  kEvidenceList = 1 << 22,
  kEvidenceRemove = 1 << 23,
  kApprovalList = 1 << 24,
  kApprovalGrant = 1 << 25,
  kApprovalDeny = 1 << 26,
  kAdminAdd = 1 << 27,
};
using Commands = uint32_t;  // a set of Command
constexpr Commands operator|(Command a, Command b) {
  return static_cast<Commands>(static_cast<Commands>(a) | static_cast<Commands>(b));
}
constexpr Commands operator|(Commands a, Command b) {
  return static_cast<Commands>(a | static_cast<Commands>(b));
}
constexpr Commands operator|(Command a, Commands b) { return b | a; }
constexpr bool Has(Commands set, Command command) {
  return (set & static_cast<Commands>(command)) != 0;
}

// Where a command finds what is not on its command line.
enum class Reads : uint8_t {
  kDirectory,  // --dir is required, nothing is read
  kConf,       // --dir is required, DIR/agentca.conf must exist and is read
  kAdminApi,   // the server answers; --dir says where it is and who asks, unless options do
  kOwnFile,    // no --dir; the file of --config, if one is given, with the command's options as keys
};

// How a command is called and what it is for, in one row.
struct CommandInfo {
  Command command;
  std::string_view words;       // "cert show"
  std::string_view positional;  // "SERIAL"; "" when it takes none; "WORD ..." for any number
  std::string_view summary;
  Reads reads;
};
std::span<const CommandInfo> CommandTable();
const CommandInfo& InfoOf(Command command);

enum class Arity : uint8_t { kFlag, kOne, kMany };

// Headings of agentca.conf and of --help, in order.
enum class Group : uint8_t {
  kGeneral,
  kIdentity,
  kKeys,
  kStorage,
  kServing,
  kIssuance,
  kValidation,
  kPublication,
  kEvidence,
  kLimits,
  kAgents,
  kClient
};
std::string_view Heading(Group group);

struct Option {
  std::string_view name;           // without dashes; the key in agentca.conf
  std::string_view argument;       // "ADDR:PORT"; "" for flags
  std::string_view default_value;  // "" when there is none
  Arity arity;
  Group group;
  Commands commands;  // on whose command line it may stand
  bool is_conf_key;
  std::string_view help;
};
std::span<const Option> OptionTable();
const Option* FindOption(std::string_view name);  // null when there is no such option

}  // namespace agentca::cli
