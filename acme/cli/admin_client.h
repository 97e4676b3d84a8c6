// The command line's way to the admin API: HTTPS, with an administrator's certificate.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "acme/cli/settings.h"
#include "acme/json.h"

namespace agentca::cli {

class AdminClient {
 public:
  // Where and as whom, by --admin-url, --admin-cert, --admin-key and --ca-file, or by what is in
  // --dir. Connects to nobody yet. kMalformed, kNotFound name what is missing.
  static Result<AdminClient> Open(const Settings& settings);
  AdminClient(AdminClient&&) noexcept;
  AdminClient& operator=(AdminClient&&) noexcept;
  ~AdminClient();

  struct Reply {
    int status;  // 2xx
    std::string body;
    Result<acme::JsonDocument> Json() const;
  };
  // `path` is below /admin/v1: "/agents?tenant=acme". `body`: JSON; "" for none. A problem comes
  // back as an error with its detail; kUnavailable: no answer, and why.
  Result<Reply> Call(const std::string& method, const std::string& path,
                     const std::string& body = "");
  Result<acme::JsonDocument> Get(const std::string& path);

 private:
  struct State;
  explicit AdminClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Text as a query's value (RFC 3986 §2.1).
std::string PercentEncoded(std::string_view text);

}  // namespace agentca::cli
