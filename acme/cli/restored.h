// Notices, at start, that the store came back from an old back-up.
#pragma once

#include "acme/cli/config.h"
#include "acme/cli/hierarchy.h"
#include "storage/open.h"

namespace agentca::cli {

// kConflict: this node published a revocation list that is newer than the store, or its signer
// signed what the store does not know. To serve would be to un-revoke. Costs two reads of files and
// one of the store, whatever their size.
Status RefuseOldStore(const Config& config, const Hierarchy& hierarchy, storage::Backend& backend,
                      Time now);

}  // namespace agentca::cli
