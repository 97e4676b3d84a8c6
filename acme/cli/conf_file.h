// What `init` and `join` write to agentca.conf.
#pragma once

#include "acme/cli/config.h"
#include "acme/cli/help.h"
#include "acme/cli/settings.h"

namespace agentca::cli {

// What is said on the command line must mean the same when it is read back from agentca.conf.
Status CheckForConf(const Settings& settings);
// Every key of agentca.conf that was said, in its file or on the command line.
ConfValues ConfValuesOf(const Settings& settings);
// As agentca.conf names a file: relative to DIR if it is below.
std::string ForConf(const Directory& directory, const std::filesystem::path& path);

}  // namespace agentca::cli
