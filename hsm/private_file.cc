#include "hsm/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ca/base/file.h"

namespace agentca::hsm {

Status CreatePrivateFile(const std::filesystem::path& file, ByteView content) {
  const FileDescriptor fd(
      open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd.valid()) {
    return Error{errno == EEXIST ? Code::kConflict : Code::kUnavailable,
                 "cannot create " + file.string() + ": " + std::strerror(errno)};
  }
  Status status = WriteAll(fd.get(), content, file);
  if (status.ok() && fsync(fd.get()) != 0) status = FileError("cannot sync", file);
  if (status.ok()) status = SyncDirectoryOf(file);
  if (status.ok()) return {};
  unlink(file.c_str());
  return Error{Code::kUnavailable, status.error().detail};
}

}  // namespace agentca::hsm
