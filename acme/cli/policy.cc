#include "acme/cli/policy.h"

#include <algorithm>
#include <array>

#include "acme/cli/config.h"
#include "acme/cli/files.h"
#include "acme/json.h"

namespace agentca::cli {
namespace {

using acme::JsonDocument;
using acme::JsonValue;
using ca::PolicyRow;
using ca::RawPolicy;

// The rows, in the order of the file.
struct Row {
  std::string_view name;
  PolicyRow RawPolicy::*row;
};
constexpr std::array<Row, 5> kRows{{{"low", &RawPolicy::low},
                                    {"medium", &RawPolicy::medium},
                                    {"high", &RawPolicy::high},
                                    {"several_high", &RawPolicy::several_high},
                                    {"annual_hsm", &RawPolicy::annual_hsm}}};
constexpr std::array<std::string_view, 8> kMembers{"low",
                                                   "medium",
                                                   "high",
                                                   "several_high",
                                                   "annual_hsm",
                                                   "fixed_audience",
                                                   "fixed_audience_age",
                                                   "evidence_age"};
constexpr std::array<std::string_view, 4> kRowMembers{"evidence", "approval", "grant_reuse",
                                                      "lifetime"};
constexpr std::array<std::string_view, 3> kLifespans{"ephemeral", "session", "persistent"};

// One object of the file and the words that lead to it: "", "low", "low.lifetime".
class Place {
 public:
  Place(JsonValue object, std::string path) : object_(object), path_(std::move(path)) {}

  Error Bad(std::string_view member, std::string_view cause) const {
    return {Code::kMalformed, PathOf(member) + ": " + std::string(cause)};
  }
  template <size_t kCount>
  Status CheckMembers(const std::array<std::string_view, kCount>& known) const {
    for (const auto& [name, value] : object_.members())
      if (std::find(known.begin(), known.end(), name) == known.end())
        return Bad(name, "no such member of a policy");
    return {};
  }
  Result<Place> Object(std::string_view member) const {
    AGENTCA_ASSIGN(const JsonValue value, Member(member));
    if (!value.is_object()) return Bad(member, "is not an object");
    return Place(value, PathOf(member));
  }
  Result<Seconds> Duration(std::string_view member) const {
    AGENTCA_ASSIGN(const JsonValue value, Member(member));
    if (!value.AsString()) return Bad(member, "is not a text such as \"8h\"");
    const auto duration = ParseDuration(*value.AsString());
    if (!duration.ok()) return Bad(member, duration.error().detail);
    const auto seconds = std::chrono::duration_cast<Seconds>(*duration);
    if (seconds != *duration) return Bad(member, "is not a number of whole seconds");
    return seconds;
  }
  Result<bool> Bool(std::string_view member) const {
    AGENTCA_ASSIGN(const JsonValue value, Member(member));
    if (!value.AsBool()) return Bad(member, "is neither true nor false");
    return *value.AsBool();
  }
  Result<int> Level(std::string_view member) const {
    AGENTCA_ASSIGN(const JsonValue value, Member(member));
    const auto level = value.AsInt();
    if (!level || *level < ca::kMinLevel || *level > ca::kMaxLevel)
      return Bad(member, "is not 1, 2, 3 or 4");
    return static_cast<int>(*level);
  }

 private:
  std::string PathOf(std::string_view member) const {
    return (path_.empty() ? "" : path_ + ".") + std::string(member);
  }
  Result<JsonValue> Member(std::string_view member) const {
    if (const auto value = object_.Find(member)) return *value;
    return Bad(member, "is missing");
  }

