// What serve and the signer say to each other over their socket: frames of
// u32 length ‖ u64 request id ‖ u8 operation or status ‖ body, all big-endian; the length counts
// what follows it and is at most 64 MiB (a CRL) towards the signer, 64 KiB from it.
//
// The signer speaks first: kReady with its keys, or why it cannot start, with request id 0. Then
// each request gets one reply with its id, in any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ca/base/bytes.h"
#include "ca/public_key.h"

namespace agentca::hsm {

// What a key may sign. A signer refuses bytes that are not of a purpose of the key.
enum class Purpose : uint8_t {
  kCertificate,  // TBSCertificate of an end entity issued by the key's CA
  kCrl,          // TBSCertList of the key's CA
  kOcsp,         // ResponseData by this key
};
std::string_view ToString(Purpose purpose);  // "certificate", "crl", "ocsp"
Result<Purpose> PurposeFromString(std::string_view text);

// One row of the signer's key table
// (agentca.conf: `signer-key = NAME PURPOSE[,PURPOSE] URI [CERTIFICATE-FILE]`).
struct KeyEntry {
  std::string name;  // "root", "issuing", "ocsp": letters, digits, '-' and '_', 64 at most
  std::vector<Purpose> purposes;
  std::string uri;               // KeyUri
  std::string certificate_file;  // the certificate that certifies this key: subject and SPKI are
                                 // pinned; may hold spaces, as it is the last field
  static Result<KeyEntry> Parse(std::string_view line);
  std::string ToString() const;
};

inline constexpr size_t kMaxRequest = size_t{64} << 20;
inline constexpr size_t kMaxReply = size_t{64} << 10;

enum class Operation : uint8_t {
  kSign = 1,  // body: u8 length of the key's name ‖ name ‖ message
  kPing = 2,  // empty body; answered kOk when the token is there
};
enum class ReplyStatus : uint8_t {
  kOk = 0,           // the signature; empty for a ping
  kRefused = 1,      // text: the bytes are not of a purpose of the key; nothing was signed
  kUnavailable = 2,  // text: the token failed; the signer is about to end
  kReady = 3,        // the keys, see EncodeKeys
  kCannotStart = 4,  // text: the signer ends; starting it again may help
  kGivenUp = 5,      // text: the signer ends, and starting it again does harm (a refused PIN counts
                     // against the token's retry counter)
};

struct Frame {
  uint64_t id = 0;
  uint8_t kind = 0;  // Operation or ReplyStatus
  Bytes body;
};
Bytes EncodeHeader(uint64_t id, uint8_t kind, size_t body_size);
Bytes EncodeFrame(uint64_t id, uint8_t kind, ByteView body);

// Takes a stream apart into frames. Refuses a length over `limit` before it allocates for it.
class FrameReader {
 public:
  explicit FrameReader(size_t limit) : limit_(limit) {}
  // Where to read into next; never empty.
  std::span<uint8_t> Space();
  // `count` octets were read into Space(). True when a frame is complete: Take it before reading
  // on. kMalformed: the peer does not speak this protocol.
  Result<bool> Advance(size_t count);
  Frame Take();

 private:
  static constexpr size_t kHeaderSize = 4 + 8 + 1;
  static constexpr size_t kStep = size_t{1} << 20;  // memory follows what has arrived
  const size_t limit_;
  uint8_t header_[kHeaderSize] = {};
  size_t have_ = 0;  // octets of the frame so far, header included
  size_t body_size_ = 0;
  Frame frame_;
};

// A signature request's body, and its parts again. The views point into `body`.
Bytes EncodeSignPrefix(std::string_view key_name);
struct SignRequest {
  std::string_view key_name;
  ByteView message;
};
Result<SignRequest> ParseSignRequest(ByteView body);

// The keys of a signer: per key u8 length ‖ name ‖ u16 length ‖ SubjectPublicKeyInfo.
struct NamedKey {
  std::string name;
  ca::PublicKey public_key;
  friend bool operator==(const NamedKey&, const NamedKey&) = default;
};
Bytes EncodeKeys(const std::vector<NamedKey>& keys);
Result<std::vector<NamedKey>> ParseKeys(ByteView body);

}  // namespace agentca::hsm
