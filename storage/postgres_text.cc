#include "storage/postgres_text.h"

#include <algorithm>
#include <charconv>

namespace agentca::storage {
namespace {

using Text = std::optional<std::string>;

Result<Text> AsText(SqlNull) { return Text(); }
Result<Text> AsText(int64_t number) { return Text(std::to_string(number)); }
Result<Text> AsText(ByteView blob) { return Text("\\x" + ToHex(blob)); }
Result<Text> AsText(std::string_view text) {
  if (text.find('\0') != std::string_view::npos)
    return Error{Code::kMalformed, "a text that the database cannot hold"};
  return Text(std::string(text));
}

std::string Numbered(std::string_view sql) {
  std::string out;
  int greatest = 0;
  while (!sql.empty()) {
    const size_t next = std::min(sql.find('?'), sql.size());
    out += sql.substr(0, next);
    sql.remove_prefix(next);
    if (sql.empty()) break;
    sql.remove_prefix(1);
    int number = 0;
    const auto [end, error] = std::from_chars(sql.data(), sql.data() + sql.size(), number);
    if (error != std::errc()) number = greatest + 1;
    sql.remove_prefix(static_cast<size_t>(end - sql.data()));
    greatest = std::max(greatest, number);
    out += "$" + std::to_string(number);
  }
  return out;
}

}  // namespace

std::string PostgresDialect(std::string_view sql) {
  constexpr std::string_view kLocks = "/*FOR ";
  std::string text = Numbered(sql);
  if (const size_t at = text.find(kLocks); at != std::string::npos) {
    text.erase(at, 2);
    text.erase(text.find("*/", at), 2);
  }
  return text;
}

Result<Text> PostgresText(const SqlValue& value) {
  return std::visit([](const auto& each) { return AsText(each); }, value);
}

Result<Bytes> BytesFromPostgres(std::string_view text) {
  if (!text.starts_with("\\x")) return Error{Code::kInternal, "the database is damaged"};
  return FromHex(text.substr(2));
}

}  // namespace agentca::storage
