#include "acme/http/response_head.h"

#include <algorithm>
#include <array>

#include "ca/base/clock.h"
#include "ca/base/log.h"

namespace agentca::acme::http {
namespace {

struct Reason {
  int status;
  std::string_view phrase;
};
constexpr Reason kReasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {207, "Multi-Status"},
    {303, "See Other"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
};

constexpr std::array<std::string_view, 4> kOwned = {"Content-Length", "Connection",
                                                    "Transfer-Encoding", "Date"};

bool FitsOneLine(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

bool Sendable(const std::string& name, const std::string& value) {
  if (std::any_of(kOwned.begin(), kOwned.end(),
                  [&](std::string_view owned) { return EqualNames(owned, name); }))
    return false;
  if (FitsOneLine(name) && FitsOneLine(value)) return true;
  Log(Level::kError, "a response header with a line break was left out", {{"name", name}});
  return false;
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  for (const auto& reason : kReasons)
    if (reason.status == status) return reason.phrase;
  return "Status";
}

bool HasContent(int status) { return status >= 200 && status != 204 && status != 304; }

std::string_view DateLine::Value() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  if (now != second_) {
    second_ = now;
    value_ = ToHttpDate(now);
  }
  return value_;
}

std::string BuildHead(const Response& response, const HeadContext& context) {
  std::string head;
  head.reserve(512);
  head.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  head.append(ReasonPhrase(response.status)).append("\r\nDate: ").append(context.date);
  for (const auto& [name, value] : response.headers)
    if (Sendable(name, value)) head.append("\r\n").append(name).append(": ").append(value);
  if (HasContent(response.status)) {
    const size_t size = response.shared_body ? response.shared_body->size() : response.body.size();
    head.append("\r\nContent-Length: ").append(std::to_string(size));
  }
  if (context.nosniff) head.append("\r\nX-Content-Type-Options: nosniff");
  if (context.close) {
    head.append("\r\nConnection: close");
  } else if (context.http10_keep_alive) {
    head.append("\r\nConnection: keep-alive");
  }
  head.append("\r\n\r\n");
  return head;
}

}  // namespace agentca::acme::http
