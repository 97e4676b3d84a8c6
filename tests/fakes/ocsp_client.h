// A relying party: OpenSSL makes the requests and judges the answers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ca/certificate.h"
#include "ca/ocsp.h"
#include "ca/openssl.h"

namespace agentca::fakes {

inline ca::openssl::X509Ptr ToX509(ByteView der) {
  return ca::openssl::Decode<ca::openssl::X509Ptr>(d2i_X509, der);
}

struct OcspQuery {
  std::vector<ca::Serial> serials;
  ca::OcspHash hash = ca::OcspHash::kSha1;
  std::optional<Bytes> nonce{};
};

inline Bytes MakeOcspRequest(const ca::Certificate& issuer, const OcspQuery& query) {
  const auto x509 = ToX509(issuer.der);
  const ca::openssl::OcspRequestPtr request(OCSP_REQUEST_new());
  for (const ca::Serial& serial : query.serials) {
    const ca::openssl::BignumPtr number(
        BN_bin2bn(serial.bytes().data(), static_cast<int>(serial.bytes().size()), nullptr));
    const ca::openssl::IntegerPtr integer(BN_to_ASN1_INTEGER(number.get(), nullptr));
    const EVP_MD* digest = query.hash == ca::OcspHash::kSha1 ? EVP_sha1() : EVP_sha256();
    OCSP_request_add0_id(request.get(),
                         OCSP_cert_id_new(digest, X509_get_subject_name(x509.get()),
                                          X509_get0_pubkey_bitstr(x509.get()), integer.get()));
  }
  if (query.nonce) {
    Bytes nonce = *query.nonce;
    OCSP_request_add1_nonce(request.get(), nonce.data(), static_cast<int>(nonce.size()));
  }
  return ca::openssl::Encode(i2d_OCSP_REQUEST, request.get());
}

struct OcspReading {
  int response_status = -1;     // OCSP_RESPONSE_STATUS_*, −1: not an OCSPResponse
  bool verified = false;        // signed by a delegate of the issuer, at `at`
  std::vector<int> statuses{};  // V_OCSP_CERTSTATUS_*
  std::vector<int> reasons{};   // −1: none
  std::string this_update{}, next_update{}, revoked_at{};  // of the last single response
  int nonce_check = -1;  // OCSP_check_nonce: 1 equal, 2 both absent
  int certificates = 0;
};

inline std::string TimeText(const ASN1_GENERALIZEDTIME* time) {
  if (time == nullptr) return "";
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(time)),
          static_cast<size_t>(ASN1_STRING_length(time))};
}

// True when the answer's signer is `issuer` or a delegate of it and valid at `at`.
inline bool VerifyOcsp(OCSP_BASICRESP* basic, const ca::Certificate& issuer, Time at) {
  const auto root = ToX509(issuer.der);
  const ca::openssl::Owned<X509_STORE, X509_STORE_free> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), root.get());
  X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store.get()), at.time_since_epoch().count());
  return OCSP_basic_verify(basic, nullptr, store.get(), 0) == 1;
}

inline OcspReading ReadOcsp(ByteView response, ByteView request, const ca::Certificate& issuer,
                            Time at) {
  const ca::openssl::ErrorScope errors;
  OcspReading reading;
  const auto outer = ca::openssl::Decode<ca::openssl::OcspResponsePtr>(d2i_OCSP_RESPONSE, response);
  if (!outer) return reading;
  reading.response_status = OCSP_response_status(outer.get());
  const ca::openssl::OcspBasicPtr basic(OCSP_response_get1_basic(outer.get()));
  if (!basic) return reading;
  reading.verified = VerifyOcsp(basic.get(), issuer, at);
  for (int i = 0; i < OCSP_resp_count(basic.get()); ++i) {
    int reason = -1;
    ASN1_GENERALIZEDTIME *revoked = nullptr, *this_update = nullptr, *next_update = nullptr;
    reading.statuses.push_back(OCSP_single_get0_status(OCSP_resp_get0(basic.get(), i), &reason,
                                                       &revoked, &this_update, &next_update));
    reading.reasons.push_back(reason);
    reading.this_update = TimeText(this_update);
    reading.next_update = TimeText(next_update);
    reading.revoked_at = TimeText(revoked);
  }
  const auto asked = ca::openssl::Decode<ca::openssl::OcspRequestPtr>(d2i_OCSP_REQUEST, request);
  if (asked) reading.nonce_check = OCSP_check_nonce(asked.get(), basic.get());
  const auto* certificates = OCSP_resp_get0_certs(basic.get());
  reading.certificates = certificates == nullptr ? 0 : sk_X509_num(certificates);
  return reading;
}

}  // namespace agentca::fakes
