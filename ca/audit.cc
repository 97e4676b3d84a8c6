#include "ca/audit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "ca/audit_line.h"
#include "ca/base/file.h"
#include "ca/base/group_commit.h"

namespace agentca::ca {
namespace {

constexpr size_t kReadSize = 1 << 16;
constexpr size_t kMaxLineSize = 1 << 20;
constexpr size_t kMaxBatch = 1024;

Error Misfit(uint64_t line, std::string_view why) {
  return Error{Code::kConflict, "line " + std::to_string(line) + " " + std::string(why)};
}

// Reads exactly out.size() octets at `offset`.
Status ReadAt(int fd, uint64_t offset, std::span<char> out, const std::filesystem::path& file) {
  while (!out.empty()) {
    const ssize_t got = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("cannot read", file);
    if (got == 0) return Error{Code::kInternal, file.string() + " became shorter"};
    offset += static_cast<size_t>(got);
    out = out.subspan(static_cast<size_t>(got));
  }
  return {};
}

Result<uint64_t> SizeOf(int fd, const std::filesystem::path& file) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return FileError("cannot examine", file);
  if (!S_ISREG(info.st_mode)) return Error{Code::kInternal, file.string() + " is not a file"};
  return static_cast<uint64_t>(info.st_size);
}

// flock has no time limit of its own.
Status Lock(int fd, const std::filesystem::path& file, std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kPause{20};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return FileError("cannot lock", file);
    if (std::chrono::steady_clock::now() >= deadline)
      return Error{Code::kInternal, file.string() + " is in use by another process"};
    std::this_thread::sleep_for(kPause);
  }
  return {};
}

// Follows the chain from its first line.
class ChainReader {
 public:
  Status Next(std::string_view line) {
    const uint64_t number = lines_ + 1;
    const auto parsed = ParseAuditLine(line);
    if (!parsed) return Misfit(number, "is not an audit line");
    if (parsed->seq != number)
      return Misfit(number, "has seq " + std::to_string(parsed->seq) + ": lines are missing");
    if (parsed->prev != head_) return Misfit(number, "does not carry the hash of the line before");
    head_ = HashOfLine(line);
    lines_ = number;
    return {};
  }
  uint64_t lines() const { return lines_; }
  const std::string& head() const { return head_; }

 private:
  uint64_t lines_ = 0;
  std::string head_ = FirstPrev();
};

// The end of a file: its last two complete lines and what follows them.
struct Tail {
  std::optional<std::string> before_last;
  std::optional<std::string> last;
  std::string torn;  // octets after the last LF
};

Result<Tail> ReadTail(int fd, uint64_t size, const std::filesystem::path& file) {
  std::string text;
  uint64_t start = size;
  size_t line_feeds = 0;
  // Three line feeds delimit two whole lines.
  while (start > 0 && line_feeds < 3) {
    const size_t step = static_cast<size_t>(std::min<uint64_t>(start, kReadSize));
    std::string chunk(step, '\0');
    start -= step;
    AGENTCA_TRY(ReadAt(fd, start, chunk, file));
    for (const char c : chunk) line_feeds += c == '\n' ? 1 : 0;
    text.insert(0, chunk);
  }
  Tail tail;
  const auto cut_last_line = [&text](std::optional<std::string>& line) {
    if (text.empty()) return;
    text.pop_back();                            // its LF
    const size_t begin = text.rfind('\n') + 1;  // npos + 1 is 0
    line = text.substr(begin);
    text.resize(begin);
  };
  const size_t end = text.rfind('\n') + 1;
  tail.torn = text.substr(end);
  text.resize(end);
  cut_last_line(tail.last);
  cut_last_line(tail.before_last);
  return tail;
}

