#include "acme/challenge/answer.h"

#include <array>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <exception>
#include <optional>

#include "acme/http/chunked.h"

namespace agentca::acme {
namespace {

namespace beast = boost::beast;

Error Incorrect(std::string detail) { return Error{Code::kIncorrectResponse, std::move(detail)}; }

// One response, read within the limits. Interim responses (1xx) are skipped.
class AnswerReader {
 public:
  explicit AnswerReader(const ValidationLimits& limits)
      : limits_(limits), octets_left_(limits.max_header + 2 * limits.max_body + 1024) {
    Restart();
  }

  Result<HttpAnswer> Read(Wire& wire, Deadline deadline) {
    std::array<char, 4096> chunk;
    while (!Finished()) {
      AGENTCA_ASSIGN(const size_t n, wire.Read(chunk, deadline));
      if (n > octets_left_) return Incorrect("the answer is too large");
      octets_left_ -= n;
      pending_.append(chunk.data(), n);
      AGENTCA_TRY(n > 0 ? Digest() : End());
    }
    const auto& message = parser_->get();
    const auto location = message[beast::http::field::location];
    return HttpAnswer{message.result_int() > 999 ? 0 : static_cast<int>(message.result_int()),
                      std::string(location.data(), location.size()),
                      chunks_ ? std::move(chunked_body_) : message.body()};
  }

 private:
  using Parser = beast::http::response_parser<beast::http::string_body>;

  void Restart() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(limits_.max_header));
    parser_->body_limit(limits_.max_body);
    // Not eager: an eager put of Beast 1.74 goes on after the header was found to announce too
    // large a body, and forgets that error.
    parser_->eager(false);
  }

  bool Finished() const { return complete_ || parser_->is_done(); }

  Status DigestChunks() {
    switch (chunks_->Consume(pending_, chunked_body_)) {
      case http::ChunkedDecoder::Progress::kNeedMore:
        return {};
      case http::ChunkedDecoder::Progress::kComplete:
        complete_ = true;
        return {};
      case http::ChunkedDecoder::Progress::kBodyTooLarge:
      case http::ChunkedDecoder::Progress::kTrailersTooLong:
        return Incorrect("the answer is too large");
      case http::ChunkedDecoder::Progress::kMalformed:
        break;
    }
    return Incorrect("the answer is not HTTP");
  }

  Status Digest() {
    while (!pending_.empty() && !Finished()) {
      if (chunks_) return DigestChunks();
      beast::error_code ec;
      const size_t used = parser_->put(boost::asio::buffer(pending_), ec);
      pending_.erase(0, used);
      if (ec == beast::http::error::need_more) return {};
      if (ec) return Explain(ec);
      if (Finished() && parser_->get().result_int() / 100 == 1) Restart();
      if (parser_->is_header_done() && parser_->chunked())
        chunks_.emplace(http::ChunkedDecoder::Bounds{limits_.max_body, limits_.max_header});
      if (used == 0) return {};
    }
    return {};
  }

  Status End() {
    beast::error_code ec;
    if (parser_->got_some() && !chunks_) parser_->put_eof(ec);
    if (!parser_->got_some() || chunks_ || ec)
      return Error{Code::kConnection, "the connection ended before the answer was complete"};
    return {};
  }

  static Error Explain(beast::error_code ec) {
    if (ec == beast::http::error::body_limit) return Incorrect("the answer is too large");
    if (ec == beast::http::error::header_limit)
      return Incorrect("the header of the answer is too large");
    return Incorrect("the answer is not HTTP");
  }

  const ValidationLimits& limits_;
  size_t octets_left_;
  std::string pending_;
  std::optional<Parser> parser_;
  std::optional<http::ChunkedDecoder> chunks_;  // for a chunked answer, in place of the parser
  std::string chunked_body_;
  bool complete_ = false;  // with chunks_
};

}  // namespace

Result<HttpAnswer> ReadAnswer(Wire& wire, const ValidationLimits& limits, Deadline deadline) {
  try {
    return AnswerReader(limits).Read(wire, deadline);
  } catch (const std::exception&) {
    return Error{Code::kConnection, "the answer could not be read"};
  }
}

}  // namespace agentca::acme
