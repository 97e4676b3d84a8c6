#include "ca/audit_line.h"

#include <cassert>
#include <charconv>

#include "ca/base/bytes.h"
#include "ca/base/utf8.h"

namespace agentca::ca {
namespace {

constexpr size_t kHashSize = 64;  // hex
constexpr std::string_view kStart = R"({"seq":)";
constexpr std::string_view kPrev = R"(,"prev":")";
constexpr std::string_view kEnd = R"("})";

// A JSON string (RFC 8259 §7). Octets that are not UTF-8 become U+FFFD, so that a line is always
// JSON, whatever a client managed to have logged.
void AppendJsonString(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const auto octet = static_cast<uint8_t>(text.front());
    const size_t length = Utf8Length(text);
    if (length == 0) {
      out += "\\ufffd";
    } else if (octet == '"' || octet == '\\') {
      out += '\\';
      out += text.front();
    } else if (octet < 0x20 || octet == 0x7f) {
      out += "\\u00";
      out += kHex[octet >> 4];
      out += kHex[octet & 15];
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

}  // namespace

std::string FirstPrev() { return std::string(kHashSize, '0'); }

std::string HashOfLine(std::string_view line) { return ToHex(Sha256(AsBytes(line))); }

std::string AuditBody(std::string_view event, std::initializer_list<Field> fields, Time now) {
  std::string body;
  body.reserve(256);
  body += R"(,"time":)";
  AppendJsonString(ToRfc3339(now), body);
  body += R"(,"event":)";
  AppendJsonString(event, body);
  for (const auto& [key, value] : fields) {
    assert(key != "seq" && key != "time" && key != "event" && key != "prev");
    body += ',';
    AppendJsonString(key, body);
    body += ':';
    AppendJsonString(value, body);
  }
  return body;
}

void AppendAuditLine(uint64_t seq, std::string_view body, std::string_view prev, std::string& out) {
  out += kStart;
  out += std::to_string(seq);
  out += body;
  out += kPrev;
  out += prev;
  out += kEnd;
}

std::optional<AuditLine> ParseAuditLine(std::string_view line) {
  const size_t tail = kPrev.size() + kHashSize + kEnd.size();
  if (line.size() < kStart.size() + tail || !line.starts_with(kStart)) return std::nullopt;
  AuditLine parsed{};
  const char* digits = line.data() + kStart.size();
  const auto [end, error] = std::from_chars(digits, line.data() + line.size() - tail, parsed.seq);
  if (error != std::errc() || *digits == '0') return std::nullopt;
  const std::string_view rest(end, line.size() - static_cast<size_t>(end - line.data()));
  const std::string_view ending = line.substr(line.size() - tail);
  if (!rest.starts_with(R"(,"time":")") || !ending.starts_with(kPrev) || !ending.ends_with(kEnd)) {
    return std::nullopt;
  }
  parsed.prev = ending.substr(kPrev.size(), kHashSize);
  if (parsed.prev.find_first_not_of("0123456789abcdef") != std::string_view::npos)
    return std::nullopt;
  return parsed;
}

}  // namespace agentca::ca
