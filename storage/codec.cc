#include "storage/codec.h"

#include <algorithm>

#include "acme/json.h"

namespace agentca::storage {
namespace {

using acme::ChallengeType;
using acme::Identifier;
using acme::JsonDocument;
using acme::JsonValue;
using acme::JsonWriter;

constexpr int kMaxCauseDepth = 8;
constexpr acme::JsonLimits kLimits{.max_size = 16 * 1024 * 1024,
                                   .max_depth = 2 * kMaxCauseDepth + 4};

// No default: a new code does not compile before it has a name here.
std::string_view NameOf(Code code) {
  switch (code) {
    case Code::kMalformed:
      return "malformed";
    case Code::kUnsupportedMediaType:
      return "unsupportedMediaType";
    case Code::kMethodNotAllowed:
      return "methodNotAllowed";
    case Code::kPayloadTooLarge:
      return "payloadTooLarge";
    case Code::kBadNonce:
      return "badNonce";
    case Code::kBadSignatureAlgorithm:
      return "badSignatureAlgorithm";
    case Code::kBadPublicKey:
      return "badPublicKey";
    case Code::kBadCsr:
      return "badCSR";
    case Code::kBadRevocationReason:
      return "badRevocationReason";
    case Code::kAlreadyRevoked:
      return "alreadyRevoked";
    case Code::kAccountDoesNotExist:
      return "accountDoesNotExist";
    case Code::kAccountKeyInUse:
      return "accountKeyInUse";
    case Code::kAccountInactive:
      return "accountInactive";
    case Code::kUnauthorized:
      return "unauthorized";
    case Code::kUserActionRequired:
      return "userActionRequired";
    case Code::kExternalAccountRequired:
      return "externalAccountRequired";
    case Code::kUnsupportedContact:
      return "unsupportedContact";
    case Code::kInvalidContact:
      return "invalidContact";
    case Code::kUnsupportedIdentifier:
      return "unsupportedIdentifier";
    case Code::kRejectedIdentifier:
      return "rejectedIdentifier";
    case Code::kCompound:
      return "compound";
    case Code::kOrderNotReady:
      return "orderNotReady";
    case Code::kRateLimited:
      return "rateLimited";
    case Code::kConnection:
      return "connection";
    case Code::kDns:
      return "dns";
    case Code::kTls:
      return "tls";
    case Code::kIncorrectResponse:
      return "incorrectResponse";
    case Code::kBadAttestation:
      return "badAttestation";
    case Code::kNotFound:
      return "notFound";
    case Code::kConflict:
      return "conflict";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kInternal:
      return "internal";
  }
  return "internal";
}

// A name that a later version wrote is an error all the same.
Code CodeOf(std::string_view name) {
  for (int i = 0; i < kCodeCount; ++i) {
    if (NameOf(static_cast<Code>(i)) == name) return static_cast<Code>(i);
  }
  return Code::kInternal;
}

void Write(JsonWriter& out, const Error& error, int depth) {  // NOLINT(misc-no-recursion)
  out.BeginObject();
  out.Member("code", NameOf(error.code));
  out.Member("detail", WithoutNul(error.detail));
  if (!error.subject.empty()) out.Member("subject", WithoutNul(error.subject));
  if (!error.causes.empty() && depth < kMaxCauseDepth) {
    out.Key("causes").BeginArray();
    for (const Error& cause : error.causes) Write(out, cause, depth + 1);
    out.EndArray();
  }
  out.EndObject();
}

std::optional<Error> Read(const JsonValue& value) {  // NOLINT(misc-no-recursion)
  const auto code = value.String("code");
  auto detail = value.String("detail");
  auto subject = value.OptionalString("subject");
  if (!code.ok() || !detail.ok() || !subject.ok()) return std::nullopt;
  Error error{CodeOf(*code), *std::move(detail), (*std::move(subject)).value_or("")};
  if (const auto causes = value.Find("causes")) {
    for (const JsonValue& each : causes->elements()) {
      auto cause = Read(each);
      if (!cause) return std::nullopt;
      error.causes.push_back(*std::move(cause));
    }
  }
  return error;
}

}  // namespace

Error Damaged(std::string_view what) {
  return {Code::kInternal, "the database is damaged: " + std::string(what) + " cannot be read"};
}

std::string WithoutNul(std::string text) {
  std::replace(text.begin(), text.end(), '\0', '?');
  return text;
}

Result<std::string> ToLines(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) {
    if (item.empty() || item.find('\n') != std::string::npos) {
      return Error{Code::kMalformed, "a name is empty or holds a line feed"};
    }
    if (!text.empty()) text += '\n';
    text += item;
  }
  return text;
}

std::vector<std::string> FromLines(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    items.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

std::string ToText(const Identifier& identifier) {
  return std::string(ToString(identifier.type)) + ':' + identifier.value;
}

Result<Identifier> IdentifierFromText(std::string_view text) {
  for (const auto type : {Identifier::Type::kDns, Identifier::Type::kIp}) {
    const std::string_view name = ToString(type);
    if (text.size() > name.size() && text.starts_with(name) && text[name.size()] == ':') {
      return Identifier{type, std::string(text.substr(name.size() + 1))};
    }
  }
  return Damaged("an identifier");
}

Result<std::string> ToText(const std::vector<Identifier>& identifiers) {
  std::vector<std::string> items;
  for (const Identifier& each : identifiers) items.push_back(ToText(each));
  return ToLines(items);
}

Result<std::vector<Identifier>> IdentifiersFromText(std::string_view text) {
  std::vector<Identifier> identifiers;
  for (const std::string& item : FromLines(text)) {
    AGENTCA_ASSIGN(Identifier identifier, IdentifierFromText(item));
    identifiers.push_back(std::move(identifier));
  }
  return identifiers;
}

std::string ToJson(const std::vector<std::string>& texts) {
  JsonWriter out;
  out.BeginArray();
  for (const std::string& text : texts) out.String(WithoutNul(text));
  out.EndArray();
  return std::move(out).Take();
}

Result<std::vector<std::string>> TextsFromJson(std::string_view json) {
  if (json == "[]") return std::vector<std::string>();
  const auto document = JsonDocument::Parse(json, kLimits);
  if (!document.ok() || !document->root().is_array()) return Damaged("a list");
  std::vector<std::string> texts;
  for (const JsonValue& each : document->root().elements()) {
    const auto text = each.AsString();
    if (!text) return Damaged("a list");
    texts.emplace_back(*text);
  }
  return texts;
}

std::string ToJson(const Error& error) {
  JsonWriter out;
  Write(out, error, 0);
  return std::move(out).Take();
}

Result<std::optional<Error>> ErrorFromJson(const std::optional<std::string>& json) {
  if (!json) return std::optional<Error>();
  const auto document = JsonDocument::Parse(*json, kLimits);
  if (!document.ok()) return Damaged("an error");
  auto error = Read(document->root());
  if (!error) return Damaged("an error");
  return error;
}

std::string ToText(const std::vector<ChallengeType>& types) {
  std::string text;
  for (const ChallengeType type : types) {
    if (!text.empty()) text += '\n';
    text += ToString(type);
  }
  return text;
}

Result<std::vector<ChallengeType>> ChallengeTypesFromText(std::string_view text) {
  std::vector<ChallengeType> types;
  for (const std::string& item : FromLines(text)) {
    const auto type = acme::ChallengeTypeFromString(item);
    if (!type) return Damaged("a challenge type");
    types.push_back(*type);
  }
  return types;
}

}  // namespace agentca::storage
