// SPIFFE IDs as they may stand in a certificate.
#pragma once

#include <string_view>

#include "ca/base/result.h"

namespace agentca::ca {

// Whether `uri` is the SPIFFE ID of a workload (SPIFFE-ID §2; X509-SVID §2, §4.1): "spiffe://", a
// trust domain of at most 255 octets (lower-case letters, digits, ".", "-", "_"), and a path of
// segments of letters, digits, ".", "-" and "_", none of them empty, "." or "..", no slash at the
// end. At most 2048 octets. No path at all names a trust domain, not a workload. kMalformed says
// what is wrong.
Status CheckSpiffeId(std::string_view uri);

}  // namespace agentca::ca
