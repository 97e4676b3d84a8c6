// What serve and the signer say to each other over their socket: frames of
// u32 length ‖ u64 request id ‖ u8 operation or status ‖ body, all big-endian, length ≤ 64 MiB (a CRL).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ca/base/bytes.h"

namespace agentca::hsm {

// What a key may sign. A signer refuses bytes that are not of a purpose of the key.
enum class Purpose : uint8_t {
  kCertificate,    // TBSCertificate of an end entity issued by the key's CA
  kCrl,            // TBSCertList of the key's CA
  kOcsp,           // ResponseData by this key
};
std::string_view ToString(Purpose purpose);  // "certificate", "crl", "ocsp"
Result<Purpose> PurposeFromString(std::string_view text);

// One row of the signer's key table (agentca.conf: `signer-key = NAME PURPOSE[,PURPOSE] URI`).
struct KeyEntry {
  std::string name;                // "root", "issuing", "ocsp"
  std::vector<Purpose> purposes;
  std::string uri;                 // KeyUri
  std::string certificate_file;    // the certificate that certifies this key: subject and SPKI are pinned
  static Result<KeyEntry> Parse(std::string_view line);
  std::string ToString() const;
};

}  // namespace agentca::hsm
