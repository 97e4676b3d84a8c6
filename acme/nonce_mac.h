// What makes a nonce unforgeable: HMAC-SHA-256, truncated to 128 bits.
#pragma once

#include <array>
#include <memory>

#include "ca/base/bytes.h"

struct evp_mac_ctx_st;  // OpenSSL's EVP_MAC_CTX

namespace agentca::acme {

// Thread-safe. Aborts the process when the MAC cannot be computed: there is no safe way on.
class NonceMac {
 public:
  static constexpr size_t kKeyOctets = 32;
  static constexpr size_t kOctets = 16;
  using Tag = std::array<uint8_t, kOctets>;

  explicit NonceMac(const Secret& key);
  Tag Of(ByteView message) const;
  bool Matches(ByteView message, ByteView tag) const { return ConstantTimeEqual(Of(message), tag); }

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  using Context = std::unique_ptr<evp_mac_ctx_st, Free>;
  // A keyed context that each use copies: hashing the key once saves two of four blocks.
  Context keyed_;
};

}  // namespace agentca::acme
