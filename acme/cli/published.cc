#include "acme/cli/published.h"

#include "acme/cli/hierarchy.h"
#include "ca/base/file.h"
#include "ca/base/log.h"

namespace agentca::cli {

Result<std::vector<Published>> ReadPublished(const Config& config) {
  AGENTCA_ASSIGN(const Hierarchy hierarchy,
                 Hierarchy::Load(config.directory, config.identity.http_external_url));
  std::vector<Published> lists;
  for (const CaIdentity* issuer : {&hierarchy.root, &hierarchy.issuing}) {
    const auto file = config.directory.Crl(issuer->info.id);
    const auto der = ReadFile(file, kMaxCrlFile);
    if (!der.ok() && der.error().code == Code::kNotFound) continue;
    const auto summary = der.ok() ? ca::ParseCrl(*der, issuer->certificate.key) : der.error();
    if (summary.ok())
      lists.push_back({issuer->info.id, file, *summary});
    else
      Log(Level::kWarning, "a revocation list on disk says nothing",
          {{"file", file.native()}, {"cause", summary.error().detail}});
  }
  return lists;
}

}  // namespace agentca::cli
