// An issuer and an OCSP delegate whose certificates OpenSSL made, so that tests of CRLs and OCSP
// answers do not lean on our own certificate builder.
#pragma once

#include <memory>
#include <string>

#include "ca/certificate.h"
#include "ca/openssl.h"
#include "tests/fakes/test_signer.h"

namespace agentca::fakes {

struct CertificatePlan {
  std::string subject;
  EVP_PKEY* key;       // borrowed, as is issuer_key
  std::string issuer;  // common name
  EVP_PKEY* issuer_key;
  Time not_before;
  Time not_after;
  long serial = 1;
  bool is_ca = false;
  bool ocsp_signing = false;
  const char* usage = nullptr;  // extended key usage in OpenSSL's words
  const char* names = nullptr;  // subject alternative names, likewise
};

inline ca::Certificate MakeCertificate(const CertificatePlan& plan) {
  const ca::openssl::X509Ptr x509(X509_new());
  X509* c = x509.get();
  X509_set_version(c, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(c), plan.serial);
  const auto set_name = [](X509_NAME* name, const std::string& cn) {
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(cn.c_str()), -1, -1, 0);
  };
  set_name(X509_get_subject_name(c), plan.subject);
  set_name(X509_get_issuer_name(c), plan.issuer);
  ASN1_TIME_set(X509_getm_notBefore(c), plan.not_before.time_since_epoch().count());
  ASN1_TIME_set(X509_getm_notAfter(c), plan.not_after.time_since_epoch().count());
  X509_set_pubkey(c, plan.key);
  X509V3_CTX context;
  X509V3_set_ctx(&context, c, c, nullptr, nullptr, 0);
  const auto add = [&](int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    X509_add_ext(c, extension, -1);
    X509_EXTENSION_free(extension);
  };
  add(NID_basic_constraints, plan.is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
  add(NID_key_usage,
      plan.is_ca ? "critical,keyCertSign,cRLSign,digitalSignature" : "critical,digitalSignature");
  add(NID_subject_key_identifier, "hash");
  if (plan.ocsp_signing) {
    add(NID_ext_key_usage, "OCSPSigning");
    add(NID_id_pkix_OCSP_noCheck, "");
  }
  if (plan.usage != nullptr) add(NID_ext_key_usage, plan.usage);
  if (plan.names != nullptr) add(NID_subject_alt_name, plan.names);
  X509_sign(c, plan.issuer_key,
            EVP_PKEY_get_base_id(plan.issuer_key) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256());
  return ca::Certificate::Parse(ca::openssl::Encode(i2d_X509, c)).value();
}

// A self-signed issuing CA, valid from a year before `now` to ten after.
struct PlainIssuer {
  explicit PlainIssuer(Time now, TestKey type = TestKey::kP256, std::string name = "Test CA")
      : signer(type),
        certificate(
            MakeCertificate({name, signer.key(), name, signer.key(), now - Seconds(365 * 86400),
                             now + Seconds(3650 * 86400), 1, true, false})),
        info{ca::IssuerIdOf(signer.public_key()),
             certificate.subject,
             signer.public_key().key_identifier(),
             "",
             "",
             "",
             signer.algorithm()},
        common_name(std::move(name)) {}

  TestSigner signer;
  ca::Certificate certificate;
  ca::IssuerInfo info;
  std::string common_name;
};

// An OCSP delegate of `issuer`.
struct PlainDelegate {
  PlainDelegate(const PlainIssuer& issuer, Time not_before, Time not_after,
                TestKey type = TestKey::kP256)
      : signer(std::make_shared<TestSigner>(type)),
        certificate(MakeCertificate({"OCSP", signer->key(), issuer.common_name, issuer.signer.key(),
                                     not_before, not_after, 2, false, true})) {}

  std::shared_ptr<TestSigner> signer;
  ca::Certificate certificate;
};

}  // namespace agentca::fakes
