// CBOR from strangers: an item ends where it ends, and is read the same each time.
#include "acme/attest/cbor.h"

#include <cstdlib>

namespace {

using namespace agentca;                // NOLINT(google-build-using-namespace)
using namespace agentca::acme::attest;  // NOLINT(google-build-using-namespace)

// Whether two items say the same. Numbers beyond int64 and floats are compared as text and number.
bool Same(const CborValue& a, const CborValue& b, size_t depth) {  // NOLINT(misc-no-recursion)
  if (depth > CborLimits{}.max_depth + 1) std::abort();
  if (a.type() != b.type() || a.AsIntText() != b.AsIntText() || a.AsText() != b.AsText())
    return false;
  const auto elements = a.elements(), others = b.elements();
  if (elements.size() != others.size()) return false;
  for (size_t i = 0; i < elements.size(); ++i) {
    if (!Same(elements[i], others[i], depth + 1)) return false;
  }
  const auto members = a.members();
  for (const auto& [key, value] : members) {
    const auto found = key.AsText() ? b.Find(*key.AsText()) : std::nullopt;
    if (key.AsText() && (!found || !Same(value, *found, depth + 1))) return false;
    if (key.AsInt() && !b.Find(*key.AsInt())) return false;
  }
  if (const auto tagged = a.AsTagged())
    return Same(tagged->second, b.AsTagged()->second, depth + 1);
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto document = CborDocument::Parse({data, size});
  if (!document.ok()) {
    if (document.error().code != Code::kMalformed) std::abort();
    return 0;
  }
  const auto again = CborDocument::Parse({data, size});
  if (!again.ok() || !Same(document->root(), again->root(), 0)) std::abort();
  // One octet less or more is another text.
  if (size > 0 && CborDocument::Parse({data, size - 1}).ok()) std::abort();
  Bytes longer(data, data + size);
  longer.push_back(0);
  if (CborDocument::Parse(longer).ok()) std::abort();
  return 0;
}
