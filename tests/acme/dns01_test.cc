// dns-01 and the resolver, against pebble-challtestsrv and name servers that misbehave.
#include <cstring>

#include "tests/acme/validation_fixture.h"

namespace agentca::acme::testing {
namespace {

// Answers every UDP query as `answer` says; an empty answer is not sent.
class UdpServer {
 public:
  using Answer = std::function<std::string(std::string query)>;
  explicit UdpServer(Answer answer) : answer_(std::move(answer)), thread_([this] { Run(); }) {}
  ~UdpServer() {
    stopping_ = true;
    const int descriptor = ::socket(AF_INET, SOCK_DGRAM, 0);
    const auto self = Loopback(socket_.port());
    ::sendto(descriptor, "", 0, 0, reinterpret_cast<const sockaddr*>(&self), sizeof self);
    thread_.join();
    ::close(descriptor);
  }
  uint16_t port() const { return socket_.port(); }

 private:
  void Run() {
    while (!stopping_) {
      char query[2048];
      sockaddr_in peer{};
      socklen_t length = sizeof peer;
      const ssize_t n = ::recvfrom(socket_.descriptor(), query, sizeof query, 0,
                                   reinterpret_cast<sockaddr*>(&peer), &length);
      if (n < 12) continue;
      const auto answer = answer_(std::string(query, static_cast<size_t>(n)));
      if (!answer.empty())
        ::sendto(socket_.descriptor(), answer.data(), answer.size(), 0,
                 reinterpret_cast<sockaddr*>(&peer), length);
    }
  }
  ListeningSocket socket_{SOCK_DGRAM};
  Answer answer_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

std::string WithResponseCode(std::string query, char code) {
  query[2] = static_cast<char>(query[2] | '\x80');
  query[3] = code;
  std::memset(query.data() + 6, 0, 6);
  // Question only: what follows it (EDNS) is cut.
  size_t end = 12;
  while (query[end] != 0) end += static_cast<size_t>(query[end]) + 1;
  return query.substr(0, end + 5);
}

struct Network {
  std::unique_ptr<Resolver> resolver;
  ValidationNetwork network{*resolver, LoopbackAllowed(), {}};
};

Network Over(uint16_t dns_port) { return Network{ResolverAt(dns_port)}; }

std::string Digest() { return ToBase64Url(Sha256(AsBytes(kKeyAuthorization))); }

class Dns01 : public ::testing::Test {
 protected:
  void Add(const std::string& name, const std::string& value) {
    server_.Manage("/set-txt",
                   R"({"host":"_acme-challenge.)" + name + R"(.","value":")" + value + R"("})");
  }
  ChallengeServer server_;
  Network network_ = Over(server_.dns());
  std::unique_ptr<Verifier> verifier_ = MakeDns01(network_.network);
};

TEST_F(Dns01, AcceptsAnyOneMatchingRecord) {
  Add("a.test", "unrelated");
  Add("a.test", Digest());
  Add("a.test", "v=spf1 -all");
  const auto proof = Verify(*verifier_, Dns("a.test"));
  ASSERT_TRUE(proof.ok()) << proof.error().detail;
  EXPECT_EQ(proof->proven, std::vector<Identifier>{Dns("a.test")});
}

TEST_F(Dns01, RefusesOtherRecords) {
  for (const std::string& value :
       {Digest() + "=", " " + Digest(), Digest().substr(1), std::string(kKeyAuthorization)})
    Add("b.test", value);
  const auto proof = Verify(*verifier_, Dns("b.test"));
  ASSERT_FALSE(proof.ok());
  EXPECT_EQ(proof.error().code, Code::kIncorrectResponse);
  EXPECT_NE(proof.error().detail.find("none of the 4 TXT records of _acme-challenge.b.test"),
            std::string::npos);
}

TEST_F(Dns01, SaysThatThereIsNoRecord) {
  const auto proof = Verify(*verifier_, Dns("c.test"));
  ASSERT_FALSE(proof.ok());
  EXPECT_EQ(proof.error().code, Code::kDns);
  EXPECT_NE(proof.error().detail.find("_acme-challenge.c.test"), std::string::npos);
}

TEST_F(Dns01, ProvesNoIpAddress) {
  EXPECT_FALSE(Verify(*verifier_, {Identifier::Type::kIp, "127.0.0.1"}).ok());
}

TEST_F(Dns01, JoinsTheStringsOfARecordAndFetchesLargeAnswersOverTcp) {
  // 60 records do not fit in 1232 octets.
  for (int i = 0; i < 60; ++i) Add("d.test", std::string(40, 'x') + std::to_string(i));
  Add("d.test", Digest());
  EXPECT_TRUE(Verify(*verifier_, Dns("d.test")).ok());
}

TEST_F(Dns01, ResolvesAddressesInParallel) {
  server_.Manage("/add-a", R"({"host":"e.test.","addresses":["192.0.2.7","192.0.2.8"]})");
  server_.Manage("/add-aaaa", R"({"host":"e.test.","addresses":["2001:db8::9"]})");
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      const auto addresses = network_.resolver->Addresses("e.test");
      ASSERT_TRUE(addresses.ok()) << addresses.error().detail;
      ASSERT_EQ(addresses->size(), 3u);
      EXPECT_EQ(addresses->front().size(), 16u);  // IPv6 first
      EXPECT_EQ(addresses->back().size(), 4u);
    });
  for (auto& thread : threads) thread.join();
}

TEST(Resolver, SaysWhenTheServerIsUnusable) {
  const auto made = MakeCaresResolver({"not an address", 1s});
  EXPECT_FALSE(made.ok());
}

TEST(Resolver, GivesUpAtItsDeadline) {
  UdpServer silent([](const std::string&) { return std::string(); });
  const auto resolver = ResolverAt(silent.port(), 300ms);
  const auto start = std::chrono::steady_clock::now();
  const auto records = resolver->Txt("a.test");
  ASSERT_FALSE(records.ok());
  EXPECT_EQ(records.error().code, Code::kDns);
  EXPECT_NE(records.error().detail.find("no answer in time"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST(Resolver, TellsFailuresApart) {
  for (const auto& [code, words] : std::vector<std::pair<char, std::string>>{
           {'\x02', "SERVFAIL"}, {'\x03', "NXDOMAIN"}, {'\x05', "refused"}}) {
    UdpServer server(
        [code = code](std::string query) { return WithResponseCode(std::move(query), code); });
    const auto resolver = ResolverAt(server.port(), 2s);
    for (const auto& error :
         {resolver->Txt("a.test").error(), resolver->Addresses("a.test").error()}) {
      EXPECT_EQ(error.code, Code::kDns);
      EXPECT_NE(error.detail.find(words), std::string::npos) << error.detail;
    }
  }
}

TEST(Resolver, IgnoresAnswersWithAnotherId) {
  UdpServer forger([](std::string query) {
    query[0] = static_cast<char>(query[0] ^ '\x55');
    return WithResponseCode(std::move(query), 3);
  });
  const auto records = ResolverAt(forger.port(), 300ms)->Txt("a.test");
  ASSERT_FALSE(records.ok());
  EXPECT_EQ(records.error().detail.find("NXDOMAIN"), std::string::npos);
}

TEST(Resolver, SurvivesRubbish) {
  for (const size_t size : {12u, 13u, 20u, 40u, 512u}) {
    UdpServer rubbish([size](std::string query) {
      query[2] = static_cast<char>(query[2] | '\x80');
      query.resize(size, '\xc0');
      return query;
    });
    EXPECT_FALSE(ResolverAt(rubbish.port(), 300ms)->Txt("a.test").ok());
  }
}

TEST(Resolver, ReadsNoHostsFile) {
  UdpServer nothing([](std::string query) { return WithResponseCode(std::move(query), 3); });
  EXPECT_FALSE(ResolverAt(nothing.port(), 1s)->Addresses("ip6-allnodes").ok());
}

}  // namespace
}  // namespace agentca::acme::testing
