// What one serving process does, of all that an authority does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ca/base/result.h"

namespace agentca::cli {

enum class Role : uint8_t {
  kAcme = 1 << 0,   // the ACME server, with validation and settlement
  kOcsp = 1 << 1,   // what relying parties fetch: OCSP, CRLs, CA certificates
  kAdmin = 1 << 2,  // the admin API
};

class Roles {
 public:
  Roles() = default;  // all
  // Names with commas between them, "acme,ocsp"; kMalformed for an unknown one, for one that is
  // there twice, and for none.
  static Result<Roles> Parse(std::string_view text);

  bool Has(Role role) const { return (set_ & static_cast<uint8_t>(role)) != 0; }
  // The node issues certificates and signs CRLs: it holds the keys of both CAs.
  bool Issue() const { return Has(Role::kAcme) || Has(Role::kAdmin); }
  std::vector<std::string> Keys() const;        // names, in the signer's table, of what it needs
  std::vector<std::string_view> Names() const;  // never empty
  std::string ToString() const;                 // what Parse takes
  friend bool operator==(const Roles&, const Roles&) = default;

 private:
  explicit Roles(uint8_t set) : set_(set) {}
  uint8_t set_ = 7;
};

}  // namespace agentca::cli
