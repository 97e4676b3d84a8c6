// What options say of agents, rules and sources.
#pragma once

#include <string>
#include <vector>

#include "acme/cli/settings.h"
#include "acme/json.h"
#include "ca/agent.h"

namespace agentca::cli {

// The JSON of --file; kMalformed, kNotFound.
Result<acme::JsonDocument> ReadJsonFile(const Settings& settings);

// Options that were given replace what is there. kMalformed names the option.
Status DescribeAgent(const Settings& settings, ca::Agent& agent);
Status DescribeRule(const Settings& settings, ca::AdmissionRule& rule);
// Reads the files that the options name.
Status DescribeSource(const Settings& settings, ca::EvidenceSource& source);

// "claim=pattern" each; kMalformed.
Result<std::vector<ca::ClaimMatcher>> ParseMatchers(const std::vector<std::string>& texts);
// "claim=pattern, claim=pattern"
std::string InWords(const std::vector<ca::ClaimMatcher>& matchers);
// "access low, decision low, risk high, session"
std::string InWords(const ca::AgentClass& agent_class);
std::string Joined(const std::vector<std::string>& texts);

}  // namespace agentca::cli
