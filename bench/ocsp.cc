// Load generator for one HTTP request repeated over keep-alive connections: an OCSP request by GET
// or POST, or any static file of another server to compare with.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <iostream>
#include <iterator>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

#include "bench/command_line.h"
#include "bench/rate.h"

namespace {

using agentca::bench::Latencies;
namespace po = boost::program_options;

struct Options {
  std::string address, path, post_file;
  uint16_t port = 0;
  int connections = 8, seconds = 5;
  std::vector<int> server_pids;
};

class Connection {
 public:
  Connection(const std::string& address, uint16_t port)
      : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_port = htons(port);
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (inet_pton(AF_INET, address.c_str(), &peer.sin_addr) != 1 ||
        connect(socket_, reinterpret_cast<sockaddr*>(&peer), sizeof peer) != 0)
      throw std::runtime_error("cannot connect");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(socket_); }

  // Sends the request and reads one answer of status 200 with a Content-Length.
  void RoundTrip(const std::string& request) {
    if (send(socket_, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size()))
      throw std::runtime_error("connection lost");
    buffer_.clear();
    size_t head = std::string::npos;
    while ((head = buffer_.find("\r\n\r\n")) == std::string::npos) Read();
    if (!buffer_.starts_with("HTTP/1.1 200")) throw std::runtime_error(buffer_.substr(0, 40));
    const size_t total = head + 4 + ContentLength(head);
    while (buffer_.size() < total) Read();
  }

 private:
  void Read() {
    char chunk[16384];
    const ssize_t got = recv(socket_, chunk, sizeof chunk, 0);
    if (got <= 0) throw std::runtime_error("connection closed");
    buffer_.append(chunk, static_cast<size_t>(got));
  }
  size_t ContentLength(size_t head) const {
    constexpr std::string_view kName = "Content-Length: ";
    const size_t at = buffer_.find(kName);
    if (at == std::string::npos || at > head) throw std::runtime_error("no Content-Length");
    size_t length = 0;
    std::from_chars(buffer_.data() + at + kName.size(), buffer_.data() + head, length);
    return length;
  }
  int socket_;
  std::string buffer_;
};

std::optional<Options> Parse(int argc, char** argv) {
  Options options;
  po::options_description table("ocsp: one HTTP request, again and again");
  agentca::bench::AddCommon(table, 5, options.seconds, options.server_pids);
  table.add_options()("address", po::value(&options.address)->default_value("127.0.0.1"),
                      "IPv4 address")("port", po::value(&options.port)->required(), "TCP port")(
      "path", po::value(&options.path)->required(), "request target")(
      "post", po::value(&options.post_file), "POST this DER file as application/ocsp-request")(
      "connections", po::value(&options.connections)->default_value(8), "threads");
  if (!agentca::bench::ParseCommandLine(argc, argv, table)) return std::nullopt;
  return options;
}

std::string MakeRequest(const Options& options) {
  if (options.post_file.empty())
    return "GET " + options.path + " HTTP/1.1\r\nHost: " + options.address + "\r\n\r\n";
  std::ifstream file(options.post_file, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + options.post_file);
  const std::string body((std::istreambuf_iterator<char>(file)), {});
  return "POST " + options.path + " HTTP/1.1\r\nHost: " + options.address +
         "\r\nContent-Type: application/ocsp-request\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

int Run(const Options& options) {
  const std::string request = MakeRequest(options);
  std::mutex mutex;  // guards all, failure
  Latencies all;
  std::string failure;
  const agentca::bench::Rate rate("responses", options.seconds, options.server_pids);
  std::vector<std::thread> threads;
  for (int i = 0; i < options.connections; ++i)
    threads.emplace_back([&] {
      Latencies mine;
      std::string problem;
      try {
        Connection connection(options.address, options.port);
        rate.Repeat([&] { connection.RoundTrip(request); }, mine);
      } catch (const std::exception& error) {
        problem = error.what();
      }
      std::lock_guard lock(mutex);
      all.Merge(mine);
      if (!problem.empty()) failure = problem;
    });
  for (auto& thread : threads) thread.join();
  if (!failure.empty()) throw std::runtime_error("failed: " + failure);
  rate.Print(all);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto options = Parse(argc, argv);
    return options ? Run(*options) : 0;
  } catch (const std::exception& error) {
    std::cerr << "ocsp: " << error.what() << "\n";
    return 2;
  }
}
