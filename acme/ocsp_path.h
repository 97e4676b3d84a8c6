// The request in the path of an OCSP GET (RFC 6960 A.1, RFC 9919 §5.1).
#pragma once

#include <string_view>

#include "ca/base/bytes.h"

namespace agentca::acme {

// `encoded`: what follows "/ocsp/" in the path, as sent: percent-encoded base64 of a DER request.
// It is decoded exactly once. Extra slashes in front, which clients make by joining a URL that ends
// in one, and missing padding are tolerated. kMalformed, kPayloadTooLarge.
Result<Bytes> OcspRequestFromPath(std::string_view encoded);

}  // namespace agentca::acme
