#include "storage/sql.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>

#include "ca/base/random.h"

namespace agentca::storage {

static constexpr int kRandomBits = 20;  // of a row's id

Query::Query(Connection& connection, const char* sql) {
  auto statement = connection.Prepare(sql);
  if (statement.ok()) {
    statement_ = *statement;
  } else {
    status_ = statement.error();
  }
}

Query::~Query() {
  if (statement_ != nullptr) statement_->Reset();
}

Result<bool> Query::Next() {
  if (!status_.ok()) return status_.error();
  return statement_->Step();
}

Status Query::Run() {
  for (;;) {
    AGENTCA_ASSIGN(const bool row, Next());
    if (!row) return {};
  }
}

Query& Query::Again() {
  if (statement_ != nullptr) statement_->Reset();
  bound_ = 0;
  return *this;
}

Query& Query::BindValue(const SqlValue& value) {
  if (status_.ok()) status_ = statement_->Bind(++bound_, value);
  return *this;
}

std::string Query::Text(int column) {
  const auto text = statement_->Text(column);
  intact_ = intact_ && text;
  return std::string(text.value_or(""));
}

ByteView Query::BlobView(int column) {
  const auto blob = statement_->Blob(column);
  intact_ = intact_ && blob;
  return blob.value_or(ByteView());
}

int64_t Query::Int(int column) {
  const auto number = statement_->Int(column);
  intact_ = intact_ && number;
  return number.value_or(0);
}

std::optional<Time> Query::OptionalAt(int column) {
  if (IsNull(column)) return std::nullopt;
  return At(column);
}

std::optional<std::string> Query::OptionalText(int column) {
  if (IsNull(column)) return std::nullopt;
  return Text(column);
}

Status Database::Guarded(const Work& work, Connection& connection) {
  try {
    return work(connection);
  } catch (const std::exception& exception) {
    return Error{Code::kInternal, std::string("storage: ") + exception.what()};
  }
}

int64_t NewRowId() {
  using std::chrono::milliseconds;
  std::array<uint8_t, 3> octets{};
  OpenSslRandom().Fill(octets);
  const auto random = static_cast<int64_t>(octets[0] << 16 | octets[1] << 8 | octets[2]) &
                      ((int64_t{1} << kRandomBits) - 1);
  const auto now = std::chrono::duration_cast<milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const int64_t drawn = now.count() << kRandomBits | random;
  // Those of one process are in order even within a millisecond, and when its clock is set back.
  static std::atomic<int64_t> last{0};
  int64_t before = last.load();
  int64_t id = 0;
  do id = std::max(drawn, before + 1);
  while (!last.compare_exchange_weak(before, id));
  return id;
}

int64_t FirstRowIdOf(Time time) {
  const int64_t seconds = time.time_since_epoch().count();
  constexpr int64_t kMost = (INT64_MAX >> kRandomBits) / 1000;
  return std::clamp<int64_t>(seconds, 0, kMost) * 1000 << kRandomBits;
}

}  // namespace agentca::storage
