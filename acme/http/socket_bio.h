// OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE when the peer is gone.
#pragma once

#include <openssl/bio.h>

namespace agentca::acme::http {

// A BIO over a non-blocking socket that stays the caller's; null when memory is short.
BIO* NewSocketBio(int descriptor);

}  // namespace agentca::acme::http
