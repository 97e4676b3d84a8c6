#include "acme/cli/policy.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/fakes/temporary_directory.h"

namespace agentca::cli {
namespace {

constexpr Seconds kHour{3600}, kDay{86400};

// The text that init writes, with one part exchanged.
std::string With(const std::string& from, const std::string& to) {
  std::string text = PolicyText(ca::DefaultPolicy());
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string Fault(std::string_view json) {
  const auto policy = ParseIssuancePolicy(json);
  if (policy.ok()) return "none";
  EXPECT_EQ(policy.error().code, Code::kMalformed);
  return policy.error().detail;
}

void ExpectRow(const ca::PolicyRow& found, const ca::PolicyRow& wanted) {
  EXPECT_EQ(found.level, wanted.level);
  EXPECT_EQ(found.approval, wanted.approval);
  EXPECT_EQ(found.lifetimes, wanted.lifetimes);
  EXPECT_EQ(found.grant_reuse, wanted.grant_reuse);
}

TEST(PolicyFile, IsReadableByPeople) {
  EXPECT_TRUE(PolicyText(ca::DefaultPolicy()).starts_with(R"({
  "low": {
    "evidence": 1,
    "approval": false,
    "lifetime": {"ephemeral": "1h", "session": "8h", "persistent": "7d"},
    "grant_reuse": "1d"
  },
)")) << PolicyText(ca::DefaultPolicy());
}

TEST(PolicyFile, ReadsBackWhatInitWrites) {
  ca::RawPolicy changed = ca::DefaultPolicy();
  changed.low.lifetimes = {Seconds(5430), 36 * kHour, 30 * kDay};
  changed.medium.grant_reuse = Seconds(61);
  changed.annual_hsm.approval = true;
  changed.allow_fixed_audience = false;
  changed.fixed_audience_age = Seconds(17);
  changed.evidence_age = Seconds(1800);
  for (const ca::RawPolicy& wanted : {ca::DefaultPolicy(), changed}) {
    const auto policy = ParseIssuancePolicy(PolicyText(wanted));
    ASSERT_TRUE(policy.ok()) << policy.error().detail;
    const ca::RawPolicy& found = policy->raw();
    ExpectRow(found.low, wanted.low);
    ExpectRow(found.medium, wanted.medium);
    ExpectRow(found.high, wanted.high);
    ExpectRow(found.several_high, wanted.several_high);
    ExpectRow(found.annual_hsm, wanted.annual_hsm);
    EXPECT_EQ(found.allow_fixed_audience, wanted.allow_fixed_audience);
    EXPECT_EQ(found.fixed_audience_age, wanted.fixed_audience_age);
    EXPECT_EQ(found.evidence_age, wanted.evidence_age);
  }
}

TEST(PolicyFile, NamesTheMemberThatIsWrong) {
  const std::pair<std::string, std::string> kFaults[] = {
      {With(R"("low": {)", R"("lowest": {)"), "lowest: no such member of a policy"},
      {With(R"("approval": false)", R"("aproval": false)"), "low.aproval: no such member"},
      {With(R"("session": "8h")", R"("sessions": "8h")"), "low.lifetime.sessions: no such member"},
      {With(R"("evidence": 1,)", ""), "low.evidence: is missing"},
      {With(R"("evidence_age": "10m")", R"("fixed_audience": true)"), "duplicate"},
      {With(R"(,
  "evidence_age": "10m")",
            ""),
       "evidence_age: is missing"},
      {With(R"("evidence": 1)", R"("evidence": "1")"), "low.evidence: is not 1, 2, 3 or 4"},
      {With(R"("evidence": 1)", R"("evidence": 0)"), "low.evidence: is not 1, 2, 3 or 4"},
      {With(R"("evidence": 1)", R"("evidence": 4294967297)"), "low.evidence: is not 1"},
      {With(R"("evidence": 1)", R"("evidence": 1.5)"), "low.evidence: is not 1, 2, 3 or 4"},
      {With(R"("approval": true)", R"("approval": 1)"), "several_high.approval: is neither"},
      {With(R"("ephemeral": "1h")", R"("ephemeral": 3600)"), "low.lifetime.ephemeral: is not a"},
      {With(R"("ephemeral": "1h")", R"("ephemeral": "1")"), "low.lifetime.ephemeral: '1' is not"},
      {With(R"("ephemeral": "1h")", R"("ephemeral": "1500ms")"), "low.lifetime.ephemeral: is not"},
      {With(R"("ephemeral": "1h")", R"("ephemeral": "0s")"), "low.lifetime.ephemeral"},
      {With(R"("lifetime": {"ephemeral": "1h", "session": "8h", "persistent": "7d"})",
            R"("lifetime": "1h")"),
       "low.lifetime: is not an object"},
      {With(R"("persistent": "7d")", R"("persistent": "399d")"), "low.lifetime.persistent"},
      {With(R"("grant_reuse": "1h")", R"("grant_reuse": "2d")"), "medium.grant_reuse"},
      {With(R"("fixed_audience_age": "5m")", R"("fixed_audience_age": "2d")"),
       "fixed_audience_age"},
  };
  for (const auto& [json, fault] : kFaults)
    EXPECT_NE(Fault(json).find(fault), std::string::npos) << fault << ", but " << Fault(json);
}

TEST(PolicyFile, RefusesWhatIsNoObject) {
  for (const char* json : {"", "[]", "7", "{", "{}", "null", R"({"low": 7})"})
    EXPECT_NE(Fault(json), "none") << json;
}

TEST(PolicyFile, TheErrorNamesTheFile) {
  const fakes::TemporaryDirectory directory;
  const Directory where(directory.path());
  EXPECT_EQ(ReadIssuancePolicy(where).error().code, Code::kNotFound);
  std::ofstream(where.PolicyFile()) << "{}";
  const auto policy = ReadIssuancePolicy(where);
  ASSERT_FALSE(policy.ok());
  EXPECT_EQ(policy.error().code, Code::kMalformed);
  EXPECT_EQ(policy.error().detail, where.PolicyFile().string() + ": low: is missing");
  std::ofstream(where.PolicyFile()) << PolicyText(ca::DefaultPolicy());
  EXPECT_TRUE(ReadIssuancePolicy(where).ok());
}

}  // namespace
}  // namespace agentca::cli
