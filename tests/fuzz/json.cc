// JSON from strangers: no text crashes the wrapper, and what it accepts means the same when it is
// written and read again.
#include "acme/json.h"

#include <cstdlib>

#include "ca/base/bytes.h"

namespace agentca::acme {
namespace {

void Write(const JsonValue& value, JsonWriter& json) {  // NOLINT(misc-no-recursion)
  if (value.is_object()) {
    json.BeginObject();
    for (const auto& [name, member] : value.members()) {
      json.Key(name);
      Write(member, json);
    }
    json.EndObject();
  } else if (value.is_array()) {
    json.BeginArray();
    for (const JsonValue& element : value.elements()) Write(element, json);
    json.EndArray();
  } else if (const auto text = value.AsString()) {
    json.String(*text);
  } else if (const auto number = value.AsInt()) {
    json.Int(*number);
  } else if (const auto truth = value.AsBool()) {
    json.Bool(*truth);
  } else {
    json.Raw("null");  // null, or a number that no caller can read
  }
}

std::string Rewritten(const JsonDocument& document) {
  JsonWriter json;
  Write(document.root(), json);
  return std::move(json).Take();
}

void CheckAccessors(const JsonValue& root) {
  for (const auto& [name, member] : root.members()) {
    if (!root.Find(name)) std::abort();
    const bool is_string = member.AsString().has_value();
    if (root.String(name).ok() != is_string) std::abort();
    if (root.OptionalInt(name).ok() != member.AsInt().has_value()) std::abort();
    if (root.OptionalBool(name).ok() != member.AsBool().has_value()) std::abort();
    if (root.OptionalStrings(name).ok() && !member.is_array()) std::abort();
  }
}

}  // namespace
}  // namespace agentca::acme

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace agentca;        // NOLINT(google-build-using-namespace)
  using namespace agentca::acme;  // NOLINT(google-build-using-namespace)
  const auto document = JsonDocument::Parse(AsText({data, size}));
  if (!document.ok()) return 0;
  CheckAccessors(document->root());
  const std::string once = Rewritten(*document);
  // Writing can lengthen a text (escapes), so the second reading has another limit of size.
  const auto again = JsonDocument::Parse(once, {.max_size = 6 * size + 64, .max_depth = 16});
  if (!again.ok() || Rewritten(*again) != once) std::abort();
  return 0;
}
