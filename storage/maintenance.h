// What is done to a store as a whole: by `agentca db`, and by the node that prunes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ca/certificate_store.h"

namespace agentca::storage {

// What is deleted when it has been over for long enough.
enum class Prunable : uint8_t {
  kOrders,        // settled or never finalized, with authorizations and approval; from their expiry
  kGrants,        // not spent, or on an account that is no longer valid; from their expiry
  kCertificates,  // issued or abandoned, which no order names any more; from not_after
  kRevocations,   // events, from the first on, but never the last; from the revocation
  kAttestations,  // which no grant needs; from their making
};
inline constexpr Prunable kPrunables[] = {Prunable::kOrders, Prunable::kGrants,
                                          Prunable::kCertificates, Prunable::kRevocations,
                                          Prunable::kAttestations};
std::string_view ToString(Prunable what);  // "orders", …

// Where the next step begins; the first at the beginning.
struct PruneCursor {
  int64_t at = INT64_MIN;
  Bytes key;
};
struct PruneStep {
  size_t deleted = 0;  // or that would be
  bool more = false;
  PruneCursor next;
};

struct Finding {
  std::string table;
  std::string key;    // of the row; "" when it is about the table
  std::string fault;  // in words
};

// SHA-256 over the lines of the rows, each with its LF, in the order of the keys; `total` is over
// lines "NAME ROWS DIGEST" of the tables.
struct TableDigest {
  std::string name;
  int64_t rows = 0;
  std::string sha256;
};
struct StoreDigest {
  std::vector<TableDigest> tables;
  std::string total;
};

// Takes one line of an export, without its LF.
using LineSink = std::function<Status(std::string_view line)>;
class LineSource {
 public:
  virtual ~LineSource() = default;
  // Good until the next call; nullopt: the end.
  virtual Result<std::optional<std::string_view>> Next() = 0;
  virtual Status Rewind() = 0;
};

// A serial that was signed or revoked according to others than the store.
struct Recollection {
  ca::IssuerId issuer;
  ca::Serial serial;
  Time signed_at{};  // as far as known
  Time not_after{};  // the issuer's when it is not known
  std::optional<ca::Revocation> revocation;
};
enum class Mending : uint8_t {
  kNone,     // the store knows that much
  kAdded,    // it did not know the serial, which is abandoned now
  kRevoked,  // it did not know the revocation
};

// Thread-safe. Errors as ca::CertificateStore's.
class Maintenance {
 public:
  virtual ~Maintenance() = default;

  // Looks at one page of what was over before `before` and deletes what may be deleted, in one
  // transaction. `dry_run`: only counts.
  virtual Result<PruneStep> Prune(Prunable what, Time before, const PruneCursor& from,
                                  bool dry_run) = 0;

  // Calls `found` for each fault, of one consistent state.
  virtual Status Check(const std::function<void(const Finding&)>& found) = 0;

  // All that lasts, of one consistent state. Leases, spent nonces and the like stay behind.
  virtual Result<StoreDigest> Export(const LineSink& out) = 0;
  // All or nothing, into a store that holds nothing (kConflict otherwise). The digests hold for
  // what was read, and for what is in the store afterwards; kMalformed when a line is not as Export
  // wrote it.
  virtual Result<StoreDigest> Import(LineSource& in) = 0;

  // Those that no issuer of this store ever intended to sign.
  virtual Result<std::vector<ca::Serial>> UnknownOf(const std::vector<ca::Serial>& serials) = 0;
  // Makes the store know at least so much. Without a revocation an unknown serial counts as revoked
  // at `now`: a signature may exist. `dry_run`: only says what it would do.
  virtual Result<Mending> Recall(const Recollection& recollection, Time now, bool dry_run) = 0;
  virtual Result<uint64_t> CrlNumberOf(const ca::IssuerId& issuer) = 0;  // 0: none yet
  virtual Status RaiseCrlNumber(const ca::IssuerId& issuer, uint64_t at_least) = 0;
};

}  // namespace agentca::storage
