#include "storage/sqlite.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include "storage/sql_backend.h"
#include "storage/sqlite_database.h"
#include "storage/sqlite_schema.h"

namespace agentca::storage {
namespace {

std::string WordsOf(int error) { return std::generic_category().message(error); }

// Never opens a file that exists: closing it would release the POSIX locks that this process holds
// on it through SQLite.
Status Create(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd >= 0) {
    ::close(fd);
    return {};
  }
  if (errno == EEXIST) return {};
  return Error{Code::kUnavailable, "cannot be created: " + WordsOf(errno)};
}

Status FindFile(const std::filesystem::path& file, OpenMode mode) {
  struct stat found {};
  if (::stat(file.c_str(), &found) == 0) {
    if (S_ISREG(found.st_mode)) return {};
    return Error{Code::kUnavailable, "is not a regular file"};
  }
  if (errno != ENOENT) return Error{Code::kUnavailable, WordsOf(errno)};
  if (mode == OpenMode::kCreate) return Create(file);
  return Error{Code::kNotFound, "does not exist"};
}

// Of several that switch a new file at once SQLite refuses some without waiting, since none of them
// lets go of what it holds meanwhile.
Status RequireWal(Connection& connection, std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kPause{5};
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    Query query(connection, "PRAGMA journal_mode = WAL");
    const auto row = query.Next();
    if (row.ok() && *row && query.Text(0) == "wal") return {};
    if (row.ok())
      return Error{Code::kUnavailable, "its file system does not support write-ahead logging"};
    const bool may_pass = row.error().code == Code::kUnavailable;
    if (!may_pass || std::chrono::steady_clock::now() >= until) return row.error();
    std::this_thread::sleep_for(kPause);
  }
}

Status Prepare(Connection& connection, const SqliteOptions& options) {
  AGENTCA_TRY(CheckSchema(connection));  // first: the next step changes the file
  AGENTCA_TRY(RequireWal(connection, options.busy_timeout));
  return Migrate(connection);
}

Error About(const std::filesystem::path& file, const Error& error) {
  return {error.code, "database " + file.string() + ": " + error.detail};
}

}  // namespace

Result<std::unique_ptr<Backend>> OpenSqlite(const std::filesystem::path& file, OpenMode mode,
                                            const SqliteOptions& options,
                                            const ca::NodeId& node) {
  if (Status found = FindFile(file, mode); !found.ok()) return About(file, found.error());
  auto writer = SqliteConnection::Open(file, SqliteConnection::Access::kWrite, options);
  if (!writer.ok()) return About(file, writer.error());
  if (Status ready = Prepare(**writer, options); !ready.ok()) return About(file, ready.error());
  return MakeSqlBackend(
      std::make_unique<SqliteDatabase>(file, options, *std::move(writer)),
      "sqlite:" + file.string() + ", schema " + std::to_string(LatestSchema()), node,
      Users::kOneProcess);
}

Result<int> SqliteSchemaOf(const std::filesystem::path& file) {
  if (Status found = FindFile(file, OpenMode::kExisting); !found.ok())
    return About(file, found.error());
  auto reader = SqliteConnection::Open(file, SqliteConnection::Access::kRead, {});
  if (!reader.ok()) return About(file, reader.error());
  const auto version = SchemaOf(**reader);
  if (!version.ok()) return About(file, version.error());
  return static_cast<int>(*version);
}

}  // namespace agentca::storage
