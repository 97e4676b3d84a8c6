// Parts of Maintenance::Check that take more than one statement.
#pragma once

#include <functional>

#include "storage/maintenance.h"
#include "storage/sql.h"

namespace agentca::storage {

using FoundFault = std::function<void(const Finding&)>;

// Status, body and names of each certificate agree with each other and with its bytes.
Status CheckCertificates(Connection& connection, const FoundFault& found);
// Each revocation has an event, and events are without gaps.
Status CheckRevocations(Connection& connection, const FoundFault& found);
// CRL numbers are not behind the lists in the store.
Status CheckCounters(Connection& connection, const FoundFault& found);

}  // namespace agentca::storage
