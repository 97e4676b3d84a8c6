// CSRs from strangers: no input may crash, and whatever is accepted keeps the promises of Csr.
#include "ca/csr.h"

#include <openssl/err.h>

#include <algorithm>
#include <cstdlib>

#include "ca/dns_name.h"

namespace {

void Require(bool kept) {
  if (!kept) std::abort();
}

template <class T>
bool IsSortedUnique(const std::vector<T>& list) {
  return std::is_sorted(list.begin(), list.end()) &&
         std::adjacent_find(list.begin(), list.end()) == list.end();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto csr = agentca::ca::ParseCsr({data, size});
  Require(ERR_peek_error() == 0);
  if (!csr) {
    Require(csr.error().code == agentca::Code::kBadCsr && !csr.error().detail.empty());
    return 0;
  }
  Require(size <= agentca::ca::kMaxCsrSize);
  Require(IsSortedUnique(csr->dns_names) && IsSortedUnique(csr->ip_addresses));
  for (const std::string& name : csr->dns_names)
    Require(agentca::ca::CheckDnsName(name, true).ok());
  for (const agentca::Bytes& address : csr->ip_addresses)
    Require(address.size() == 4 || address.size() == 16);
  return 0;
}
