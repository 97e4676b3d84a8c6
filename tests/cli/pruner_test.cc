#include "acme/cli/pruner.h"

#include <gtest/gtest.h>

namespace agentca::cli {
namespace {

using storage::Prunable;

constexpr Time kNow{Seconds{1'800'000'000}};
constexpr Seconds kDay{86'400};

TEST(PrunedBefore, IsWhatTheConfigurationSays) {
  const RetentionConfig retention{30 * kDay, 31 * kDay, 90 * kDay, 400 * kDay};
  const ca::CrlSchedule crl;
  EXPECT_EQ(PrunedBefore(Prunable::kOrders, retention, crl, kNow), kNow - 30 * kDay);
  EXPECT_EQ(PrunedBefore(Prunable::kGrants, retention, crl, kNow), kNow - 31 * kDay);
  EXPECT_EQ(PrunedBefore(Prunable::kCertificates, retention, crl, kNow), kNow - 90 * kDay);
  EXPECT_EQ(PrunedBefore(Prunable::kRevocations, retention, crl, kNow), kNow - 90 * kDay);
  EXPECT_EQ(PrunedBefore(Prunable::kAttestations, retention, crl, kNow), kNow - 400 * kDay);
}

TEST(PrunedBefore, IsNeverWhenItIsKeptForEver) {
  for (const Prunable what : storage::kPrunables)
    EXPECT_EQ(PrunedBefore(what, {}, {}, kNow), std::nullopt);
}

TEST(PrunedBefore, SparesCertificatesThatAListStillNames) {
  RetentionConfig retention;
  retention.certificates = Seconds(60);
  ca::CrlSchedule crl;
  crl.keep_expired = 14 * kDay;
  EXPECT_LT(PrunedBefore(Prunable::kCertificates, retention, crl, kNow), kNow - 14 * kDay);
  EXPECT_LT(PrunedBefore(Prunable::kRevocations, retention, crl, kNow), kNow - 14 * kDay);
}

}  // namespace
}  // namespace agentca::cli
