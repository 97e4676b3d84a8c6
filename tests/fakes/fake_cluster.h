// Leases and documents for tests of ca/ alone, with faults. The real ones are in storage/ and have
// a contract suite of their own.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "ca/leases.h"
#include "ca/shared_documents.h"

namespace agentca::fakes {

// Who has which duty. Nothing lapses by itself: a test says when.
class LeaseBook {
 public:
  bool Take(const std::string& duty, const std::string& process) {
    std::lock_guard lock(mutex_);
    return holders_.emplace(duty, process).first->second == process;
  }
  void Free(const std::string& duty, const std::string& process) {
    std::lock_guard lock(mutex_);
    const auto found = holders_.find(duty);
    if (found != holders_.end() && found->second == process) holders_.erase(found);
  }
  // As if a lease lapsed whose holder does not know yet, and another node was faster.
  void Give(const std::string& duty, const std::string& process) {
    std::lock_guard lock(mutex_);
    holders_[duty] = process;
  }
  std::string HolderOf(const std::string& duty) const {
    std::lock_guard lock(mutex_);
    const auto found = holders_.find(duty);
    return found == holders_.end() ? "" : found->second;
  }

 private:
  mutable std::mutex mutex_;  // guards holders_
  std::map<std::string, std::string> holders_;
};

class FakeLeases final : public ca::Leases {
 public:
  FakeLeases(LeaseBook& book, std::string process) : book_(book), process_(std::move(process)) {}
  void SetAway(bool away) { away_ = away; }
  int beats() const { return beats_; }
  int farewells() const { return farewells_; }
  int asked() const { return asked_; }  // for duties

  Status Enter(std::chrono::milliseconds life) override { return Beat(life); }
  Status Beat(std::chrono::milliseconds) override {
    ++beats_;
    return Reach();
  }
  Status Leave() override {
    ++farewells_;
    return Reach();
  }
  Result<bool> Hold(std::string_view duty, std::chrono::milliseconds) override {
    AGENTCA_TRY(Reach());
    const bool taken = book_.Take(std::string(duty), process_);
    ++asked_;
    return taken;
  }
  Status Release(std::string_view duty) override {
    AGENTCA_TRY(Reach());
    book_.Free(std::string(duty), process_);
    return {};
  }

 private:
  Status Reach() const {
    if (away_) return Error{Code::kUnavailable, "the store is away"};
    return {};
  }
  LeaseBook& book_;
  const std::string process_;
  std::atomic<bool> away_{false};
  std::atomic<int> beats_{0}, farewells_{0}, asked_{0};
};

class FakeDocuments final : public ca::SharedDocuments {
 public:
  enum class Fault { kNone, kFails, kFailsButPersists };
  void SetFault(Fault fault) { fault_ = fault; }
  // Called once, by the next Put, before anything else: where another node is faster.
  void SetBeforePut(std::function<void()> hook) {
    std::lock_guard lock(mutex_);
    before_put_ = std::move(hook);
  }
  // Whatever the guards say.
  void Plant(const std::string& name, ca::SharedDocument document) {
    std::lock_guard lock(mutex_);
    documents_.insert_or_assign(name, std::move(document));
  }

  Status Put(std::string_view name, int64_t replaces, const ca::SharedDocument& next) override {
    if (const auto hook = TakeHook()) hook();
    std::lock_guard lock(mutex_);
    if (fault_ == Fault::kFails) return Away();
    if (Version(name) != replaces || next.version <= replaces)
      return Error{Code::kConflict, "another version is there"};
    documents_.insert_or_assign(std::string(name), next);
    if (fault_ == Fault::kFailsButPersists) return Away();
    return {};
  }
  Result<ca::SharedDocument> Get(std::string_view name) override {
    std::lock_guard lock(mutex_);
    if (fault_ == Fault::kFails) return Away();
    const auto found = documents_.find(name);
    if (found == documents_.end()) return Error{Code::kNotFound, "no such document"};
    return found->second;
  }
  Result<int64_t> VersionOf(std::string_view name) override {
    std::lock_guard lock(mutex_);
    if (fault_ == Fault::kFails) return Away();
    return Version(name);
  }

 private:
  static Error Away() { return {Code::kUnavailable, "the store is away"}; }
  int64_t Version(std::string_view name) const {
    const auto found = documents_.find(name);
    return found == documents_.end() ? 0 : found->second.version;
  }
  std::function<void()> TakeHook() {
    std::lock_guard lock(mutex_);
    return std::exchange(before_put_, {});
  }
  std::atomic<Fault> fault_{Fault::kNone};
  std::mutex mutex_;  // guards the rest
  std::function<void()> before_put_;
  std::map<std::string, ca::SharedDocument, std::less<>> documents_;
};

}  // namespace agentca::fakes
