// What administrators send is read strictly: a member that nobody knows is a typing mistake, and
// one in a security policy must not pass in silence.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "acme/json.h"

namespace agentca::acme::admin {

// kMalformed unless `value` is an object whose members are all among `known`.
Status CheckMembers(const JsonValue& value, std::initializer_list<std::string_view> known);

// `error` happened in the member `name`: "class: member "access" is missing".
Error Within(std::string_view name, Error error);
template <class T>
Result<T> Within(std::string_view name, Result<T> result) {
  if (!result.ok()) return Within(name, std::move(result).error());
  return result;
}

// "" or an empty list when the member is absent.
Result<std::string> TextOrNone(const JsonValue& object, std::string_view name);
Result<std::vector<std::string>> TextsOrNone(const JsonValue& object, std::string_view name);

// A value as JSON text again. kMalformed for numbers that are not integers.
Result<std::string> JsonText(const JsonValue& value);

}  // namespace agentca::acme::admin
