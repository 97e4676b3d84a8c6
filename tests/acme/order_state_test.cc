#include "acme/order_state.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/fakes/fixed.h"

namespace agentca::acme {
namespace {

const Time kNow = fakes::ManualClock().Now();
const Time kLater = kNow + Seconds(3600);

Authorization AuthorizationFor(const std::string& name) {
  Authorization authorization;
  authorization.identifier = {Identifier::Type::kDns, name};
  authorization.offered = {ChallengeType::kHttp01, ChallengeType::kDns01};
  authorization.expires_at = kLater;
  return authorization;
}
Authorization With(AttemptState state) {
  Authorization authorization = AuthorizationFor("a.example.test");
  authorization.attempt = Attempt{ChallengeType::kHttp01, state, std::nullopt, std::nullopt};
  if (state == AttemptState::kInvalid) authorization.attempt->error = Error{Code::kDns, "gone"};
  return authorization;
}
Order NewOrder() {
  Order order;
  order.expires_at = kLater;
  return order;
}
OrderStatus StatusWith(const Order& order, std::vector<Authorization> authorizations,
                       Time now = kNow) {
  return StatusOf(order, authorizations, now);
}

TEST(AuthorizationState, FollowsItsAttemptExpiryAndDeactivation) {
  EXPECT_EQ(StatusOf(AuthorizationFor("x"), kNow), AuthorizationStatus::kPending);
  EXPECT_EQ(StatusOf(With(AttemptState::kProcessing), kNow), AuthorizationStatus::kPending);
  EXPECT_EQ(StatusOf(With(AttemptState::kValid), kNow), AuthorizationStatus::kValid);
  EXPECT_EQ(StatusOf(With(AttemptState::kInvalid), kNow), AuthorizationStatus::kInvalid);
  EXPECT_EQ(StatusOf(With(AttemptState::kInvalid), kLater), AuthorizationStatus::kInvalid);
  EXPECT_EQ(StatusOf(With(AttemptState::kValid), kLater), AuthorizationStatus::kExpired);
  EXPECT_EQ(StatusOf(AuthorizationFor("x"), kLater), AuthorizationStatus::kExpired);
  Authorization deactivated = With(AttemptState::kValid);
  deactivated.deactivated = true;
  EXPECT_EQ(StatusOf(deactivated, kLater), AuthorizationStatus::kDeactivated);
}

TEST(ChallengeState, IsThatOfTheOneAttempt) {
  const Authorization invalid = With(AttemptState::kInvalid);
  EXPECT_EQ(StatusOf(invalid, ChallengeType::kHttp01), ChallengeStatus::kInvalid);
  EXPECT_EQ(StatusOf(invalid, ChallengeType::kDns01), ChallengeStatus::kPending);
  EXPECT_EQ(StatusOf(With(AttemptState::kProcessing), ChallengeType::kHttp01),
            ChallengeStatus::kProcessing);
}

TEST(OrderState, IsReadyOnlyWhenEveryAuthorizationIsValid) {
  const Order order = NewOrder();
  const auto valid = With(AttemptState::kValid);
  EXPECT_EQ(StatusWith(order, {valid, valid}), OrderStatus::kReady);
  EXPECT_EQ(StatusWith(order, {valid, With(AttemptState::kProcessing)}), OrderStatus::kPending);
  EXPECT_EQ(StatusWith(order, {valid, With(AttemptState::kInvalid)}), OrderStatus::kInvalid);
  EXPECT_EQ(StatusWith(order, {}), OrderStatus::kPending);
}

TEST(OrderState, ExpiryAndCancellationInvalidateWhatIsNotFinalizing) {
  Order order = NewOrder();
  const auto valid = With(AttemptState::kValid);
  EXPECT_EQ(StatusWith(order, {valid}, kLater), OrderStatus::kInvalid);
  order.cancelled = true;
  EXPECT_EQ(StatusWith(order, {valid}), OrderStatus::kInvalid);
  order.cancelled = false;
  order.finalizing = true;
  EXPECT_EQ(StatusWith(order, {valid}, kLater), OrderStatus::kProcessing);
  order.error = Error{Code::kUnavailable, "no"};
  EXPECT_EQ(StatusWith(order, {valid}), OrderStatus::kInvalid);
  order.error.reset();
  order.certificate = ca::Serial::FromHex("01").value();
  EXPECT_EQ(StatusWith(order, {valid}, kLater), OrderStatus::kValid);
}

TEST(OrderState, AnInvalidOrderSaysWhy) {
  Order order = NewOrder();
  const std::vector<Authorization> failed{With(AttemptState::kValid), With(AttemptState::kInvalid)};
  const auto error = ErrorOf(order, failed, kNow);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, Code::kDns);
  EXPECT_EQ(error->detail, "dns:a.example.test: gone");

  const std::vector<Authorization> valid{With(AttemptState::kValid)};
  EXPECT_FALSE(ErrorOf(order, valid, kNow).has_value());
  EXPECT_EQ(ErrorOf(order, valid, kLater)->detail, "the order expired");
  order.cancelled = true;
  EXPECT_EQ(ErrorOf(order, valid, kNow)->detail, "the account was deactivated");
}

TEST(Ids, CarryTheTimeInFrontAndNeverRepeat) {
  OpenSslRandom random;
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(NewId(kNow, random));
  EXPECT_EQ(ids.size(), 1000U);
  const Bytes octets = FromBase64Url(*ids.begin()).value();
  ASSERT_EQ(octets.size(), 21U);
  uint64_t seconds = 0;
  for (size_t i = 0; i < 5; ++i) seconds = seconds << 8 | octets[i];
  EXPECT_EQ(seconds, static_cast<uint64_t>(kNow.time_since_epoch().count()));
}

TEST(ChallengeTypes, HaveOneNameEach) {
  for (const auto type :
       {ChallengeType::kHttp01, ChallengeType::kDns01, ChallengeType::kTlsAlpn01}) {
    EXPECT_EQ(ChallengeTypeFromString(ToString(type)), type);
  }
  EXPECT_FALSE(ChallengeTypeFromString("http-02").has_value());
}

}  // namespace
}  // namespace agentca::acme
