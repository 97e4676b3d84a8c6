// The AgentIdentity of a certificate for people and for programs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "acme/json.h"
#include "ca/agent_identity.h"

namespace agentca::cli {

// Lines of a key and what it is, in order. Control characters cannot be in them.
std::vector<std::pair<std::string, std::string>> IdentityInWords(const ca::AgentIdentity& identity);

// One object; members that the extension leaves out are left out. The readers in contrib/identity
// give the same.
void WriteIdentity(acme::JsonWriter& json, const ca::AgentIdentity& identity);

}  // namespace agentca::cli
