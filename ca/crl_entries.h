// What a CRL of ours says of each serial, for those who have nothing else left to go by.
#pragma once

#include <functional>

#include "ca/crl.h"

namespace agentca::ca {

// As ParseCrl, and then calls `visit` for every entry. OpenSSL makes an object of each: a list of a
// million takes seconds and 400 MB. kMalformed: also an entry with a reason that is none.
Result<CrlSummary> VisitCrl(ByteView der, const PublicKey& issuer_key,
                            const std::function<Status(const RevokedEntry&)>& visit);

}  // namespace agentca::ca
