#include "ca/ocsp.h"

#include <algorithm>
#include <string_view>

#include "ca/der.h"
#include "ca/openssl.h"
#include "ca/signed_object.h"

namespace agentca::ca {
namespace {

constexpr std::string_view kOcspBasic = "1.3.6.1.5.5.7.48.1.1";
constexpr std::string_view kOcspNonce = "1.3.6.1.5.5.7.48.1.2";
constexpr std::string_view kSha1 = "1.3.14.3.2.26";
constexpr std::string_view kSha256 = "2.16.840.1.101.3.4.2.1";

using OctetStringPtr = openssl::Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>;

Error Malformed(std::string_view why) {
  return Error{Code::kMalformed, "OCSP request: " + std::string(why)};
}

ByteView View(const ASN1_STRING* string) {
  return {ASN1_STRING_get0_data(string), static_cast<size_t>(ASN1_STRING_length(string))};
}

const EVP_MD* Digest(OcspHash hash) { return hash == OcspHash::kSha1 ? EVP_sha1() : EVP_sha256(); }

Bytes Hash(OcspHash hash, ByteView data) {
  Bytes out(static_cast<size_t>(EVP_MD_get_size(Digest(hash))));
  EVP_Digest(data.data(), data.size(), out.data(), nullptr, Digest(hash), nullptr);
  return out;
}

Bytes HashAlgorithm(OcspHash hash, bool null_parameters) {
  return der::Sequence({der::Oid(hash == OcspHash::kSha1 ? kSha1 : kSha256),
                        null_parameters ? der::Null() : Bytes()});
}

// hashAlgorithm with parameters NULL or absent (RFC 5754 §2 wants both accepted) and nothing else.
bool HasPlainAlgorithm(ByteView cert_id, OcspHash hash) {
  for (const bool null_parameters : {true, false}) {
    const Bytes algorithm = HashAlgorithm(hash, null_parameters);
    // Every CertID that passes is shorter than 128 octets, so that its header has two.
    if (cert_id.size() > 2 + algorithm.size() && cert_id[1] < 0x80 &&
        std::equal(algorithm.begin(), algorithm.end(), cert_id.begin() + 2)) {
      return true;
    }
  }
  return false;
}

// CertID ::= SEQUENCE {
//   hashAlgorithm  AlgorithmIdentifier,
//   issuerNameHash OCTET STRING,
//   issuerKeyHash  OCTET STRING,
//   serialNumber   CertificateSerialNumber }
Result<CertId> ReadCertId(OCSP_CERTID* id, ByteView request) {
  ASN1_OBJECT* algorithm = nullptr;
  ASN1_OCTET_STRING* name_hash = nullptr;
  ASN1_OCTET_STRING* key_hash = nullptr;
  ASN1_INTEGER* number = nullptr;
  OCSP_id_get0_info(&name_hash, &algorithm, &key_hash, &number, id);
  const int nid = OBJ_obj2nid(algorithm);
  if (nid != NID_sha1 && nid != NID_sha256) return Malformed("CertID with an unsupported hash");
  const OcspHash hash = nid == NID_sha1 ? OcspHash::kSha1 : OcspHash::kSha256;
  const auto length = static_cast<size_t>(EVP_MD_get_size(Digest(hash)));
  if (View(name_hash).size() != length || View(key_hash).size() != length)
    return Malformed("CertID with a hash of the wrong length");
  if (ASN1_STRING_type(number) != V_ASN1_INTEGER) return Malformed("negative serial number");
  auto serial = Serial::FromBytes(View(number));
  if (!serial.ok()) return Malformed("impossible serial number");

  Bytes der = openssl::Encode(i2d_OCSP_CERTID, id);
  if (der.empty()) return Error{Code::kInternal, "cannot encode a CertID"};
  // The answer repeats these octets, so they must be the client's own: OpenSSL would also read BER.
  if (std::search(request.begin(), request.end(), der.begin(), der.end()) == request.end())
    return Malformed("CertID is not in DER");
  if (!HasPlainAlgorithm(der, hash)) return Malformed("CertID with hash parameters");
  return CertId{hash, ToBytes(View(name_hash)), ToBytes(View(key_hash)), std::move(*serial),
                std::move(der)};
}

// RFC 9654 §2.1: Nonce ::= OCTET STRING(SIZE(1..128)), inside extnValue. "A server MUST reject any
// OCSP request having a nonce in the Nonce extension with a length of either 0 octets or more than
// 128 octets with the malformedRequest OCSPResponseStatus".
Result<Bytes> ReadNonce(X509_EXTENSION* extension) {
  const ByteView value = View(X509_EXTENSION_get_data(extension));
  const auto nonce = openssl::Decode<OctetStringPtr>(d2i_ASN1_OCTET_STRING, value);
  if (!nonce) return Malformed("nonce is no OCTET STRING");
  const ByteView octets = View(nonce.get());
  if (octets.empty() || octets.size() > kMaxOcspNonce) return Malformed("bad nonce length");
  return ToBytes(octets);
}

Result<std::optional<Bytes>> ReadExtensions(OCSP_REQUEST* request) {
  std::optional<Bytes> nonce;
  for (int i = 0; i < OCSP_REQUEST_get_ext_count(request); ++i) {
    X509_EXTENSION* extension = OCSP_REQUEST_get_ext(request, i);
    if (OBJ_obj2nid(X509_EXTENSION_get_object(extension)) == NID_id_pkix_OCSP_Nonce) {
      if (nonce) return Malformed("two nonces");
      AGENTCA_ASSIGN(nonce, ReadNonce(extension));
    } else if (X509_EXTENSION_get_critical(extension) != 0) {
      return Malformed("unknown critical extension");
    }
  }
  return nonce;
}

Result<OcspRequest> Read(OCSP_REQUEST* request, ByteView der) {
  const int count = OCSP_request_onereq_count(request);
  if (count < 1 || count > static_cast<int>(kMaxOcspCertIds))
    return Malformed("no CertID or too many");
  OcspRequest out;
  for (int i = 0; i < count; ++i) {
    OCSP_ONEREQ* one = OCSP_request_onereq_get0(request, i);
    for (int j = 0; j < OCSP_ONEREQ_get_ext_count(one); ++j) {
      if (X509_EXTENSION_get_critical(OCSP_ONEREQ_get_ext(one, j)) != 0)
        return Malformed("unknown critical extension");
    }
    AGENTCA_ASSIGN(CertId id, ReadCertId(OCSP_onereq_get0_id(one), der));
    out.cert_ids.push_back(std::move(id));
  }
  AGENTCA_ASSIGN(out.nonce, ReadExtensions(request));
  return out;
}

// CertStatus ::= CHOICE {
//   good    [0] IMPLICIT NULL,
//   revoked [1] IMPLICIT SEQUENCE { revocationTime GeneralizedTime,
//                                   revocationReason [0] EXPLICIT CRLReason OPTIONAL },
//   unknown [2] IMPLICIT NULL }
Bytes EncodeStatus(const SingleStatus& status) {
  switch (status.state) {
    case OcspCertState::kGood:
      return der::Tlv(der::Primitive(0), {});
    case OcspCertState::kUnknown:
      return der::Tlv(der::Primitive(2), {});
    case OcspCertState::kRevoked:
      break;
  }
  assert(status.revocation);
  Bytes info = der::GeneralizedTime(status.revocation->at);
  if (const Reason reason = status.revocation->reason; reason != Reason::kUnspecified) {
    const Bytes code = der::Tlv(der::Constructed(0), der::Enumerated(static_cast<uint8_t>(reason)));
    info.insert(info.end(), code.begin(), code.end());
  }
  return der::Tlv(der::Constructed(1), info);
}

}  // namespace

IssuerHashes HashIssuer(const Certificate& issuer, OcspHash hash) {
  const auto key = openssl::Decode<openssl::X509PubkeyPtr>(d2i_X509_PUBKEY, issuer.key.spki());
  const unsigned char* bits = nullptr;
  int length = 0;
  const bool read = key && X509_PUBKEY_get0_param(nullptr, &bits, &length, nullptr, key.get()) == 1;
  assert(read);  // a PublicKey was parsed from this very encoding
  (void)read;
  return {Hash(hash, issuer.subject), Hash(hash, {bits, static_cast<size_t>(length)})};
}

Bytes EncodeCertId(OcspHash hash, bool null_parameters, const IssuerHashes& issuer,
                   const Serial& serial) {
  return der::Sequence({HashAlgorithm(hash, null_parameters), der::OctetString(issuer.name),
                        der::OctetString(issuer.key), der::UnsignedInteger(serial.bytes())});
}

// OCSPRequest ::= SEQUENCE { tbsRequest SEQUENCE { requestList SEQUENCE OF SEQUENCE { CertID }}}
// When each of the five SEQUENCEs fills the one around it there is room for nothing else.
ByteView PlainCertId(ByteView request) {
  constexpr size_t kDepth = 5;
  if (request.size() <= 2 * kDepth || request.size() > 2 + 127) return {};
  for (size_t i = 0; i < kDepth; ++i) {
    if (request[2 * i] != der::kSequence || request[2 * i + 1] != request.size() - 2 * (i + 1))
      return {};
  }
  return request.subspan(2 * (kDepth - 1));
}

Result<OcspRequest> ParseOcspRequest(ByteView der) {
  if (der.size() > kMaxOcspRequestSize) return Malformed("too large");
  const openssl::ErrorScope errors;
  const auto request = openssl::Decode<openssl::OcspRequestPtr>(d2i_OCSP_REQUEST, der);
  if (!request) return Malformed("is not an OCSPRequest");
  return Read(request.get(), der);
}

// OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, responseBytes [0] EXPLICIT … OPTIONAL }
Bytes OcspErrorResponse(OcspErrorStatus status) {
  return der::Sequence({der::Enumerated(static_cast<uint8_t>(status))});
}

// ResponseData ::= SEQUENCE {
//   version        [0] EXPLICIT Version DEFAULT v1,
//   responderID        CHOICE { byName [1], byKey [2] EXPLICIT KeyHash },
//   producedAt         GeneralizedTime,
//   responses          SEQUENCE OF SEQUENCE { certID, certStatus, thisUpdate GeneralizedTime,
//                                             nextUpdate [0] EXPLICIT GeneralizedTime OPTIONAL, …},
//   responseExtensions [1] EXPLICIT Extensions OPTIONAL }
Bytes BuildResponseData(const PublicKey& responder_key, Time produced_at, Time this_update,
                        Time next_update,
                        const std::vector<std::pair<CertId, SingleStatus>>& singles,
                        const std::optional<Bytes>& nonce) {
  const Bytes validity =
      der::Concat({der::GeneralizedTime(this_update),
                   der::Tlv(der::Constructed(0), der::GeneralizedTime(next_update))});
  Bytes responses;
  for (const auto& [id, status] : singles) {
    const Bytes single = der::Sequence({id.der, EncodeStatus(status), validity});
    responses.insert(responses.end(), single.begin(), single.end());
  }
  const Bytes extensions =
      nonce ? der::Tlv(der::Constructed(1),
                       der::Sequence({der::Sequence(
                           {der::Oid(kOcspNonce), der::OctetString(der::OctetString(*nonce))})}))
            : Bytes();
  return der::Sequence(
      {der::Tlv(der::Constructed(2), der::OctetString(responder_key.key_identifier())),
       der::GeneralizedTime(produced_at), der::Tlv(der::kSequence, responses), extensions});
}

// BasicOCSPResponse ::= SEQUENCE {
//   tbsResponseData ResponseData, signatureAlgorithm AlgorithmIdentifier, signature BIT STRING,
//   certs [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL }
Result<Bytes> MakeOcspResponse(ByteView response_data, Signer& signer, ByteView delegate) {
  AGENTCA_ASSIGN(const Bytes signed_data, MakeSigned(response_data, signer));
  const size_t header = (signed_data[1] & 0x80) == 0 ? 2 : 2 + (signed_data[1] & 0x7f);
  const Bytes certificates =
      delegate.empty() ? Bytes() : der::Tlv(der::Constructed(0), der::Sequence({delegate}));
  const Bytes basic =
      der::Sequence({ByteView(signed_data).subspan(header), ByteView(certificates)});
  return der::Sequence({der::Enumerated(0),
                        der::Tlv(der::Constructed(0),
                                 der::Sequence({der::Oid(kOcspBasic), der::OctetString(basic)}))});
}

}  // namespace agentca::ca
