// How a connection of a balancer begins.
#include "acme/http/connection.h"
#include "acme/http/proxy_header.h"
#include "acme/http/shard.h"

namespace agentca::acme::http {

Connection::Phase Connection::FirstPhase() const {
  return channel_.secure() ? Phase::kHandshake : Phase::kReceiving;
}

// Takes no octet of what comes behind the header, which is TLS's or the request's.
Connection::Next Connection::ReadProxyHeader() {
  auto header = ParseProxyHeader(AsBytes(input_));
  if (!header.ok()) return LackHeader(header.error().detail);
  if (header->complete) {
    if (!header->source.empty()) reader_.SetRemoteAddress(std::move(header->source));
    input_.clear();
    phase_ = FirstPhase();
    return Next::kAgain;
  }
  const auto scratch = shard_->scratch().first(header->size - input_.size());
  const auto got = channel_.ReadRaw(scratch);
  if (got.outcome == Channel::Outcome::kNeedsRead) return AwaitOctets();
  if (got.outcome != Channel::Outcome::kProgress) {
    if (!input_.empty()) return LackHeader("it ends early");
    Close();  // who only connects asks whether anybody listens
    return Next::kParked;
  }
  input_.append(scratch.data(), got.octets);
  return Next::kAgain;
}

Connection::Next Connection::LackHeader(std::string_view cause) {
  shard_->edge().LogLackOfHeader(reader_.remote_address(), cause);
  Close();
  return Next::kParked;
}

}  // namespace agentca::acme::http
