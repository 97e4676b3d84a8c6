#include "acme/cli/web_client.h"

#include <httplib.h>

namespace agentca::cli {
namespace {

constexpr time_t kStepTimeout = 10;  // seconds
constexpr size_t kMaxBody = size_t{1} << 20;

struct SplitUrl {
  std::string origin;  // "https://host:port"
  std::string target;  // "/path?query"
};

Result<SplitUrl> Split(const std::string& url) {
  const size_t scheme = url.starts_with("https://")  ? 8
                        : url.starts_with("http://") ? 7
                                                     : 0;
  const auto is_plain = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  if (scheme == 0 || !std::all_of(url.begin(), url.end(), is_plain)) {
    return Error{Code::kMalformed, "'" + url + "' is not an http or https URL"};
  }
  const size_t path = std::min(url.find('/', scheme), url.size());
  if (path == scheme) return Error{Code::kMalformed, "'" + url + "' names no host"};
  const std::string target = url.substr(path);
  return SplitUrl{url.substr(0, path), target.empty() ? "/" : target};
}

Error Unreachable(const std::string& origin, const httplib::Client& client, httplib::Error error) {
  std::string detail = origin + ": " + httplib::to_string(error);
  const long verified = client.get_openssl_verify_result();
  if (error == httplib::Error::SSLServerVerification && verified != X509_V_OK) {
    detail.append(" (").append(X509_verify_cert_error_string(verified)).append(")");
  }
  return {Code::kUnavailable, std::move(detail)};
}

}  // namespace

Result<WebResponse> Ask(const WebRequest& request) {
  AGENTCA_ASSIGN(const SplitUrl url, Split(request.url));
  httplib::Client client(url.origin);
  client.set_tcp_nodelay(true);
  client.set_connection_timeout(kStepTimeout);
  client.set_read_timeout(kStepTimeout);
  client.set_write_timeout(kStepTimeout);
  client.set_url_encode(false);  // it is encoded already
  if (!request.ca_file.empty()) client.set_ca_cert_path(request.ca_file.c_str());

  httplib::Request wire;
  wire.method = request.body.empty() ? "GET" : "POST";
  wire.path = url.target;
  wire.body = request.body;
  for (const auto& [name, value] : request.headers) wire.headers.emplace(name, value);
  std::string body;
  bool too_long = false;
  wire.content_receiver = [&](const char* data, size_t size, uint64_t, uint64_t) {
    too_long = body.size() + size > kMaxBody;
    if (!too_long) body.append(data, size);
    return !too_long;
  };
  const auto answer = client.send(wire);
  if (too_long) return Error{Code::kUnavailable, url.origin + ": the answer is too long"};
  if (!answer) return Unreachable(url.origin, client, answer.error());
  return WebResponse{answer->status, std::move(body), answer->get_header_value("Retry-After")};
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved = "-._~";
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    const bool alphanumeric =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (alphanumeric || kUnreserved.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kDigits[octet >> 4]);
      out.push_back(kDigits[octet & 15]);
    }
  }
  return out;
}

}  // namespace agentca::cli
