// What a key is about to be used for, told from the bytes alone. This is what stands between a
// taken-over serve process and the CA keys: it can still ask for end-entity certificates, but not
// for a CA certificate, a foreign issuer's certificate, an OCSP delegation to its own key, or bytes
// that mean something else to somebody else.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/public_key.h"
#include "hsm/signer_protocol.h"

namespace agentca::hsm {

// What one key may sign, pinned when the signer starts.
struct KeyScope {
  std::vector<Purpose> purposes;
  Bytes ca_subject;  // DER Name in the key's certificate: the issuer of what it signs
  ca::PublicKey key;
  std::vector<ca::PublicKey> ocsp_keys;  // the keys that a delegate certificate may name
};

struct Use {
  Purpose purpose;
  std::string object;  // serial, CRL number, or the first serial an OCSP answer is about; hex
  std::optional<Time> not_after{};  // of a certificate
};

// kUnauthorized says why not. Pure and thread-safe.
//
// The three shapes cannot be taken for one another: the first element of a TBSCertificate is [0],
// of a v2 TBSCertList INTEGER, of a ResponseData byKey [2]. OpenSSL parses the bytes, wrapped as
// the signed object they will become; all of them must be consumed, and what OpenSSL encodes again
// from its parse must be the same bytes: what is judged is what is signed.
//
// Certificate: v3, issued by ca_subject under another subject, this key's algorithm, every known
// extension well-formed and there once, not a CA by any reading (basicConstraints, keyUsage,
// Netscape type, proxy), and id-kp-OCSPSigning only for ocsp_keys.
//
// CRL: v2 by ca_subject, this key's algorithm, nextUpdate, crlNumber, complete (no delta), direct.
// OpenSSL would take seconds for a list of a million entries, so it parses the TBSCertList without
// revokedCertificates. That element is only walked: strict definite-length DER, each entry an
// INTEGER, a time and at most one more SEQUENCE. This suffices, because a client may name any
// serials as revoked anyway, and because no octet inside an element whose tag and length are
// settled can change how the elements around it are read.
//
// OCSP: answers in the name of this key (byKey), at least one of them.
Result<Use> JudgeUse(ByteView message, const KeyScope& scope);

}  // namespace agentca::hsm
