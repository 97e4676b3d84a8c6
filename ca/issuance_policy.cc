#include "ca/issuance_policy.h"

#include <algorithm>
#include <string>

namespace agentca::ca {
namespace {

constexpr Seconds kMinute{60}, kHour{3600}, kDay{86400};
constexpr Seconds kLongestLifetime = 398 * kDay;  // what relying parties put up with
constexpr Seconds kLongestAudienceAge = kHour;
constexpr Seconds kLongestEvidenceAge = kDay;
constexpr std::array kLifespans{Lifespan::kEphemeral, Lifespan::kSession, Lifespan::kPersistent};

struct NamedRow {
  const char* name;
  const PolicyRow& row;
};

Error Wrong(const char* row, std::string_view cell, const std::string& why) {
  return {Code::kMalformed, std::string(row) + '.' + std::string(cell) + ": " + why};
}

std::string Cell(Lifespan lifespan) { return "lifetime." + std::string(ToString(lifespan)); }

Seconds Of(const PolicyRow& row, Lifespan lifespan) {
  return row.lifetimes[static_cast<size_t>(lifespan)];
}

Status CheckRow(const NamedRow& checked) {
  const auto& [name, row] = checked;
  if (row.level < kMinLevel || row.level > kMaxLevel)
    return Wrong(name, "evidence", "is not 1 to 4");
  for (const Lifespan each : kLifespans) {
    const Seconds lifetime = Of(row, each);
    if (lifetime <= Seconds(0)) return Wrong(name, Cell(each), "is not a lifetime");
    if (lifetime > kLongestLifetime) return Wrong(name, Cell(each), "is more than 398 days");
  }
  if (row.grant_reuse < Seconds(0)) return Wrong(name, "grant_reuse", "is negative");
  if (row.grant_reuse > kLongestLifetime) {
    return Wrong(name, "grant_reuse", "is more than 398 days");
  }
  if (row.grant_reuse > Seconds(0) && row.approval) {
    return Wrong(name, "grant_reuse", "is not 0, although each order needs approval");
  }
  return {};
}

Status CheckLevels(const NamedRow& weaker, const NamedRow& stronger) {
  if (stronger.row.level >= weaker.row.level) return {};
  return Wrong(stronger.name, "evidence", std::string("is less than that of ") + weaker.name);
}

// Whoever can do more harm must not have it easier.
Status CheckOrder(const NamedRow& weaker, const NamedRow& stronger) {
  AGENTCA_TRY(CheckLevels(weaker, stronger));
  if (weaker.row.approval && !stronger.row.approval) {
    return Wrong(stronger.name, "approval",
                 std::string("is not needed, but is for ") + weaker.name);
  }
  for (const Lifespan each : kLifespans) {
    if (Of(stronger.row, each) > Of(weaker.row, each)) {
      return Wrong(stronger.name, Cell(each), std::string("is longer than for ") + weaker.name);
    }
  }
  if (stronger.row.grant_reuse > weaker.row.grant_reuse) {
    return Wrong(stronger.name, "grant_reuse", std::string("is longer than for ") + weaker.name);
  }
  return {};
}

Status CheckAge(const char* name, Seconds age, Seconds longest) {
  if (age > Seconds(0) && age <= longest) return {};
  return Error{Code::kMalformed,
               std::string(name) + ": is not 1 to " + std::to_string(longest.count()) + " seconds"};
}

}  // namespace

RawPolicy DefaultPolicy() {
  const Seconds year = 365 * kDay;
  return {.low = {1, false, {kHour, 8 * kHour, 7 * kDay}, kDay},
          .medium = {2, false, {kHour, 4 * kHour, kDay}, kHour},
          .high = {3, false, {15 * kMinute, kHour, 8 * kHour}, Seconds(0)},
          .several_high = {4, true, {15 * kMinute, kHour, kHour}, Seconds(0)},
          .annual_hsm = {4, false, {year, year, year}, Seconds(0)}};
}

IssuancePolicy::IssuancePolicy(const RawPolicy& raw)
    : raw_(raw), annual_hsm_approved_(raw.annual_hsm) {
  annual_hsm_approved_.approval = true;
  annual_hsm_approved_.grant_reuse = Seconds(0);
}

Result<IssuancePolicy> IssuancePolicy::Make(const RawPolicy& raw) {
  const std::array<NamedRow, 4> classes{{{"low", raw.low},
                                         {"medium", raw.medium},
                                         {"high", raw.high},
                                         {"several_high", raw.several_high}}};
  const NamedRow annual{"annual_hsm", raw.annual_hsm};
  for (const NamedRow& each : classes) AGENTCA_TRY(CheckRow(each));
  AGENTCA_TRY(CheckRow(annual));
  for (size_t i = 1; i < classes.size(); ++i) AGENTCA_TRY(CheckOrder(classes[i - 1], classes[i]));
  AGENTCA_TRY(CheckLevels(classes.back(), annual));
  AGENTCA_TRY(CheckAge("fixed_audience_age", raw.fixed_audience_age, kLongestAudienceAge));
  AGENTCA_TRY(CheckAge("evidence_age", raw.evidence_age, kLongestEvidenceAge));
  return IssuancePolicy(raw);
}

static const PolicyRow& RowOf(const RawPolicy& raw, const AgentClass& agent_class) {
  const std::array degrees{agent_class.access, agent_class.decision, agent_class.risk};
  if (std::count(degrees.begin(), degrees.end(), Degree::kHigh) >= 2) return raw.several_high;
  switch (*std::max_element(degrees.begin(), degrees.end())) {
    case Degree::kLow:
      return raw.low;
    case Degree::kMedium:
      return raw.medium;
    case Degree::kHigh:
      break;
  }
  return raw.high;
}

const PolicyRow& IssuancePolicy::RowFor(const AgentClass& agent_class,
                                        std::string_view profile) const {
  const PolicyRow& row = RowOf(raw_, agent_class);
  if (profile != "annual-hsm") return row;
  return row.approval ? annual_hsm_approved_ : raw_.annual_hsm;
}

Seconds IssuancePolicy::LifetimeFor(const AgentClass& agent_class, std::string_view profile) const {
  return Of(RowFor(agent_class, profile), agent_class.lifespan);
}

}  // namespace agentca::ca
