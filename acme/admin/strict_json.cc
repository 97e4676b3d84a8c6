#include "acme/admin/strict_json.h"

#include <algorithm>

namespace agentca::acme::admin {
namespace {

Status WriteValue(const JsonValue& value, JsonWriter& json) {
  if (const auto text = value.AsString()) {
    json.String(*text);
  } else if (const auto number = value.AsInt()) {
    json.Int(*number);
  } else if (const auto flag = value.AsBool()) {
    json.Bool(*flag);
  } else if (value.is_null()) {
    json.Raw("null");
  } else if (value.is_array()) {
    json.BeginArray();
    for (const JsonValue& element : value.elements()) AGENTCA_TRY(WriteValue(element, json));
    json.EndArray();
  } else if (value.is_object()) {
    json.BeginObject();
    for (const auto& [name, member] : value.members()) {
      json.Key(name);
      AGENTCA_TRY(WriteValue(member, json));
    }
    json.EndObject();
  } else {
    return Error{Code::kMalformed, "numbers must be whole"};
  }
  return {};
}

}  // namespace

Status CheckMembers(const JsonValue& value, std::initializer_list<std::string_view> known) {
  if (!value.is_object()) return Error{Code::kMalformed, "must be a JSON object"};
  for (const auto& [name, member] : value.members()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string detail = "there is no member \"" + std::string(name.substr(0, 64)) + "\" here; ";
    for (const std::string_view each : known) detail.append(each).append(", ");
    detail.resize(detail.size() - 2);
    return Error{Code::kMalformed, detail + " are known"};
  }
  return {};
}

Error Within(std::string_view name, Error error) {
  error.detail.insert(0, std::string(name) + ": ");
  return error;
}

Result<std::string> TextOrNone(const JsonValue& object, std::string_view name) {
  AGENTCA_ASSIGN(auto text, object.OptionalString(name));
  return std::move(text).value_or(std::string());
}

Result<std::vector<std::string>> TextsOrNone(const JsonValue& object, std::string_view name) {
  AGENTCA_ASSIGN(auto texts, object.OptionalStrings(name));
  return std::move(texts).value_or(std::vector<std::string>());
}

Result<std::string> JsonText(const JsonValue& value) {
  JsonWriter json;
  AGENTCA_TRY(WriteValue(value, json));
  return std::move(json).Take();
}

}  // namespace agentca::acme::admin
