#include "bench/http01_responder.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <string_view>
#include <system_error>

namespace agentca::bench {
namespace {

void Check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Http01Responder::Http01Responder(uint16_t port)
    : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  Check(listener_, "socket");
  const int on = 1;
  Check(setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "setsockopt");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Check(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), "http-01 port");
  Check(listen(listener_, 1024), "listen");
  thread_ = std::thread([this] { Run(); });
}

Http01Responder::~Http01Responder() {
  stopping_ = true;
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

void Http01Responder::Put(const std::string& token, const std::string& key_authorization) {
  std::lock_guard lock(mutex_);
  answers_[token] = key_authorization;
}

void Http01Responder::Remove(const std::string& token) {
  std::lock_guard lock(mutex_);
  answers_.erase(token);
}

void Http01Responder::Run() {
  while (!stopping_) {
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    Serve(connection);
    close(connection);
  }
}

void Http01Responder::Serve(int connection) {
  const timeval limit{2, 0};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  std::array<char, 4096> buffer;
  size_t length = 0;
  std::string_view request;
  while (request.find("\r\n\r\n") == std::string_view::npos) {
    const ssize_t got = recv(connection, buffer.data() + length, buffer.size() - length, 0);
    if (got <= 0) return;
    length += static_cast<size_t>(got);
    request = {buffer.data(), length};
  }
  constexpr std::string_view kPrefix = "GET /.well-known/acme-challenge/";
  std::string body;
  if (request.starts_with(kPrefix)) {
    const auto rest = request.substr(kPrefix.size());
    std::lock_guard lock(mutex_);
    if (const auto it = answers_.find(std::string(rest.substr(0, rest.find(' '))));
        it != answers_.end())
      body = it->second;
  }
  const std::string answer =
      std::string(body.empty() ? "HTTP/1.1 404 Not Found" : "HTTP/1.1 200 OK") +
      "\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n"
      "Content-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
}

}  // namespace agentca::bench
