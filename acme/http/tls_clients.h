// Client certificates on one connection; for the edge alone.
#pragma once

#include "acme/http/tls_state.h"
#include "ca/base/bytes.h"

namespace agentca::acme::http {

// Before the handshake: a certificate is demanded and checked, and no session can be resumed. False
// when OpenSSL is out of memory.
bool DemandCertificate(SSL* ssl, const TlsClients::State& clients);

// DER of the peer's leaf, when this very handshake verified it; empty otherwise.
Bytes VerifiedCertificate(SSL* ssl);

}  // namespace agentca::acme::http
