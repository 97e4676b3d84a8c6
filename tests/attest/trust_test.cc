// The book of sources: what is parsed, kept, fetched, and what happens when an issuer is away.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/attest/evidence_fixture.h"

namespace agentca::acme::attest::testing {
namespace {

// A registry that knows sources alone.
class SourceRegistry final : public ca::AgentRegistry {
 public:
  std::vector<ca::EvidenceSource> sources;
  int64_t version = 1;
  int listed = 0;
  bool away = false;

  Result<std::vector<ca::EvidenceSource>> ListSources() override {
    ++listed;
    return sources;
  }
  Result<int64_t> TrustVersion() override {
    if (away) return Error{Code::kUnavailable, "the store is away"};
    return version;
  }

  Result<ca::Agent> AddAgent(const ca::Agent&, const ca::Change&) override { return None(); }
  Result<ca::Agent> AdmitAgent(const ca::Agent&, const ca::Change&) override { return None(); }
  Result<ca::Agent> FindAgent(const ca::AgentId&) override { return None(); }
  Result<std::vector<ca::Agent>> ListAgents(const ca::AgentFilter&) override { return None(); }
  Result<ca::Agent> ChangeAgent(const ca::Agent&, const ca::Change&) override { return None(); }
  Result<ca::Agent> SetAgentStatus(const ca::AgentId&, ca::AgentStatus, const std::string&,
                                   const ca::Change&) override {
    return None();
  }
  Status NoteAgentEvent(const ca::AgentId&, const std::string&, const std::string&,
                        const ca::Change&) override {
    return None();
  }
  Result<std::vector<ca::AgentEvent>> AgentHistory(const ca::AgentId&, int64_t, size_t) override {
    return None();
  }
  Status PutRule(const ca::AdmissionRule&, const ca::Change&) override { return None(); }
  Status RemoveRule(const std::string&, const ca::Change&) override { return None(); }
  Result<std::vector<ca::AdmissionRule>> ListRules() override { return None(); }
  Status PutSource(const ca::EvidenceSource&, const ca::Change&) override { return None(); }
  Status RemoveSource(const std::string&, const ca::Change&) override { return None(); }
  Result<std::vector<ca::AgentEvent>> HistoryOfTrust(int64_t, size_t) override { return None(); }

 private:
  static Error None() { return {Code::kInternal, "not in this test"}; }
};

// An issuer whose JWK Set a test changes and takes away.
struct Issuer {
  std::string jwks = TextFixture("attest/issuer.jwks");
  bool away = false;
  int fetched = 0;

  JwksFetch Fetch() {
    return [this](const ca::EvidenceSource&) -> Result<std::string> {
      ++fetched;
      if (away) return Error{Code::kUnavailable, "connection refused"};
      return jwks;
    };
  }
};

ca::EvidenceSource Remote(std::string name = "remote") {
  ca::EvidenceSource source;
  source.name = std::move(name);
  source.format = "jwt";
  source.issuer = "https://issuer.test";
  source.jwks_url = "https://issuer.test/jwks";
  source.ca_pem = TextFixture("chains/roots.pem");
  return source;
}

class TrustBookTest : public ::testing::Test {
 protected:
  TrustBookTest() { registry_.sources = {Remote()}; }

  // "found", "unknown key" or "unavailable".
  std::string Ask(std::string_view kid, Seconds after = Seconds(0)) {
    const auto sources = book_.Sources(kNow + after);
    if (!sources.ok()) return "no sources";
    const auto keys = sources->at(0)->KeysFor(kid);
    if (keys.ok()) return keys->empty() ? "empty" : "found";
    last_error_ = keys.error().detail;
    return keys.error().code == Code::kUnavailable ? "unavailable"
                                                   : std::string(CauseOf(keys.error()));
  }

