#include "acme/cli/node_id.h"

#include <algorithm>

#include "acme/cli/files.h"
#include "ca/base/bytes.h"

namespace agentca::cli {
namespace {

constexpr size_t kOctets = 16;

Result<ca::NodeId> MakeNodeId(const Directory& directory, Random& random) {
  Bytes octets(kOctets);
  random.Fill(octets);
  ca::NodeId id = ToHex(octets);
  AGENTCA_TRY(WriteTextFile(directory.NodeId(), id + "\n", kSecretFile));
  return id;
}

}  // namespace

Result<ca::NodeId> ReadNodeId(const Directory& directory, Random& random) {
  auto text = ReadTextFile(directory.NodeId());
  if (!text.ok() && text.error().code == Code::kNotFound) return MakeNodeId(directory, random);
  if (!text.ok()) return std::move(text).error();
  if (text->ends_with('\n')) text->pop_back();
  const auto octets = FromHex(*text);
  if (octets.ok() && octets->size() == kOctets) return *std::move(text);
  return Error{Code::kInternal,
               directory.NodeId().string() + " is not 32 hexadecimal digits; remove it"};
}

}  // namespace agentca::cli
