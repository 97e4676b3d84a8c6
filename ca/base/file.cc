#include "ca/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <system_error>

namespace agentca {

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Error FileError(std::string_view what, const std::filesystem::path& file, int error) {
  return Error{Code::kInternal, std::string(what) + " " + file.string() + ": " +
                                    std::generic_category().message(error)};
}

Status WriteAll(int fd, ByteView data, const std::filesystem::path& file) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileError("cannot write to", file);
    data = data.subspan(static_cast<size_t>(written));
  }
  return {};
}

Result<Bytes> ReadFile(const std::filesystem::path& file, size_t max_size) {
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return Error{Code::kNotFound, file.string() + " is missing"};
  struct stat info {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return FileError("cannot open", file);
  if (!S_ISREG(info.st_mode) || static_cast<size_t>(info.st_size) > max_size)
    return Error{Code::kInternal, file.string() + " is not a file or is too large"};
  Bytes data(static_cast<size_t>(info.st_size));
  for (size_t done = 0; done < data.size();) {
    const ssize_t got = ::read(fd.get(), data.data() + done, data.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("cannot read", file);
    if (got == 0) return Error{Code::kInternal, file.string() + " became shorter"};
    done += static_cast<size_t>(got);
  }
  return data;
}

Status ReplaceFile(const std::filesystem::path& file, ByteView data) {
  auto fresh = file;
  fresh += ".new";
  {
    const FileDescriptor fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                                   S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH));
    if (!fd.valid()) return FileError("cannot create", fresh);
    AGENTCA_TRY(WriteAll(fd.get(), data, fresh));
    if (::fsync(fd.get()) != 0) return FileError("cannot sync", fresh);
  }
  if (std::rename(fresh.c_str(), file.c_str()) != 0) return FileError("cannot replace", file);
  return SyncDirectoryOf(file);
}

Status SyncDirectoryOf(const std::filesystem::path& file) {
  auto directory = file.parent_path();
  if (directory.empty()) directory = ".";
  const FileDescriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return FileError("cannot sync", directory);
  return {};
}

}  // namespace agentca
