#include "ca/base/digest.h"

#include <openssl/evp.h>

#include <new>

namespace agentca {

struct Sha256Stream::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
  // SHA-256 fails for want of memory alone.
  static void Require(int outcome) {
    if (outcome != 1) throw std::bad_alloc();
  }
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr) throw std::bad_alloc();
  State::Require(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr));
}
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::Add(ByteView bytes) {
  State::Require(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()));
}

Sha256Digest Sha256Stream::Finish() {
  Sha256Digest digest{};
  State::Require(EVP_DigestFinal_ex(state_->context, digest.data(), nullptr));
  State::Require(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr));
  return digest;
}

}  // namespace agentca
