#include "storage/sql_nonces.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>

#include "storage/codec.h"

namespace agentca::storage {
namespace {

using acme::NonceEpoch;
using acme::NonceHorizon;
using acme::Spending;
using acme::SpentNonce;

// One statement for up to so many nonces, in a few sizes, so that each is prepared once.
#define AGENTCA_INSERT_NONCES(values) \
  "INSERT INTO spent_nonce (value) VALUES " values " ON CONFLICT DO NOTHING RETURNING value"
#define AGENTCA_TIMES_4(values) values "," values "," values "," values
struct Insert {
  size_t size;
  const char* sql;
};
constexpr std::array<Insert, 4> kInserts{{
    {1, AGENTCA_INSERT_NONCES("(?)")},
    {4, AGENTCA_INSERT_NONCES(AGENTCA_TIMES_4("(?)"))},
    {16, AGENTCA_INSERT_NONCES(AGENTCA_TIMES_4(AGENTCA_TIMES_4("(?)")))},
    {64, AGENTCA_INSERT_NONCES(AGENTCA_TIMES_4(AGENTCA_TIMES_4(AGENTCA_TIMES_4("(?)"))))},
}};
#undef AGENTCA_TIMES_4
#undef AGENTCA_INSERT_NONCES

constexpr const char* kLoadEpoch = "SELECT epoch, pruned_before FROM nonce_epoch WHERE id = 1";
constexpr const char* kBeginEpoch =
    "INSERT INTO nonce_epoch (id, epoch, pruned_before) VALUES (1, ?, 0) ON CONFLICT DO NOTHING";
constexpr const char* kSetEpoch =
    "UPDATE nonce_epoch SET epoch = ?, pruned_before = ? "
    "WHERE id = 1 AND epoch = ? AND pruned_before = ? RETURNING id";
constexpr const char* kPrune =
    "DELETE FROM spent_nonce WHERE value IN "
    "(SELECT value FROM spent_nonce WHERE value < ? ORDER BY value LIMIT ?) RETURNING 1";
constexpr const char* kLoadKey = "SELECT key FROM shared_key WHERE purpose = ?";
constexpr const char* kAddKey =
    "INSERT INTO shared_key (purpose, key) VALUES (?, ?) ON CONFLICT DO NOTHING";
constexpr size_t kKeyOctets = 32;

// Adds the nonces that were not there. Places that are left over repeat the last nonce, which
// inserts nothing more.
Status InsertSome(Connection& connection, std::span<const SpentNonce> some,
                  std::unordered_set<std::string>& inserted) {
  const auto& insert = *std::find_if(kInserts.begin(), kInserts.end(),
                                     [&](const Insert& each) { return each.size >= some.size(); });
  Query query(connection, insert.sql);
  for (size_t i = 0; i < insert.size; ++i) query.Bind(ByteView(some[std::min(i, some.size() - 1)]));
  for (;;) {
    AGENTCA_ASSIGN(const bool row, query.Next());
    if (!row) break;
    inserted.emplace(AsText(query.BlobView(0)));
  }
  if (!query.intact()) return Damaged("a nonce");
  return {};
}

Result<std::optional<NonceHorizon>> Load(Connection& connection) {
  Query row(connection, kLoadEpoch);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return std::optional<NonceHorizon>();
  const int64_t epoch = row.Int(0);
  const NonceHorizon horizon{static_cast<NonceEpoch>(epoch), row.At(1)};
  if (!row.intact() || epoch != int64_t{horizon.epoch}) return Damaged("the epoch of nonces");
  return std::optional(horizon);
}

Result<std::optional<Secret>> LoadKey(Connection& connection, std::string_view purpose) {
  Query row(connection, kLoadKey, purpose);
  AGENTCA_ASSIGN(const bool found, row.Next());
  if (!found) return std::optional<Secret>();
  Secret key(row.Blob(0));
  if (!row.intact() || key.view().size() != kKeyOctets) return Damaged("a shared key");
  return std::optional(std::move(key));
}

Result<size_t> RowsOf(Query&& query) {
  for (size_t rows = 0;; ++rows) {
    AGENTCA_ASSIGN(const bool row, query.Next());
    if (!row) return rows;
  }
}

// What is less, in the order of octets, was minted before.
std::array<uint8_t, acme::kMintedOctets> FirstOf(Time minted) {
  std::array<uint8_t, acme::kMintedOctets> octets{};
  auto seconds = static_cast<uint64_t>(std::max<int64_t>(minted.time_since_epoch().count(), 0));
  for (size_t i = octets.size(); i-- > 0; seconds >>= 8) octets[i] = static_cast<uint8_t>(seconds);
  return octets;
}

}  // namespace

NonceEpoch SqlNonces::NewEpoch() {
  std::array<uint8_t, sizeof(NonceEpoch)> octets{};
  random_.Fill(octets);
  NonceEpoch epoch = 0;
  for (const uint8_t octet : octets) epoch = epoch << 8 | octet;
  return epoch;
}

Result<NonceHorizon> SqlNonces::LoadOrBegin(Connection& connection) {
  AGENTCA_ASSIGN(auto known, Load(connection));
  if (known) return *known;
  AGENTCA_TRY(Query(connection, kBeginEpoch, int64_t{NewEpoch()}).Run());
  AGENTCA_ASSIGN(known, Load(connection));  // ours, or that of whoever was first
  if (known) return *known;
  return Error{Code::kUnavailable, "nonces: another node is beginning an epoch"};
}

Result<Spending> SqlNonces::SpendNonces(std::span<const SpentNonce> batch) {
  // An insert waits for whoever inserts the same and has not committed: in one order, which all
  // keep, no two wait for each other.
  std::vector<SpentNonce> sorted(batch.begin(), batch.end());
  std::sort(sorted.begin(), sorted.end());
  const std::span<const SpentNonce> all(sorted);
  // No transaction: what is inserted is spent, whatever comes after; and the epoch is read when it
  // is, so that one that begins meanwhile is not missed.
  const auto spend = [&](Connection& connection) -> Result<Spending> {
    std::unordered_set<std::string> inserted;
    constexpr size_t kMost = kInserts.back().size;
    for (size_t begin = 0; begin < all.size(); begin += kMost) {
      AGENTCA_TRY(InsertSome(connection, all.subspan(begin, std::min(kMost, all.size() - begin)),
                             inserted));
    }
    AGENTCA_ASSIGN(const NonceHorizon horizon, LoadOrBegin(connection));
    Spending spending{horizon, {}};
    for (const SpentNonce& each : batch) {
      spending.first.push_back(inserted.erase(std::string(AsText(each))) != 0);
    }
    return spending;
  };
  return database_.Write(spend, Isolation::kStatements);
}

Result<NonceHorizon> SqlNonces::Horizon() {
  AGENTCA_ASSIGN(const auto known, database_.Read(Load));
  if (known) return *known;
  return database_.Write([this](Connection& connection) { return LoadOrBegin(connection); });
}

Result<size_t> SqlNonces::PruneNonces(Time minted_before, size_t limit) {
  return database_.Write([&](Connection& connection) -> Result<size_t> {
    AGENTCA_ASSIGN(const NonceHorizon old, LoadOrBegin(connection));
    const bool back = old.pruned_before - minted_before > acme::kHorizonSlack;
    if (back || minted_before > old.pruned_before) {
      const NonceEpoch epoch = back ? NewEpoch() : old.epoch;
      AGENTCA_ASSIGN(const size_t moved,
                     RowsOf(Query(connection, kSetEpoch, int64_t{epoch}, minted_before,
                                  int64_t{old.epoch}, old.pruned_before)));
      if (moved == 0) return size_t{0};  // another node moved it just now
    }
    return RowsOf(
        Query(connection, kPrune, ByteView(FirstOf(minted_before)), static_cast<int64_t>(limit)));
  });
}

Result<Secret> SqlNonces::SharedKey(std::string_view purpose) {
  AGENTCA_ASSIGN(auto known, database_.Read([&](Connection& connection) {
    return LoadKey(connection, purpose);
  }));
  if (known) return *std::move(known);
  Bytes octets(kKeyOctets);
  random_.Fill(octets);
  const Secret made(std::move(octets));
  return database_.Write([&](Connection& connection) -> Result<Secret> {
    AGENTCA_TRY(Query(connection, kAddKey, purpose, made.view()).Run());
    AGENTCA_ASSIGN(auto key, LoadKey(connection, purpose));  // ours, or that of whoever was first
    if (key) return *std::move(key);
    return Error{Code::kUnavailable, "another node is making this key"};
  });
}

}  // namespace agentca::storage
