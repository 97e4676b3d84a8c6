#include "ca/base/group_commit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace agentca {
namespace {

struct Item {
  int number;
  int settled = 0;
};
using Batch = std::vector<Item*>;

TEST(GroupCommit, ALoneCallerSettlesItsOwnOnItsOwnThread) {
  GroupCommit<Item> group(8);
  Item item{1};
  std::thread::id where;
  group.Run(item, [&](const Batch& batch) {
    where = std::this_thread::get_id();
    for (Item* each : batch) ++each->settled;
  });
  EXPECT_EQ(item.settled, 1);
  EXPECT_EQ(where, std::this_thread::get_id());
}

// Holds the first batch until `others` more wait, and says how the items were grouped.
std::vector<std::vector<int>> GroupsOf(size_t others, size_t max_batch) {
  GroupCommit<Item> group(max_batch);
  std::vector<std::vector<int>> groups;
  std::promise<void> entered;
  const auto settle = [&](const Batch& batch) {
    if (groups.empty()) {
      entered.set_value();
      while (group.waiting() < others) std::this_thread::yield();
    }
    std::vector<int> numbers;
    for (Item* each : batch) {
      ++each->settled;
      numbers.push_back(each->number);
    }
    groups.push_back(numbers);
  };
  std::vector<Item> items;
  for (size_t i = 0; i <= others; ++i) items.push_back({static_cast<int>(i)});
  std::vector<std::thread> threads;
  threads.emplace_back([&] { group.Run(items[0], settle); });
  entered.get_future().wait();
  for (size_t i = 1; i <= others; ++i) {
    threads.emplace_back([&, i] { group.Run(items[i], settle); });
    while (i < others && group.waiting() < i) std::this_thread::yield();  // keeps the order
  }
  for (std::thread& thread : threads) thread.join();
  for (const Item& item : items) EXPECT_EQ(item.settled, 1) << item.number;
  EXPECT_EQ(group.waiting(), 0U);
  return groups;
}

TEST(GroupCommit, ThoseWhoWaitShareTheNextBatchInTheOrderTheyCame) {
  EXPECT_EQ(GroupsOf(4, 16), (std::vector<std::vector<int>>{{0}, {1, 2, 3, 4}}));
}

TEST(GroupCommit, ABatchHasAnUpperLimit) {
  EXPECT_EQ(GroupsOf(5, 2), (std::vector<std::vector<int>>{{0}, {1, 2}, {3, 4}, {5}}));
}

TEST(GroupCommit, WhoLeadsTakesAlongWhatAwaitsLater) {
  GroupCommit<Item> group(8);
  int batches = 0;
  const auto settle = [&](const Batch& batch) {
    ++batches;
    for (Item* each : batch) ++each->settled;
  };
  Item early{1};
  Item late{2};
  const auto entry = group.Join(early);
  EXPECT_EQ(group.waiting(), 1U);
  group.Run(late, settle);
  EXPECT_EQ(early.settled, 1);
  group.Await(entry, settle);
  EXPECT_EQ(early.settled, 1);
  EXPECT_EQ(batches, 1);
}

TEST(GroupCommit, NobodyWaitsForTheLeadOfWhatDoesNotAwait) {
  GroupCommit<Item> group(1);  // so that the items that do not await are batches of their own
  const auto settle = [](const Batch& batch) {
    for (Item* each : batch) ++each->settled;
  };
  Item idle[2] = {{1}, {2}};
  Item busy{3};
  const auto first = group.Join(idle[0]);
  const auto second = group.Join(idle[1]);
  group.Run(busy, settle);
  EXPECT_EQ(busy.settled, 1);
  Item last{4};
  const auto third = group.Join(last);
  for (const auto& entry : {first, second, third}) group.Await(entry, settle);
  for (const Item& each : {idle[0], idle[1], last}) EXPECT_EQ(each.settled, 1);
}

TEST(GroupCommit, ManyThreadsAreEachSettledOnceAndNeverAtTheSameTime) {
  constexpr int kThreads = 8;
  constexpr int kTurns = 500;
  GroupCommit<Item> group(4);
  std::atomic<int> within = 0;
  int total = 0;  // not atomic: only one settles at a time
  const auto settle = [&](const Batch& batch) {
    EXPECT_EQ(within.fetch_add(1), 0);
    EXPECT_LE(batch.size(), 4U);
    for (Item* each : batch) total += ++each->settled;
    within.fetch_sub(1);
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kTurns; ++i) {
        Item before{i};
        const auto entry = group.Join(before);
        Item item{i};
        if (i % 2 == 0) group.Run(item, settle);
        group.Await(entry, settle);
        if (i % 2 != 0) group.Run(item, settle);
        EXPECT_EQ(before.settled, 1);
        EXPECT_EQ(item.settled, 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(total, 2 * kThreads * kTurns);
}

}  // namespace
}  // namespace agentca