// A crash in mid-write leaves part of a line that nobody was told is durable. It is evidence all
// the same: it is moved aside, durably, before it is cut off.
Status MoveTornTail(int fd, uint64_t size, std::string_view torn,
                    const std::filesystem::path& file) {
  auto aside = file;
  aside += ".torn";
  const FileDescriptor out(
      ::open(aside.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!out.valid()) return FileError("cannot open", aside);
  AGENTCA_TRY(WriteAll(out.get(), AsBytes(torn), aside));
  AGENTCA_TRY(WriteAll(out.get(), AsBytes("\n"), aside));
  if (::fsync(out.get()) != 0) return FileError("cannot sync", aside);
  AGENTCA_TRY(SyncDirectoryOf(aside));
  if (::ftruncate(fd, static_cast<off_t>(size - torn.size())) != 0 || ::fsync(fd) != 0)
    return FileError("cannot cut the torn last line off", file);
  Log(Level::kWarning, "torn last line of a chained log was moved aside",
      {{"file", file.native()}, {"octets", std::to_string(torn.size())}});
  return {};
}

}  // namespace

// Whoever leads a batch chains its lines and makes them durable with one write and one fdatasync.
class ChainedLog::State {
 public:
  State(FileDescriptor fd, std::filesystem::path file, uint64_t size, uint64_t seq,
        std::string head)
      : group_(kMaxBatch),
        fd_(std::move(fd)),
        file_(std::move(file)),
        durable_size_(size),
        seq_(seq),
        head_(std::move(head)) {}

  struct Line {
    std::string body;
    Status result;
  };
  using Entry = GroupCommit<Line>::Entry;

  // No entry for a line that is too long: it has its result.
  Entry Begin(Line& line) {
    if (line.body.size() <= kMaxLineSize) return group_.Join(line);
    line.result = Error{Code::kInternal, "audit line is too long"};
    return nullptr;
  }
  void Wait(const Entry& entry) {
    group_.Await(entry, [this](const std::vector<Line*>& batch) { Settle(batch); });
  }

  bool ails() const { return ails_.load(); }

 private:
  void Settle(const std::vector<Line*>& batch) {
    Status status = final_failure_ ? Status(*final_failure_) : Write(batch);
    ails_ = !status.ok();
    if (status.ok()) return;
    for (Line* line : batch) line->result = status;
  }

  Status Write(const std::vector<Line*>& batch) {
    writing_.clear();
    uint64_t seq = seq_;
    std::string head = head_;
    for (const Line* line : batch) {
      const size_t start = writing_.size();
      AppendAuditLine(++seq, line->body, head, writing_);
      head = HashOfLine(std::string_view(writing_).substr(start));
      writing_ += '\n';
    }
    AGENTCA_TRY(MakeDurable());
    seq_ = seq;
    head_ = std::move(head);
    return {};
  }

  // After a failed fdatasync nothing is known of the file: the kernel may have dropped the dirty
  // pages and would report success the next time. So that is final for this object, and so is a
  // failed write that cannot be undone. A full disk is neither: what was written of the batch is cut
  // off, and once the file is durable without it the next batch may follow the last durable line.
  Status MakeDurable() {
    Status status = WriteAll(fd_.get(), AsBytes(writing_), file_);
    const bool written = status.ok();
    if (written && ::fdatasync(fd_.get()) != 0) status = FileError("cannot sync", file_);
    if (status.ok()) {
      durable_size_ += writing_.size();
      if (ails_) Log(Level::kWarning, "chained log goes on", {{"file", file_.native()}});
      return status;
    }
    const bool cut = ::ftruncate(fd_.get(), static_cast<off_t>(durable_size_)) == 0;
    const bool undone = !written && cut && ::fdatasync(fd_.get()) == 0;
    if (!undone) final_failure_ = status.error();
    if (!undone || !ails_) {
      Log(Level::kError,
          undone ? "chained log failed"
                 : "chained log failed; it accepts nothing more until it is opened again",
          {{"error", status.error().detail}, {"cut_back", cut ? "yes" : "no"}});
    }
    return status;
  }

  GroupCommit<Line> group_;
  const FileDescriptor fd_;
  const std::filesystem::path file_;
  // The leader's alone.
  uint64_t durable_size_;
  uint64_t seq_;
  std::string head_;
  std::string writing_;
  std::optional<Error> final_failure_;
  std::atomic<bool> ails_ = false;  // written by the leader
};

struct ChainedLog::Pending::Rep {
  State& log;
  State::Line line;
  State::Entry entry{};  // null once waited for
};

