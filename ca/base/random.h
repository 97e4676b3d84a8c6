// Randomness as a dependency, so that tests can fix it.
#pragma once

#include <cstdint>
#include <span>

namespace agentca {

class Random {  // thread-safe
 public:
  virtual ~Random() = default;
  // Fills `out` with octets fit for keys, serials and tokens.
  virtual void Fill(std::span<uint8_t> out) = 0;
};

// OpenSSL's RAND_bytes. Aborts the process if the generator fails: there is no safe way on.
class OpenSslRandom final : public Random {
 public:
  void Fill(std::span<uint8_t> out) override;
};

}  // namespace agentca
