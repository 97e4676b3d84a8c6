#include "acme/http/chunked.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace agentca::acme::http {
namespace {

// §7.1.1: "A recipient … ought to limit the total length of chunk extensions received". Nobody
// needs any.
constexpr size_t kMaxExtensions = 1024;
constexpr size_t kMaxDigits = 16;

// A line without its CRLF; nullopt while it is incomplete. A bare LF shows as a line that lacks CR.
std::optional<std::string_view> FirstLine(std::string_view input) {
  const size_t feed = input.find('\n');
  if (feed == std::string_view::npos) return std::nullopt;
  return input.substr(0, feed);
}

bool IsText(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f';
  });
}

bool TakeCarriageReturn(std::string_view& line) {
  if (!line.ends_with('\r')) return false;
  line.remove_suffix(1);
  return IsText(line);
}

}  // namespace

ChunkedDecoder::Progress ChunkedDecoder::Consume(std::string& input, std::string& body) {
  std::string_view rest = input;
  Progress progress = Progress::kNeedMore;
  for (State before = state_;; before = state_) {
    const size_t size = rest.size();
    progress = Step(rest, body);
    if (progress != Progress::kNeedMore || (rest.size() == size && state_ == before)) break;
  }
  input.erase(0, input.size() - rest.size());
  return progress;
}

ChunkedDecoder::Progress ChunkedDecoder::Step(std::string_view& input, std::string& body) {
  switch (state_) {
    case State::kSize:
      return TakeSize(input, body);
    case State::kTrailers:
      return TakeTrailer(input);
    case State::kComplete:
      return Progress::kComplete;
    case State::kData: {
      const auto piece = input.substr(0, left_);
      body.append(piece);
      input.remove_prefix(piece.size());
      left_ -= piece.size();
      if (left_ == 0) state_ = State::kDataEnd;
      return Progress::kNeedMore;
    }
    case State::kDataEnd:
      break;
  }
  const auto end = input.substr(0, 2);
  if (!std::string_view("\r\n").starts_with(end)) return Progress::kMalformed;
  if (end.size() < 2) return Progress::kNeedMore;
  input.remove_prefix(2);
  state_ = State::kSize;
  return Progress::kNeedMore;
}

ChunkedDecoder::Progress ChunkedDecoder::TakeSize(std::string_view& input,
                                                  const std::string& body) {
  const auto line = FirstLine(input);
  if (!line)
    return input.size() > kMaxExtensions + kMaxDigits ? Progress::kMalformed : Progress::kNeedMore;
  const Progress progress = CheckSizeLine(*line, body);
  if (progress == Progress::kNeedMore) input.remove_prefix(line->size() + 1);
  return progress;
}

// chunk-size [ chunk-ext ], without the white space that §7.1.1 calls bad.
ChunkedDecoder::Progress ChunkedDecoder::CheckSizeLine(std::string_view line,
                                                       const std::string& body) {
  if (!TakeCarriageReturn(line)) return Progress::kMalformed;
  const auto digits = line.substr(0, line.find(';'));
  if (digits.empty() || digits.size() > kMaxDigits) return Progress::kMalformed;
  const char* const last = digits.data() + digits.size();
  const auto [end, ec] = std::from_chars(digits.data(), last, left_, 16);
  if (ec != std::errc{} || end != last) return Progress::kMalformed;
  extensions_ += line.size() - digits.size();
  if (extensions_ > kMaxExtensions) return Progress::kMalformed;
  if (left_ > bounds_.max_body - std::min(body.size(), bounds_.max_body))
    return Progress::kBodyTooLarge;
  state_ = left_ == 0 ? State::kTrailers : State::kData;
  return Progress::kNeedMore;
}

ChunkedDecoder::Progress ChunkedDecoder::TakeTrailer(std::string_view& input) {
  const auto line = FirstLine(input);
  const size_t size = line ? line->size() + 1 : input.size();
  if (trailers_ + size > bounds_.max_trailers) return Progress::kTrailersTooLong;
  if (!line) return Progress::kNeedMore;
  std::string_view field = *line;
  if (!TakeCarriageReturn(field)) return Progress::kMalformed;
  input.remove_prefix(size);
  trailers_ += size;
  if (field.empty()) {
    state_ = State::kComplete;
    return Progress::kComplete;
  }
  const auto name = field.substr(0, field.find(':'));
  const bool bad = name.empty() || name.size() == field.size() ||
                   name.find_first_of(" \t") != std::string_view::npos;
  return bad ? Progress::kMalformed : Progress::kNeedMore;
}

}  // namespace agentca::acme::http
