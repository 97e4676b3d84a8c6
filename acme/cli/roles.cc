#include "acme/cli/roles.h"

#include <utility>

#include "acme/cli/hierarchy.h"

namespace agentca::cli {
namespace {

constexpr std::pair<Role, std::string_view> kNames[] = {
    {Role::kAcme, "acme"}, {Role::kOcsp, "ocsp"}, {Role::kAdmin, "admin"}};

// 0: no such role.
uint8_t BitOf(std::string_view name) {
  for (const auto& [role, known] : kNames)
    if (known == name) return static_cast<uint8_t>(role);
  return 0;
}

}  // namespace

Result<Roles> Roles::Parse(std::string_view text) {
  uint8_t set = 0;
  for (bool more = true; more;) {
    const size_t comma = text.find(',');
    more = comma != std::string_view::npos;
    const std::string name(text.substr(0, comma));
    text.remove_prefix(more ? comma + 1 : text.size());
    const uint8_t bit = BitOf(name);
    if (name.empty())
      return Error{Code::kMalformed, "a role is missing; they are acme, ocsp and admin"};
    if (bit == 0)
      return Error{Code::kMalformed, "'" + name + "' is not a role: acme, ocsp or admin"};
    if ((set & bit) != 0) return Error{Code::kMalformed, "'" + name + "' is there twice"};
    set = static_cast<uint8_t>(set | bit);
  }
  return Roles(set);
}

std::vector<std::string> Roles::Keys() const {
  std::vector<std::string> keys;
  if (Issue()) keys = {kRootKey, kIssuingKey};
  if (Has(Role::kOcsp)) keys.emplace_back(kOcspKey);
  return keys;
}

std::vector<std::string_view> Roles::Names() const {
  std::vector<std::string_view> names;
  for (const auto& [role, name] : kNames)
    if (Has(role)) names.push_back(name);
  return names;
}

std::string Roles::ToString() const {
  std::string text;
  for (const std::string_view name : Names()) text.append(text.empty() ? "" : ",").append(name);
  return text;
}

}  // namespace agentca::cli
