#include "acme/attest/format.h"

namespace agentca::acme::attest {

std::vector<std::unique_ptr<Format>> AllFormats() {
  std::vector<std::unique_ptr<Format>> formats;
  formats.push_back(MakeJwtFormat());
  formats.push_back(MakeJwtSvidFormat());
  formats.push_back(MakeX5cFormat());
  formats.push_back(MakeStatementFormat());
  formats.push_back(MakeEatFormat());
  formats.push_back(MakeTpmFormat());
  return formats;
}

}  // namespace agentca::acme::attest
