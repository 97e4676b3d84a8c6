#include "acme/cli/identity_words.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "acme/cli/pem.h"
#include "tests/fakes/command.h"

namespace agentca::cli {
namespace {

namespace fs = std::filesystem;
const fs::path kTestdata = fs::path(AGENTCA_TESTDATA) / "identity";

Result<std::optional<ca::AgentIdentity>> Read(const fs::path& file) {
  return ca::AgentIdentityOf(ReadCertificates(file).value().front(), ca::kDefaultAgentArc);
}

// JSON on one line: in the files only blanks follow a line break.
std::string OnOneLine(const fs::path& file) {
  std::string out;
  bool indented = false;
  for (const uint8_t octet : fakes::ReadWholeFile(file)) {
    indented = octet == '\n' || (indented && octet == ' ');
    if (!indented) out += static_cast<char>(octet);
  }
  return out;
}

TEST(IdentityWords, JsonIsThatOfTheReaders) {
  for (const char* name : {"agent", "minimal"}) {
    const auto identity = Read(kTestdata / (std::string(name) + ".pem"));
    ASSERT_TRUE(identity.ok()) << identity.error().detail;
    ASSERT_TRUE(identity->has_value());
    acme::JsonWriter json;
    WriteIdentity(json, **identity);
    EXPECT_EQ(std::move(json).Take(), OnOneLine(kTestdata / (std::string(name) + ".json")));
  }
}

TEST(IdentityWords, SaysEverythingInOrder) {
  const auto identity = Read(kTestdata / "agent.pem").value().value();
  const std::string a(64, 'a'), b(96, 'b'), one(64, '1');
  const std::vector<std::pair<std::string, std::string>> expected{
      {"Agent", "acme/planner"},
      {"Sponsor", "Ada Lovelace"},
      {"Deployment", "prod"},
      {"Class", "access medium, decision high, risk low, persistent"},
      {"Scopes", "tickets:read, größe"},
      {"Component", "model sha256:" + a + ", declared"},
      {"Component", "image sha384:" + b + ", attested"},
      {"Parent", "spiffe://example.test/t/acme/a/boss"},
      {"Delegation", "at most 200 deep"},
      {"Evidence", "tpm, level 4, bound to the key, verified 2027-01-15T08:00:00Z"},
      {"", "SHA-256 " + one}};
  EXPECT_EQ(IdentityInWords(identity), expected);
  EXPECT_EQ(IdentityInWords(Read(kTestdata / "minimal.pem").value().value()).size(), 4u);
}

TEST(IdentityWords, CertificatesOfOthersHaveNone) {
  EXPECT_EQ(Read(kTestdata / "server.pem").value(), std::nullopt);
}

// The same files are held against the readers in contrib/identity.
TEST(IdentityWords, WhatIsNotOneIdentityIsRefused) {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(kTestdata)) {
    if (!entry.path().filename().string().starts_with("bad_")) continue;
    ++count;
    const auto identity = Read(entry.path());
    ASSERT_FALSE(identity.ok()) << entry.path();
    EXPECT_EQ(identity.error().code, Code::kMalformed) << entry.path();
  }
  EXPECT_GE(count, 20u);
}

}  // namespace
}  // namespace agentca::cli
