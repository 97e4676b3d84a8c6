// Accounts by id, read through a small cache: parsing a key costs more than verifying with it.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "acme/store.h"

namespace agentca::acme {

// Thread-safe. An entry lives for at most kValidity: then the row is read again, so that what
// another process on the same store changed is seen soon. A change by this process is seen at once
// (Forget). What matters is guarded by the store itself, in the transaction that writes: a
// deactivated account gets no order and no certificate however stale a cache is.
class Accounts {
 public:
  static constexpr size_t kMaxEntries = 10'000;
  static constexpr Seconds kValidity{1};
  explicit Accounts(Store& store, size_t max_entries = kMaxEntries);

  Result<std::shared_ptr<const Account>> Find(const AccountId& id, Time now);  // kNotFound
  // As the store has it now, whatever is remembered.
  Result<std::shared_ptr<const Account>> FindAnew(const AccountId& id, Time now);
  // Call after every change of the account, before anyone is told of it.
  void Forget(const AccountId& id);

 private:
  struct Entry {
    std::shared_ptr<const Account> account;
    Time read_at;
  };
  std::shared_ptr<const Account> Cached(const AccountId& id, Time now);

  Store& store_;
  const size_t max_entries_;
  std::mutex mutex_;          // guards the rest
  uint64_t generation_ = 0;   // of Forget calls: a row read before one must not be kept after it
  std::list<Entry> entries_;  // last used first
  std::unordered_map<AccountId, std::list<Entry>::iterator> index_;
};

}  // namespace agentca::acme
