// JSON behind one wrapper (json.cc is the only includer of RapidJSON). Hostile text is refused
// before anyone looks at it: size, depth, UTF-8, duplicate names, trailing text, NUL.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ca/base/result.h"

namespace agentca::acme {

// A view of one value; valid while its JsonDocument lives. Cheap to copy. Accessors of a value that
// is of another type return nullopt or empty; they never abort.
class JsonValue {
 public:
  bool is_object() const;
  bool is_array() const;
  bool is_null() const;
  std::optional<std::string_view> AsString() const;
  std::optional<int64_t> AsInt() const;   // integers that fit; 1.0 is not one
  std::optional<bool> AsBool() const;
  std::optional<double> AsNumber() const;  // any number; large integers lose precision
  // A string as it is; a number, true or false as JSON writes it.
  std::optional<std::string> AsScalarText() const;
  std::vector<JsonValue> elements() const;                                 // of an array
  std::vector<std::pair<std::string_view, JsonValue>> members() const;     // of an object
  std::optional<JsonValue> Find(std::string_view name) const;              // member of an object

  // Typed members; kMalformed names the member. Optional…: absent is fine, a wrong type is not.
  Result<std::string> String(std::string_view name) const;
  Result<std::optional<std::string>> OptionalString(std::string_view name) const;
  Result<std::optional<bool>> OptionalBool(std::string_view name) const;
  Result<std::optional<int64_t>> OptionalInt(std::string_view name) const;
  Result<std::optional<std::vector<std::string>>> OptionalStrings(std::string_view name) const;

 private:
  friend class JsonDocument;
  explicit JsonValue(const void* node) : node_(node) {}
  const void* node_;
};

struct JsonLimits {
  size_t max_size = 128 * 1024;  // octets
  int max_depth = 16;            // nested arrays and objects
};

class JsonDocument {  // move-only owner
 public:
  static Result<JsonDocument> Parse(std::string_view text, const JsonLimits& limits = {});
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();
  JsonValue root() const;

 private:
  struct Rep;
  explicit JsonDocument(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

// Writes compact JSON; strings are escaped. Calls must nest properly (asserted).
class JsonWriter {
 public:
  JsonWriter();
  ~JsonWriter();
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view name);
  JsonWriter& String(std::string_view value);
  JsonWriter& Int(int64_t value);
  JsonWriter& Bool(bool value);
  JsonWriter& Raw(std::string_view complete_json_value);
  JsonWriter& Member(std::string_view name, std::string_view value) { return Key(name).String(value); }
  std::string Take() &&;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace agentca::acme
