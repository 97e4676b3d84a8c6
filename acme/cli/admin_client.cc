#include "acme/cli/admin_client.h"

#include <httplib.h>

#include "acme/challenge/url.h"
#include "acme/cli/directory.h"
#include "acme/cli/files.h"

namespace agentca::cli {
namespace {

namespace fs = std::filesystem;

constexpr time_t kConnectTimeout = 5;  // seconds
constexpr time_t kAnswerTimeout = 60;  // many certificates may be revoked in one request
constexpr acme::JsonLimits kLimits{.max_size = size_t{64} << 20, .max_depth = 16};

struct Access {
  acme::Url url;
  fs::path certificate, key, ca_file;
};

Result<std::string> RunningUrl(const Directory& directory) {
  const Error none{Code::kUnavailable, "no admin API is served on " + directory.root().string() +
                                           "; is agentca serve running?"};
  if (!FileLock::IsHeld(directory.ServeLock())) return none;
  const auto text = ReadTextFile(directory.Serving());
  if (!text.ok()) return none;
  AGENTCA_ASSIGN(const auto document, acme::JsonDocument::Parse(*text));
  const auto url = document.root().String("admin");
  if (url.ok()) return *url;
  return Error{Code::kUnavailable, "the server on " + directory.root().string() +
                                       " has no admin API: it is none of its roles, or admin-listen is none"};
}

// The option's file, or the one in DIR.
Result<fs::path> FileOf(const Settings& settings, const char* option, const fs::path& usual) {
  fs::path file = settings.Given(option) ? fs::path(settings.Text(option)) : usual;
  if (file.empty())
    return Error{Code::kMalformed, "--" + std::string(option) + " or --dir is required"};
  std::error_code error;
  if (fs::exists(file, error)) return file;
  return Error{Code::kNotFound, "cannot read " + file.string()};
}

Result<Access> ReadAccess(const Settings& settings) {
  const bool local = !settings.directory().empty();
  const Directory directory(settings.directory());
  const auto usual = [&](const fs::path& path) { return local ? path : fs::path(); };
  std::string text = settings.Text("admin-url");
  if (text.empty()) {
    AGENTCA_ASSIGN(text, RunningUrl(directory));
  }
  const auto url = acme::ParseUrl(text);
  if (!url.ok() || !url->secure || url->target != "/")
    return settings.Bad("admin-url", "'" + text + "' is not https://HOST:PORT");
  Access access{*url, {}, {}, {}};
  AGENTCA_ASSIGN(access.certificate,
                 FileOf(settings, "admin-cert", usual(directory.AdminCertificate())));
  AGENTCA_ASSIGN(access.key, FileOf(settings, "admin-key", usual(directory.AdminKey())));
  AGENTCA_ASSIGN(access.ca_file, FileOf(settings, "ca-file", usual(directory.RootCertificate())));
  return access;
}

// The code that this command's exit status is made of.
Code CodeOf(int status) {
  switch (status) {
    case 400:
      return Code::kMalformed;
    case 403:
      return Code::kUnauthorized;
    case 404:
      return Code::kNotFound;
    case 409:
      return Code::kConflict;
    default:
      return Code::kUnavailable;
  }
}

Error ProblemOf(int status, const std::string& body) {
  const auto document = acme::JsonDocument::Parse(body, kLimits);
  if (document.ok()) {
    const auto detail = document->root().String("detail");
    if (detail.ok()) return {CodeOf(status), *detail};
  }
  return {CodeOf(status), "the server answered with status " + std::to_string(status)};
}

}  // namespace

struct AdminClient::State {
  State(Access with, const std::string& host)
      : access(std::move(with)),
        client(host, access.url.port, access.certificate.string(), access.key.string()) {}

  Error NoAnswer(httplib::Error error) const {
    std::string detail = "no answer from " + access.url.Text() + ": ";
    if (error == httplib::Error::SSLServerVerification)
      detail += "its certificate is not of the CA in " + access.ca_file.string() +
                ", or not for this name";
    else if (error == httplib::Error::Read || error == httplib::Error::SSLConnection)
      detail += "it closed the connection; is " + access.certificate.string() +
                " an administrator's certificate of this CA, and in time?";
    else
      detail += httplib::to_string(error);
    return {Code::kUnavailable, detail};
  }

  const Access access;
  httplib::SSLClient client;
};

AdminClient::AdminClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
AdminClient::AdminClient(AdminClient&&) noexcept = default;
AdminClient& AdminClient::operator=(AdminClient&&) noexcept = default;
AdminClient::~AdminClient() = default;

Result<AdminClient> AdminClient::Open(const Settings& settings) {
  AGENTCA_ASSIGN(Access access, ReadAccess(settings));
  const std::string host = access.url.host;
  auto state = std::make_unique<State>(std::move(access), host);
  httplib::SSLClient& client = state->client;
  if (!client.is_valid())
    return Error{Code::kMalformed, state->access.certificate.string() + " and " +
                                       state->access.key.string() +
                                       " are not a certificate and its key"};
  client.set_ca_cert_path(state->access.ca_file.string());
  client.enable_server_certificate_verification(true);
  client.set_default_headers({{"Host", state->access.url.Authority()}});
  client.set_keep_alive(true);
  client.set_tcp_nodelay(true);
  client.set_connection_timeout(kConnectTimeout);
  client.set_read_timeout(kAnswerTimeout);
  client.set_write_timeout(kAnswerTimeout);
  return AdminClient(std::move(state));
}

Result<acme::JsonDocument> AdminClient::Reply::Json() const {
  return acme::JsonDocument::Parse(body, kLimits);
}

Result<AdminClient::Reply> AdminClient::Call(const std::string& method, const std::string& path,
                                             const std::string& body) {
  httplib::Request request;
  request.method = method;
  request.path = "/admin/v1" + path;
  request.body = body;
  if (!body.empty()) request.set_header("Content-Type", "application/json");
  const auto answer = state_->client.send(request);
  if (!answer) return state_->NoAnswer(answer.error());
  if (answer->status / 100 != 2) return ProblemOf(answer->status, answer->body);
  return Reply{answer->status, answer->body};
}

Result<acme::JsonDocument> AdminClient::Get(const std::string& path) {
  AGENTCA_ASSIGN(const Reply reply, Call("GET", path));
  return reply.Json();
}

std::string PercentEncoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[octet >> 4]);
      out.push_back(kHex[octet & 15]);
    }
  }
  return out;
}

}  // namespace agentca::cli
