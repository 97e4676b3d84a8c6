#include "ca/asn1_forms.h"

#include <openssl/asn1t.h>

#include <array>

namespace agentca::ca {

// The macros of <openssl/asn1t.h> define constant tables; NAME_it() returns one.
ASN1_SEQUENCE(RequestInfoForm) =
    {
        ASN1_SIMPLE(RequestInfoForm, version, ASN1_INTEGER),
        ASN1_SIMPLE(RequestInfoForm, subject, X509_NAME),
        ASN1_SIMPLE(RequestInfoForm, public_key, ASN1_SEQUENCE),
        // Absent in what some old clients send, though the RFC does not say OPTIONAL.
        ASN1_IMP_SET_OF_OPT(RequestInfoForm, attributes, X509_ATTRIBUTE, 0),
} static_ASN1_SEQUENCE_END(RequestInfoForm)

        ASN1_SEQUENCE(RequestForm) =
            {
                ASN1_SIMPLE(RequestForm, info, RequestInfoForm),
                ASN1_SIMPLE(RequestForm, algorithm, X509_ALGOR),
                ASN1_SIMPLE(RequestForm, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(RequestForm)

                ASN1_SEQUENCE(TbsForm) =
                    {
                        ASN1_EXP_OPT(TbsForm, version, ASN1_INTEGER, 0),
                        ASN1_SIMPLE(TbsForm, serial, ASN1_INTEGER),
                        ASN1_SIMPLE(TbsForm, algorithm, X509_ALGOR),
                        ASN1_SIMPLE(TbsForm, issuer, X509_NAME),
                        ASN1_SIMPLE(TbsForm, validity, X509_VAL),
                        ASN1_SIMPLE(TbsForm, subject, X509_NAME),
                        ASN1_SIMPLE(TbsForm, public_key, ASN1_SEQUENCE),
                        ASN1_EXP_SEQUENCE_OF_OPT(TbsForm, extensions, X509_EXTENSION, 3),
} static_ASN1_SEQUENCE_END(TbsForm)

                        ASN1_SEQUENCE(CertificateForm) =
                            {
                                ASN1_SIMPLE(CertificateForm, tbs, TbsForm),
                                ASN1_SIMPLE(CertificateForm, algorithm, X509_ALGOR),
                                ASN1_SIMPLE(CertificateForm, signature, ASN1_BIT_STRING),
} static_ASN1_SEQUENCE_END(CertificateForm)

                                namespace {
  template <class Form>
  void FreeAs(Form * form, const ASN1_ITEM* item) {
    ASN1_item_free(reinterpret_cast<ASN1_VALUE*>(form), item);
  }

  template <class Form>
  FormPtr<Form> ParseAs(ByteView der, const ASN1_ITEM* item) {
    const openssl::ErrorScope errors;
    const unsigned char* cursor = der.data();
    FormPtr<Form> form(reinterpret_cast<Form*>(
        ASN1_item_d2i(nullptr, &cursor, static_cast<long>(der.size()), item)));
    return form && cursor == der.data() + der.size() ? std::move(form) : nullptr;
  }

  template <class Form>
  Bytes EncodeAs(const Form& form, const ASN1_ITEM* item) {
    unsigned char* buffer = nullptr;
    const int length = ASN1_item_i2d(reinterpret_cast<const ASN1_VALUE*>(&form), &buffer, item);
    Bytes out;
    if (length > 0) out.assign(buffer, buffer + length);
    OPENSSL_free(buffer);
    return out;
  }

}  // namespace

void Free(RequestForm* form) { FreeAs(form, RequestForm_it()); }
void Free(TbsForm* form) { FreeAs(form, TbsForm_it()); }
void Free(CertificateForm* form) { FreeAs(form, CertificateForm_it()); }

FormPtr<RequestForm> ParseRequest(ByteView der) {
  return ParseAs<RequestForm>(der, RequestForm_it());
}
FormPtr<TbsForm> ParseTbs(ByteView der) { return ParseAs<TbsForm>(der, TbsForm_it()); }
FormPtr<CertificateForm> ParseCertificate(ByteView der) {
  return ParseAs<CertificateForm>(der, CertificateForm_it());
}

Bytes EncodeRequest(const RequestForm& form) { return EncodeAs(form, RequestForm_it()); }
Bytes EncodeRequestInfo(const RequestInfoForm& form) {
  return EncodeAs(form, RequestInfoForm_it());
}
Bytes EncodeTbs(const TbsForm& form) { return EncodeAs(form, TbsForm_it()); }

std::string DottedOf(const ASN1_OBJECT* object) {
  std::array<char, 128> text{};
  OBJ_obj2txt(text.data(), static_cast<int>(text.size()), object, 1);
  return text.data();
}

}  // namespace agentca::ca
