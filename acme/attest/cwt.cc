#include "acme/attest/cwt.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "acme/attest/cose.h"
#include "acme/json.h"

namespace agentca::acme::attest {
namespace {

constexpr int64_t kCnf = 8;      // RFC 8747 §3.1
constexpr int64_t kCoseKey = 1;  // member of cnf, RFC 8747 §3.1
constexpr int64_t kIat = 6;
constexpr int64_t kDbgstat = 263;
constexpr int64_t kLocation = 264;
constexpr int64_t kSubmods = 266;
constexpr int64_t kIntuse = 275;

struct ClaimName {
  int64_t key;
  std::string_view name;
};
// RFC 8392 §4, RFC 8747 §7.1 and RFC 9711 §10.2.
constexpr std::array kClaimNames{
    ClaimName{1, "iss"},
    ClaimName{2, "sub"},
    ClaimName{3, "aud"},
    ClaimName{4, "exp"},
    ClaimName{5, "nbf"},
    ClaimName{kIat, "iat"},
    ClaimName{7, "jti"},
    ClaimName{kCnf, "cnf"},
    ClaimName{10, "eat_nonce"},
    ClaimName{256, "ueid"},
    ClaimName{257, "sueids"},
    ClaimName{258, "oemid"},
    ClaimName{259, "hwmodel"},
    ClaimName{260, "hwversion"},
    ClaimName{261, "uptime"},
    ClaimName{262, "oemboot"},
    ClaimName{kDbgstat, "dbgstat"},
    ClaimName{kLocation, "location"},
    ClaimName{265, "eat_profile"},
    ClaimName{kSubmods, "submods"},
    ClaimName{267, "bootcount"},
    ClaimName{268, "bootseed"},
    ClaimName{269, "dloas"},
    ClaimName{270, "swname"},
    ClaimName{271, "swversion"},
    ClaimName{272, "manifests"},
    ClaimName{273, "measurements"},
    ClaimName{274, "measres"},
    ClaimName{kIntuse, "intuse"},
};

// RFC 9711 §4.2.9 and §4.3.3: the JSON words for the integers, in order.
constexpr std::array<std::string_view, 5> kDebugWords{"enabled", "disabled", "disabled-since-boot",
                                                      "disabled-permanently",
                                                      "disabled-fully-and-permanently"};
constexpr std::array<std::string_view, 6> kUseWords{
    "", "generic", "registration", "provisioning", "csr", "pop"};
// §4.2.10: the JSON names for the labels of a location, in order.
constexpr std::array<std::string_view, 10> kLocationNames{
    "",        "latitude", "longitude", "altitude", "accuracy", "altitude-accuracy",
    "heading", "speed",    "timestamp", "age"};
constexpr int64_t kHeading = 6;

Error Malformed(std::string detail) { return {Code::kMalformed, "CWT: " + std::move(detail)}; }

class Translation {
 public:
  // A claims set; `top`: `cnf` is left out.
  Status Claims(const CborValue& map, bool top) {  // NOLINT(misc-no-recursion): parser's depth
    out_.BeginObject();
    for (const auto& [key, value] : map.members()) {
      const auto number = key.AsInt();
      if (top && number == kCnf) continue;
      AGENTCA_ASSIGN(const std::string name, NameOf(key));
      out_.Key(name);
      AGENTCA_TRY(Claim(number.value_or(0), value));
    }
    out_.EndObject();
    return {};
  }

  std::string Take() && { return std::move(out_).Take(); }

 private:
  static Result<std::string> NameOf(const CborValue& key) {
    if (const auto text = key.AsText()) {
      // Two spellings of one claim must not say two things.
      const bool registered =
          *text == "cti" || std::any_of(kClaimNames.begin(), kClaimNames.end(),
                                        [&](const auto& c) { return c.name == *text; });
      if (!registered) return std::string(*text);
      return Malformed("claim \"" + std::string(*text) + "\" has an integer for its key");
    }
    const auto number = key.AsInt();
    const auto* row = std::find_if(kClaimNames.begin(), kClaimNames.end(),
                                   [&](const auto& claim) { return claim.key == number; });
    return row != kClaimNames.end() ? std::string(row->name) : key.AsIntText().value_or("");
  }

  Status Claim(int64_t key, const CborValue& value) {  // NOLINT(misc-no-recursion)
    if (key == kDbgstat) return Word("dbgstat", kDebugWords, value);
    if (key == kIntuse) return Word("intuse", kUseWords, value);
    if (key == kSubmods && value.type() == CborType::kMap) return Submodules(value);
    if (key == kLocation && value.type() == CborType::kMap) return Location(value);
    // RFC 9711 §4.3.1: whoever receives such a token "MUST consider it an error".
    if (key == kIat && IsFloat(value)) return Malformed("claim \"iat\" is in floating point");
    return Value(value);
  }

  static bool IsFloat(CborValue value) {
    while (const auto tagged = value.AsTagged()) value = tagged->second;
    return value.type() == CborType::kFloat;
  }

