// The backends that every contract suite runs over. A new one takes one entry in AllBackends.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "storage/open.h"
#include "tests/fakes/postgres_schema.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::contract {

struct BackendKind {
  std::string name;
  std::function<std::string(const fakes::TemporaryDirectory&)> uri;
  bool durable;  // what is stored is there after the backend was closed and opened again
};

// PostgreSQL where there is a server for tests: contrib/check starts one.
inline std::vector<BackendKind> AllBackends() {
  std::vector<BackendKind> kinds = {
      {"memory", [](const auto&) { return std::string("memory:"); }, false},
      {"sqlite",
       [](const auto& directory) { return "sqlite:" + (directory / "ca.sqlite").string(); }, true}};
  if (!fakes::PostgresServer().empty()) {
    kinds.push_back({"postgres", [](const auto&) { return fakes::NewPostgresSchema(); }, true});
  }
  return kinds;
}

inline std::vector<BackendKind> DurableBackends() {
  std::vector<BackendKind> kinds = AllBackends();
  std::erase_if(kinds, [](const BackendKind& kind) { return !kind.durable; });
  return kinds;
}

inline std::string NameOf(const testing::TestParamInfo<BackendKind>& info) {
  return info.param.name;
}

// A fresh backend of the kind under test.
class BackendTest : public testing::TestWithParam<BackendKind> {
 protected:
  BackendTest() : uri_(GetParam().uri(directory_)) { Reopen(); }
  void Reopen() {
    backend_.reset();
    auto opened = storage::Open(uri_, storage::OpenMode::kCreate);
    if (!opened.ok()) throw std::runtime_error(opened.error().detail);
    backend_ = *std::move(opened);
  }

  fakes::TemporaryDirectory directory_;
  const std::string uri_;
  std::unique_ptr<storage::Backend> backend_;
};

template <class T>
testing::AssertionResult IsOk(const Result<T>& outcome) {
  if (outcome.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << outcome.error().detail;
}

template <class T>
testing::AssertionResult FailsWith(Code expected, const Result<T>& outcome) {
  if (outcome.ok()) return testing::AssertionFailure() << "it succeeded";
  if (outcome.error().code == expected) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << static_cast<int>(outcome.error().code) << ": " << outcome.error().detail;
}

}  // namespace agentca::contract

#define ASSERT_OK(outcome) ASSERT_TRUE(::agentca::contract::IsOk(outcome))
#define EXPECT_OK(outcome) EXPECT_TRUE(::agentca::contract::IsOk(outcome))
#define EXPECT_FAILS(code, outcome) EXPECT_TRUE(::agentca::contract::FailsWith(code, outcome))
