#include "acme/json.h"

// A failed assertion of RapidJSON is our bug: the accessors below ask for a type before they use
// it.
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cassert>

namespace agentca::acme {
namespace {

using Value = rapidjson::Value;
using rapidjson::SizeType;

constexpr size_t kChunk = 4096;  // RapidJSON's default of 64 KiB is much for a JWS header

std::string_view TextOf(const Value& value) { return {value.GetString(), value.GetStringLength()}; }

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

std::string Quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

// Hands SAX events on to the document and stops at the depth limit. With the iterative parser no
// text, however deep, uses more than a constant amount of our stack.
class DepthGuard {
 public:
  DepthGuard(rapidjson::Document& out, int max_depth) : out_(out), left_(max_depth) {}
  bool too_deep() const { return left_ < 0; }

  bool Null() { return out_.Null(); }
  bool Bool(bool v) { return out_.Bool(v); }
  bool Int(int v) { return out_.Int(v); }
  bool Uint(unsigned v) { return out_.Uint(v); }
  bool Int64(int64_t v) { return out_.Int64(v); }
  bool Uint64(uint64_t v) { return out_.Uint64(v); }
  bool Double(double v) { return out_.Double(v); }
  bool RawNumber(const char* s, SizeType n, bool copy) { return out_.RawNumber(s, n, copy); }
  bool String(const char* s, SizeType n, bool copy) { return out_.String(s, n, copy); }
  bool Key(const char* s, SizeType n, bool copy) { return out_.Key(s, n, copy); }
  bool StartObject() { return --left_ >= 0 && out_.StartObject(); }
  bool StartArray() { return --left_ >= 0 && out_.StartArray(); }
  bool EndObject(SizeType n) { return ++left_, out_.EndObject(n); }
  bool EndArray(SizeType n) { return ++left_, out_.EndArray(n); }

 private:
  rapidjson::Document& out_;
  int left_;
};

// What escapes can bring in after the parser checked the text: NUL, and halves of surrogate pairs,
// which RapidJSON writes as the three octets ED A0..BF xx.
bool IsCleanText(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0') return false;
    if (text[i] == '\xed' && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) >= 0xa0) {
      return false;
    }
  }
  return true;
}

Status CheckNames(const Value& object) {
  std::vector<std::string_view> names;
  names.reserve(object.MemberCount());
  for (const auto& member : object.GetObject()) {
    names.push_back(TextOf(member.name));
    if (!IsCleanText(names.back()))
      return Malformed("JSON member name holds a forbidden character");
  }
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end()) {
    return Malformed("JSON object has a duplicate member name");
  }
  return {};
}

// Recursion is bounded by the depth limit that the parser enforced.
Status CheckTree(const Value& value) {  // NOLINT(misc-no-recursion)
  if (value.IsString() && !IsCleanText(TextOf(value))) {
    return Malformed("JSON string holds a forbidden character");
  }
  if (value.IsObject()) {
    AGENTCA_TRY(CheckNames(value));
    for (const auto& member : value.GetObject()) AGENTCA_TRY(CheckTree(member.value));
  }
  if (value.IsArray()) {
    for (const auto& element : value.GetArray()) AGENTCA_TRY(CheckTree(element));
  }
  return {};
}

class NullOutput {
 public:
  using Ch = char;
  void Put(char) {}
};

bool IsUtf8(std::string_view text) {
  rapidjson::MemoryStream in(text.data(), text.size());
  NullOutput out;
  while (in.Tell() < text.size()) {
    if (!rapidjson::UTF8<>::Validate(in, out)) return false;
  }
  return in.Tell() == text.size();
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

}  // namespace

// ---- JsonValue ---------------------------------------------------------------------------------

static const Value& NodeOf(const void* node) { return *static_cast<const Value*>(node); }

bool JsonValue::is_object() const { return NodeOf(node_).IsObject(); }
bool JsonValue::is_array() const { return NodeOf(node_).IsArray(); }
bool JsonValue::is_null() const { return NodeOf(node_).IsNull(); }

std::optional<std::string_view> JsonValue::AsString() const {
  if (!NodeOf(node_).IsString()) return std::nullopt;
  return TextOf(NodeOf(node_));
}

std::optional<int64_t> JsonValue::AsInt() const {
  if (!NodeOf(node_).IsInt64()) return std::nullopt;
  return NodeOf(node_).GetInt64();
}

std::optional<bool> JsonValue::AsBool() const {
  if (!NodeOf(node_).IsBool()) return std::nullopt;
  return NodeOf(node_).GetBool();
}

std::optional<double> JsonValue::AsNumber() const {
  if (!NodeOf(node_).IsNumber()) return std::nullopt;
  return NodeOf(node_).GetDouble();
}

std::optional<std::string> JsonValue::AsScalarText() const {
  const Value& node = NodeOf(node_);
  if (node.IsString()) return std::string(TextOf(node));
  if (!node.IsNumber() && !node.IsBool()) return std::nullopt;
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  node.Accept(writer);
  return std::string(buffer.GetString(), buffer.GetSize());
}

std::vector<JsonValue> JsonValue::elements() const {
  std::vector<JsonValue> all;
  if (!is_array()) return all;
  for (const auto& element : NodeOf(node_).GetArray()) all.push_back(JsonValue(&element));
  return all;
}

std::vector<std::pair<std::string_view, JsonValue>> JsonValue::members() const {
  std::vector<std::pair<std::string_view, JsonValue>> all;
  if (!is_object()) return all;
  for (const auto& member : NodeOf(node_).GetObject()) {
    all.emplace_back(TextOf(member.name), JsonValue(&member.value));
  }
  return all;
}

