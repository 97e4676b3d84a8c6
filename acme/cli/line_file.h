// Files of lines that are too many for memory: exports and logs.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ca/base/file.h"
#include "storage/maintenance.h"

namespace agentca::cli {

// Lines end with LF; what follows the last one is no line: it was torn off, or is being written.
class LineReader final : public storage::LineSource {
 public:
  // kNotFound when there is none; kInternal when it cannot be read.
  static Result<std::unique_ptr<LineReader>> Open(const std::filesystem::path& file,
                                                  size_t max_line);
  Result<std::optional<std::string_view>> Next() override;
  Status Rewind() override { return SkipTo(0); }
  // To the first line that begins at `offset` or after it.
  Status SkipTo(uint64_t offset);
  Result<uint64_t> Size() const;

 private:
  LineReader(std::filesystem::path file, FileDescriptor fd, size_t max_line)
      : file_(std::move(file)), fd_(std::move(fd)), max_line_(max_line) {}
  Result<bool> Fill();  // false: there is no more

  const std::filesystem::path file_;
  const FileDescriptor fd_;
  const size_t max_line_;
  std::string buffer_;
  size_t begin_ = 0;    // of what was not returned yet
  size_t scanned_ = 0;  // no LF before
};

// A new file for its owner alone (0600), which is there as a whole or not at all.
class LineWriter {
 public:
  // kConflict when there is one.
  static Result<std::unique_ptr<LineWriter>> Create(const std::filesystem::path& file);
  ~LineWriter();
  Status Add(std::string_view line);
  Status Finish();  // on disk, under its name

 private:
  LineWriter(std::filesystem::path file, std::filesystem::path draft, FileDescriptor fd)
      : file_(std::move(file)), draft_(std::move(draft)), fd_(std::move(fd)) {}
  Status Flush();

  const std::filesystem::path file_, draft_;
  const FileDescriptor fd_;
  std::string buffer_;
  bool finished_ = false;
};

}  // namespace agentca::cli
