#include "acme/cli/line_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace agentca::cli {
namespace {

constexpr size_t kBlock = size_t{1} << 18;

}  // namespace

Result<std::unique_ptr<LineReader>> LineReader::Open(const std::filesystem::path& file,
                                                     size_t max_line) {
  FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT)
    return Error{Code::kNotFound, file.string() + " does not exist"};
  if (!fd.valid()) return FileError("cannot open", file);
  return std::unique_ptr<LineReader>(new LineReader(file, std::move(fd), max_line));
}

Result<bool> LineReader::Fill() {
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  const size_t had = buffer_.size();
  buffer_.resize(had + kBlock);
  ssize_t count = 0;
  do count = ::read(fd_.get(), buffer_.data() + had, kBlock);
  while (count < 0 && errno == EINTR);
  buffer_.resize(had + static_cast<size_t>(std::max<ssize_t>(count, 0)));
  if (count < 0) return FileError("cannot read", file_);
  return count > 0;
}

Result<std::optional<std::string_view>> LineReader::Next() {
  for (;;) {
    const size_t end = buffer_.find('\n', scanned_);
    if (end != std::string::npos) {
      const std::string_view line = std::string_view(buffer_).substr(begin_, end - begin_);
      begin_ = scanned_ = end + 1;
      return std::optional(line);
    }
    scanned_ = buffer_.size();
    if (buffer_.size() - begin_ > max_line_)
      return Error{Code::kMalformed, file_.string() + " has a line that is too long"};
    AGENTCA_ASSIGN(const bool more, Fill());
    if (!more) return std::optional<std::string_view>();
  }
}

Status LineReader::SkipTo(uint64_t offset) {
  buffer_.clear();
  begin_ = scanned_ = 0;
  // One octet before, so that a line that begins there is not skipped.
  const auto at = static_cast<off_t>(offset == 0 ? 0 : offset - 1);
  if (::lseek(fd_.get(), at, SEEK_SET) != at) return FileError("cannot seek in", file_);
  if (offset == 0) return {};
  AGENTCA_TRY(Next());
  return {};
}

Result<uint64_t> LineReader::Size() const {
  struct stat found {};
  if (::fstat(fd_.get(), &found) != 0) return FileError("cannot look at", file_);
  return static_cast<uint64_t>(found.st_size);
}

Result<std::unique_ptr<LineWriter>> LineWriter::Create(const std::filesystem::path& file) {
  const Error there{Code::kConflict, file.string() + " exists already"};
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(file, error))) return there;
  std::filesystem::path draft = file;
  draft += ".unfinished";
  std::filesystem::remove(draft, error);
  FileDescriptor fd(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return FileError("cannot create", draft);
  return std::unique_ptr<LineWriter>(new LineWriter(file, std::move(draft), std::move(fd)));
}

LineWriter::~LineWriter() {
  std::error_code ignored;
  if (!finished_) std::filesystem::remove(draft_, ignored);
}

Status LineWriter::Flush() {
  AGENTCA_TRY(WriteAll(fd_.get(), AsBytes(buffer_), draft_));
  buffer_.clear();
  return {};
}

Status LineWriter::Add(std::string_view line) {
  buffer_.append(line).push_back('\n');
  return buffer_.size() < kBlock ? Status() : Flush();
}

Status LineWriter::Finish() {
  AGENTCA_TRY(Flush());
  if (::fsync(fd_.get()) != 0) return FileError("cannot write", draft_);
  // link, unlike rename, does not replace what came to be there meanwhile.
  if (::link(draft_.c_str(), file_.c_str()) != 0) return FileError("cannot create", file_);
  finished_ = true;
  ::unlink(draft_.c_str());
  return SyncDirectoryOf(file_);
}

}  // namespace agentca::cli
