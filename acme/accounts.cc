#include "acme/accounts.h"

namespace agentca::acme {

Accounts::Accounts(Store& store, size_t max_entries) : store_(store), max_entries_(max_entries) {}

std::shared_ptr<const Account> Accounts::Cached(const AccountId& id, Time now) {
  const auto found = index_.find(id);
  if (found == index_.end()) return nullptr;
  const auto entry = found->second;
  if (now < entry->read_at || now - entry->read_at > kValidity) {
    entries_.erase(entry);
    index_.erase(found);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->account;
}

Result<std::shared_ptr<const Account>> Accounts::Find(const AccountId& id, Time now) {
  {
    std::lock_guard lock(mutex_);
    if (auto cached = Cached(id, now)) return cached;
  }
  return FindAnew(id, now);
}

Result<std::shared_ptr<const Account>> Accounts::FindAnew(const AccountId& id, Time now) {
  uint64_t generation = 0;
  {
    std::lock_guard lock(mutex_);
    generation = generation_;
  }
  AGENTCA_ASSIGN(Account row, store_.FindAccount(id));
  std::shared_ptr<const Account> account = std::make_shared<const Account>(std::move(row));

  std::lock_guard lock(mutex_);
  if (generation != generation_) return account;
  if (const auto found = index_.find(id); found != index_.end()) {
    *found->second = {account, now};
    return account;
  }
  if (entries_.size() >= max_entries_) {
    index_.erase(entries_.back().account->id);
    entries_.pop_back();
  }
  entries_.push_front({account, now});
  index_.emplace(id, entries_.begin());
  return account;
}

void Accounts::Forget(const AccountId& id) {
  std::lock_guard lock(mutex_);
  ++generation_;
  const auto found = index_.find(id);
  if (found == index_.end()) return;
  entries_.erase(found->second);
  index_.erase(found);
}

}  // namespace agentca::acme
