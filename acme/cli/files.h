// Files as the command line needs them: with a mode, and locked. The rest is in ca/base/file.h.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "ca/base/file.h"

namespace agentca::cli {

inline constexpr mode_t kSecretFile = 0600;
inline constexpr mode_t kPublicFile = 0644;

// kNotFound when there is none; kInternal when it is over 1 MiB or cannot be read.
Result<std::string> ReadTextFile(const std::filesystem::path& file);
// Write FILE.new with this mode, fsync, rename, fsync of the directory. kInternal.
Status WriteTextFile(const std::filesystem::path& file, std::string_view content, mode_t mode);
// 0700; an existing directory is fine. kInternal.
Status MakeDirectory(const std::filesystem::path& directory);

// An advisory lock on a whole file, which is made when missing; held until destruction. It belongs
// to the open file, so two of them in one process exclude each other as well.
class FileLock {
 public:
  enum class Wait : uint8_t { kNo, kYes };
  // kConflict when another holds it; kInternal when the file cannot be used.
  static Result<FileLock> Take(const std::filesystem::path& file, Wait wait);
  // Whether somebody holds the lock; takes nothing.
  static bool IsHeld(const std::filesystem::path& file);

 private:
  explicit FileLock(FileDescriptor fd) : fd_(std::move(fd)) {}
  FileDescriptor fd_;
};

}  // namespace agentca::cli
