// OCSP (RFC 6960, profile RFC 9919, nonces RFC 9654): requests are parsed by OpenSSL, responses
// are written by us.
#pragma once

#include <optional>
#include <vector>

#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/certificate_store.h"
#include "ca/signer.h"

namespace agentca::ca {

inline constexpr size_t kMaxOcspRequestSize = 4096;  // octets of DER
inline constexpr size_t kMaxOcspCertIds = 16;        // in one request
inline constexpr size_t kMaxOcspNonce = 128;         // RFC 9654 §2.1

enum class OcspHash : uint8_t { kSha1, kSha256 };

struct CertId {
  OcspHash hash;
  Bytes issuer_name_hash;
  Bytes issuer_key_hash;
  Serial serial;
  Bytes der;  // as the client wrote it; repeated in the answer byte for byte
};

// What a CertID says of an issuer (RFC 6960 §4.1.1): hashes of its DER Name and of its key's bits.
struct IssuerHashes {
  Bytes name;
  Bytes key;
};
IssuerHashes HashIssuer(const Certificate& issuer, OcspHash hash);
// The CertIDs by which clients may ask for `serial`: each has hash parameters NULL or absent.
Bytes EncodeCertId(OcspHash hash, bool null_parameters, const IssuerHashes& issuer,
                   const Serial& serial);
// The CertID inside a request in the form that most clients send (one CertID, no version, name,
// extension or signature), without parsing it; empty for every other request. RFC 9919 §3.1.
ByteView PlainCertId(ByteView request);

struct OcspRequest {
  std::vector<CertId> cert_ids;  // 1 to kMaxOcspCertIds
  std::optional<Bytes> nonce;    // 1 to kMaxOcspNonce octets
};

// kMalformed: not an OCSPRequest, too large, trailing data, unknown critical extension, no CertID
// or too many, unsupported hash, CertID not in DER, bad nonce length. The requestor's signature, if
// any, is ignored.
Result<OcspRequest> ParseOcspRequest(ByteView der);

enum class OcspCertState : uint8_t { kGood, kRevoked, kUnknown };
struct SingleStatus {
  OcspCertState state;
  std::optional<Revocation> revocation;  // with kRevoked; reason unspecified is omitted
};

// DER of OCSPResponse without body: malformedRequest(1), internalError(2), tryLater(3),
// unauthorized(6). RFC 6960 §4.2.1.
enum class OcspErrorStatus : uint8_t {
  kMalformedRequest = 1,
  kInternalError = 2,
  kTryLater = 3,
  kUnauthorized = 6
};
Bytes OcspErrorResponse(OcspErrorStatus status);

// ResponseData with byKey responder ID, thisUpdate and nextUpdate always, no fractional seconds.
Bytes BuildResponseData(const PublicKey& responder_key, Time produced_at, Time this_update,
                        Time next_update,
                        const std::vector<std::pair<CertId, SingleStatus>>& singles,
                        const std::optional<Bytes>& nonce);
// Signs and wraps as a successful OCSPResponse; `delegate` is embedded as the only certificate, and
// nothing when it is empty (signed by the issuer itself).
Result<Bytes> MakeOcspResponse(ByteView response_data, Signer& signer, ByteView delegate);

}  // namespace agentca::ca
