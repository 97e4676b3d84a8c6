#include <algorithm>
#include <cstdlib>

#include "acme/cli/evidence_collector.h"
#include "acme/cli/files.h"
#include "acme/cli/run_program.h"
#include "acme/cli/web_client.h"
#include "acme/json.h"

namespace agentca::cli {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kGcpIdentity =
    "/computeMetadata/v1/instance/service-accounts/default/identity?format=full&audience=";
// Long enough for a slow client between challenge and finalize; the CA wants it fresh anyhow.
constexpr int64_t kTokenSeconds = 600;

class TokenCollector final : public Collector {
 public:
  TokenCollector(std::string format, TokenSource source)
      : format_(std::move(format)), source_(std::move(source)) {}
  std::string_view format() const override { return format_; }
  Result<Collected> Collect(const Demand& demand) override {
    AGENTCA_ASSIGN(const std::string token, source_(AudienceFor(demand)));
    if (token.empty()) return Error{Code::kUnavailable, "the token is empty"};
    return Collected{ToBytes(AsBytes(token)), {}};
  }

 private:
  const std::string format_;
  const TokenSource source_;
};

std::string Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kBlanks) - first + 1));
}

Result<std::string> Variable(const char* name, std::string_view where) {
  const char* value = std::getenv(name);
  if (value != nullptr && *value != '\0') return std::string(value);
  return Error{Code::kUnavailable, std::string(name) + " is not set: " + std::string(where)};
}

// A string member of a JSON answer, found along `path`.
Result<std::string> Member(const std::string& json, std::initializer_list<const char*> path,
                           const std::string& whose) {
  const Error unexpected{Code::kUnavailable, whose + ": the answer holds no token"};
  const auto document = acme::JsonDocument::Parse(json);
  if (!document.ok()) return unexpected;
  acme::JsonValue value = document->root();
  for (const char* name : path) {
    const auto found = value.Find(name);
    if (!found) return unexpected;
    value = *found;
  }
  const auto text = value.AsString();
  if (!text) return unexpected;
  return std::string(*text);
}

Result<std::string> AskForText(const WebRequest& request, std::initializer_list<int> expected) {
  AGENTCA_ASSIGN(WebResponse answer, Ask(request));
  if (std::find(expected.begin(), expected.end(), answer.status) == expected.end()) {
    const std::string origin = request.url.substr(0, request.url.find('?'));
    return Error{Code::kUnavailable, origin + ": HTTP status " + std::to_string(answer.status)};
  }
  return std::move(answer.body);
}

// Who a service account is stands in its own token, which we only carry: nothing is verified here.
struct ServiceAccount {
  std::string name_space, name;
};
Result<ServiceAccount> AccountOf(const std::string& token) {
  const Error unexpected{Code::kUnavailable, "the service account's token is not a JWT"};
  const size_t first = token.find('.');
  const size_t second = token.find('.', first + 1);
  if (first == std::string::npos || second == std::string::npos) return unexpected;
  const auto payload = FromBase64Url(token.substr(first + 1, second - first - 1));
  if (!payload.ok()) return unexpected;
  const std::string json(AsText(*payload));
  AGENTCA_ASSIGN(std::string name_space,
                 Member(json, {"kubernetes.io", "namespace"}, "the service account's token"));
  AGENTCA_ASSIGN(std::string name, Member(json, {"kubernetes.io", "serviceaccount", "name"},
                                          "the service account's token"));
  return ServiceAccount{std::move(name_space), std::move(name)};
}

std::string TokenRequestBody(const std::string& audience) {
  acme::JsonWriter json;
  json.BeginObject()
      .Member("apiVersion", "authentication.k8s.io/v1")
      .Member("kind", "TokenRequest")
      .Key("spec")
      .BeginObject()
      .Key("audiences")
      .BeginArray()
      .String(audience)
      .EndArray()
      .Key("expirationSeconds")
      .Int(kTokenSeconds)
      .EndObject()
      .EndObject();
  return std::move(json).Take();
}

}  // namespace

std::unique_ptr<Collector> MakeTokenCollector(std::string format, TokenSource source) {
  return std::make_unique<TokenCollector>(std::move(format), std::move(source));
}

