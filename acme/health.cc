#include "acme/health.h"

#include <string>

namespace agentca::acme {
namespace {

using http::Request;
using http::Response;

constexpr std::string_view kAlive = "/healthz";
constexpr std::string_view kReady = "/readyz";

}  // namespace

Response PlainResponse(int status, std::string_view text) {
  Response response;
  response.status = status;
  response.body = std::string(text) + "\n";
  response.With("Content-Type", "text/plain; charset=utf-8");
  return response.With("Cache-Control", "no-store");
}

bool Health::Knows(std::string_view path) { return path == kAlive || path == kReady; }

std::optional<Response> Health::HandleFast(const Request& request) const {
  if (!Knows(request.path)) return std::nullopt;
  if (request.method != "GET" && request.method != "HEAD")
    return PlainResponse(405, "method not allowed").With("Allow", "GET, HEAD");
  if (request.path == kReady) return std::nullopt;
  return PlainResponse(200, "ok");
}

std::optional<Response> Health::Handle(const Request& request) const {
  if (auto response = HandleFast(request)) return response;
  if (request.path != kReady) return std::nullopt;
  const Status status = ready_();
  if (status.ok()) return PlainResponse(200, "ok");
  return PlainResponse(503, status.error().detail).With("Retry-After", "1");
}

}  // namespace agentca::acme
