// What load balancers ask of every listener of a node.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "acme/http/message.h"
#include "ca/base/result.h"

namespace agentca::acme {

// A short answer in plain text that nobody keeps.
http::Response PlainResponse(int status, std::string_view text);

// GET and HEAD of /healthz: 200 while the process lives; of /readyz: 200 only when it can do its
// work, otherwise 503 with the failing part's name and nothing else. Thread-safe.
class Health {
 public:
  // `ready`: the error's detail names the part. May block.
  explicit Health(std::function<Status()> ready) : ready_(std::move(ready)) {}
  // nullopt: another path.
  std::optional<http::Response> Handle(const http::Request& request) const;
  // Without asking `ready`; nullopt for another path and when it must be asked.
  std::optional<http::Response> HandleFast(const http::Request& request) const;
  static bool Knows(std::string_view path);

 private:
  const std::function<Status()> ready_;
};

}  // namespace agentca::acme
