// Which node of a store a DIR belongs to.
#pragma once

#include "acme/cli/directory.h"
#include "ca/base/random.h"
#include "ca/leases.h"

namespace agentca::cli {

// What DIR/node-id says: 32 hexadecimal digits, made when there is no such file. Never copied from
// one DIR to another: two nodes with one name would take each other's work for that of an earlier
// process. kInternal: the file says something else, or cannot be used.
Result<ca::NodeId> ReadNodeId(const Directory& directory, Random& random);

}  // namespace agentca::cli
