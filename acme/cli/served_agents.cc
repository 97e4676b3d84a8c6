#include "acme/cli/served_agents.h"

#include "acme/attest/jwks_fetch.h"
#include "acme/cli/policy.h"
#include "acme/cli/profiles.h"
#include "ca/base/log.h"

namespace agentca::cli {
namespace {

// What acme::Agents refers to, and itself.
struct Holder {
  Holder(ca::AgentRegistry& registry, const acme::ValidationNetwork& network, ca::Profile usual,
         ca::Profile annual, const ca::IssuancePolicy& policy, const Config& config)
      : profile(std::move(usual)),
        annual_hsm(std::move(annual)),
        trust(registry, acme::attest::MakeJwksFetch(network)),
        agents{registry,
               trust,
               acme::attest::AllFormats(),
               {config.identity.agents_zone, config.identity.trust_domain},
               policy,
               config.agents.arc,
               profile,
               &annual_hsm} {}
  const ca::Profile profile, annual_hsm;
  acme::attest::TrustBook trust;
  const acme::Agents agents;
};

}  // namespace

Result<std::shared_ptr<const acme::Agents>> OpenAgents(const Config& config,
                                                       ca::AgentRegistry& registry,
                                                       const acme::ValidationNetwork& network) {
  const auto policy = ReadIssuancePolicy(config.directory);
  if (!policy.ok() && policy.error().code == Code::kNotFound) {
    Log(Level::kWarning, "agents are not served", {{"cause", policy.error().detail}});
    return std::shared_ptr<const acme::Agents>();
  }
  if (!policy.ok()) return policy.error();
  const std::string& name = config.agents.profile;
  AGENTCA_ASSIGN(ca::Profile usual, ReadProfile(config.directory, name));
  AGENTCA_ASSIGN(ca::Profile annual,
                 ReadProfile(config.directory, name + std::string(kAnnualHsmSuffix)));
  const auto holder = std::make_shared<const Holder>(registry, network, std::move(usual),
                                                     std::move(annual), *policy, config);
  return std::shared_ptr<const acme::Agents>(holder, &holder->agents);
}

}  // namespace agentca::cli
