// What ca::Leases and ca::SharedDocuments of every backend do.
#pragma once

#include <atomic>
#include <thread>

#include "tests/contract/backends.h"
#include "tests/fakes/eventually.h"

namespace agentca::contract {

using std::chrono::milliseconds;

// A backend that one process uses: it is alive and has what it asks for.
class OneNode : public BackendTest {
 protected:
  ca::Leases& leases() { return backend_->leases(); }
  ca::SharedDocuments& documents() { return backend_->documents(); }
};

TEST_P(OneNode, HasEveryDuty) {
  EXPECT_OK(leases().Enter(ca::kLeaseLife));
  EXPECT_OK(leases().Beat(ca::kLeaseLife));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(leases().Hold("crl", ca::kLeaseLife).value());
  EXPECT_TRUE(leases().Hold("ocsp", ca::kLeaseLife).value());
  EXPECT_OK(leases().Release("crl"));
  EXPECT_OK(leases().Release("crl"));
  EXPECT_TRUE(leases().Hold("crl", ca::kLeaseLife).value());
  EXPECT_OK(leases().Leave());
}

TEST_P(OneNode, ADocumentIsReadAsItWasPut) {
  EXPECT_EQ(documents().VersionOf("crl/a").value(), 0);
  EXPECT_FAILS(Code::kNotFound, documents().Get("crl/a"));
  const Bytes content{0x30, 0x00, 0xff, 0x00};
  ASSERT_OK(documents().Put("crl/a", 0, {7, content}));
  EXPECT_EQ(documents().VersionOf("crl/a").value(), 7);
  EXPECT_EQ(documents().Get("crl/a")->version, 7);
  EXPECT_EQ(documents().Get("crl/a")->content, content);
  EXPECT_EQ(documents().VersionOf("crl/b").value(), 0);
  if (!GetParam().durable) return;
  Reopen();
  EXPECT_EQ(documents().Get("crl/a")->content, content);
}

TEST_P(OneNode, ADocumentReplacesTheVersionThatItsMakerSawAndNoOther) {
  EXPECT_FAILS(Code::kConflict, documents().Put("crl/a", 1, {2, {1}}));
  EXPECT_FAILS(Code::kConflict, documents().Put("crl/a", 0, {0, {1}}));
  ASSERT_OK(documents().Put("crl/a", 0, {5, {5}}));
  EXPECT_FAILS(Code::kConflict, documents().Put("crl/a", 0, {6, {6}}));
  EXPECT_FAILS(Code::kConflict, documents().Put("crl/a", 4, {6, {6}}));
  EXPECT_FAILS(Code::kConflict, documents().Put("crl/a", 5, {5, {6}}));
  EXPECT_FAILS(Code::kConflict, documents().Put("crl/a", 5, {4, {6}}));
  EXPECT_EQ(documents().Get("crl/a")->content, Bytes{5});
  ASSERT_OK(documents().Put("crl/a", 5, {9, {9}}));
  EXPECT_EQ(documents().Get("crl/a")->version, 9);
}

TEST_P(OneNode, OfManyThatReplaceOneVersionOneWins) {
  ASSERT_OK(documents().Put("crl/a", 0, {1, {1}}));
  std::atomic<int> winners = 0;
  std::vector<std::thread> threads;
  for (uint8_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      if (documents().Put("crl/a", 1, {2 + i, {i}}).ok()) ++winners;
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(winners, 1);
}

// Several processes on one store.
class Leases : public BackendTest {
 protected:
  Leases() { backend_.reset(); }
  std::unique_ptr<storage::Backend> Open(const ca::NodeId& node) {
    return storage::Open(uri_, storage::OpenMode::kCreate, node).value();
  }
  bool Holds(storage::Backend& process, milliseconds life = ca::kLeaseLife) {
    return process.leases().Hold("duty", life).value();
  }
  const std::unique_ptr<storage::Backend> one_ = Open("one"), two_ = Open("two");
};

TEST_P(Leases, ADutyHasOneHolder) {
  EXPECT_TRUE(Holds(*one_));
  EXPECT_FALSE(Holds(*two_));
  EXPECT_TRUE(Holds(*one_));
  EXPECT_TRUE(two_->leases().Hold("another", ca::kLeaseLife).value());
  EXPECT_OK(two_->leases().Release("duty"));
  EXPECT_FALSE(Holds(*two_)) << "it was not its to release";
  EXPECT_OK(one_->leases().Release("duty"));
  EXPECT_TRUE(Holds(*two_));
  EXPECT_FALSE(Holds(*one_));
}

TEST_P(Leases, ADutyLapsesWhenItIsNotRenewed) {
  EXPECT_TRUE(Holds(*one_, milliseconds(1)));
  EXPECT_TRUE(fakes::Eventually([&] { return Holds(*two_); }));
  EXPECT_FALSE(Holds(*one_));
}

TEST_P(Leases, NoLeaseIsLongerThanTheLongest) {
  EXPECT_TRUE(Holds(*one_, milliseconds(100) * ca::kLongestLease.count()));
  EXPECT_FALSE(Holds(*two_)) << "as if it was given before the clock was set back";
}

TEST_P(Leases, WhoLeavesHasNoDuty) {
  EXPECT_OK(one_->leases().Enter(ca::kLeaseLife));
  EXPECT_TRUE(Holds(*one_));
  EXPECT_OK(one_->leases().Leave());
  EXPECT_TRUE(Holds(*two_));
}

TEST_P(Leases, ANewProcessOfANodeEndsTheOneBefore) {
  EXPECT_OK(one_->leases().Enter(ca::kLeaseLife));
  EXPECT_TRUE(Holds(*one_));
  EXPECT_OK(two_->leases().Enter(ca::kLeaseLife));
  EXPECT_FALSE(Holds(*two_)) << "another node";
  const auto again = Open("one");
  EXPECT_OK(again->leases().Enter(ca::kLeaseLife));
  EXPECT_TRUE(Holds(*again));
  EXPECT_FALSE(Holds(*one_));
}

TEST_P(Leases, OfManyThatTakeADutyOneWins) {
  std::atomic<int> winners = 0;
  std::vector<std::unique_ptr<storage::Backend>> processes;
  for (int i = 0; i < 4; ++i) processes.push_back(Open("n" + std::to_string(i)));
  std::vector<std::thread> threads;
  for (auto& process : processes) {
    threads.emplace_back([&] {
      if (Holds(*process)) ++winners;
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_EQ(winners, 1);
}

TEST_P(Leases, DocumentsAreSeenByAll) {
  ASSERT_OK(one_->documents().Put("crl/a", 0, {1, {1}}));
  EXPECT_EQ(two_->documents().VersionOf("crl/a").value(), 1);
  ASSERT_OK(two_->documents().Put("crl/a", 1, {2, {2}}));
  EXPECT_FAILS(Code::kConflict, one_->documents().Put("crl/a", 1, {3, {3}}));
  EXPECT_EQ(one_->documents().Get("crl/a")->content, Bytes{2});
}

}  // namespace agentca::contract
