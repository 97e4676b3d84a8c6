// Deadlines, shedding, draining: what the edge does about clients that do not play along.
#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "tests/acme/edge_fixture.h"

namespace agentca::acme::http::testing {
namespace {

using Steady = std::chrono::steady_clock;

ServerOptions WithLimits(const std::function<void(Limits&)>& change) {
  ServerOptions options;
  change(options.limits);
  return options;
}

// A handler that waits until it is released, and tells when it was entered.
class Latch {
 public:
  Response Handle(const Request&) {
    entered_.fetch_add(1);
    released_.wait();
    return Text(200, "done");
  }
  void AwaitEntered(int count) const {
    while (entered_.load() < count) std::this_thread::yield();
  }
  void Release() { release_.set_value(); }

 private:
  std::atomic<int> entered_{0};
  std::promise<void> release_;
  std::shared_future<void> released_{release_.get_future().share()};
};

TEST(EdgeDeadline, ClosesAConnectionThatSendsNothing) {
  TestServer server(WithLimits([](Limits& limits) { limits.request_deadline = 50ms; }));
  EXPECT_EQ(server.Connect().ReadToEnd(), "");
}

TEST(EdgeDeadline, CountsTheWholeRequestNotEachOctet) {
  TestServer server(WithLimits([](Limits& limits) { limits.request_deadline = 300ms; }));
  auto client = server.Connect();
  const auto start = Steady::now();
  std::string response;
  // Every octet arrives well within any per-read timeout.
  ASSERT_TRUE(client.Send("GET /"));
  for (pollfd polled{client.descriptor(), POLLIN, 0}; ::poll(&polled, 1, 10) == 0;)
    if (!client.Send("a")) break;
  response = client.ReadToEnd();
  const auto took = Steady::now() - start;
  EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 408") << response;
  EXPECT_GE(took, 300ms);
  EXPECT_LT(took, 5s);
}

TEST(EdgeDeadline, CoversTheBodyToo) {
  TestServer server(WithLimits([](Limits& limits) { limits.request_deadline = 50ms; }));
  auto client = server.Connect();
  ASSERT_TRUE(client.Send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"));
  EXPECT_EQ(client.ReadToEnd().substr(0, 12), "HTTP/1.1 408");
}

TEST(EdgeDeadline, StartsAgainWithTheNextRequestOfAConnection) {
  TestServer server(WithLimits([](Limits& limits) { limits.request_deadline = 50ms; }));
  auto client = server.Connect();
  EXPECT_EQ(client.Ask(kGet).substr(0, 12), "HTTP/1.1 200");
  ASSERT_TRUE(client.Send("GET /slow"));
  EXPECT_EQ(client.ReadToEnd().substr(0, 12), "HTTP/1.1 408");
}

TEST(EdgeDeadline, ClosesAnIdleConnectionWithoutAWord) {
  TestServer server(WithLimits([](Limits& limits) { limits.idle_deadline = 50ms; }));
  auto client = server.Connect();
  EXPECT_EQ(client.Ask(kGet).substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST(EdgeDeadline, ResetsAClientThatDoesNotRead) {
  const auto large = std::make_shared<const Bytes>(64'000'000, uint8_t{'z'});
  TestServer server(WithLimits([](Limits& limits) { limits.write_deadline = 100ms; }),
                    [large](const Request&) {
                      Response response;
                      response.shared_body = large;
                      return response;
                    });
  auto client = server.Connect();
  ASSERT_TRUE(client.Send(kGet));
  // Nothing is read until the server has given up, which the end of writing tells (POLLHUP).
  pollfd polled{client.descriptor(), 0, 0};
  ASSERT_EQ(::poll(&polled, 1, 20'000), 1);
  EXPECT_NE(polled.revents & (POLLHUP | POLLERR), 0);
}

TEST(EdgeOverload, HonestClientsAreServedBesideFiveHundredSlowOnes) {
  TestServer server(WithLimits([](Limits& limits) { limits.request_deadline = 1500ms; }));
  std::vector<RawClient> slow;
  for (int i = 0; i < 500; ++i) {
    slow.push_back(server.Connect());
    ASSERT_TRUE(slow.back().connected());
    ASSERT_TRUE(slow.back().Send("G"));
  }
  std::vector<Steady::duration> times;
  auto honest = server.Connect();
  for (size_t i = 0; i < 1000; ++i) {
    (void)slow[i % slow.size()].Send("E");
    const auto start = Steady::now();
    ASSERT_EQ(honest.Ask(kGet).substr(0, 12), "HTTP/1.1 200");
    times.push_back(Steady::now() - start);
  }
  std::sort(times.begin(), times.end());
  EXPECT_LT(times[times.size() * 99 / 100], 100ms);  // generous: sanitizers, shared machines
  for (auto& client : slow) {
    const auto end = client.ReadToEnd();
    EXPECT_TRUE(end.empty() || end.starts_with("HTTP/1.1 4")) << end;
  }
}

TEST(EdgeOverload, DropsTheConnectionThatHasWaitedLongestAtTheCap) {
  TestServer server(WithLimits([](Limits& limits) { limits.max_connections = 3; }));
  auto first = server.Connect();
  EXPECT_EQ(first.Ask(kGet).substr(0, 12), "HTTP/1.1 200");
  auto second = server.Connect();
  EXPECT_EQ(second.Ask(kGet).substr(0, 12), "HTTP/1.1 200");
  auto third = server.Connect();
  EXPECT_EQ(third.Ask(kGet).substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(first.Ask(kGet).substr(0, 12), "HTTP/1.1 200");  // now `second` has waited longest
  auto fourth = server.Connect();
  EXPECT_EQ(fourth.Ask(kGet).substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(second.ReadToEnd(), "");
  EXPECT_EQ(first.Ask(kGet).substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(third.Ask(kGet).substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(server.server->connections(), 3u);
}

TEST(EdgeOverload, DoesNotDropAConnectionWhoseRequestIsBeingHandled) {
  Latch latch;
  TestServer server(WithLimits([](Limits& limits) { limits.max_connections = 2; }),
                    [&](const Request& request) {
                      return request.path == "/wait" ? latch.Handle(request) : Echo(request);
                    });
  auto waits = server.Connect();
  ASSERT_TRUE(waits.Send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"));
  latch.AwaitEntered(1);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(server.Connect().Ask(kGet).substr(0, 12), "HTTP/1.1 200");
  latch.Release();
  EXPECT_EQ(waits.ReadResponse().substr(0, 12), "HTTP/1.1 200");
}

TEST(EdgeOverload, AnswersWithRetryAfterWhenTheQueueIsFull) {
  Latch latch;
  TestServer server(
      {}, [&](const Request& request) { return latch.Handle(request); }, nullptr, 1, 1);
  auto handled = server.Connect();
  ASSERT_TRUE(handled.Send(kGet));
  latch.AwaitEntered(1);
  auto queued = server.Connect();
  ASSERT_TRUE(queued.Send(kGet));
  // One of these two is queued, the other refused: which one comes first is the kernel's affair.
  auto other = server.Connect();
  ASSERT_TRUE(other.Send(kGet));
  pollfd polled[2] = {{queued.descriptor(), POLLIN, 0}, {other.descriptor(), POLLIN, 0}};
  ASSERT_GE(::poll(polled, 2, 20'000), 1);
  auto& refused = polled[0].revents != 0 ? queued : other;
  auto& accepted = polled[0].revents != 0 ? other : queued;
  const auto response = refused.ReadResponse();
  EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 503");
  EXPECT_NE(response.find("Retry-After: 1\r\n"), std::string::npos);
  latch.Release();
  EXPECT_EQ(accepted.ReadResponse().substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(refused.Ask(kGet).substr(0, 12), "HTTP/1.1 200");  // the connection was kept
}

// A request that is never finished, with this many octets of its body.
std::string Unfinished(size_t octets) {
  return "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n\r\n" + std::string(octets, 'x');
}
constexpr std::string_view kExpecting =
    "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n";

TEST(EdgeOverload, DropsTheLargeRequestsThatHaveBeenArrivingLongest) {
  TestServer server(WithLimits([](Limits& limits) { limits.max_buffered = 1024 * 1024; }));
  std::vector<RawClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(server.Connect());
    EXPECT_EQ(clients.back().Ask(kExpecting).substr(0, 12), "HTTP/1.1 100");
  }
  auto small = server.Connect();
  ASSERT_TRUE(small.Send("GET /sm"));
  const std::string most(100'000, 'x');
  for (auto& client : clients) (void)client.Send(most);
  for (int i = 0; i < 9; ++i) {  // twenty hold more than 1.9 MiB
    const auto end = clients[static_cast<size_t>(i)].ReadToEnd();
    EXPECT_TRUE(end.empty() || end.starts_with("HTTP/1.1 503")) << end;
  }
  EXPECT_EQ(clients.back().Ask("y").substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(small.Ask("all HTTP/1.1\r\nHost: h\r\n\r\n").substr(0, 12), "HTTP/1.1 200");
}

TEST(EdgeOverload, RefusesALargeRequestForWhichThereIsNoRoom) {
  TestServer server(WithLimits([](Limits& limits) { limits.max_buffered = 64 * 1024; }));
  auto client = server.Connect();
  (void)client.Send(Unfinished(90'000));
  const auto response = client.ReadResponse();
  EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 503");
  EXPECT_NE(response.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(server.Connect().Ask(kGet).substr(0, 12), "HTTP/1.1 200");
}

TEST(EdgeOverload, CountsNeitherAnsweredNorAbandonedRequests) {
  TestServer server(WithLimits([](Limits& limits) { limits.max_buffered = 512 * 1024; }));
  auto kept = server.Connect();
  const std::string body(100'001, 'x');
  for (int i = 0; i < 40; ++i) {  // each counts for 16 KiB at least
    EXPECT_EQ(kept.Ask(kExpecting).substr(0, 12), "HTTP/1.1 100");
    EXPECT_EQ(kept.Ask(body).substr(0, 12), "HTTP/1.1 200");
    auto abandoned = server.Connect();
    EXPECT_EQ(abandoned.Ask(kExpecting).substr(0, 12), "HTTP/1.1 100");
  }
}

TEST(EdgeOverload, SpreadsConnectionsOverItsThreads) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  ServerOptions options;
  options.io_threads = 3;
  TestServer server(options, Echo, [&](const Request&) -> std::optional<Response> {
    std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    return Text(200, "ok");
  });
  std::vector<RawClient> clients;
  for (int i = 0; i < 9; ++i) {
    clients.push_back(server.Connect());
    EXPECT_EQ(clients.back().Ask(kGet).substr(0, 12), "HTTP/1.1 200");
  }
  EXPECT_EQ(threads.size(), 3u);
}

TEST(EdgeDrain, WhoLeavesAcceptsAndEndsEachConnectionWithItsNextAnswer) {
  TestServer server({}, [](const Request&) { return Text(200, "ok"); });
  auto idle = server.Connect();
  EXPECT_EQ(idle.Ask(kGet).find("Connection: close\r\n"), std::string::npos);
  server.server->Leave();
  auto late = server.Connect();
  for (RawClient* client : {&idle, &late}) {
    ASSERT_TRUE(client->Send(kGet));
    const auto response = client->ReadToEnd();
    EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 200");
    EXPECT_NE(response.find("Connection: close\r\n"), std::string::npos);
  }
}

TEST(EdgeDrain, AnswersWhatWasReceivedAndClosesTheRest) {
  Latch latch;
  TestServer server({}, [&](const Request& request) { return latch.Handle(request); });
  auto handled = server.Connect();
  ASSERT_TRUE(handled.Send(kGet));
  latch.AwaitEntered(1);
  auto idle = server.Connect();
  auto drained = std::async(std::launch::async, [&] { server.server->Drain(20s); });
  EXPECT_EQ(idle.ReadToEnd(), "");
  EXPECT_EQ(drained.wait_for(0s), std::future_status::timeout);
  latch.Release();
  const auto response = handled.ReadToEnd();
  EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 200");
  EXPECT_NE(response.find("Connection: close\r\n"), std::string::npos);
  drained.get();
  EXPECT_EQ(server.server->connections(), 0u);
  EXPECT_FALSE(server.Connect().connected());
}

TEST(EdgeDrain, WaitsForTheRestOfARequestThatHasBegun) {
  TestServer server({}, Echo, [](const Request& request) -> std::optional<Response> {
    if (request.path == "/mark") return Text(200, "marked");
    return std::nullopt;
  });
  auto begun = server.Connect();
  // The answer to the first request proves that the octets behind it were received with it.
  ASSERT_TRUE(begun.Send("GET /mark HTTP/1.1\r\nHost: h\r\n\r\nGET /rest HT"));
  EXPECT_EQ(begun.ReadResponse().substr(0, 12), "HTTP/1.1 200");
  auto drained = std::async(std::launch::async, [&] { server.server->Drain(20s); });
  while (server.Connect().connected()) std::this_thread::yield();
  ASSERT_TRUE(begun.Send("TP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_NE(begun.ReadToEnd().find("GET /rest"), std::string::npos);
  drained.get();
}

TEST(EdgeDrain, ReturnsAtItsDeadline) {
  Latch latch;
  TestServer server({}, [&](const Request& request) { return latch.Handle(request); });
  auto handled = server.Connect();
  ASSERT_TRUE(handled.Send(kGet));
  latch.AwaitEntered(1);
  server.server->Drain(20ms);
  EXPECT_EQ(server.server->connections(), 0u);
  EXPECT_EQ(handled.ReadToEnd(), "");
  latch.Release();
}

TEST(EdgeDrain, DestructionWaitsForHandlersButNotForQueuedRequests) {
  Latch latch;
  std::atomic<int> calls{0};
  auto server = std::make_unique<TestServer>(
      ServerOptions{},
      [&](const Request& request) {
        ++calls;
        return latch.Handle(request);
      },
      nullptr, 1, 10);
  auto handled = server->Connect();
  ASSERT_TRUE(handled.Send(kGet));
  latch.AwaitEntered(1);
  auto queued = server->Connect();
  ASSERT_TRUE(queued.Send(kGet));
  auto destroyed = std::async(std::launch::async, [&] { server->server.reset(); });
  EXPECT_EQ(queued.ReadToEnd(), "");
  EXPECT_EQ(destroyed.wait_for(0s), std::future_status::timeout);
  latch.Release();
  destroyed.get();
  server.reset();
  EXPECT_EQ(calls.load(), 1);
}

// The worker lets go of what waits while the shard's thread closes the same connections.
TEST(EdgeDrain, QueuedRequestsMayBeDroppedWhileTheirConnectionsClose) {
  constexpr size_t kQueue = 16;
  for (int round = 0; round < 30; ++round) {
    Latch latch;
    auto server = std::make_unique<TestServer>(
        ServerOptions{}, [&](const Request& request) { return latch.Handle(request); }, nullptr, 1,
        kQueue);
    auto handled = server->Connect();
    ASSERT_TRUE(handled.Send(kGet));
    latch.AwaitEntered(1);
    std::vector<RawClient> clients;
    std::vector<pollfd> polled;
    for (size_t i = 0; i < kQueue + 1; ++i) {
      clients.push_back(server->Connect());
      ASSERT_TRUE(clients.back().Send(kGet));
      polled.push_back({clients.back().descriptor(), POLLIN, 0});
    }
    ASSERT_GT(::poll(polled.data(), polled.size(), 10'000), 0);  // a 503: the queue is full
    auto destroyed = std::async(std::launch::async, [&] { server->server.reset(); });
    latch.Release();
    destroyed.get();
  }
}

TEST(EdgeListen, SaysWhyAnAddressCannotBeUsed) {
  WorkerPool pool(1, 1);
  TestServer taken;
  for (const auto& [address, code] : std::vector<std::pair<std::string, Code>>{
           {"127.0.0.1:" + std::to_string(taken.server->port()), Code::kUnavailable},
           {"192.0.2.1:0", Code::kUnavailable},
           {"localhost:0", Code::kMalformed},
           {"127.0.0.1", Code::kMalformed},
           {"127.0.0.1:65536", Code::kMalformed},
           {"::1:0", Code::kMalformed}}) {
    ServerOptions options;
    options.listen = address;
    const auto listening = Server::Listen(options, pool, Echo, RefuseText);
    ASSERT_FALSE(listening.ok()) << address;
    EXPECT_EQ(listening.error().code, code) << listening.error().detail;
  }
}

TEST(WorkerPool, FinishesWhatItAcceptedAndRefusesBeyondItsQueue) {
  std::atomic<int> done{0};
  std::promise<void> release;
  auto released = release.get_future().share();
  std::promise<void> entered;
  auto pool = std::make_unique<WorkerPool>(1, 2);
  ASSERT_TRUE(pool->TrySubmit([&] {
    entered.set_value();
    released.wait();
    ++done;
  }));
  entered.get_future().wait();
  EXPECT_TRUE(pool->TrySubmit([&] { throw std::runtime_error("contained"); }));
  EXPECT_TRUE(pool->TrySubmit([&] { ++done; }));
  EXPECT_FALSE(pool->TrySubmit([&] { ++done; }));
  release.set_value();
  pool.reset();
  EXPECT_EQ(done.load(), 2);
}

}  // namespace
}  // namespace agentca::acme::http::testing