TokenSource TokenFromFile(std::string file) {
  return [file = std::move(file)](const std::string&) -> Result<std::string> {
    AGENTCA_ASSIGN(const std::string text, ReadTextFile(file));
    return Trimmed(text);
  };
}

TokenSource TokenFromCommand(std::vector<std::string> command) {
  return [command = std::move(command)](const std::string& audience) -> Result<std::string> {
    AGENTCA_ASSIGN(const std::string output, OutputOf({command, {{"AGENTCA_AUDIENCE", audience}}}));
    return Trimmed(output);
  };
}

// https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
TokenSource TokenFromKubernetes(std::string directory) {
  return [directory = std::move(directory)](const std::string& audience) -> Result<std::string> {
    constexpr std::string_view kOutside = "does this run in a pod?";
    AGENTCA_ASSIGN(std::string host, Variable("KUBERNETES_SERVICE_HOST", kOutside));
    AGENTCA_ASSIGN(const std::string port, Variable("KUBERNETES_SERVICE_PORT", kOutside));
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    AGENTCA_ASSIGN(const std::string text, ReadTextFile(directory + "/token"));
    const std::string own = Trimmed(text);
    AGENTCA_ASSIGN(const ServiceAccount account, AccountOf(own));
    WebRequest request{.url = "https://" + host + ":" + port + "/api/v1/namespaces/" +
                              PercentEncode(account.name_space) + "/serviceaccounts/" +
                              PercentEncode(account.name) + "/token",
                       .body = TokenRequestBody(audience),
                       .headers = {{"Authorization", "Bearer " + own},
                                   {"Content-Type", "application/json"}},
                       .ca_file = directory + "/ca.crt"};
    AGENTCA_ASSIGN(const std::string answer, AskForText(request, {200, 201}));
    return Member(answer, {"status", "token"}, "the TokenRequest API");
  };
}

TokenSource TokenFromGitHub() {
  return [](const std::string& audience) -> Result<std::string> {
    constexpr std::string_view kOutside =
        "does the workflow have the permission \"id-token: write\"?";
    AGENTCA_ASSIGN(const std::string url, Variable("ACTIONS_ID_TOKEN_REQUEST_URL", kOutside));
    AGENTCA_ASSIGN(const std::string bearer, Variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN", kOutside));
    const char separator = url.find('?') == std::string::npos ? '?' : '&';
    WebRequest request{.url = url + separator + "audience=" + PercentEncode(audience),
                       .body = "",
                       .headers = {{"Authorization", "Bearer " + bearer}}};
    AGENTCA_ASSIGN(const std::string answer, AskForText(request, {200}));
    return Member(answer, {"value"}, "GitHub's token endpoint");
  };
}

TokenSource TokenFromGcp(std::string metadata_url) {
  return [base = std::move(metadata_url)](const std::string& audience) -> Result<std::string> {
    AGENTCA_ASSIGN(const std::string answer,
                   AskForText({.url = base + std::string(kGcpIdentity) + PercentEncode(audience),
                               .body = "",
                               .headers = {{"Metadata-Flavor", "Google"}}},
                              {200}));
    return Trimmed(answer);
  };
}

// It prints [{"svids":[{"svid":"…",…}]},{"bundles":…}].
TokenSource TokenFromSpiffe(std::vector<std::string> command) {
  return [command = std::move(command)](const std::string& audience) -> Result<std::string> {
    std::vector<std::string> words = command;
    words.insert(words.end(), {"-audience", audience, "-output", "json"});
    AGENTCA_ASSIGN(const std::string output, OutputOf({std::move(words), {}}));
    const Error unexpected{Code::kUnavailable, command.front() + ": its output holds no SVID"};
    const auto document = acme::JsonDocument::Parse(output, {.max_size = 1 << 20, .max_depth = 32});
    if (!document.ok()) return unexpected;
    for (const acme::JsonValue& part : document->root().elements()) {
      const auto svids = part.Find("svids");
      if (!svids || svids->elements().empty()) continue;
      const auto svid = svids->elements().front().Find("svid");
      const auto text = svid ? svid->AsString() : std::nullopt;
      if (text) return std::string(*text);
    }
    return unexpected;
  };
}

}  // namespace agentca::cli
