#include "hsm/key_uri.h"

#include <algorithm>
#include <array>
#include <optional>

namespace agentca::hsm {
namespace {

constexpr std::string_view kPkcs11Scheme = "pkcs11:";
constexpr std::string_view kFileScheme = "file:";

Error Malformed(std::string_view attribute, std::string_view why) {
  return {Code::kMalformed, "key URI: " + std::string(attribute) + ": " + std::string(why)};
}

bool IsUnreserved(char c) {  // RFC 3986 §2.3
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// RFC 7512 §2.3: what a path attribute's value holds without percent-encoding.
bool IsPlain(char c) {
  return IsUnreserved(c) || std::string_view(":[]@!$'()*+,=&/").find(c) != std::string_view::npos;
}

Result<std::string> Decode(std::string_view attribute, std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsPlain(text[i])) {
      decoded.push_back(text[i]);
      continue;
    }
    if (text[i] != '%') return Malformed(attribute, "a character that must be percent-encoded");
    auto octet = FromHex(text.substr(i + 1, 2));
    if (!octet.ok() || octet->size() != 1) return Malformed(attribute, "bad percent-encoding");
    decoded.push_back(static_cast<char>(octet->front()));
    i += 2;
  }
  return decoded;
}

std::string Encode(std::string_view text, std::string_view also_plain) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (IsUnreserved(c) || also_plain.find(c) != std::string_view::npos) {
      encoded.push_back(c);
    } else {
      const auto octet = static_cast<uint8_t>(c);
      encoded += {'%', kDigits[octet >> 4], kDigits[octet & 15]};
    }
  }
  return encoded;
}

std::string EncodeOctets(ByteView octets) {  // RFC 7512 §2.3: "id" is percent-encoded throughout
  std::string encoded;
  for (const uint8_t octet : octets) encoded += "%" + ToHex(ByteView(&octet, 1));
  return encoded;
}

// CKA_LABEL and CK_TOKEN_INFO are text: a NUL or other control character is a mistake or an attack.
bool IsText(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<uint8_t>(c) < 0x20 || c == 0x7f;
  });
}

Result<KeyUri> ParseFile(std::string_view rest) {
  if (rest.starts_with("//")) rest.remove_prefix(2);  // RFC 8089 §2: an empty authority
  if (!rest.starts_with('/')) return Malformed("file", "the path must be absolute");
  KeyUri uri;
  uri.kind = KeyUri::Kind::kFile;
  AGENTCA_ASSIGN(uri.path, Decode("file", rest));
  if (!IsText(uri.path)) return Malformed("file", "control character");
  return uri;
}

class Pkcs11Attributes {
 public:
  Status Take(std::string_view attribute) {
    const size_t equals = attribute.find('=');
    const std::string_view name = attribute.substr(0, equals);
    if (name == "pin-value" || name == "pin-source") {
      return Malformed(name, "a PIN is never in a URI");
    }
    if (equals == std::string_view::npos) return Malformed(name, "no value");
    const auto slot = std::find(kNames.begin(), kNames.end(), name);
    if (slot == kNames.end()) return Malformed(name, "not an attribute that is used here");
    auto& value = values_[static_cast<size_t>(slot - kNames.begin())];
    if (value.has_value()) return Malformed(name, "given twice");
    AGENTCA_ASSIGN(value, Decode(name, attribute.substr(equals + 1)));
    if (name != "id" && !IsText(*value)) return Malformed(name, "empty or control character");
    if (name == "id" && value->empty()) return Malformed(name, "empty");
    return {};
  }

  Result<KeyUri> Finish() const {
    if (values_[4].has_value() && *values_[4] != "private") {
      return Malformed("type", "only private keys are named here");
    }
    KeyUri uri;
    uri.token = values_[0].value_or("");
    uri.serial = values_[1].value_or("");
    uri.object = values_[2].value_or("");
    uri.id = ToBytes(AsBytes(values_[3].value_or("")));
    if (uri.object.empty() && uri.id.empty()) return Malformed("object", "neither object nor id");
    return uri;
  }

 private:
  static constexpr std::array<std::string_view, 5> kNames = {"token", "serial", "object", "id",
                                                             "type"};
  std::array<std::optional<std::string>, 5> values_;
};

Result<KeyUri> ParsePkcs11(std::string_view rest) {
  Pkcs11Attributes attributes;
  const size_t query = rest.find('?');
  if (query != std::string_view::npos) {
    const std::string_view name = rest.substr(query + 1, rest.find('=', query) - query - 1);
    const bool is_pin = name == "pin-value" || name == "pin-source";
    return Malformed(name, is_pin ? "a PIN is never in a URI" : "query attributes are not used");
  }
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(';'), rest.size());
    AGENTCA_TRY(attributes.Take(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return attributes.Finish();
}

}  // namespace

Result<KeyUri> KeyUri::Parse(std::string_view uri) {
  if (uri.starts_with(kPkcs11Scheme)) return ParsePkcs11(uri.substr(kPkcs11Scheme.size()));
  if (uri.starts_with(kFileScheme)) return ParseFile(uri.substr(kFileScheme.size()));
  return Malformed("scheme", "neither pkcs11: nor file:");
}

std::string KeyUri::ToString() const {
  if (kind == Kind::kFile) return std::string(kFileScheme) + Encode(path, "/");
  std::string attributes;
  const auto add = [&](std::string_view name, const std::string& encoded) {
    if (encoded.empty()) return;
    if (!attributes.empty()) attributes += ';';
    attributes += std::string(name) + "=" + encoded;
  };
  add("token", Encode(token, ""));
  add("serial", Encode(serial, ""));
  add("object", Encode(object, ""));
  add("id", EncodeOctets(id));
  return std::string(kPkcs11Scheme) + attributes;
}

}  // namespace agentca::hsm
