// How a further node of an authority comes into being: from the directory of another node.
#pragma once

#include <filesystem>

#include "acme/cli/config.h"
#include "acme/cli/help.h"
#include "acme/cli/settings.h"
#include "storage/open.h"

namespace agentca::cli {

// The settings of a node as agentca.conf of `directory` has them.
struct NodeSettings {
  static Result<NodeSettings> Read(const std::filesystem::path& directory);
  Settings settings;
  Config config;
};

// agentca.conf of a node that `joining` (of Command::kJoin) makes from `origin`: its settings, but
// for what each node has of its own: addresses, roles and the signer. Files that stay where they
// are, such as the PIN's, are named by their whole path.
Result<ConfValues> JoinedConf(const Settings& joining, const NodeSettings& origin);

// Fills the new directory `root`: certificates of the CA, profiles, policy and agentca.conf.
Result<NodeSettings> CopyNode(const NodeSettings& origin, const ConfValues& conf,
                              const std::filesystem::path& root);

// What no node has from another: a TLS identity, if the roles need one, issued with the keys of the
// node's own signer and recorded in `backend`, which was opened as this node. kConflict: `backend`
// is not that of the authority.
Status EquipNode(const Config& node, storage::Backend& backend);

}  // namespace agentca::cli
