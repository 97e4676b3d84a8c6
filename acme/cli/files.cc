#include "acme/cli/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace agentca::cli {
namespace {

constexpr size_t kMaxFile = size_t{1} << 20;

struct flock WholeFile() {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  return range;
}

}  // namespace

Result<std::string> ReadTextFile(const std::filesystem::path& file) {
  AGENTCA_ASSIGN(const Bytes content, ReadFile(file, kMaxFile));
  return std::string(AsText(content));
}

Status WriteTextFile(const std::filesystem::path& file, std::string_view content, mode_t mode) {
  const std::filesystem::path fresh = file.string() + ".new";
  {
    ::unlink(fresh.c_str());  // left by a crash; O_EXCL below refuses links laid by others
    const FileDescriptor fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd.valid()) return FileError("cannot write", fresh);
    AGENTCA_TRY(WriteAll(fd.get(), AsBytes(content), fresh));
    if (::fsync(fd.get()) != 0) return FileError("cannot write", fresh);
  }
  if (::rename(fresh.c_str(), file.c_str()) != 0) return FileError("cannot replace", file);
  return SyncDirectoryOf(file);
}

Status MakeDirectory(const std::filesystem::path& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0) return {};
  const int error = errno;
  struct stat status {};
  if (error == EEXIST && ::stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    return {};
  return FileError("cannot make directory", directory, error);
}

Result<FileLock> FileLock::Take(const std::filesystem::path& file, Wait wait) {
  FileDescriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kSecretFile));
  if (!fd.valid()) return FileError("cannot open", file);
  struct flock range = WholeFile();
  int result = 0;
  do {
    result = ::fcntl(fd.get(), wait == Wait::kYes ? F_OFD_SETLKW : F_OFD_SETLK, &range);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return FileLock(std::move(fd));
  if (errno == EAGAIN || errno == EACCES)
    return Error{Code::kConflict, file.string() + " is locked by another process"};
  return FileError("cannot lock", file);
}

bool FileLock::IsHeld(const std::filesystem::path& file) {
  const FileDescriptor fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return false;
  struct flock range = WholeFile();
  return ::fcntl(fd.get(), F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

}  // namespace agentca::cli
