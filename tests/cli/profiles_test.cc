#include "acme/cli/profiles.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "tests/fakes/temporary_directory.h"

namespace agentca::cli {
namespace {

std::string Fault(std::string_view json) {
  const auto profile = ParseProfile("x", json);
  return profile.ok() ? "none" : profile.error().detail;
}

// A sound profile with `more` members.
std::string With(std::string_view more) {
  return R"({"key_usage": ["digitalSignature"], "extended_key_usage": ["serverAuth"],
             "allowed_keys": ["p256"], "lifetime": "7d", "backdate": "1h", "max_names": 3)" +
         std::string(more) + "}";
}

TEST(Profiles, ReadsEveryMember) {
  const auto profile = ParseProfile("x", With(R"(,
      "subject": [["O", "Example"], ["CN", "{first-dns}"]], "policies": ["1.3.6.1.4.1.99999.1"],
      "allow_wildcards": true, "allow_ip_addresses": true)"));
  ASSERT_TRUE(profile.ok()) << profile.error().detail;
  EXPECT_EQ(profile->name(), "x");
  EXPECT_EQ(profile->lifetime(), Seconds(7 * 86400));
  EXPECT_EQ(profile->backdate(), Seconds(3600));
  EXPECT_EQ(profile->raw().max_names, 3u);
  EXPECT_TRUE(profile->raw().allow_wildcards);
  EXPECT_TRUE(profile->raw().allow_ip_addresses);
  ASSERT_EQ(profile->raw().subject.size(), 2u);
  EXPECT_EQ(profile->raw().subject[0], std::pair(std::string("O"), std::string("Example")));
  EXPECT_EQ(profile->raw().policies, std::vector<std::string>{"1.3.6.1.4.1.99999.1"});
}

TEST(Profiles, NamesTheMemberThatIsWrong) {
  const std::pair<std::string, std::string> kFaults[] = {
      {With(R"(, "allow_wildcard": true)"), "allow_wildcard"},
      {With(R"(, "allow_wildcards": "yes")"), "allow_wildcards"},
      {With(R"(, "subject": {"CN": "x"})"), "subject"},
      {With(R"(, "subject": [["CN"]])"), "subject"},
      {With(R"(, "subject": [["CN", 1]])"), "subject"},
      {With(R"(, "path_length": -1)"), "path_length"},
      {With(R"(, "policies": "1.2.3")"), "policies"},
      {R"({"lifetime": 86400, "backdate": "0s"})", "lifetime"},
      {R"({"lifetime": "7", "backdate": "0s"})", "lifetime"},
      {R"({"lifetime": "7d"})", "backdate"},
      {R"({"lifetime": "7d", "backdate": "0s", "max_names": -1})", "max_names"},
      {R"({"lifetime": "7d", "backdate": "0s", "max_names": 1000000})", "max_names"},
  };
  for (const auto& [json, member] : kFaults)
    EXPECT_NE(Fault(json).find(member), std::string::npos) << json << ": " << Fault(json);
}

TEST(Profiles, RefusesWhatIsNoObjectAndWhatASoundCaNeverIssues) {
  for (const char* json : {"", "[]", "7", "{", R"({"lifetime": "7d"} x)"})
    EXPECT_NE(Fault(json), "none") << json;
  EXPECT_NE(Fault(With(R"(, "is_ca": true)")), "none");     // a CA with serverAuth
  EXPECT_NE(Fault(With(R"(, "lifetime": "8d")")), "none");  // twice
}

TEST(Profiles, TheErrorNamesTheFile) {
  const fakes::TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "profiles");
  std::ofstream(directory / "profiles/x.json") << "{}";
  const auto profile = ReadProfile(Directory(directory.path()), "x");
  ASSERT_FALSE(profile.ok());
  EXPECT_TRUE(profile.error().detail.starts_with((directory / "profiles/x.json").string() + ": "));
  EXPECT_EQ(ReadProfile(Directory(directory.path()), "y").error().code, Code::kNotFound);
}

TEST(Profiles, TheInitialOnesAreSound) {
  const auto files = InitialProfiles(std::vector<std::string>{"a.test", "b.test"});
  EXPECT_EQ(files.size(), 8u);
  for (const auto& file : files) {
    const auto profile = ParseProfile(file.name, file.json);
    ASSERT_TRUE(profile.ok()) << file.name << ": " << profile.error().detail;
    const bool is_ca = file.name == "root" || file.name == "issuing";
    EXPECT_EQ(profile->raw().is_ca, is_ca);
    if (file.name != "issuing") continue;
    EXPECT_EQ(profile->raw().path_length, 0);
    EXPECT_EQ(profile->raw().permitted_dns, (std::vector<std::string>{"a.test", "b.test"}));
  }
}

TEST(Profiles, TheInitialOnesFitAgentsAndAdministrators) {
  std::map<std::string, ca::Profile> profiles;
  for (const auto& file : InitialProfiles({}))
    profiles.emplace(file.name, ParseProfile(file.name, file.json).value());
  for (const auto& [name, days] : {std::pair("agent", 7), {"agent-annual-hsm", 365}}) {
    const ca::Profile& agent = profiles.at(name);
    EXPECT_EQ(agent.lifetime(), Seconds(days * 86400));
    EXPECT_EQ(agent.key_usage_bits(), 0x8000) << "digitalSignature alone";
    EXPECT_EQ(agent.raw().extended_key_usage,
              (std::vector<std::string>{"clientAuth", "serverAuth"}));
    EXPECT_EQ(agent.raw().max_names, 2u) << "the DNS name and the SPIFFE ID";
    EXPECT_FALSE(agent.raw().allow_wildcards || agent.raw().allow_ip_addresses);
  }
  EXPECT_EQ(profiles.at("admin").raw().extended_key_usage, std::vector<std::string>{"clientAuth"});
  EXPECT_EQ(profiles.at("admin").raw().max_names, 1u);
}

TEST(Profiles, WithoutConstraintsTheIssuingCaHasNone) {
  for (const auto& file : InitialProfiles({})) {
    const auto profile = ParseProfile(file.name, file.json);
    ASSERT_TRUE(profile.ok()) << file.name << ": " << profile.error().detail;
    EXPECT_TRUE(profile->raw().permitted_dns.empty());
  }
}

}  // namespace
}  // namespace agentca::cli
