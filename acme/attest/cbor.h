// CBOR (RFC 8949) behind one wrapper (cbor.cc is the only includer of libcbor). Hostile octets are
// refused before anyone looks at them: size, depth, duplicate or odd map keys, text that is no
// UTF-8, trailing octets, simple values without a meaning.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "ca/base/bytes.h"

namespace agentca::acme::attest {

enum class CborType : uint8_t {
  kUnsigned,
  kNegative,
  kBytes,
  kText,
  kArray,
  kMap,
  kTag,
  kFloat,
  kBool,
  kNull,
  kUndefined,
};

// A view of one item; valid while its CborDocument lives. Cheap to copy. Accessors of an item that
// is of another type return nullopt or empty.
class CborValue {
 public:
  CborType type() const;
  std::optional<int64_t> AsInt() const;  // integers that fit
  std::optional<ByteView> AsBytes() const;
  std::optional<std::string_view> AsText() const;
  std::optional<bool> AsBool() const;
  std::optional<double> AsNumber() const;  // any number; large integers lose precision
  // An integer of any size (CBOR's reach from -2^64 to 2^64 - 1), in decimal.
  std::optional<std::string> AsIntText() const;
  std::vector<CborValue> elements() const;                       // of an array
  std::vector<std::pair<CborValue, CborValue>> members() const;  // of a map, in order
  std::optional<CborValue> Find(int64_t key) const;              // member of a map
  std::optional<CborValue> Find(std::string_view key) const;
  std::optional<std::pair<uint64_t, CborValue>> AsTagged() const;  // the tag and what it is on

 private:
  friend class CborDocument;
  explicit CborValue(const void* node) : node_(node) {}
  const void* node_;
};

struct CborLimits {
  size_t max_size = 64 * 1024;  // octets
  size_t max_depth = 16;        // nested arrays, maps, tags and strings of unknown length
  size_t max_items = 16 * 1024;
};

// Move-only owner. Numbers in longer forms than they need and items of unknown length (RFC 8949
// §3.2, §4.1) are accepted: what was signed is octets, never our rendering of them.
class CborDocument {
 public:
  // kMalformed says what is wrong and, where it helps, at which octet.
  static Result<CborDocument> Parse(ByteView octets, const CborLimits& limits = {});
  CborDocument(CborDocument&&) noexcept;
  CborDocument& operator=(CborDocument&&) noexcept;
  ~CborDocument();
  CborValue root() const;

 private:
  struct Rep;
  explicit CborDocument(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

// Writes items one after the other in their shortest form; nesting is the caller's.
class CborWriter {
 public:
  CborWriter& Array(size_t elements);
  CborWriter& Map(size_t members);
  CborWriter& Tag(uint64_t tag);
  CborWriter& Int(int64_t value);
  CborWriter& Octets(ByteView value);
  CborWriter& Text(std::string_view value);
  Bytes Take() && { return std::move(out_); }

 private:
  using Encode = size_t (*)(size_t value, unsigned char* buffer, size_t size);
  CborWriter& Head(Encode encode, size_t value);
  Bytes out_;
};

}  // namespace agentca::acme::attest
