// What strangers send to the OCSP responder: parsed, and then answered by bytes that parse again.
#include <cstdlib>

#include "ca/der.h"
#include "ca/ocsp.h"
#include "ca/openssl.h"

namespace {

using namespace agentca;  // NOLINT(google-build-using-namespace)

void Require(bool condition) {
  if (!condition) std::abort();
}

// Every request that is accepted can be answered, whatever its CertIDs and its nonce hold.
void CheckAnswer(const ca::OcspRequest& request, const ca::PublicKey& key) {
  std::vector<std::pair<ca::CertId, ca::SingleStatus>> singles;
  for (const auto& id : request.cert_ids)
    singles.emplace_back(id, ca::SingleStatus{ca::OcspCertState::kGood, {}});
  const Time now{Seconds{1'800'000'000}};
  const Bytes data = ca::BuildResponseData(key, now, now, now, singles, request.nonce);
  const Bytes basic = ca::der::Sequence(
      {data, ca::AlgorithmIdentifier(ca::SignatureAlgorithm::kEd25519), ca::der::BitString({})});
  const auto read = ca::openssl::Decode<ca::openssl::OcspBasicPtr>(d2i_OCSP_BASICRESP, basic);
  Require(read != nullptr);
  Require(static_cast<size_t>(OCSP_resp_count(read.get())) == request.cert_ids.size());
  for (size_t i = 0; i < request.cert_ids.size(); ++i) {
    const auto* single = OCSP_resp_get0(read.get(), static_cast<int>(i));
    Require(ca::openssl::Encode(i2d_OCSP_CERTID, OCSP_SINGLERESP_get0_id(single)) ==
            request.cert_ids[i].der);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ca::PublicKey key =
      ca::PublicKey::FromEd25519(
          *FromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
          .value();  // RFC 8032 §7.1
  const ByteView der(data, size);
  const auto request = ca::ParseOcspRequest(der);
  const ByteView plain = ca::PlainCertId(der);
  if (!request.ok()) {
    Require(request.error().code == Code::kMalformed);
    return 0;
  }
  Require(!request->cert_ids.empty() && request->cert_ids.size() <= ca::kMaxOcspCertIds);
  Require(!request->nonce ||
          (!request->nonce->empty() && request->nonce->size() <= ca::kMaxOcspNonce));
  // The short cut and the parser agree on what is asked.
  if (!plain.empty()) Require(ToBytes(plain) == request->cert_ids.front().der);
  CheckAnswer(*request, key);
  return 0;
}