  Status Location(const CborValue& map) {
    out_.BeginObject();
    for (const auto& [label, value] : map.members()) {
      const auto number = label.AsInt();
      // §4.2.10: the heading of what stands still is NaN. JSON cannot say it, and it says nothing.
      if (number == kHeading && IsFloat(value) && std::isnan(value.AsNumber().value_or(0))) {
        continue;
      }
      const bool is_named =
          number && *number > 0 && static_cast<size_t>(*number) < kLocationNames.size();
      out_.Key(is_named ? std::string(kLocationNames[static_cast<size_t>(*number)])
                        : KeyText(label));
      AGENTCA_TRY(Value(value));
    }
    out_.EndObject();
    return {};
  }

  template <size_t count>
  Status Word(std::string_view claim, const std::array<std::string_view, count>& words,
              const CborValue& value) {
    const auto number = value.AsInt();
    if (!number || *number < 0 || static_cast<size_t>(*number) >= count ||
        words[static_cast<size_t>(*number)].empty()) {
      return Malformed("claim \"" + std::string(claim) + "\" has no value of RFC 9711");
    }
    out_.String(words[static_cast<size_t>(*number)]);
    return {};
  }

  // RFC 9711 §4.2.18: by name, a claims set, or a nested token or digest, which nobody verifies
  // here.
  Status Submodules(const CborValue& map) {  // NOLINT(misc-no-recursion)
    out_.BeginObject();
    for (const auto& [key, value] : map.members()) {
      const auto name = key.AsText();
      if (!name) return Malformed("a submodule has no name");
      out_.Key(*name);
      if (value.type() == CborType::kMap) {
        AGENTCA_TRY(Claims(value, false));
      } else {
        AGENTCA_TRY(Value(value));
      }
    }
    out_.EndObject();
    return {};
  }

  Status Value(const CborValue& value) {  // NOLINT(misc-no-recursion)
    switch (value.type()) {
      case CborType::kUnsigned:
      case CborType::kNegative:
        out_.Raw(*value.AsIntText());
        return {};
      case CborType::kBytes:
        out_.String(ToBase64Url(*value.AsBytes()));
        return {};
      case CborType::kText:
        out_.String(*value.AsText());
        return {};
      case CborType::kArray:
        out_.BeginArray();
        for (const CborValue& each : value.elements()) AGENTCA_TRY(Value(each));
        out_.EndArray();
        return {};
      case CborType::kMap:
        return Map(value);
      case CborType::kTag:
        return Value(value.AsTagged()->second);
      case CborType::kFloat:
        return Float(*value.AsNumber());
      case CborType::kBool:
        out_.Bool(*value.AsBool());
        return {};
      case CborType::kNull:
      case CborType::kUndefined:
        break;
    }
    out_.Raw("null");
    return {};
  }

  static std::string KeyText(const CborValue& key) {
    return key.AsText() ? std::string(*key.AsText()) : key.AsIntText().value_or("");
  }

  Status Map(const CborValue& map) {  // NOLINT(misc-no-recursion)
    out_.BeginObject();
    for (const auto& [key, value] : map.members()) {
      out_.Key(KeyText(key));
      AGENTCA_TRY(Value(value));
    }
    out_.EndObject();
    return {};
  }

  Status Float(double real) {
    if (!std::isfinite(real)) return Malformed("a number is not finite");
    char text[32];
    const int size = std::snprintf(text, sizeof text, "%.17g", real);
    out_.Raw(std::string_view(text, static_cast<size_t>(size)));
    return {};
  }

  JsonWriter out_;
};

Result<std::optional<ca::PublicKey>> ReadConfirmation(const CborValue& claims) {
  const auto cnf = claims.Find(kCnf);
  if (!cnf) return std::optional<ca::PublicKey>();
  const auto cose_key = cnf->Find(kCoseKey);
  // RFC 8747 §3.1: at most one key is represented; encrypted keys and key ids name none to us.
  if (!cose_key || cnf->members().size() != 1) {
    return Malformed("claim \"cnf\" must hold a COSE_Key and nothing else");
  }
  auto key = ParseCoseKey(*cose_key);
  if (!key.ok()) return Malformed("claim \"cnf\": " + key.error().detail);
  return std::optional<ca::PublicKey>(*std::move(key));
}

}  // namespace

Result<CwtClaims> ReadCwtClaims(ByteView payload) {
  AGENTCA_ASSIGN(const CborDocument document, CborDocument::Parse(payload));
  const CborValue claims = document.root();
  if (claims.type() != CborType::kMap) return Malformed("the claims are no map");
  CwtClaims out;
  AGENTCA_ASSIGN(out.confirmed, ReadConfirmation(claims));
  Translation translation;
  AGENTCA_TRY(translation.Claims(claims, true));
  out.json = std::move(translation).Take();
  return out;
}

}  // namespace agentca::acme::attest