ChainedLog::Pending::Pending(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
ChainedLog::Pending::Pending(Pending&&) noexcept = default;
ChainedLog::Pending::~Pending() {
  if (rep_ != nullptr && rep_->entry != nullptr) (void)Wait();
}

Status ChainedLog::Pending::Wait() {
  if (rep_->entry != nullptr) rep_->log.Wait(std::exchange(rep_->entry, nullptr));
  return std::move(rep_->line.result);
}

Status ChainedLog::Check(Time now) {
  if (!state_->ails()) return {};
  return Append("log-resumed", {}, now);
}

ChainedLog::ChainedLog(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChainedLog::~ChainedLog() = default;

Result<std::unique_ptr<ChainedLog>> ChainedLog::Open(const std::filesystem::path& file,
                                                     std::chrono::milliseconds patience) {
  FileDescriptor fd(
      ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd.valid()) return FileError("cannot open", file);
  AGENTCA_TRY(Lock(fd.get(), file, patience));
  AGENTCA_ASSIGN(const uint64_t size, SizeOf(fd.get(), file));
  if (size == 0) AGENTCA_TRY(SyncDirectoryOf(file));
  AGENTCA_ASSIGN(const Tail tail, ReadTail(fd.get(), size, file));
  uint64_t seq = 0;
  std::string head = FirstPrev();
  if (tail.last) {
    const auto last = ParseAuditLine(*tail.last);
    const bool first = !tail.before_last;
    if (!last || last->prev != (first ? FirstPrev() : HashOfLine(*tail.before_last)) ||
        first != (last->seq == 1)) {
      return Error{Code::kInternal, file.string() + ": the last line does not fit the one before"};
    }
    seq = last->seq;
    head = HashOfLine(*tail.last);
  }
  if (!tail.torn.empty()) AGENTCA_TRY(MoveTornTail(fd.get(), size, tail.torn, file));
  return std::unique_ptr<ChainedLog>(new ChainedLog(
      std::make_unique<State>(std::move(fd), file, size - tail.torn.size(), seq, std::move(head))));
}

Status ChainedLog::Append(std::string_view event, std::initializer_list<Field> fields, Time now) {
  State::Line line{AuditBody(event, fields, now), {}};
  if (const auto entry = state_->Begin(line)) state_->Wait(entry);
  return std::move(line.result);
}

ChainedLog::Pending ChainedLog::Begin(std::string_view event, std::initializer_list<Field> fields,
                                      Time now) {
  std::unique_ptr<Pending::Rep> rep(
      new Pending::Rep{*state_, {AuditBody(event, fields, now), {}}, nullptr});
  rep->entry = state_->Begin(rep->line);
  return Pending(std::move(rep));
}

Result<ChainedLog::Verdict> ChainedLog::Verify(const std::filesystem::path& file) {
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FileError("cannot open", file);
  AGENTCA_ASSIGN(const uint64_t size, SizeOf(fd.get(), file));
  ChainReader chain;
  std::string text;  // what was read and is not yet a whole line
  for (uint64_t offset = 0; offset < size;) {
    const size_t old = text.size();
    const size_t step = static_cast<size_t>(std::min<uint64_t>(size - offset, kReadSize));
    text.resize(old + step);
    AGENTCA_TRY(ReadAt(fd.get(), offset, std::span(text).subspan(old), file));
    offset += step;
    size_t begin = 0;
    for (size_t end; (end = text.find('\n', std::max(begin, old))) != std::string::npos;) {
      AGENTCA_TRY(chain.Next(std::string_view(text).substr(begin, end - begin)));
      begin = end + 1;
    }
    text.erase(0, begin);
    if (text.size() > 2 * kMaxLineSize) return Misfit(chain.lines() + 1, "is too long");
  }
  // While a writer has the file open its last write may be under way; otherwise it was cut short.
  if (!text.empty() && ::flock(fd.get(), LOCK_SH | LOCK_NB) == 0)
    return Misfit(chain.lines() + 1, "is incomplete");
  return Verdict{chain.lines(), chain.head()};
}

}  // namespace agentca::ca
