#include "ca/issuance_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace agentca::ca {
namespace {

constexpr Seconds kMinute{60}, kHour{3600}, kDay{86400};
constexpr std::array kDegrees{Degree::kLow, Degree::kMedium, Degree::kHigh};
constexpr std::array kLifespans{Lifespan::kEphemeral, Lifespan::kSession, Lifespan::kPersistent};

IssuancePolicy Default() { return IssuancePolicy::Make(DefaultPolicy()).value(); }

// All 27 triples of degrees.
std::vector<AgentClass> EveryClass() {
  std::vector<AgentClass> all;
  for (const Degree access : kDegrees) {
    for (const Degree decision : kDegrees) {
      for (const Degree risk : kDegrees) all.push_back({access, decision, risk, {}});
    }
  }
  return all;
}

struct Expected {
  int level;
  bool approval;
  std::array<Seconds, 3> lifetimes;
  Seconds grant_reuse;
};

// The table of agent-attest-01, row by row.
const Expected kLowRow{1, false, {1 * kHour, 8 * kHour, 7 * kDay}, 24 * kHour};
const Expected kMediumRow{2, false, {1 * kHour, 4 * kHour, 24 * kHour}, 1 * kHour};
const Expected kHighRow{3, false, {15 * kMinute, 1 * kHour, 8 * kHour}, Seconds(0)};
const Expected kSeveralHighRow{4, true, {15 * kMinute, 1 * kHour, 1 * kHour}, Seconds(0)};
const Expected kAnnualRow{4, false, {365 * kDay, 365 * kDay, 365 * kDay}, Seconds(0)};

const Expected& ExpectedFor(const AgentClass& agent_class) {
  int high = 0, medium = 0;
  for (const Degree each : {agent_class.access, agent_class.decision, agent_class.risk}) {
    high += each == Degree::kHigh ? 1 : 0;
    medium += each == Degree::kMedium ? 1 : 0;
  }
  if (high >= 2) return kSeveralHighRow;
  if (high == 1) return kHighRow;
  return medium > 0 ? kMediumRow : kLowRow;
}

void ExpectRow(const PolicyRow& row, const Expected& expected) {
  EXPECT_EQ(row.level, expected.level);
  EXPECT_EQ(row.approval, expected.approval);
  EXPECT_EQ(row.lifetimes, expected.lifetimes);
  EXPECT_EQ(row.grant_reuse, expected.grant_reuse);
  EXPECT_EQ(row.key_binding(), expected.level >= 3);
}

TEST(IssuancePolicy, EveryClassHasItsRowOfTheTable) {
  const IssuancePolicy policy = Default();
  for (AgentClass agent_class : EveryClass()) {
    const Expected& expected = ExpectedFor(agent_class);
    ExpectRow(policy.RowFor(agent_class, ""), expected);
    for (size_t i = 0; i < kLifespans.size(); ++i) {
      agent_class.lifespan = kLifespans[i];
      EXPECT_EQ(policy.LifetimeFor(agent_class, ""), expected.lifetimes[i]);
    }
  }
}

TEST(IssuancePolicy, TheAnnualProfileHasARowOfItsOwn) {
  const IssuancePolicy policy = Default();
  for (const AgentClass& agent_class : EveryClass()) {
    Expected expected = kAnnualRow;
    expected.approval = ExpectedFor(agent_class).approval;  // a profile takes no human out
    ExpectRow(policy.RowFor(agent_class, "annual-hsm"), expected);
    EXPECT_EQ(policy.LifetimeFor(agent_class, "annual-hsm"), 365 * kDay);
  }
}

TEST(IssuancePolicy, AnUnknownProfileIsNoWayOut) {
  const IssuancePolicy policy = Default();
  for (const AgentClass& agent_class : EveryClass()) {
    ExpectRow(policy.RowFor(agent_class, "ANNUAL-HSM"), ExpectedFor(agent_class));
  }
}

// Raising one degree never makes anything easier.
TEST(IssuancePolicy, IsMonotonicInEveryDegree) {
  const IssuancePolicy policy = Default();
  const auto raised = [](Degree degree) {
    return static_cast<Degree>(std::min(static_cast<int>(degree) + 1, 2));
  };
  for (const AgentClass& weaker : EveryClass()) {
    for (int which = 0; which < 3; ++which) {
      AgentClass stronger = weaker;
      Degree& degree = which == 0   ? stronger.access
                       : which == 1 ? stronger.decision
                                    : stronger.risk;
      degree = raised(degree);
      const PolicyRow& before = policy.RowFor(weaker, "");
      const PolicyRow& after = policy.RowFor(stronger, "");
      EXPECT_GE(after.level, before.level);
      EXPECT_GE(after.approval, before.approval);
      EXPECT_LE(after.grant_reuse, before.grant_reuse);
      for (size_t i = 0; i < 3; ++i) EXPECT_LE(after.lifetimes[i], before.lifetimes[i]);
    }
  }
}

TEST(IssuancePolicy, DefaultsOfTheRest) {
  const RawPolicy raw = DefaultPolicy();
  EXPECT_EQ(raw.fixed_audience_age, 5 * kMinute);
  EXPECT_EQ(raw.evidence_age, 10 * kMinute);
  EXPECT_TRUE(raw.allow_fixed_audience);
}

// A row nobody wrote demands all there is.
TEST(IssuancePolicy, AnEmptyRowIsTheStrictestAndIsRefused) {
  const PolicyRow row;
  EXPECT_EQ(row.level, kMaxLevel);
  EXPECT_TRUE(row.approval);
  EXPECT_EQ(row.grant_reuse, Seconds(0));
  EXPECT_FALSE(IssuancePolicy::Make(RawPolicy{}).ok());
}

using Change = std::function<void(RawPolicy&)>;

std::string WhyNot(const Change& change) {
  RawPolicy raw = DefaultPolicy();
  change(raw);
  const auto made = IssuancePolicy::Make(raw);
  if (made.ok()) return "accepted";
  EXPECT_EQ(made.error().code, Code::kMalformed);
  return made.error().detail;
}

TEST(IssuancePolicy, RefusalsNameRowAndCell) {
  const std::vector<std::pair<std::string, Change>> changes{
      {"low.evidence", [](RawPolicy& raw) { raw.low.level = 0; }},
      {"several_high.evidence", [](RawPolicy& raw) { raw.several_high.level = 5; }},
      {"annual_hsm.evidence", [](RawPolicy& raw) { raw.annual_hsm.level = -1; }},
      {"low.lifetime.ephemeral", [](RawPolicy& raw) { raw.low.lifetimes[0] = Seconds(0); }},
      {"low.lifetime.persistent",
       [](RawPolicy& raw) { raw.low.lifetimes[2] = 398 * kDay + Seconds(1); }},
      {"high.lifetime.session", [](RawPolicy& raw) { raw.high.lifetimes[1] = Seconds(-1); }},
      {"annual_hsm.lifetime.session",
       [](RawPolicy& raw) { raw.annual_hsm.lifetimes[1] = 399 * kDay; }},
      {"medium.grant_reuse", [](RawPolicy& raw) { raw.medium.grant_reuse = Seconds(-1); }},
      {"low.grant_reuse", [](RawPolicy& raw) { raw.low.grant_reuse = 399 * kDay; }},
      {"several_high.grant_reuse",
       [](RawPolicy& raw) { raw.several_high.grant_reuse = Seconds(1); }},
      {"annual_hsm.grant_reuse",
       [](RawPolicy& raw) {
         raw.annual_hsm.approval = true;
         raw.annual_hsm.grant_reuse = Seconds(1);
       }},
      {"fixed_audience_age", [](RawPolicy& raw) { raw.fixed_audience_age = Seconds(0); }},
      {"fixed_audience_age", [](RawPolicy& raw) { raw.fixed_audience_age = kHour + Seconds(1); }},
      {"evidence_age", [](RawPolicy& raw) { raw.evidence_age = Seconds(-5); }},
      {"evidence_age", [](RawPolicy& raw) { raw.evidence_age = 2 * kDay; }}};
  for (const auto& [cell, change] : changes) {
    EXPECT_TRUE(WhyNot(change).starts_with(cell + ": ")) << cell << ": " << WhyNot(change);
  }
}

TEST(IssuancePolicy, RefusesAStrongerRowWithWeakerDemands) {
  const std::vector<std::pair<std::string, Change>> changes{
      {"medium.evidence", [](RawPolicy& raw) { raw.low.level = 3; }},
      {"high.evidence", [](RawPolicy& raw) { raw.high.level = 1; }},
      {"several_high.evidence", [](RawPolicy& raw) { raw.several_high.level = 2; }},
      {"annual_hsm.evidence", [](RawPolicy& raw) { raw.annual_hsm.level = 3; }},
      {"several_high.approval",
       [](RawPolicy& raw) {
         raw.high.approval = true;
         raw.several_high.approval = false;
       }},
      {"medium.lifetime.ephemeral", [](RawPolicy& raw) { raw.medium.lifetimes[0] = 2 * kHour; }},
      {"high.lifetime.session", [](RawPolicy& raw) { raw.high.lifetimes[1] = 5 * kHour; }},
      {"several_high.lifetime.persistent",
       [](RawPolicy& raw) { raw.several_high.lifetimes[2] = kDay; }},
      {"high.grant_reuse", [](RawPolicy& raw) { raw.high.grant_reuse = 2 * kHour; }}};
  for (const auto& [cell, change] : changes) {
    EXPECT_TRUE(WhyNot(change).starts_with(cell + ": ")) << cell << ": " << WhyNot(change);
  }
}

TEST(IssuancePolicy, EveryCellMayBeConfigured) {
  EXPECT_EQ(WhyNot([](RawPolicy& raw) {
              raw.low = {2, false, {kMinute, kMinute, kMinute}, Seconds(0)};
              raw.medium = raw.high = raw.several_high = raw.low;
              raw.high.approval = raw.several_high.approval = true;
              raw.annual_hsm = {3, true, {398 * kDay, kDay, kDay}, Seconds(0)};
              raw.allow_fixed_audience = false;
            }),
            "accepted");
}

}  // namespace
}  // namespace agentca::ca
