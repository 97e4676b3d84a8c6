#include "ca/answer_cache.h"

#include <gtest/gtest.h>

#include <future>
#include <stdexcept>

namespace agentca::ca {
namespace {

constexpr Time kNow{Seconds{1'800'000'000}};
const Bytes kKey = {1, 2, 3};

AnswerCache::Answer Answering() {
  OcspAnswer answer;
  answer.successful = answer.cacheable = true;
  answer.this_update = kNow;
  answer.next_update = kNow + Seconds(100);
  return std::make_shared<const OcspAnswer>(std::move(answer));
}

TEST(AnswerCache, TriesAgainAfterWhateverWasThrown) {
  AnswerCache cache(10);
  EXPECT_EQ(cache.GetOrMake(kKey, kNow,
                            []() -> AnswerCache::Answer { throw std::runtime_error("away"); }),
            nullptr);
  EXPECT_EQ(cache.GetOrMake(kKey, kNow, []() -> AnswerCache::Answer { throw 1; }), nullptr);
  const auto answer = Answering();
  EXPECT_EQ(cache.GetOrMake(kKey, kNow, [&] { return answer; }), answer);
  EXPECT_EQ(cache.Fresh(kKey, kNow), answer);
}

TEST(AnswerCache, GivesThePreviousAnswerWhenTheNextOneThrows) {
  AnswerCache cache(10);
  const auto answer = cache.GetOrMake(kKey, kNow, Answering);
  EXPECT_EQ(cache.GetOrMake(kKey, kNow + Seconds(99), []() -> AnswerCache::Answer { throw 1; }),
            answer);
}

TEST(AnswerCache, AFlightThatThrowsReleasesThoseWhoWaitForIt) {
  AnswerCache cache(10);
  std::promise<void> flying, crash;
  auto first = std::async(std::launch::async, [&] {
    return cache.GetOrMake(kKey, kNow, [&]() -> AnswerCache::Answer {
      flying.set_value();
      crash.get_future().wait();
      throw std::runtime_error("crashed");
    });
  });
  flying.get_future().wait();
  const auto answer = Answering();
  auto second = std::async(std::launch::async,
                           [&] { return cache.GetOrMake(kKey, kNow, [&] { return answer; }); });
  crash.set_value();
  EXPECT_EQ(first.get(), nullptr);
  // It waited for the flight, or came after it and made its own.
  ASSERT_EQ(second.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  const auto got = second.get();
  EXPECT_TRUE(got == nullptr || got == answer);
}

TEST(AnswerCache, ReplacesAnAnswerUnderItsKey) {
  AnswerCache cache(1);
  const auto first = cache.GetOrMake(kKey, kNow, Answering);
  const auto second = cache.GetOrMake(kKey, kNow + Seconds(50), Answering);
  EXPECT_NE(first, second);
  EXPECT_EQ(cache.Fresh(kKey, kNow), second);
  const Bytes other = {4};
  const auto third = cache.GetOrMake(other, kNow, Answering);
  EXPECT_EQ(cache.Fresh(kKey, kNow), nullptr);
  EXPECT_EQ(cache.Fresh(other, kNow), third);
  cache.Evict(other);
  EXPECT_EQ(cache.Fresh(other, kNow), nullptr);
}

}  // namespace
}  // namespace agentca::ca
