#include "ca/agent_template.h"

#include <algorithm>

namespace agentca::ca {
namespace {

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

bool IsLabelText(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

Error Mismatch(const std::string& claim, const char* why) {
  return {Code::kBadAttestation, "claim mismatch: claim \"" + claim + "\" " + why};
}

}  // namespace

Result<std::vector<TemplatePart>> ParseTemplate(std::string_view text) {
  if (text.empty()) return Malformed("is empty");
  std::vector<TemplatePart> parts;
  while (!text.empty()) {
    const bool is_claim = text.front() == '{';
    if (is_claim) text.remove_prefix(1);
    const size_t end = is_claim ? text.find('}') : std::min(text.find('{'), text.size());
    if (end == std::string_view::npos) return Malformed("has a \"{\" without its \"}\"");
    const std::string_view part = text.substr(0, end);
    if (is_claim && (part.empty() || part.find('{') != std::string_view::npos)) {
      return Malformed("names no claim between \"{\" and \"}\"");
    }
    if (!is_claim && !IsLabelText(part)) {
      return Malformed("may hold lower-case letters, digits, hyphens and {claim}");
    }
    parts.push_back({is_claim, std::string(part)});
    text.remove_prefix(is_claim ? end + 1 : end);
  }
  return parts;
}

Result<std::string> FillTemplate(const std::vector<TemplatePart>& parts, const Claims& claims) {
  std::string filled;
  for (const TemplatePart& part : parts) {
    if (!part.is_claim) {
      filled += part.text;
      continue;
    }
    const auto found = claims.find(part.text);
    if (found == claims.end() || found->second.empty()) {
      return Mismatch(part.text, "is missing, but gives the agent its name");
    }
    if (found->second.size() > 1) {
      return Mismatch(part.text, "has several values, but gives the agent its name");
    }
    if (found->second.front().empty()) {
      return Mismatch(part.text, "is empty, but gives the agent its name");
    }
    filled += found->second.front();
  }
  return filled;
}

}  // namespace agentca::ca