  SourceRegistry registry_;
  Issuer issuer_;
  TrustBook book_{registry_, issuer_.Fetch()};
  std::string last_error_;
};

TEST_F(TrustBookTest, FetchesWhenFirstAskedAndKeepsTheKeys) {
  ASSERT_TRUE(book_.Sources(kNow).ok());
  EXPECT_EQ(issuer_.fetched, 0);
  EXPECT_EQ(Ask("ES256"), "found");
  EXPECT_EQ(Ask("RS256", Seconds(3599)), "found");
  EXPECT_EQ(issuer_.fetched, 1);
}

TEST_F(TrustBookTest, RefetchesForAnUnknownKidAtMostOnceAMinute) {
  EXPECT_EQ(Ask("ES256"), "found");
  for (int second = 1; second < 60; ++second) {
    EXPECT_EQ(Ask("EdDSA", Seconds(second)), "unknown key");
  }
  EXPECT_EQ(issuer_.fetched, 1);
  issuer_.jwks = TextFixture("attest/github.jwks");  // the issuer rotates its keys
  EXPECT_EQ(Ask("EdDSA", Seconds(60)), "found");
  EXPECT_EQ(issuer_.fetched, 2);
  EXPECT_EQ(Ask("ES256", Seconds(61)), "unknown key");  // and the old ones are gone
  EXPECT_EQ(issuer_.fetched, 2);
}

TEST_F(TrustBookTest, OutageIsUnavailableAndBacksOffAndEnds) {
  issuer_.away = true;
  EXPECT_EQ(Ask("ES256"), "unavailable");
  EXPECT_EQ(last_error_, "the keys of source \"remote\": connection refused");
  EXPECT_EQ(Ask("ES256", Seconds(4)), "unavailable");
  EXPECT_EQ(issuer_.fetched, 1);
  EXPECT_EQ(Ask("ES256", Seconds(5)), "unavailable");
  EXPECT_EQ(issuer_.fetched, 2);
  EXPECT_EQ(Ask("ES256", Seconds(14)), "unavailable");
  EXPECT_EQ(issuer_.fetched, 2);
  issuer_.away = false;
  EXPECT_EQ(Ask("ES256", Seconds(15)), "found");
  EXPECT_EQ(issuer_.fetched, 3);
}

TEST_F(TrustBookTest, BackOffNeverExceedsAMinute) {
  issuer_.away = true;
  Seconds after{0};
  for (int failure = 0; failure < 10; ++failure, after += Seconds(60)) {
    EXPECT_EQ(Ask("ES256", after), "unavailable");
    EXPECT_EQ(issuer_.fetched, failure + 1);
  }
}

TEST_F(TrustBookTest, SetThatCannotBeReadIsAnOutage) {
  issuer_.jwks = "<html>";
  EXPECT_EQ(Ask("ES256"), "unavailable");
  issuer_.jwks = R"({"keys":[{"kty":"oct","k":"AAAA"}]})";
  EXPECT_EQ(Ask("ES256", Seconds(5)), "unavailable");
}

TEST_F(TrustBookTest, KnownKeysOutliveAnOutageForADay) {
  EXPECT_EQ(Ask("ES256"), "found");
  issuer_.away = true;
  EXPECT_EQ(Ask("ES256", Seconds(3600)), "found");
  EXPECT_EQ(issuer_.fetched, 2);  // it was tried
  EXPECT_EQ(Ask("EdDSA", Seconds(3601)), "unavailable");
  EXPECT_EQ(Ask("ES256", Seconds(86'399)), "found");
  EXPECT_EQ(Ask("ES256", Seconds(86'400)), "unavailable");
}

TEST_F(TrustBookTest, KeyThatIsWithdrawnIsGoneAfterAnHour) {
  EXPECT_EQ(Ask("ES256"), "found");
  issuer_.jwks = TextFixture("attest/github.jwks");
  EXPECT_EQ(Ask("ES256", Seconds(3599)), "found");
  EXPECT_EQ(Ask("ES256", Seconds(3600)), "unknown key");
}

TEST_F(TrustBookTest, ClockThatIsSetBackBlocksNothing) {
  EXPECT_EQ(Ask("ES256", Seconds(100'000)), "found");
  issuer_.jwks = TextFixture("attest/github.jwks");
  EXPECT_EQ(Ask("EdDSA", Seconds(0)), "found");
}

TEST_F(TrustBookTest, PinnedKeysNeedNoFetch) {
  ca::EvidenceSource pinned = Remote("pinned");
  pinned.jwks_url = pinned.ca_pem = "";
  pinned.jwks = TextFixture("attest/issuer.jwks");
  pinned.roots_pem = TextFixture("chains/roots.pem");
  registry_.sources = {pinned};
  EXPECT_EQ(Ask("ES256"), "found");
  EXPECT_EQ(Ask("EdDSA"), "unknown key");
  EXPECT_EQ(last_error_, "unknown key: source \"pinned\" does not have key \"EdDSA\"");
  EXPECT_EQ(issuer_.fetched, 0);
  EXPECT_EQ(book_.Sources(kNow).value().at(0)->roots(),
            std::vector<Bytes>{Fixture("chains/root.der")});
}

TEST_F(TrustBookTest, ReadsTheSourcesAgainWhenTheirVersionGrows) {
  EXPECT_EQ(Ask("ES256"), "found");
  EXPECT_EQ(Ask("ES256"), "found");
  EXPECT_EQ(registry_.listed, 1);
  registry_.sources.push_back(Remote("another"));
  registry_.version = 2;
  const auto sources = book_.Sources(kNow).value();
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_EQ(sources[0]->source().name, "another");
  EXPECT_EQ(sources[1]->source().name, "remote");
  EXPECT_TRUE(sources[1]->KeysFor("ES256").ok());
  EXPECT_EQ(issuer_.fetched, 1);  // what did not change keeps its keys

  registry_.sources[0].issuer = "https://moved.test";
  registry_.version = 3;
  EXPECT_TRUE(book_.Sources(kNow).value().at(1)->KeysFor("ES256").ok());
  EXPECT_EQ(issuer_.fetched, 2);
}

TEST_F(TrustBookTest, RegistryThatIsAwayIsUnavailable) {
  registry_.away = true;
  const auto sources = book_.Sources(kNow);
  ASSERT_FALSE(sources.ok());
  EXPECT_EQ(sources.error().code, Code::kUnavailable);
}

// While one thread fetches, another one that needs the same keys is told so at once.
TEST(TrustBook, FetchesOnceForAllThreads) {
  SourceRegistry registry;
  registry.sources = {Remote()};
  std::mutex mutex;  // guards begun, may_end, fetched
  std::condition_variable changed;
  bool begun = false, may_end = false;
  int fetched = 0;
  TrustBook book(registry, [&](const ca::EvidenceSource&) -> Result<std::string> {
    std::unique_lock lock(mutex);
    ++fetched;
    begun = true;
    changed.notify_all();
    changed.wait(lock, [&] { return may_end; });
    return TextFixture("attest/issuer.jwks");
  });
  const auto trust = book.Sources(kNow).value().at(0);
  std::thread first([&] { EXPECT_TRUE(trust->KeysFor("ES256").ok()); });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return begun; });
  }
  const auto meanwhile = book.Sources(kNow).value().at(0)->KeysFor("ES256");
  ASSERT_FALSE(meanwhile.ok());
  EXPECT_EQ(meanwhile.error().code, Code::kUnavailable);
  EXPECT_EQ(meanwhile.error().detail, "the keys of source \"remote\" are being fetched");
  {
    std::lock_guard lock(mutex);
    may_end = true;
  }
  changed.notify_all();
  first.join();
  EXPECT_TRUE(trust->KeysFor("ES256").ok());
  EXPECT_EQ(fetched, 1);
}

TEST(TrustBook, MayGoBeforeWhatItGave) {
  SourceRegistry registry;
  registry.sources = {Remote()};
  Issuer issuer;
  std::shared_ptr<const Trust> trust;
  {
    TrustBook book(registry, issuer.Fetch());
    trust = book.Sources(kNow).value().at(0);
  }
  EXPECT_TRUE(trust->KeysFor("ES256").ok());
}

// ---- What an administrator may configure
// ---------------------------------------------------------

std::string Complaint(const ca::EvidenceSource& source) {
  const auto status = CheckSource(source);
  if (status.ok()) return "";
  EXPECT_EQ(status.error().code, Code::kMalformed);
  return status.error().detail.substr(0, status.error().detail.find(':'));
}

TEST(CheckSource, TakesWhatCanBeRead) {
  EXPECT_EQ(Complaint(Remote()), "");
  ca::EvidenceSource pinned = Remote();
  pinned.jwks_url = pinned.ca_pem = "";
  pinned.jwks = TextFixture("attest/issuer.jwks");
  EXPECT_EQ(Complaint(pinned), "");
  ca::EvidenceSource chains;
  chains.name = "chains";
  chains.format = "x5c";
  chains.roots_pem = TextFixture("chains/roots.pem");
  EXPECT_EQ(Complaint(chains), "");
}

TEST(CheckSource, NamesTheFieldThatCannotBeUsed) {
  const auto with = [](auto change) {
    ca::EvidenceSource source = Remote();
    change(source);
    return Complaint(source);
  };
  EXPECT_EQ(with([](auto& s) { s.format = "snp"; }), "format");
  EXPECT_EQ(with([](auto& s) { s.jwks_url = "http://issuer.test/jwks"; }), "jwksUrl");
  EXPECT_EQ(with([](auto& s) { s.jwks_url = "https://"; }), "jwksUrl");
  EXPECT_EQ(with([](auto& s) { s.jwks_url = "https://user:pass@issuer.test/"; }), "jwksUrl");
  EXPECT_EQ(with([](auto& s) { s.jwks_url = "https://issuer.test:0/"; }), "jwksUrl");
  EXPECT_EQ(with([](auto& s) { s.ca_pem = ""; }), "caPem");
  EXPECT_EQ(with([](auto& s) { s.ca_pem = "no certificate"; }), "caPem");
  EXPECT_EQ(with([](auto& s) { s.roots_pem = "no certificate"; }), "rootsPem");
  EXPECT_EQ(with([](auto& s) {
              s.jwks_url = s.ca_pem = "";
              s.jwks = R"({"keys":[]})";
            }),
            "jwks");
}

}  // namespace
}  // namespace agentca::acme::attest::testing
