// Strangers' octets → Request. Stricter than RFC 9112 allows a server to be lenient: what two
// parsers could read in two ways is refused, so that nobody in front of us can be made to disagree.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "acme/http/chunked.h"
#include "acme/http/message.h"

namespace agentca::acme::http {

// Finds the end of a request head as octets arrive, and refuses at once what no head may hold: NUL,
// a bare LF, a bare CR, folded lines (RFC 9112 §2.2, §5.2).
class HeadScanner {
 public:
  enum class Verdict { kIncomplete, kComplete, kNul, kBareLineFeed, kBareReturn, kFolded };
  // `head` starts with the request line and has grown since the last call.
  Verdict Scan(std::string_view head);
  // Octets of the head, its empty line included. After kComplete.
  size_t size() const { return position_; }
  bool past_first_line() const { return line_ > 0; }

 private:
  size_t position_ = 0;  // looked at so far
  size_t line_ = 0;      // where the current line starts
};

class RequestReader {
 public:
  struct Bounds {
    size_t max_header;
    size_t max_body;
  };
  enum class Progress {
    kNeedMore,
    kExpects,   // the client waits for "100 Continue" before it sends the body
    kComplete,  // request() may be taken
    kRefused,   // status() and detail() say why; nothing after it can be trusted
  };

  RequestReader(Bounds bounds, std::string remote_address);
  ~RequestReader();

  // What every request of the connection carries as Request::peer_certificate; before the first.
  void SetPeerCertificate(Bytes der) { peer_certificate_ = std::move(der); }
  // Replaces the address that every request of the connection carries; before the first.
  void SetRemoteAddress(std::string address) { remote_address_ = std::move(address); }
  const std::string& remote_address() const { return remote_address_; }
  // Removes what it used from the front of `input`.
  Progress Consume(std::string& input);
  const Request& request() const { return request_; }
  bool keep_alive() const { return keep_alive_; }
  bool http11() const { return http11_; }
  int status() const { return status_; }
  const std::string& detail() const { return detail_; }
  // Octets of memory that the request holds so far, about.
  size_t held() const;
  // Ready for the next request of the connection; gives its memory back.
  void Reset();

 private:
  class Parser;
  Progress ConsumeHead(std::string& input);
  Progress ParseHead(std::string_view head);
  Progress ConsumeBody(std::string& input);
  Progress Refuse(int status, std::string_view detail);

  const Bounds bounds_;
  std::string remote_address_;
  Bytes peer_certificate_;
  Request request_;
  HeadScanner scanner_;
  bool skipped_line_ = false;
  bool in_body_ = false;
  size_t body_left_ = 0;                  // of a body with Content-Length
  std::optional<ChunkedDecoder> chunks_;  // of another
  bool keep_alive_ = false;
  bool http11_ = true;
  int status_ = 0;
  std::string detail_;
};

}  // namespace agentca::acme::http
