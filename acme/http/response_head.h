// Response → status line and header section.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "acme/http/message.h"

namespace agentca::acme::http {

std::string_view ReasonPhrase(int status);

// RFC 9110 §8.6: these carry no content, whatever the handler set.
bool HasContent(int status);

// The Date header's value, made once a second. Not thread-safe: one per I/O thread.
class DateLine {
 public:
  std::string_view Value();

 private:
  std::chrono::sys_seconds second_{};
  std::string value_;
};

struct HeadContext {
  std::string_view date;
  bool close = false;              // this is the last response of the connection
  bool http10_keep_alive = false;  // an HTTP/1.0 client asked to go on
  bool nosniff = false;
};

// The edge owns Content-Length, Connection, Transfer-Encoding and Date; a handler's are left out.
// A header that would break out of its line is left out as well and logged: it is a bug of ours.
std::string BuildHead(const Response& response, const HeadContext& context);

}  // namespace agentca::acme::http
