#include "hsm/signer_protocol.h"

#include <algorithm>
#include <array>

#include "hsm/key_uri.h"

namespace agentca::hsm {
namespace {

struct PurposeName {
  Purpose purpose;
  std::string_view name;
};
constexpr std::array<PurposeName, 3> kPurposes = {
    {{Purpose::kCertificate, "certificate"}, {Purpose::kCrl, "crl"}, {Purpose::kOcsp, "ocsp"}}};

constexpr size_t kMaxName = 64;

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  c == '-' || c == '_';
         });
}

// Cuts the next word off `line`; what stays starts at the word after it.
std::string_view TakeWord(std::string_view& line) {
  constexpr std::string_view kBlank = " \t";
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  return word;
}

Result<std::vector<Purpose>> ParsePurposes(std::string_view list) {
  std::vector<Purpose> purposes;
  for (;;) {
    const size_t comma = list.find(',');
    AGENTCA_ASSIGN(const Purpose purpose, PurposeFromString(list.substr(0, comma)));
    if (std::find(purposes.begin(), purposes.end(), purpose) != purposes.end()) {
      return Error{Code::kMalformed, "signer-key: a purpose twice"};
    }
    purposes.push_back(purpose);
    if (comma == std::string_view::npos) return purposes;
    list.remove_prefix(comma + 1);
  }
}

void PutBigEndian(Bytes& out, uint64_t value, size_t octets) {
  for (size_t i = octets; i-- > 0;) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

uint64_t GetBigEndian(ByteView octets) {
  uint64_t value = 0;
  for (const uint8_t octet : octets) value = value << 8 | octet;
  return value;
}

// Cuts a field with a length prefix of `prefix` octets off `rest`.
Result<ByteView> TakeField(ByteView& rest, size_t prefix) {
  if (rest.size() < prefix) return Error{Code::kMalformed, "signer protocol: short field"};
  const auto length = static_cast<size_t>(GetBigEndian(rest.first(prefix)));
  rest = rest.subspan(prefix);
  if (rest.size() < length) return Error{Code::kMalformed, "signer protocol: short field"};
  const ByteView field = rest.first(length);
  rest = rest.subspan(length);
  return field;
}

}  // namespace

std::string_view ToString(Purpose purpose) {
  const auto row = std::find_if(kPurposes.begin(), kPurposes.end(),
                                [&](const PurposeName& p) { return p.purpose == purpose; });
  return row != kPurposes.end() ? row->name : "unknown";
}

Result<Purpose> PurposeFromString(std::string_view text) {
  const auto row = std::find_if(kPurposes.begin(), kPurposes.end(),
                                [&](const PurposeName& p) { return p.name == text; });
  if (row == kPurposes.end()) {
    return Error{Code::kMalformed, "no such key purpose: " + std::string(text)};
  }
  return row->purpose;
}

Result<KeyEntry> KeyEntry::Parse(std::string_view line) {
  KeyEntry entry;
  entry.name = TakeWord(line);
  if (!IsName(entry.name)) return Error{Code::kMalformed, "signer-key: bad name"};
  AGENTCA_ASSIGN(entry.purposes, ParsePurposes(TakeWord(line)));
  entry.uri = TakeWord(line);
  if (auto uri = KeyUri::Parse(entry.uri); !uri.ok()) return std::move(uri).error();
  line = line.substr(0, line.find_last_not_of(" \t\r\n") + 1);
  entry.certificate_file = line;
  return entry;
}

std::string KeyEntry::ToString() const {
  std::string line = name + " ";
  for (size_t i = 0; i < purposes.size(); ++i) {
    if (i != 0) line += ',';
    line += hsm::ToString(purposes[i]);
  }
  line += " " + uri;
  if (!certificate_file.empty()) line += " " + certificate_file;
  return line;
}

Bytes EncodeHeader(uint64_t id, uint8_t kind, size_t body_size) {
  Bytes header;
  PutBigEndian(header, 8 + 1 + body_size, 4);
  PutBigEndian(header, id, 8);
  header.push_back(kind);
  return header;
}

Bytes EncodeFrame(uint64_t id, uint8_t kind, ByteView body) {
  Bytes frame = EncodeHeader(id, kind, body.size());
  frame.insert(frame.end(), body.begin(), body.end());
  return frame;
}

std::span<uint8_t> FrameReader::Space() {
  if (have_ < kHeaderSize) return std::span(header_).subspan(have_);
  const size_t have_body = have_ - kHeaderSize;
  frame_.body.resize(std::min(body_size_, have_body + kStep));
  return std::span(frame_.body).subspan(have_body);
}

Result<bool> FrameReader::Advance(size_t count) {
  have_ += count;
  if (have_ < kHeaderSize) return false;
  if (have_ == kHeaderSize) {
    const uint64_t length = GetBigEndian(std::span(header_).first(4));
    if (length < 8 + 1 || length > limit_) {
      return Error{Code::kMalformed, "signer protocol: frame of " + std::to_string(length)};
    }
    body_size_ = static_cast<size_t>(length) - 9;
    frame_.id = GetBigEndian(std::span(header_).subspan(4, 8));
    frame_.kind = header_[12];
  }
  return have_ == kHeaderSize + body_size_;
}

Frame FrameReader::Take() {
  Frame frame = std::move(frame_);
  frame.body.resize(body_size_);
  frame_ = Frame();
  have_ = 0;
  body_size_ = 0;
  return frame;
}

Bytes EncodeSignPrefix(std::string_view key_name) {
  Bytes prefix;
  PutBigEndian(prefix, key_name.size(), 1);
  prefix.insert(prefix.end(), key_name.begin(), key_name.end());
  return prefix;
}

Result<SignRequest> ParseSignRequest(ByteView body) {
  AGENTCA_ASSIGN(const ByteView name, TakeField(body, 1));
  return SignRequest{AsText(name), body};
}

Bytes EncodeKeys(const std::vector<NamedKey>& keys) {
  Bytes body;
  for (const NamedKey& key : keys) {
    PutBigEndian(body, key.name.size(), 1);
    body.insert(body.end(), key.name.begin(), key.name.end());
    PutBigEndian(body, key.public_key.spki().size(), 2);
    body.insert(body.end(), key.public_key.spki().begin(), key.public_key.spki().end());
  }
  return body;
}

Result<std::vector<NamedKey>> ParseKeys(ByteView body) {
  std::vector<NamedKey> keys;
  while (!body.empty()) {
    AGENTCA_ASSIGN(const ByteView name, TakeField(body, 1));
    AGENTCA_ASSIGN(const ByteView spki, TakeField(body, 2));
    AGENTCA_ASSIGN(ca::PublicKey key, ca::PublicKey::FromSpki(spki));
    keys.push_back({std::string(AsText(name)), std::move(key)});
  }
  return keys;
}

}  // namespace agentca::hsm
