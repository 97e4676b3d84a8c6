// How values that are not columns of their own are written into one: lists as lines, errors and
// contacts as JSON. What cannot be read back is kInternal: the database is damaged.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/model.h"

namespace agentca::storage {

// One item a line. For values of ours that never hold a line feed: ids, names, identifiers.
// kMalformed when one is empty or holds one.
Result<std::string> ToLines(const std::vector<std::string>& items);
std::vector<std::string> FromLines(std::string_view text);

std::string ToText(const acme::Identifier& identifier);  // "dns:example.test"
Result<acme::Identifier> IdentifierFromText(std::string_view text);
Result<std::string> ToText(const std::vector<acme::Identifier>& identifiers);
Result<std::vector<acme::Identifier>> IdentifiersFromText(std::string_view text);

std::string ToJson(const std::vector<std::string>& texts);
Result<std::vector<std::string>> TextsFromJson(std::string_view json);

// {"code":"connection","detail":"…","subject":"…","causes":[…]}; codes by name, so that the order
// of the enumerators may change. Causes nested deeper than anyone makes them are left out.
std::string ToJson(const Error& error);
// A column: no text is no error.
Result<std::optional<Error>> ErrorFromJson(const std::optional<std::string>& json);

std::string ToText(const std::vector<acme::ChallengeType>& types);
Result<std::vector<acme::ChallengeType>> ChallengeTypesFromText(std::string_view text);

// JSON can carry NUL, but acme/json.h refuses to read it.
std::string WithoutNul(std::string text);

Error Damaged(std::string_view what);

}  // namespace agentca::storage
