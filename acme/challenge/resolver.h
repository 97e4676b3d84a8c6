// DNS through c-ares, bounded in time; no system resolver, no hosts file.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ca/base/bytes.h"

namespace agentca::acme {

class Resolver {  // thread-safe; each call blocks its caller until answer or deadline
 public:
  virtual ~Resolver() = default;
  // A and AAAA, numeric octets, IPv6 first; kDns when there is none (with the cause in words).
  virtual Result<std::vector<Bytes>> Addresses(const std::string& name) const = 0;
  // Every TXT record, its strings joined; CNAMEs followed. kDns.
  virtual Result<std::vector<std::string>> Txt(const std::string& name) const = 0;
};

struct ResolverOptions {
  std::string server;  // "ADDR:PORT"; "": those of /etc/resolv.conf
  std::chrono::milliseconds timeout{5000};
};
Result<std::unique_ptr<Resolver>> MakeCaresResolver(const ResolverOptions& options);

}  // namespace agentca::acme
