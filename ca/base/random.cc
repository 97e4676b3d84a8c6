#include "ca/base/random.h"

#include <openssl/rand.h>

#include <cstdlib>

#include "ca/base/log.h"

namespace agentca {

void OpenSslRandom::Fill(std::span<uint8_t> out) {
  if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) {
    Log(Level::kError, "random generator failed; stopping");
    std::abort();
  }
}

}  // namespace agentca
