#include "ca/profile.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/fakes/test_issuer.h"

namespace agentca::ca {
namespace {

std::string WhyNot(RawProfile raw, const std::function<void(RawProfile&)>& change) {
  change(raw);
  const auto made = Profile::Make(raw);
  return made ? "accepted" : made.error().detail;
}
std::string Server(const std::function<void(RawProfile&)>& change) {
  return WhyNot(fakes::RawServerProfile(), change);
}
std::string Ca(const std::function<void(RawProfile&)>& change) {
  return WhyNot(fakes::RawCaProfile(), change);
}
std::string Ocsp(const std::function<void(RawProfile&)>& change) {
  return WhyNot(fakes::RawOcspProfile(), change);
}

// The key of the profile that the refusal names.
testing::AssertionResult Refuses(const std::string& detail, const std::string& key) {
  if (detail.starts_with(key + ": ")) return testing::AssertionSuccess();
  return testing::AssertionFailure() << detail;
}

TEST(Profile, ReadsUsagesKeysAndTimes) {
  RawProfile raw = fakes::RawServerProfile();
  raw.key_usage = {"digitalSignature", "keyEncipherment"};
  raw.extended_key_usage = {"serverAuth", "1.3.6.1.4.1.99999.1"};
  raw.allowed_keys = {"p256", "rsa3072"};
  const Profile profile = Profile::Make(raw).value();
  EXPECT_EQ(profile.key_usage_bits(), 0xa000);
  EXPECT_EQ(profile.extended_key_usage_oids(),
            (std::vector<std::string>{"1.3.6.1.5.5.7.3.1", "1.3.6.1.4.1.99999.1"}));
  ASSERT_EQ(profile.allowed_keys().size(), 2U);
  EXPECT_EQ(profile.allowed_keys()[1].type, KeyType::kRsa);
  EXPECT_EQ(profile.allowed_keys()[1].min_bits, 3072);
  EXPECT_EQ(profile.lifetime(), Seconds(90 * 86400));
  EXPECT_EQ(profile.backdate(), Seconds(3600));
}

TEST(Profile, RefusesUnsoundNames) {
  for (const char* bad : {"", "Server", "a b", "a/b", "../x"})
    EXPECT_TRUE(Refuses(Server([&](auto& raw) { raw.name = bad; }), "name"));
  EXPECT_TRUE(Refuses(Server([](auto& raw) { raw.name = std::string(65, 'a'); }), "name"));
}

TEST(Profile, RefusesUnsoundSubjects) {
  using Subject = std::vector<std::pair<std::string, std::string>>;
  for (const Subject& bad :
       {Subject{{"L", "x"}}, Subject{{"O", "{first-dns}"}}, Subject{{"CN", "{first-ip}"}},
        Subject{{"CN", "x{first-dns}"}}, Subject{{"CN", ""}}, Subject{{"C", "Germany"}}})
    EXPECT_TRUE(Refuses(Server([&](auto& raw) { raw.subject = bad; }), "subject"));
}

TEST(Profile, RefusesUnsoundKeyUsages) {
  using List = std::vector<std::string>;
  for (const List& bad : {List{}, List{"signing"}, List{"digitalSignature", "digitalSignature"},
                          List{"digitalSignature", "keyCertSign"}, List{"cRLSign"},
                          List{"digitalSignature", "encipherOnly"}})
    EXPECT_TRUE(Refuses(Server([&](auto& raw) { raw.key_usage = bad; }), "key_usage"));
  EXPECT_TRUE(Refuses(Ca([](auto& raw) { raw.key_usage = {"cRLSign"}; }), "key_usage"));
}

TEST(Profile, RefusesUnsoundExtendedKeyUsages) {
  using List = std::vector<std::string>;
  for (const List& bad : {List{}, List{"everything"}, List{"serverAuth", "serverAuth"},
                          List{"serverAuth", "1.3.6.1.5.5.7.3.1"}, List{"2.5.29.37.0"},
                          List{"serverAuth", "OCSPSigning"}, List{"1"}, List{"3.1"}, List{"1.40"},
                          List{"1.2."}, List{"1.02.3"}, List{"1.2.99999999999999999999"}})
    EXPECT_TRUE(
        Refuses(Server([&](auto& raw) { raw.extended_key_usage = bad; }), "extended_key_usage"));
  EXPECT_TRUE(Refuses(Ca([](auto& raw) { raw.extended_key_usage = {"serverAuth"}; }),
                      "extended_key_usage"));
}

TEST(Profile, TiesOcspSigningToNoCheckAndNoNames) {
  EXPECT_EQ(Ocsp([](auto&) {}), "accepted");
  EXPECT_TRUE(Refuses(Ocsp([](auto& raw) { raw.ocsp_no_check = false; }), "ocsp_no_check"));
  EXPECT_TRUE(Refuses(Ocsp([](auto& raw) { raw.max_names = 1; }), "max_names"));
  EXPECT_TRUE(Refuses(Server([](auto& raw) { raw.ocsp_no_check = true; }), "ocsp_no_check"));
}

TEST(Profile, RefusesUnsoundKeys) {
  using List = std::vector<std::string>;
  for (const List& bad : {List{}, List{"p521"}, List{"rsa"}, List{"rsa1024"}, List{"rsa2048x"},
                          List{"rsa4097"}, List{"p256", "p256"}, List{"rsa2048", "rsa3072"}})
    EXPECT_TRUE(Refuses(Server([&](auto& raw) { raw.allowed_keys = bad; }), "allowed_keys"));
  const auto only_encipherment = [](RawProfile& raw) { raw.key_usage = {"keyEncipherment"}; };
  EXPECT_TRUE(Refuses(Server(only_encipherment), "allowed_keys")) << "an EC key enciphers no keys";
}

TEST(Profile, RefusesUnsoundTimes) {
  for (int64_t bad : {int64_t{0}, int64_t{-1}, int64_t{398} * 86400 + 1, INT64_MAX, INT64_MIN})
    EXPECT_TRUE(Refuses(Server([&](auto& raw) { raw.lifetime_seconds = bad; }), "lifetime"));
  EXPECT_EQ(Server([](auto& raw) { raw.lifetime_seconds = 398 * 86400; }), "accepted");
  for (int64_t bad : {int64_t{-1}, int64_t{48 * 3600 + 1}, INT64_MAX})
    EXPECT_TRUE(Refuses(Server([&](auto& raw) { raw.backdate_seconds = bad; }), "backdate"));
  const auto all_past = [](RawProfile& raw) { raw.lifetime_seconds = raw.backdate_seconds; };
  EXPECT_TRUE(Refuses(Server(all_past), "backdate"));
}

TEST(Profile, RefusesContradictionsAboutNames) {
  EXPECT_TRUE(Refuses(Server([](auto& raw) { raw.max_names = 1001; }), "max_names"));
  EXPECT_TRUE(Refuses(Server([](auto& raw) { raw.max_names = 0; }), "allow_wildcards"));
  EXPECT_TRUE(Refuses(Ca([](auto& raw) { raw.max_names = 1; }), "max_names"));
  const auto nameless_server = [](RawProfile& raw) {
    raw.max_names = 0;
    raw.allow_wildcards = raw.allow_ip_addresses = false;
  };
  EXPECT_TRUE(Refuses(Server(nameless_server), "max_names"));
}

TEST(Profile, KeepsCaRulesToCas) {
  EXPECT_EQ(Ca([](auto&) {}), "accepted");
  EXPECT_TRUE(Refuses(Server([](auto& raw) { raw.path_length = 0; }), "path_length"));
  EXPECT_TRUE(Refuses(Ca([](auto& raw) { raw.path_length = -1; }), "path_length"));
  EXPECT_TRUE(Refuses(Server([](auto& raw) { raw.permitted_dns = {"test"}; }), "permitted_dns"));
  EXPECT_TRUE(Refuses(Ca([](auto& raw) { raw.permitted_dns = {".test"}; }), "permitted_dns"));
  EXPECT_TRUE(Refuses(Ca([](auto& raw) {
                        raw.permitted_dns = {"a.test", "a.test"};
                      }),
                      "permitted_dns"));
  EXPECT_TRUE(Refuses(Server([](auto& raw) { raw.policies = {"1.2.x"}; }), "policies"));
  EXPECT_TRUE(Refuses(Server([](auto& raw) { raw.policies = {"1.2.3", "1.2.3"}; }), "policies"));
}

TEST(Profile, GivesEachKeyTypeTheUsagesItCanServe) {
  constexpr uint16_t kAll = 0xff80;
  EXPECT_EQ(KeyUsageFor(KeyType::kRsa, 0xa000), 0xa000);
  EXPECT_EQ(KeyUsageFor(KeyType::kP256, 0xa000), 0x8000);
  EXPECT_EQ(KeyUsageFor(KeyType::kRsa, kAll) & 0x0980, 0) << "RSA agrees on no keys";
  EXPECT_EQ(KeyUsageFor(KeyType::kEd25519, kAll), 0xc600);
  EXPECT_EQ(KeyUsageFor(KeyType::kP384, kAll), 0xcf80);
}

}  // namespace
}  // namespace agentca::ca
