// Octet strings and their text forms.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ca/base/result.h"

namespace agentca {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;
using Sha256Digest = std::array<uint8_t, 32>;

ByteView AsBytes(std::string_view text);
std::string_view AsText(ByteView bytes);
inline Bytes ToBytes(ByteView view) { return Bytes(view.begin(), view.end()); }

// Lower-case hexadecimal without separators; FromHex accepts either case and nothing else.
std::string ToHex(ByteView bytes);
Result<Bytes> FromHex(std::string_view text);

// RFC 4648 §5 without padding, as RFC 8555 §6.1 demands. Decoding refuses padding, white space,
// characters outside the alphabet, impossible lengths and non-zero trailing bits (kMalformed).
std::string ToBase64Url(ByteView bytes);
Result<Bytes> FromBase64Url(std::string_view text);

// RFC 4648 §4 with padding, on one line. Decoding is as strict as FromBase64Url's.
std::string ToBase64(ByteView bytes);
Result<Bytes> FromBase64(std::string_view text);

// RFC 7468 textual encoding with 64-column lines, e.g. label "CERTIFICATE".
std::string ToPem(std::string_view label, ByteView der);

Sha256Digest Sha256(ByteView bytes);

// Compares in time that depends on the lengths alone.
bool ConstantTimeEqual(ByteView a, ByteView b);

// Octets that are wiped when the object goes away; not copyable. For PINs, MAC keys, private keys.
class Secret {
 public:
  Secret() = default;
  explicit Secret(Bytes bytes) : bytes_(std::move(bytes)) {}
  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { Wipe(); }
  ByteView view() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }

 private:
  void Wipe();
  Bytes bytes_;
};

}  // namespace agentca
