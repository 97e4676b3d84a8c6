#include "acme/nonce_mac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstdlib>
#include <string>

namespace agentca::acme {

void NonceMac::Free::operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }

NonceMac::NonceMac(const Secret& key) {
  EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  keyed_.reset(EVP_MAC_CTX_new(hmac));
  EVP_MAC_free(hmac);  // the context holds its own reference
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 2> parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  const bool ready = keyed_ && EVP_MAC_init(keyed_.get(), key.view().data(), key.view().size(),
                                            parameters.data()) == 1;
  if (!ready) std::abort();
}

NonceMac::Tag NonceMac::Of(ByteView message) const {
  const Context context(EVP_MAC_CTX_dup(keyed_.get()));
  std::array<uint8_t, EVP_MAX_MD_SIZE> full{};
  size_t size = 0;
  const bool done = context && EVP_MAC_update(context.get(), message.data(), message.size()) == 1 &&
                    EVP_MAC_final(context.get(), full.data(), &size, full.size()) == 1;
  if (!done || size < kOctets) std::abort();
  Tag tag{};
  std::copy_n(full.begin(), kOctets, tag.begin());
  return tag;
}

}  // namespace agentca::acme
