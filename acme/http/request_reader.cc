#include "acme/http/request_reader.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>

namespace agentca::acme::http {
namespace {

namespace beast = boost::beast;

constexpr size_t kMaxRequestLine = 8 * 1024;

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

// RFC 9110 §5.3: only list-valued fields may repeat. These decide how a request is understood.
constexpr std::array<std::string_view, 7> kSingletons = {
    "Host",   "Content-Type",  "Content-Length",   "Transfer-Encoding",
    "Expect", "Authorization", "If-Modified-Since"};

bool IsDigits(std::string_view text) {
  return !text.empty() && text.size() <= 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// reg-name, IP-literal and port (RFC 3986 §3.2.2) without user information.
bool IsAuthority(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~:[]%").find(c) != std::string_view::npos;
  });
}

bool IsOriginForm(std::string_view target) {
  return target.starts_with('/') && std::all_of(target.begin(), target.end(), [](char c) {
           return c > ' ' && c < '\x7f' && c != '#';
         });
}

}  // namespace

HeadScanner::Verdict HeadScanner::Scan(std::string_view head) {
  for (;;) {
    // RFC 9112 §5.2: a line that starts with white space continues the one before.
    if (line_ > 0 && line_ < head.size() && (head[line_] == ' ' || head[line_] == '\t'))
      return Verdict::kFolded;
    const size_t feed = head.find('\n', position_);
    const bool ended = feed != std::string_view::npos;
    const auto fresh = head.substr(position_, ended ? feed - position_ : feed);
    if (fresh.find('\0') != std::string_view::npos) return Verdict::kNul;
    const size_t carriage = fresh.find('\r');
    const bool found = carriage != std::string_view::npos;
    if (found && carriage + 1 != fresh.size()) return Verdict::kBareReturn;
    if (!ended) {
      // A final CR is looked at again together with what follows it.
      position_ = head.size() - (found ? 1 : 0);
      return Verdict::kIncomplete;
    }
    if (!found) return Verdict::kBareLineFeed;
    const bool empty = feed == line_ + 1;
    position_ = line_ = feed + 1;
    if (empty) return Verdict::kComplete;
  }
}

// Beast knows the grammar of a head and enforces the limits; this adds what it tolerates and we do
// not. It never sees a body.
class RequestReader::Parser final : public beast::http::basic_parser<true> {
 public:
  Parser(Request& request, Bounds bounds) : request_(request) {
    header_limit(static_cast<std::uint32_t>(bounds.max_header + 4));
    body_limit(bounds.max_body);
  }
  const std::string& complaint() const { return complaint_; }
  bool http11() const { return http11_; }

 private:
  using ErrorCode = beast::error_code;

  void Complain(std::string_view what, ErrorCode& ec) {
    complaint_ = what;
    ec = beast::http::error::bad_value;
  }

  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target,
                       int version, ErrorCode& ec) override {
    http11_ = version >= 11;
    const auto text = View(target);
    if (!IsOriginForm(text)) return Complain("the request target is not a path", ec);
    const size_t mark = text.find('?');
    request_.method = View(method);
    request_.path = text.substr(0, mark);
    if (mark != std::string_view::npos) request_.query = text.substr(mark + 1);
  }

  void on_response_impl(int, beast::string_view, int, ErrorCode&) override {}

  void on_field_impl(beast::http::field field, beast::string_view name, beast::string_view value,
                     ErrorCode& ec) override {
    for (size_t i = 0; i < kSingletons.size(); ++i) {
      if (!EqualNames(kSingletons[i], View(name))) continue;
      if ((seen_ & (1u << i)) != 0)
        return Complain("repeated header field " + std::string(kSingletons[i]), ec);
      seen_ |= 1u << i;
    }
    CheckValue(field, View(value), ec);
    if (!ec) request_.headers.emplace_back(View(name), View(value));
  }

  void CheckValue(beast::http::field name, std::string_view value, ErrorCode& ec) {
    using beast::http::field;
    if (name == field::content_length && !IsDigits(value))
      return Complain("bad Content-Length", ec);
    // RFC 9112 §6.1: we know no coding but chunked, and none at all in HTTP/1.0.
    if (name == field::transfer_encoding && (!http11_ || !EqualNames(value, "chunked")))
      return Complain("unsupported Transfer-Encoding", ec);
    if (name == field::expect && !EqualNames(value, "100-continue"))
      return Complain("unsupported expectation", ec);
    if (name == field::host && !IsAuthority(value)) return Complain("bad Host", ec);
  }

  void on_header_impl(ErrorCode& ec) override {
    // RFC 9112 §3.2: a server must refuse an HTTP/1.1 request that lacks Host.
    if (http11_ && (seen_ & 1u) == 0) Complain("the Host header field is missing", ec);
  }

  void on_body_init_impl(boost::optional<std::uint64_t> const&, ErrorCode&) override {}
  std::size_t on_body_impl(beast::string_view octets, ErrorCode&) override { return octets.size(); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view octets, ErrorCode&) override {
    return octets.size();
  }
  void on_finish_impl(ErrorCode&) override {}

  Request& request_;
  std::string complaint_;
  unsigned seen_ = 0;
  bool http11_ = true;
};

