// The templates of admission rules: "team-{kubernetes.io/namespace}".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ca/agent.h"

namespace agentca::ca {

struct TemplatePart {
  bool is_claim;     // `text` is the name of a claim
  std::string text;  // never empty
};

// kMalformed: empty, a brace without its partner, a claim without a name, text that no agent label
// may hold.
Result<std::vector<TemplatePart>> ParseTemplate(std::string_view text);

// Each claim replaced by its one value. kBadAttestation names a claim that is missing, empty or has
// several values.
Result<std::string> FillTemplate(const std::vector<TemplatePart>& parts, const Claims& claims);

}  // namespace agentca::ca
