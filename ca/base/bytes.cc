#include "ca/base/bytes.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>

namespace agentca {
namespace {

constexpr std::string_view kUrlAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kStandardAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> Inverse(std::string_view alphabet) {
  std::array<int8_t, 256> table{};
  for (auto& value : table) value = -1;
  for (size_t i = 0; i < alphabet.size(); ++i)
    table[static_cast<uint8_t>(alphabet[i])] = static_cast<int8_t>(i);
  return table;
}
constexpr auto kUrlInverse = Inverse(kUrlAlphabet);
constexpr auto kStandardInverse = Inverse(kStandardAlphabet);

std::string EncodeBase64(ByteView bytes, std::string_view alphabet) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t buffer = 0;
  int bits = 0;
  for (uint8_t byte : bytes) {
    buffer = (buffer << 8) | byte;
    for (bits += 8; bits >= 6; bits -= 6) out.push_back(alphabet[(buffer >> (bits - 6)) & 0x3f]);
  }
  if (bits > 0) out.push_back(alphabet[(buffer << (6 - bits)) & 0x3f]);
  return out;
}

// Decodes text without padding. Every text has at most one reading: trailing bits must be zero.
Result<Bytes> DecodeBase64(std::string_view text, const std::array<int8_t, 256>& inverse) {
  if (text.size() % 4 == 1) return Error{Code::kMalformed, "base64: impossible length"};
  Bytes out;
  out.reserve(text.size() * 3 / 4);
  uint32_t buffer = 0;
  int bits = 0;
  for (char c : text) {
    const int8_t value = inverse[static_cast<uint8_t>(c)];
    if (value < 0) return Error{Code::kMalformed, "base64: character outside the alphabet"};
    buffer = (buffer << 6) | static_cast<uint32_t>(value);
    if ((bits += 6) >= 8) out.push_back(static_cast<uint8_t>(buffer >> (bits -= 8)));
  }
  if ((buffer & ((1u << bits) - 1)) != 0)
    return Error{Code::kMalformed, "base64: trailing bits are not zero"};
  return out;
}

}  // namespace

ByteView AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string_view AsText(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string ToHex(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (uint8_t byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 0xf]);
  }
  return out;
}

Result<Bytes> FromHex(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  if (text.size() % 2 != 0) return Error{Code::kMalformed, "hex: odd number of digits"};
  Bytes out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return Error{Code::kMalformed, "hex: not a hexadecimal digit"};
    out.push_back(static_cast<uint8_t>(high * 16 + low));
  }
  return out;
}

std::string ToBase64Url(ByteView bytes) { return EncodeBase64(bytes, kUrlAlphabet); }

Result<Bytes> FromBase64Url(std::string_view text) { return DecodeBase64(text, kUrlInverse); }

std::string ToBase64(ByteView bytes) {
  std::string out = EncodeBase64(bytes, kStandardAlphabet);
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

Result<Bytes> FromBase64(std::string_view text) {
  if (text.size() % 4 != 0) return Error{Code::kMalformed, "base64: length is not a multiple of 4"};
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  return DecodeBase64(text, kStandardInverse);
}

std::string ToPem(std::string_view label, ByteView der) {
  const std::string body = ToBase64(der);
  std::string out = "-----BEGIN " + std::string(label) + "-----\n";
  for (size_t i = 0; i < body.size(); i += 64) out.append(body, i, 64).push_back('\n');
  return out.append("-----END ").append(label).append("-----\n");
}

Sha256Digest Sha256(ByteView bytes) {
  Sha256Digest digest;
  SHA256(bytes.data(), bytes.size(), digest.data());
  return digest;
}

bool ConstantTimeEqual(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    Wipe();
    bytes_ = std::move(other.bytes_);
    other.bytes_.clear();
  }
  return *this;
}

void Secret::Wipe() {
  if (!bytes_.empty()) OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

}  // namespace agentca