RequestReader::RequestReader(Bounds bounds, std::string remote_address)
    : bounds_(bounds), remote_address_(std::move(remote_address)) {}
RequestReader::~RequestReader() = default;

size_t RequestReader::held() const {
  using Field = decltype(request_.headers)::value_type;
  return request_.body.capacity() + request_.headers.capacity() * sizeof(Field) + scanner_.size();
}

void RequestReader::Reset() {
  request_ = Request{};
  scanner_ = HeadScanner{};
  chunks_.reset();
  body_left_ = 0;
  in_body_ = false;
  skipped_line_ = false;
}

RequestReader::Progress RequestReader::Refuse(int status, std::string_view detail) {
  status_ = status;
  detail_ = detail;
  keep_alive_ = false;
  return Progress::kRefused;
}

RequestReader::Progress RequestReader::Consume(std::string& input) {
  return in_body_ ? ConsumeBody(input) : ConsumeHead(input);
}

RequestReader::Progress RequestReader::ConsumeHead(std::string& input) {
  // RFC 9112 §2.2: one empty line before the request line is ignored.
  if (!skipped_line_ && scanner_.size() == 0 && input.starts_with("\r\n")) {
    skipped_line_ = true;
    input.erase(0, 2);
  }
  const std::string_view head = std::string_view(input).substr(0, bounds_.max_header);
  switch (scanner_.Scan(head)) {
    case HeadScanner::Verdict::kNul:
      return Refuse(400, "NUL in the request head");
    case HeadScanner::Verdict::kBareLineFeed:
      return Refuse(400, "a line ends without CR");
    case HeadScanner::Verdict::kBareReturn:
      return Refuse(400, "CR inside a line");
    case HeadScanner::Verdict::kFolded:
      return Refuse(400, "folded header field");
    case HeadScanner::Verdict::kIncomplete:
      if (!scanner_.past_first_line() &&
          head.size() >= std::min(kMaxRequestLine, bounds_.max_header))
        return Refuse(414, "the request line is too long");
      if (head.size() >= bounds_.max_header) return Refuse(431, "the header fields are too long");
      return Progress::kNeedMore;
    case HeadScanner::Verdict::kComplete:
      break;
  }
  const Progress progress = ParseHead(head.substr(0, scanner_.size()));
  input.erase(0, scanner_.size());
  if (progress != Progress::kNeedMore) return progress;
  in_body_ = true;
  if (!input.empty()) return ConsumeBody(input);
  return http11_ && !request_.Header("Expect").empty() ? Progress::kExpects : Progress::kNeedMore;
}

// The head alone and complete: given octets behind it, an eager put of Beast 1.74 forgets what was
// wrong with it.
RequestReader::Progress RequestReader::ParseHead(std::string_view head) {
  Parser parser(request_, bounds_);
  request_.remote_address = remote_address_;
  request_.peer_certificate = peer_certificate_;
  beast::error_code ec;
  parser.put(boost::asio::const_buffer(head.data(), head.size()), ec);
  http11_ = parser.http11();
  if (ec == beast::http::error::body_limit) return Refuse(413, "the body is too large");
  if (ec == beast::http::error::header_limit) return Refuse(431, "the header fields are too long");
  if (ec || !parser.is_header_done())
    return Refuse(400, parser.complaint().empty() ? "malformed HTTP request" : parser.complaint());
  keep_alive_ = parser.keep_alive();
  if (parser.is_done()) return Progress::kComplete;
  if (parser.chunked()) {
    chunks_.emplace(ChunkedDecoder::Bounds{bounds_.max_body, bounds_.max_header});
  } else {
    body_left_ = static_cast<size_t>(parser.content_length().value_or(0));
    request_.body.reserve(std::min<size_t>(body_left_, 16 * 1024));
  }
  return Progress::kNeedMore;
}

RequestReader::Progress RequestReader::ConsumeBody(std::string& input) {
  if (!chunks_) {
    const size_t taken = std::min(body_left_, input.size());
    request_.body.append(input, 0, taken);
    input.erase(0, taken);
    body_left_ -= taken;
    return body_left_ == 0 ? Progress::kComplete : Progress::kNeedMore;
  }
  switch (chunks_->Consume(input, request_.body)) {
    case ChunkedDecoder::Progress::kNeedMore:
      return Progress::kNeedMore;
    case ChunkedDecoder::Progress::kComplete:
      return Progress::kComplete;
    case ChunkedDecoder::Progress::kBodyTooLarge:
      return Refuse(413, "the body is too large");
    case ChunkedDecoder::Progress::kTrailersTooLong:
      return Refuse(431, "the trailer fields are too long");
    case ChunkedDecoder::Progress::kMalformed:
      break;
  }
  return Refuse(400, "malformed chunked coding");
}

}  // namespace agentca::acme::http
