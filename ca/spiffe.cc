#include "ca/spiffe.h"

#include <algorithm>

namespace agentca::ca {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr size_t kMaxSpiffeId = 2048;
constexpr size_t kMaxTrustDomain = 255;

bool IsDigitOrSign(char c) { return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'; }
bool IsDomainCharacter(char c) { return (c >= 'a' && c <= 'z') || IsDigitOrSign(c); }
bool IsPathCharacter(char c) { return IsDomainCharacter(c) || (c >= 'A' && c <= 'Z'); }

template <class Predicate>
bool All(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

}  // namespace

Status CheckSpiffeId(std::string_view uri) {
  const auto refuse = [](const char* why) {
    return Error{Code::kMalformed, std::string("SPIFFE ID ") + why};
  };
  if (uri.size() > kMaxSpiffeId) return refuse("is longer than 2048 octets");
  if (!uri.starts_with(kScheme)) return refuse("does not begin with spiffe://");
  uri.remove_prefix(kScheme.size());
  const std::string_view domain = uri.substr(0, uri.find('/'));
  if (domain.empty() || domain.size() > kMaxTrustDomain || !All(domain, IsDomainCharacter))
    return refuse("has a trust domain that is not one");
  uri.remove_prefix(domain.size());
  if (uri.empty()) return refuse("has no path: it names a trust domain, not a workload");
  while (!uri.empty()) {
    uri.remove_prefix(1);  // the slash
    const std::string_view segment = uri.substr(0, uri.find('/'));
    if (segment.empty()) return refuse("has an empty path segment");
    if (segment == "." || segment == "..") return refuse("has a relative path segment");
    if (!All(segment, IsPathCharacter)) return refuse("has a path with other characters");
    uri.remove_prefix(segment.size());
  }
  return {};
}

}  // namespace agentca::ca
