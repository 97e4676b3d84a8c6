// Ownership of OpenSSL's objects, in one place. Include it in .cc files only.
#pragma once

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "ca/base/bytes.h"

namespace agentca::ca::openssl {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Deleter<Free>>;

inline void FreeExtensions(STACK_OF(X509_EXTENSION) * stack) {
  sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
}

using BignumPtr = Owned<BIGNUM, BN_free>;
using BignumContextPtr = Owned<BN_CTX, BN_CTX_free>;
using PkeyPtr = Owned<EVP_PKEY, EVP_PKEY_free>;
using PkeyContextPtr = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestContextPtr = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using ParamBuilderPtr = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using ParamsPtr = Owned<OSSL_PARAM, OSSL_PARAM_free>;
using X509Ptr = Owned<X509, X509_free>;
using X509NamePtr = Owned<X509_NAME, X509_NAME_free>;
using X509CrlPtr = Owned<X509_CRL, X509_CRL_free>;
using X509ReqPtr = Owned<X509_REQ, X509_REQ_free>;
using X509PubkeyPtr = Owned<X509_PUBKEY, X509_PUBKEY_free>;
using X509ExtensionPtr = Owned<X509_EXTENSION, X509_EXTENSION_free>;
using ExtensionsPtr = Owned<STACK_OF(X509_EXTENSION), FreeExtensions>;
using GeneralNamesPtr = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;
using IntegerPtr = Owned<ASN1_INTEGER, ASN1_INTEGER_free>;
using OcspRequestPtr = Owned<OCSP_REQUEST, OCSP_REQUEST_free>;
using OcspResponsePtr = Owned<OCSP_RESPONSE, OCSP_RESPONSE_free>;
using OcspBasicPtr = Owned<OCSP_BASICRESP, OCSP_BASICRESP_free>;

// What OpenSSL puts on this thread's error queue within the scope is gone after it: a stranger's
// bad input must not show up as the cause of a later failure.
class ErrorScope {
 public:
  ErrorScope() { ERR_set_mark(); }
  ~ErrorScope() { ERR_pop_to_mark(); }
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;
};

// The newest entry of this thread's error queue in words, for details that are logged.
inline std::string LastError() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason != nullptr ? reason : "unknown OpenSSL error";
}

// DER of `object` by its i2d function.
template <class T, class U>
Bytes Encode(int (*i2d)(T*, unsigned char**), U* object) {
  const int length = i2d(object, nullptr);
  if (length <= 0) return {};
  Bytes out(static_cast<size_t>(length));
  unsigned char* cursor = out.data();
  i2d(object, &cursor);
  return out;
}

// `object` parsed from the whole of `der` by its d2i function; null when it does not parse or when
// octets are left over.
template <class Ptr, class T>
Ptr Decode(T* (*d2i)(T**, const unsigned char**, long), ByteView der) {
  const unsigned char* cursor = der.data();
  Ptr object(d2i(nullptr, &cursor, static_cast<long>(der.size())));
  return object && cursor == der.data() + der.size() ? std::move(object) : nullptr;
}

}  // namespace agentca::ca::openssl
