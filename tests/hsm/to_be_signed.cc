#include "tests/hsm/to_be_signed.h"

#include <gtest/gtest.h>
#include <openssl/asn1.h>
#include <openssl/x509v3.h>

#include "ca/der.h"
#include "ca/name.h"
#include "ca/openssl.h"

namespace agentca::testdata {

namespace der = ca::der;
namespace openssl = ca::openssl;

namespace {

Bytes AlgorithmOf(ca::SignatureAlgorithm algorithm) {
  return ToBytes(ca::AlgorithmIdentifier(algorithm));
}

constexpr Time kNow{Seconds{1'800'000'000}};

}  // namespace

Bytes CommonName(const std::string& name) {
  return ca::EncodeName({{ca::Attribute::kCommonName, name}}).value();
}

Bytes CertificateDraft::ToTbs() const {
  const openssl::X509Ptr certificate(X509_new());
  X509* x = certificate.get();
  X509_set_version(x, version);
  ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
  const Bytes issuer_name = CommonName(issuer);
  const Bytes subject_name = CommonName(subject);
  X509_set_issuer_name(x, openssl::Decode<openssl::X509NamePtr>(d2i_X509_NAME, issuer_name).get());
  X509_set_subject_name(x,
                        openssl::Decode<openssl::X509NamePtr>(d2i_X509_NAME, subject_name).get());
  ASN1_TIME_set(X509_getm_notBefore(x), kNow.time_since_epoch().count());
  ASN1_TIME_set(X509_getm_notAfter(x), kNow.time_since_epoch().count() + 86400);
  X509_set_pubkey(x, key.evp());
  for (const auto& [name, value] : extensions) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x, x, nullptr, nullptr, 0);
    const openssl::X509ExtensionPtr extension(
        X509V3_EXT_nconf(nullptr, &context, name.c_str(), value.c_str()));
    EXPECT_TRUE(extension) << name << " = " << value;
    X509_add_ext(x, extension.get(), -1);
  }
  using AlgorithmPtr = openssl::Owned<X509_ALGOR, X509_ALGOR_free>;
  const Bytes encoded = AlgorithmOf(algorithm);
  const auto inner = openssl::Decode<AlgorithmPtr>(d2i_X509_ALGOR, encoded);
  X509_ALGOR_copy(const_cast<X509_ALGOR*>(X509_get0_tbs_sigalg(x)), inner.get());
  return openssl::Encode(i2d_re_X509_tbs, x);
}

Bytes CrlDraft::ToTbs() const {
  Bytes revoked;
  const Bytes date = der::X509Time(kNow);
  const Bytes entry = der::Sequence({der::UnsignedInteger(Bytes(13, 0x41)), date});
  for (size_t i = 0; i < entries; ++i) revoked.insert(revoked.end(), entry.begin(), entry.end());
  if (!raw_entries.empty()) revoked = raw_entries;
  const Bytes list = revoked.empty() ? Bytes() : der::Tlv(der::kSequence, revoked);
  const Bytes number_extension =
      with_number ? der::Sequence({der::Oid("2.5.29.20"), der::OctetString(der::Integer(number))})
                  : Bytes();
  const Bytes extensions = der::Sequence({number_extension, more_extensions});
  return der::Sequence({version, AlgorithmOf(algorithm), CommonName(issuer), date,
                        der::X509Time(kNow + Seconds(3600)), list,
                        der::Tlv(der::Constructed(0), extensions)});
}

Bytes OcspDraft::ToTbs() const {
  const Bytes by_key = responder.empty()
                           ? der::Tlv(der::Constructed(2), der::OctetString(responder_key_hash))
                           : responder;
  const Bytes hash(20, 0x55);
  const Bytes certificate_id =
      der::Sequence({der::Sequence({der::Oid("1.3.14.3.2.26"), der::Null()}),
                     der::OctetString(hash), der::OctetString(hash), der::Integer(serial)});
  const Bytes answer =
      der::Sequence({certificate_id, der::Tlv(der::Primitive(0), {}), der::GeneralizedTime(kNow),
                     der::Tlv(der::Constructed(0), der::GeneralizedTime(kNow + Seconds(3600)))});
  Bytes all;
  for (size_t i = 0; i < answers; ++i) all.insert(all.end(), answer.begin(), answer.end());
  return der::Sequence({by_key, der::GeneralizedTime(kNow), der::Tlv(der::kSequence, all)});
}

}  // namespace agentca::testdata
