// What a compromised serve process might send to be signed: no input may crash, and whatever is
// accepted is wholly one object of a purpose of the key.
#include <openssl/err.h>

#include <cstdlib>

#include "ca/der.h"
#include "ca/name.h"
#include "hsm/key_use.h"

namespace {

using agentca::Bytes;
using agentca::hsm::JudgeUse;
using agentca::hsm::KeyScope;
using agentca::hsm::Purpose;

void Require(bool kept) {
  if (!kept) std::abort();
}

// The generator of P-256: the corpus names it as the responder.
KeyScope MakeScope() {
  const Bytes x =
      agentca::FromHex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296").value();
  const Bytes y =
      agentca::FromHex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5").value();
  auto key = agentca::ca::PublicKey::FromEcPoint(agentca::ca::KeyType::kP256, x, y).value();
  const auto name =
      agentca::ca::EncodeName({{agentca::ca::Attribute::kCommonName, "Test CA"}}).value();
  return {{Purpose::kCertificate, Purpose::kCrl, Purpose::kOcsp}, name, key, {}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const KeyScope scope = MakeScope();
  const agentca::ByteView message(data, size);
  const auto use = JudgeUse(message, scope);
  Require(ERR_peek_error() == 0);
  if (!use.ok()) {
    Require(use.error().code == agentca::Code::kUnauthorized && !use.error().detail.empty());
    return 0;
  }
  Require(!use->object.empty());
  // One octet more or less is not the same object any more.
  Bytes longer(data, data + size);
  longer.push_back(0);
  Require(!JudgeUse(longer, scope).ok());
  Require(!JudgeUse(message.first(size - 1), scope).ok());
  // The purposes are the key's: without this one it is refused.
  KeyScope narrower = scope;
  std::erase(narrower.purposes, use->purpose);
  Require(!JudgeUse(message, narrower).ok());
  return 0;
}
