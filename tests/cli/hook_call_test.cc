#include "acme/cli/hook_call.h"

#include <gtest/gtest.h>

#include <map>

namespace agentca::cli {
namespace {

using Action = HookCall::Action;

// SHA-256 of "abc" (FIPS 180-4), as a TXT record would carry it.
constexpr std::string_view kTxt = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
constexpr std::string_view kName = "robot.acme.agents.example.test";

Result<HookCall> Call(const std::vector<std::string>& arguments,
                      const std::map<std::string, std::string, std::less<>>& variables = {}) {
  return ReadHookCall(arguments, [&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

void ExpectProof(const Result<HookCall>& call) {
  ASSERT_TRUE(call.ok()) << call.error().detail;
  ASSERT_EQ(call->action, Action::kProve);
  ASSERT_EQ(call->requests.size(), 1u);
  EXPECT_EQ(call->requests[0].dns_name, kName);
  EXPECT_EQ(call->requests[0].nonce, Sha256(AsBytes("abc")));
}

TEST(HookCall, ReadsTheEnvironmentOfCertbot) {
  ExpectProof(
      Call({}, {{"CERTBOT_DOMAIN", std::string(kName)}, {"CERTBOT_VALIDATION", std::string(kTxt)}}));
}

TEST(HookCall, DoesNothingWhenCertbotCleansUp) {
  const auto call = Call({}, {{"CERTBOT_DOMAIN", std::string(kName)},
                              {"CERTBOT_VALIDATION", std::string(kTxt)},
                              {"CERTBOT_AUTH_OUTPUT", ""}});
  ASSERT_TRUE(call.ok());
  EXPECT_EQ(call->action, Action::kNothing);
}

TEST(HookCall, ReadsTheArgumentsOfLego) {
  ExpectProof(Call({"present", "_acme-challenge." + std::string(kName) + ".", std::string(kTxt)}));
  EXPECT_EQ(Call({"cleanup", "_acme-challenge.a.test.", std::string(kTxt)})->action,
            Action::kNothing);
}

TEST(HookCall, ReadsTheArgumentsOfTheDnsapiFile) {
  ExpectProof(Call({"add", "_acme-challenge." + std::string(kName), std::string(kTxt)}));
  EXPECT_EQ(Call({"rm", "_acme-challenge.a.test", std::string(kTxt)})->action, Action::kNothing);
}

TEST(HookCall, ReadsTheArgumentsOfDehydrated) {
  ExpectProof(Call({"deploy_challenge", std::string(kName), "token", std::string(kTxt)}));
  for (const char* handler : {"clean_challenge", "deploy_cert", "unchanged_cert", "startup_hook",
                              "exit_hook", "this_hookscript_is_broken__dehydrated_is_working_fine"})
    EXPECT_EQ(Call({handler, "a.test"})->action, Action::kNothing) << handler;
}

TEST(HookCall, ReadsEveryChallengeOfAChainedHook) {
  const auto call = Call({"deploy_challenge", "a.test", "t1", std::string(kTxt), "b.test", "t2",
                          std::string(kTxt)});
  ASSERT_TRUE(call.ok());
  ASSERT_EQ(call->requests.size(), 2u);
  EXPECT_EQ(call->requests[1].dns_name, "b.test");
}

TEST(HookCall, ReadsTheArgumentsOfUacme) {
  ExpectProof(Call({"begin", "dns-01", std::string(kName), "token", std::string(kTxt)}));
  EXPECT_EQ(Call({"done", "dns-01", "a.test", "token", std::string(kTxt)})->action,
            Action::kNothing);
}

TEST(HookCall, HashesTheKeyAuthorizationThatUacmeGivesForATypeItDoesNotKnow) {
  ExpectProof(Call({"begin", "agent-attest-01", std::string(kName), "token", "abc"}));
}

TEST(HookCall, DeclinesTheTypesOfUacmeThatEvidenceCannotAnswer) {
  for (const char* type : {"http-01", "tls-alpn-01", "something-02"})
    EXPECT_EQ(Call({"begin", type, "a.test", "token", "auth"})->action, Action::kDecline) << type;
}

TEST(HookCall, NamesAreComparedInLowerCase) {
  const auto call = Call({"add", "_ACME-challenge.Robot.Acme.TEST.", std::string(kTxt)});
  ASSERT_TRUE(call.ok());
  EXPECT_EQ(call->requests[0].dns_name, "robot.acme.test");
}

TEST(HookCall, RefusesWhatIsNoHookCall) {
  EXPECT_EQ(Call({}).error().code, Code::kMalformed);
  EXPECT_EQ(Call({}, {{"CERTBOT_DOMAIN", "a.test"}}).error().code, Code::kMalformed);
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"dance"},
           {"present", "a.test"},
           {"add", "a.test", "short"},
           {"add", "a.test", std::string(kTxt) + "="},
           {"begin", "dns-01", "a.test"},
           {"deploy_challenge"},
           {"deploy_challenge", "a.test", "token"},
           {"deploy_challenge", "a.test", "token", "not a digest"}})
    EXPECT_EQ(Call(arguments).error().code, Code::kMalformed) << arguments[0];
}

}  // namespace
}  // namespace agentca::cli
