#include "storage/sqlite_writer.h"

#include <exception>

namespace agentca::storage {
namespace {

constexpr size_t kMaxBatch = 256;

Status Guarded(const SqliteWriter::Verb& verb, Connection& connection) {
  try {
    return verb(connection);
  } catch (const std::exception& exception) {  // memory; the leader works for others, too
    return Error{Code::kInternal, std::string("storage: ") + exception.what()};
  }
}

}  // namespace

SqliteWriter::SqliteWriter(std::unique_ptr<SqliteConnection> connection)
    : group_(kMaxBatch), connection_(std::move(connection)) {}

Status SqliteWriter::Run(const Verb& verb) {
  Waiting mine{.verb = verb, .result = {}};
  group_.Run(mine, [this](const std::vector<Waiting*>& batch) { Settle(batch); });
  return std::move(mine.result);
}

void SqliteWriter::Settle(const std::vector<Waiting*>& batch) {
  const Status committed = Commit(batch);
  failed_ = !committed.ok();
  if (committed.ok()) return;
  if (connection_->in_transaction()) (void)connection_->Execute("ROLLBACK");
  // What a verb found may be the work of another in this batch, which did not come to pass.
  for (Waiting* each : batch) each->result = committed.error();
}

// A verb that failed for reasons of its own is rolled back alone; one that met a failure of the
// database fails them all, because SQLite may have ended the transaction with the error.
Status SqliteWriter::Commit(const std::vector<Waiting*>& batch) {
  AGENTCA_TRY(Begin());
  for (Waiting* each : batch) {
    each->result = batch.size() == 1 ? Guarded(each->verb, *connection_) : RunWithin(*each);
    if (!connection_->in_transaction()) {
      if (!each->result.ok()) return each->result.error();
      return Error{Code::kInternal, "storage: a verb ended the transaction"};
    }
    if (!each->result.ok() && each->result.error().code == Code::kUnavailable) {
      return each->result.error();
    }
  }
  if (batch.size() == 1 && !batch.front()->result.ok()) {
    return Query(*connection_, "ROLLBACK").Run();
  }
  return Query(*connection_, "COMMIT").Run();
}

Status SqliteWriter::RunWithin(Waiting& waiting) {
  AGENTCA_TRY(Query(*connection_, "SAVEPOINT verb").Run());
  Status result = Guarded(waiting.verb, *connection_);
  if (!connection_->in_transaction()) return result;
  if (!result.ok()) AGENTCA_TRY(Query(*connection_, "ROLLBACK TO verb").Run());
  AGENTCA_TRY(Query(*connection_, "RELEASE verb").Run());
  return result;
}

Status SqliteWriter::Begin() {
  // Writes to a file that was unlinked or replaced would succeed and be lost.
  if (connection_->moved()) {
    return Error{Code::kUnavailable, "the database file was moved or deleted"};
  }
  return Query(*connection_, "BEGIN IMMEDIATE").Run();
}

Status SqliteWriter::Check() {
  return Run([this](Connection&) { return failed_ ? Probe() : Status(); });
}

Status SqliteWriter::Probe() {
  return Query(*connection_, "UPDATE health SET probes = probes + 1").Run();
}

}  // namespace agentca::storage
