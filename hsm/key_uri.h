// PKCS#11 URIs (RFC 7512) as far as they name keys on a token.
#pragma once

#include <string>
#include <string_view>

#include "ca/base/bytes.h"

namespace agentca::hsm {

// "pkcs11:token=agentca;serial=0123;object=issuing;id=%01%02" or "file:/path/to/key.pem"
// (softkey: development only). pin-value and pin-source are refused: a PIN is never in a URI.
struct KeyUri {
  static Result<KeyUri> Parse(std::string_view uri);  // kMalformed names the attribute
  std::string ToString() const;
  enum class Kind { kPkcs11, kFile } kind = Kind::kPkcs11;
  std::string token;   // label; empty: any
  std::string serial;  // token serial; empty: any
  std::string object;  // CKA_LABEL
  Bytes id;            // CKA_ID
  std::string path;    // kFile
};

}  // namespace agentca::hsm
