// Shapes for OpenSSL's ASN.1 parser that leave SubjectPublicKeyInfo as octets. OpenSSL's own X509
// and X509_REQ decode the key at once through its generic decoder, which takes longer than
// verifying a signature with it; PublicKey::FromSpki reads the same octets in a tenth of the time.
#pragma once

#include <openssl/asn1.h>
#include <openssl/x509.h>

#include "ca/openssl.h"

namespace agentca::ca {

// CertificationRequestInfo ::= SEQUENCE { version INTEGER, subject Name, subjectPKInfo,
//                                         attributes [0] IMPLICIT SET OF Attribute }   RFC 2986
//                                         §4.1
struct RequestInfoForm {
  ASN1_INTEGER* version;
  X509_NAME* subject;
  ASN1_STRING* public_key;  // the whole SEQUENCE
  STACK_OF(X509_ATTRIBUTE) * attributes;
};

// CertificationRequest ::= SEQUENCE { info, signatureAlgorithm, signature BIT STRING }
struct RequestForm {
  RequestInfoForm* info;
  X509_ALGOR* algorithm;
  ASN1_BIT_STRING* signature;
};

// TBSCertificate, RFC 5280 §4.1. Issuer and subject unique identifiers do not parse: nobody uses
// them.
struct TbsForm {
  ASN1_INTEGER* version;
  ASN1_INTEGER* serial;
  X509_ALGOR* algorithm;
  X509_NAME* issuer;
  X509_VAL* validity;
  X509_NAME* subject;
  ASN1_STRING* public_key;  // the whole SEQUENCE
  STACK_OF(X509_EXTENSION) * extensions;
};

// Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue BIT STRING }
struct CertificateForm {
  TbsForm* tbs;
  X509_ALGOR* algorithm;
  ASN1_BIT_STRING* signature;
};

void Free(RequestForm* form);
void Free(TbsForm* form);
void Free(CertificateForm* form);
template <class Form>
struct FormDeleter {
  void operator()(Form* form) const { Free(form); }
};
template <class Form>
using FormPtr = std::unique_ptr<Form, FormDeleter<Form>>;

// Null unless the whole of `der` is one such value.
FormPtr<RequestForm> ParseRequest(ByteView der);
FormPtr<TbsForm> ParseTbs(ByteView der);
FormPtr<CertificateForm> ParseCertificate(ByteView der);
// What OpenSSL writes for what it read: the same octets if they were DER.
Bytes EncodeRequest(const RequestForm& form);
Bytes EncodeRequestInfo(const RequestInfoForm& form);
Bytes EncodeTbs(const TbsForm& form);

// The extension `nid`, decoded; null when it is absent, there twice or unreadable.
template <class Ptr>
Ptr ReadExtension(const STACK_OF(X509_EXTENSION) * extensions, int nid) {
  return Ptr(static_cast<typename Ptr::pointer>(X509V3_get_d2i(extensions, nid, nullptr, nullptr)));
}

// "1.2.840…".
std::string DottedOf(const ASN1_OBJECT* object);

// The octets of a string.
inline ByteView View(const ASN1_STRING* string) {
  return {ASN1_STRING_get0_data(string), static_cast<size_t>(ASN1_STRING_length(string))};
}

}  // namespace agentca::ca