  JsonValue object_;
  std::string path_;
};

Result<PolicyRow> ReadRow(const Place& place) {
  AGENTCA_TRY(place.CheckMembers(kRowMembers));
  PolicyRow row;
  AGENTCA_ASSIGN(row.level, place.Level("evidence"));
  AGENTCA_ASSIGN(row.approval, place.Bool("approval"));
  AGENTCA_ASSIGN(row.grant_reuse, place.Duration("grant_reuse"));
  AGENTCA_ASSIGN(const Place lifetimes, place.Object("lifetime"));
  AGENTCA_TRY(lifetimes.CheckMembers(kLifespans));
  for (size_t i = 0; i < kLifespans.size(); ++i) {
    AGENTCA_ASSIGN(row.lifetimes[i], lifetimes.Duration(kLifespans[i]));
  }
  return row;
}

Result<RawPolicy> ReadRaw(const JsonValue& root) {
  if (!root.is_object()) return Error{Code::kMalformed, "must be one JSON object"};
  const Place place(root, "");
  AGENTCA_TRY(place.CheckMembers(kMembers));
  RawPolicy raw;
  for (const Row& row : kRows) {
    AGENTCA_ASSIGN(const Place object, place.Object(row.name));
    AGENTCA_ASSIGN(raw.*row.row, ReadRow(object));
  }
  AGENTCA_ASSIGN(raw.allow_fixed_audience, place.Bool("fixed_audience"));
  AGENTCA_ASSIGN(raw.fixed_audience_age, place.Duration("fixed_audience_age"));
  AGENTCA_ASSIGN(raw.evidence_age, place.Duration("evidence_age"));
  return raw;
}

// The largest unit that says it exactly: "7d", but "36h".
std::string DurationText(Seconds duration) {
  constexpr std::pair<int64_t, const char*> kUnits[] = {{86400, "d"}, {3600, "h"}, {60, "m"}};
  const int64_t seconds = duration.count();
  for (const auto& [length, unit] : kUnits)
    if (seconds != 0 && seconds % length == 0) return std::to_string(seconds / length) + unit;
  return std::to_string(seconds) + "s";
}

std::string Member(std::string_view name, std::string_view value) {
  return "\"" + std::string(name) + "\": " + std::string(value);
}
std::string Member(std::string_view name, bool value) {
  return Member(name, std::string_view(value ? "true" : "false"));
}
std::string Member(std::string_view name, Seconds value) {
  return Member(name, "\"" + DurationText(value) + "\"");
}

std::string RowText(const PolicyRow& row) {
  std::string lifetimes;
  for (size_t i = 0; i < kLifespans.size(); ++i)
    lifetimes += (i == 0 ? "" : ", ") + Member(kLifespans[i], row.lifetimes[i]);
  return "{\n    " + Member("evidence", std::to_string(row.level)) + ",\n    " +
         Member("approval", row.approval) + ",\n    " + Member("lifetime", "{" + lifetimes + "}") +
         ",\n    " + Member("grant_reuse", row.grant_reuse) + "\n  }";
}

}  // namespace

Result<ca::IssuancePolicy> ParseIssuancePolicy(std::string_view json) {
  AGENTCA_ASSIGN(const JsonDocument document, JsonDocument::Parse(json));
  AGENTCA_ASSIGN(const RawPolicy raw, ReadRaw(document.root()));
  return ca::IssuancePolicy::Make(raw);
}

Result<ca::IssuancePolicy> ReadIssuancePolicy(const Directory& directory) {
  const auto file = directory.PolicyFile();
  AGENTCA_ASSIGN(const std::string json, ReadTextFile(file));
  auto policy = ParseIssuancePolicy(json);
  if (!policy.ok()) return Error{Code::kMalformed, file.string() + ": " + policy.error().detail};
  return policy;
}

std::string PolicyText(const RawPolicy& policy) {
  std::string text = "{\n";
  for (const Row& row : kRows) text += "  " + Member(row.name, RowText(policy.*row.row)) + ",\n";
  return text + "  " + Member("fixed_audience", policy.allow_fixed_audience) + ",\n  " +
         Member("fixed_audience_age", policy.fixed_audience_age) + ",\n  " +
         Member("evidence_age", policy.evidence_age) + "\n}\n";
}

}  // namespace agentca::cli
