#include "acme/ocsp_path.h"

#include <string>

#include "ca/ocsp.h"

namespace agentca::acme {
namespace {

constexpr size_t kMaxEncoded = ca::kMaxOcspRequestSize * 4;  // base64, every third octet escaped

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

Result<std::string> PercentDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 3);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return Error{Code::kMalformed, "bad percent-encoding"};
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

}  // namespace

Result<Bytes> OcspRequestFromPath(std::string_view encoded) {
  if (encoded.size() > kMaxEncoded)
    return Error{Code::kPayloadTooLarge, "the OCSP request is too large"};
  AGENTCA_ASSIGN(std::string text, PercentDecode(encoded));
  // DER of a SEQUENCE begins with "M" in base64, so a slash in front belongs to the URL.
  text.erase(0, text.find_first_not_of('/'));
  text.append((4 - text.size() % 4) % 4, '=');
  auto request = FromBase64(text);
  if (!request.ok()) return Error{Code::kMalformed, "the path holds no base64"};
  if (request->empty()) return Error{Code::kMalformed, "the path holds no OCSP request"};
  if (request->size() > ca::kMaxOcspRequestSize)
    return Error{Code::kPayloadTooLarge, "the OCSP request is too large"};
  return request;
}

}  // namespace agentca::acme
