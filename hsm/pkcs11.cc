#include "hsm/pkcs11.h"

namespace agentca::hsm {

Result<CaKeyType> CaKeyTypeFromString(std::string_view text) {
  if (text == "p256") return CaKeyType::kP256;
  if (text == "p384") return CaKeyType::kP384;
  if (text == "rsa3072") return CaKeyType::kRsa3072;
  return Error{Code::kMalformed,
               "no such key type: " + std::string(text) + " (one of p256, p384, rsa3072)"};
}

std::vector<std::string> KeyReport::Faults() const {
  std::vector<std::string> faults;
  const auto demand = [&](bool as_it_must_be, const char* fault) {
    if (!as_it_must_be) faults.emplace_back(fault);
  };
  demand(sensitive, "not sensitive (CKA_SENSITIVE)");
  demand(!extractable, "extractable (CKA_EXTRACTABLE)");
  demand(never_extractable, "was extractable once (CKA_NEVER_EXTRACTABLE)");
  demand(local, "not generated on the token (CKA_LOCAL)");
  demand(can_sign, "cannot sign (CKA_SIGN)");
  demand(!can_decrypt, "may decrypt (CKA_DECRYPT)");
  demand(!can_unwrap, "may unwrap (CKA_UNWRAP)");
  demand(!can_derive, "may derive (CKA_DERIVE)");
  demand(!can_sign_recover, "may sign with recovery (CKA_SIGN_RECOVER)");
  return faults;
}

}  // namespace agentca::hsm
