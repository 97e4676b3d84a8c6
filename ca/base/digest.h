// SHA-256 of what does not lie in memory as a whole.
#pragma once

#include <memory>

#include "ca/base/bytes.h"

namespace agentca {

class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  void Add(ByteView bytes);
  Sha256Digest Finish();  // and begins anew

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace agentca
