// Files that must survive a crash: whole or not at all, and durable before anybody is told.
#pragma once

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <utility>

#include "ca/base/bytes.h"

namespace agentca {

class FileDescriptor {  // move-only; closes
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor();
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

// kInternal: "<what> <file>: <errno in words>".
Error FileError(std::string_view what, const std::filesystem::path& file, int error = errno);

// Writes all of `data`; `file` is for the error.
Status WriteAll(int fd, ByteView data, const std::filesystem::path& file);
// kNotFound when there is none; kInternal when it is larger than `max_size` or cannot be read.
Result<Bytes> ReadFile(const std::filesystem::path& file, size_t max_size);
// Puts `data` in the place of `file`, readable by all: readers see the old octets or the new ones,
// and after success a crash brings the new ones back. Writes FILE.new in the same directory first.
Status ReplaceFile(const std::filesystem::path& file, ByteView data);
// A new directory entry is durable only once its directory is.
Status SyncDirectoryOf(const std::filesystem::path& file);

}  // namespace agentca
