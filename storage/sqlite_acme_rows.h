// Rows of the acme_ tables as values: what the files of SqliteAcmeStore share. Each function is
// part of a transaction of its caller's.
#pragma once

#include "acme/model.h"
#include "storage/sqlite_connection.h"

namespace agentca::storage {

// kNotFound when there is none.
Result<acme::AccountStatus> AccountStatusOf(Connection& connection, const acme::AccountId& id);
Result<acme::AccountStatus> AccountStatusFromInt(int64_t value);

Status InsertAuthorization(Connection& connection, const acme::Authorization& authorization);
Result<acme::Authorization> LoadAuthorization(Connection& connection,
                                              const acme::AuthorizationId& id);
// In the order of `ids`.
Result<std::vector<acme::Authorization>> LoadAuthorizations(
    Connection& connection, const std::vector<acme::AuthorizationId>& ids);

}  // namespace agentca::storage
