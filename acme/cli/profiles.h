// Certificate profiles as files: DIR/profiles/NAME.json → ca::RawProfile → ca::Profile.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "acme/cli/directory.h"
#include "ca/profile.h"

namespace agentca::cli {

// kMalformed names the member that is missing, unknown, of a wrong type or refused by ca::Profile.
Result<ca::Profile> ParseProfile(std::string_view name, std::string_view json);
// The same for DIR/profiles/NAME.json; the error names the file.
Result<ca::Profile> ReadProfile(const Directory& directory, const std::string& name);

// Agents of the profile "annual-hsm" get the certificate profile that is named as that of all
// agents, with this at the end.
inline constexpr std::string_view kAnnualHsmSuffix = "-annual-hsm";

// What `init` writes: "root", "issuing", "ocsp-delegate", "tls-server", "server", "agent",
// "agent-annual-hsm" and "admin".
struct ProfileFile {
  std::string name;
  std::string json;
};
std::vector<ProfileFile> InitialProfiles(std::span<const std::string> name_constraints);

}  // namespace agentca::cli