std::optional<JsonValue> JsonValue::Find(std::string_view name) const {
  if (!is_object()) return std::nullopt;
  for (const auto& member : NodeOf(node_).GetObject()) {
    if (TextOf(member.name) == name) return JsonValue(&member.value);
  }
  return std::nullopt;
}

Result<std::string> JsonValue::String(std::string_view name) const {
  AGENTCA_ASSIGN(auto value, OptionalString(name));
  if (!value) return Malformed("member " + Quoted(name) + " is missing");
  return *std::move(value);
}

Result<std::optional<std::string>> JsonValue::OptionalString(std::string_view name) const {
  const auto member = Find(name);
  if (!member) return std::optional<std::string>();
  const auto text = member->AsString();
  if (!text) return Malformed("member " + Quoted(name) + " must be a string");
  return std::optional<std::string>(*text);
}

Result<std::optional<bool>> JsonValue::OptionalBool(std::string_view name) const {
  const auto member = Find(name);
  if (!member) return std::optional<bool>();
  const auto value = member->AsBool();
  if (!value) return Malformed("member " + Quoted(name) + " must be true or false");
  return value;
}

Result<std::optional<int64_t>> JsonValue::OptionalInt(std::string_view name) const {
  const auto member = Find(name);
  if (!member) return std::optional<int64_t>();
  const auto value = member->AsInt();
  if (!value) return Malformed("member " + Quoted(name) + " must be an integer");
  return value;
}

Result<std::optional<std::vector<std::string>>> JsonValue::OptionalStrings(
    std::string_view name) const {
  const auto member = Find(name);
  if (!member) return std::optional<std::vector<std::string>>();
  if (!member->is_array()) return Malformed("member " + Quoted(name) + " must be an array");
  std::vector<std::string> texts;
  for (const JsonValue& element : member->elements()) {
    const auto text = element.AsString();
    if (!text) return Malformed("member " + Quoted(name) + " must be an array of strings");
    texts.emplace_back(*text);
  }
  return std::optional(std::move(texts));
}

// ---- JsonDocument ------------------------------------------------------------------------------

struct JsonDocument::Rep {
  rapidjson::MemoryPoolAllocator<> memory{kChunk};
  rapidjson::Document document{&memory};
};

JsonDocument::JsonDocument(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

Result<JsonDocument> JsonDocument::Parse(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_size) return Error{Code::kPayloadTooLarge, "JSON text is too large"};
  // RapidJSON takes NUL for the end of its input and would not see what follows.
  if (text.find('\0') != std::string_view::npos) return Malformed("JSON text holds a NUL octet");

  auto rep = std::make_unique<Rep>();
  DepthGuard guard(rep->document, limits.max_depth);
  rapidjson::ParseResult outcome;
  auto generate = [&](rapidjson::Document&) {
    constexpr unsigned kFlags =
        rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::Reader reader;
    outcome = reader.Parse<kFlags>(stream, guard);
    return !outcome.IsError();
  };
  rep->document.Populate(generate);
  if (guard.too_deep()) return Malformed("JSON text is nested too deeply");
  if (outcome.IsError()) {
    return Malformed("JSON text is malformed at octet " + std::to_string(outcome.Offset()) + ": " +
                     rapidjson::GetParseError_En(outcome.Code()));
  }
  AGENTCA_TRY(CheckTree(rep->document));
  return JsonDocument(std::move(rep));
}

JsonValue JsonDocument::root() const {
  const Value* root = &rep_->document;
  return JsonValue(root);
}

// ---- JsonWriter --------------------------------------------------------------------------------

struct JsonWriter::Rep {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
};

JsonWriter::JsonWriter() : rep_(std::make_unique<Rep>()) {}
JsonWriter::~JsonWriter() = default;

JsonWriter& JsonWriter::BeginObject() { return rep_->writer.StartObject(), *this; }
JsonWriter& JsonWriter::EndObject() { return rep_->writer.EndObject(), *this; }
JsonWriter& JsonWriter::BeginArray() { return rep_->writer.StartArray(), *this; }
JsonWriter& JsonWriter::EndArray() { return rep_->writer.EndArray(), *this; }
JsonWriter& JsonWriter::Int(int64_t value) { return rep_->writer.Int64(value), *this; }
JsonWriter& JsonWriter::Bool(bool value) { return rep_->writer.Bool(value), *this; }

JsonWriter& JsonWriter::Key(std::string_view name) {
  rep_->writer.Key(name.data(), static_cast<SizeType>(name.size()));
  return *this;
}

// What a stranger's server said may be quoted in an error: the output is UTF-8 all the same.
JsonWriter& JsonWriter::String(std::string_view value) {
  if (IsAscii(value) || IsUtf8(value)) {
    rep_->writer.String(value.data(), static_cast<SizeType>(value.size()));
    return *this;
  }
  std::string clean(value);
  for (char& c : clean) {
    if (static_cast<uint8_t>(c) >= 0x80) c = '?';
  }
  rep_->writer.String(clean.data(), static_cast<SizeType>(clean.size()));
  return *this;
}

JsonWriter& JsonWriter::Raw(std::string_view complete_json_value) {
  rep_->writer.RawValue(complete_json_value.data(), complete_json_value.size(),
                        rapidjson::kObjectType);
  return *this;
}

std::string JsonWriter::Take() && {
  assert(rep_->writer.IsComplete());
  return {rep_->buffer.GetString(), rep_->buffer.GetSize()};
}

}  // namespace agentca::acme
