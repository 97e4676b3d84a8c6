#include "acme/cli/local_url.h"

#include "acme/cli/own_certificates.h"
#include "acme/cli/profiles.h"

namespace agentca::cli {
namespace {

Result<std::string> LocalHost(const Config& config, const std::string& address) {
  AGENTCA_ASSIGN(const ca::Profile issuing, ReadProfile(config.directory, "issuing"));
  if (PermitsIpAddresses(issuing)) {
    if (address == "0.0.0.0") return std::string("127.0.0.1");
    if (address == "::") return std::string("[::1]");
    return address.find(':') == std::string::npos ? address : "[" + address + "]";
  }
  const TlsNames names = TlsNames::Of(config, issuing);
  for (const std::string& name : names.dns_names)
    if (name == "localhost") return name;
  return names.dns_names.empty() ? address : names.dns_names.front();
}

}  // namespace

Result<std::string> LocalUrl(const Config& config, const Endpoint& listen, uint16_t port) {
  AGENTCA_ASSIGN(const std::string host, LocalHost(config, listen.address));
  return "https://" + host + ":" + std::to_string(port);
}

}  // namespace agentca::cli
