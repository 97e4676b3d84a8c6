#include "ca/oid.h"

#include <charconv>
#include <vector>

namespace agentca::ca {

bool IsOid(std::string_view text) {
  std::vector<uint64_t> arcs;
  const char* cursor = text.data();
  const char* const end = text.data() + text.size();
  while (cursor != end) {
    uint64_t arc = 0;
    const auto [next, error] = std::from_chars(cursor, end, arc);
    if (error != std::errc{} || (arc >> 62) != 0 || (*cursor == '0' && next - cursor > 1))
      return false;
    arcs.push_back(arc);
    if (next == end) break;
    if (*next != '.' || next + 1 == end) return false;
    cursor = next + 1;
  }
  return arcs.size() >= 2 && arcs[0] <= 2 && (arcs[0] == 2 || arcs[1] < 40);
}

}  // namespace agentca::ca
