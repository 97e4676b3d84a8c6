#include "acme/cli/config.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "ca/agent_identity.h"
#include "storage/postgres_uri.h"

namespace agentca::cli {
namespace {

using std::chrono::milliseconds;
namespace fs = std::filesystem;

bool IsHostName(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  size_t label = 0;
  for (size_t i = 0; i <= name.size(); ++i) {
    if (i == name.size() || name[i] == '.') {
      if (label == 0 || label > 63 || name[i - 1] == '-') return false;
      label = 0;
      continue;
    }
    const char c = name[i];
    const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!alphanumeric && !(c == '-' && label > 0)) return false;
    ++label;
  }
  return true;
}

// Reads typed values and remembers the first fault, so that a long list of options stays a list.
class Reader {
 public:
  explicit Reader(const Settings& settings) : settings_(settings) {}

  uint64_t Count(std::string_view name, uint64_t min, uint64_t max) {
    return Take(name, ParseCount(settings_.Text(name), min, max));
  }
  uint16_t Port(std::string_view name) { return static_cast<uint16_t>(Count(name, 1, 65535)); }
  milliseconds Duration(std::string_view name, milliseconds min) {
    const auto value = Take(name, ParseDuration(settings_.Text(name)));
    if (value < min) Fail(name, "is too short");
    return value;
  }
  Seconds WholeSeconds(std::string_view name, Seconds min) {
    return std::chrono::duration_cast<Seconds>(Duration(name, min));
  }
  Endpoint Address(std::string_view name) {
    return Take(name, Endpoint::Parse(settings_.Text(name)));
  }
  std::string Host(std::string_view name) { return CheckHost(name, settings_.Text(name)); }
  std::vector<std::string> Hosts(std::string_view name) {
    auto names = settings_.List(name);
    for (const auto& host : names) CheckHost(name, host);
    return names;
  }
  // Without a trailing slash, since paths are appended.
  std::string Url(std::string_view name, std::string_view scheme) {
    std::string url = settings_.Text(name);
    while (!url.empty() && url.back() == '/') url.pop_back();
    const bool printable = std::all_of(url.begin(), url.end(), [](char c) {
      return c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>';
    });
    if (!url.empty() && (!url.starts_with(scheme) || url.size() == scheme.size() || !printable))
      Fail(name, "'" + url + "' is not a URL that starts with " + std::string(scheme));
    return url;
  }
  bool Bool(std::string_view name) {
    const std::string text = settings_.Text(name);
    if (text != "yes" && text != "no") Fail(name, "'" + text + "' is neither yes nor no");
    return text == "yes";
  }
  // In agentca.conf relative to DIR, on the command line to the working directory.
  fs::path Path(std::string_view name) {
    const std::string text = settings_.Text(name);
    return text.empty() ? fs::path() : Absolute(name, text);
  }
  fs::path Absolute(std::string_view name, const fs::path& path) {
    std::error_code error;
    const fs::path absolute =
        settings_.OnCommandLine(name) ? fs::absolute(path, error) : settings_.directory() / path;
    if (error) Fail(name, error.message());
    return absolute.lexically_normal();
  }
  template <class T>
  T Take(std::string_view name, Result<T> value) {
    if (value.ok()) return std::move(value).value();
    Fail(name, value.error().detail);
    return T{};
  }
  template <class T, class Parse>
  std::vector<T> Each(std::string_view name, Parse parse) {
    std::vector<T> out;
    for (const auto& text : settings_.List(name)) {
      Result<T> value = parse(text);
      if (!value.ok()) {
        Fail(name, value.error().detail);
        return {};
      }
      out.push_back(std::move(value).value());
    }
    return out;
  }
  void Fail(std::string_view name, std::string_view cause) {
    if (status_.ok()) status_ = settings_.Bad(name, cause);
  }
  const Status& status() const { return status_; }
  const Settings& settings() const { return settings_; }

 private:
  std::string CheckHost(std::string_view name, std::string host) {
    return host.empty() ? host : Take(name, ParseHostName(host));
  }

  const Settings& settings_;
  Status status_;
};

Level ReadLevel(Reader& in) {
  const std::string text = in.settings().Text("log-level");
  if (text == "debug") return Level::kDebug;
  if (text == "warning") return Level::kWarning;
  if (text == "error") return Level::kError;
  if (text != "info") in.Fail("log-level", "'" + text + "' is not debug, info, warning or error");
  return Level::kInfo;
}

IdentityConfig ReadIdentity(Reader& in) {
  IdentityConfig out;
  out.trust_domain = in.Host("trust-domain");
  if (out.trust_domain.empty()) in.Fail("trust-domain", "is required");
  out.agents_zone = in.Host("agents-zone");
  if (out.agents_zone.empty()) out.agents_zone = "agents." + out.trust_domain;
  out.organization = in.settings().Text("organization");
  if (out.organization.empty()) out.organization = out.trust_domain;
  if (out.organization.size() > 64)  // RFC 5280 appendix A.1, ub-organization-name
    in.Fail("organization", "is longer than 64 octets; give a shorter --organization");
  out.dns_names = in.Hosts("dns-name");
  out.http_external_url = in.Url("http-external-url", "http://");
  if (!out.http_external_url.empty()) return out;
  const uint16_t port = in.Address("http-listen").port;
  if (port == 0) in.Fail("http-external-url", "is required when http-listen has port 0");
  const std::string host = out.dns_names.empty() ? "127.0.0.1" : out.dns_names.front();
  out.http_external_url = "http://" + host + ":" + std::to_string(port);
  return out;
}

SignerConfig ReadSigner(Reader& in) {
  SignerConfig out;
  const Settings& settings = in.settings();
  out.token = {in.Path("pkcs11-module"), settings.Text("token-label"),
               settings.Text("token-serial"), in.Path("pin-file"), in.Path("softhsm2-conf")};
  if (!out.token.module.empty()) {
    if (out.token.label.empty()) in.Fail("token-label", "is required with pkcs11-module");
    if (out.token.pin_file.empty()) in.Fail("pin-file", "is required with pkcs11-module");
  }
  out.keys = in.Each<hsm::KeyEntry>("signer-key", &hsm::KeyEntry::Parse);
  for (auto& key : out.keys)
    if (!key.certificate_file.empty())
      key.certificate_file = in.Absolute("signer-key", key.certificate_file).string();
  out.socket = in.Path("signer-socket");
  out.threads = static_cast<int>(in.Count("signer-threads", 1, 64));
  out.deadline = in.Duration("signer-deadline", milliseconds(100));
  return out;
}

std::string ReadStorage(Reader& in) {
  constexpr std::string_view kSqlite = "sqlite:";
  const std::string uri = in.settings().Text("storage");
  // A password is refused here, where nothing was done yet and the error names the line.
  if (uri.starts_with("postgresql://") || uri.starts_with("postgres://"))
    in.Take("storage", storage::ParsePostgresUri(uri));
  if (!uri.starts_with(kSqlite)) return uri;
  if (uri.size() == kSqlite.size()) in.Fail("storage", "names no file");
  return std::string(kSqlite) + in.Absolute("storage", uri.substr(kSqlite.size())).string();
}

ServingConfig ReadServing(Reader& in) {
  ServingConfig out;
  if (in.settings().Given("role"))
    out.roles = in.Take("role", Roles::Parse(in.settings().Text("role")));
  out.acme_listen = in.Address("acme-listen");
  out.http_listen = in.Address("http-listen");
  if (in.settings().Text("admin-listen") != "none") out.admin_listen = in.Address("admin-listen");
  if (out.roles == Roles::Parse("admin").value() && !out.admin_listen)
    in.Fail("role", "admin alone serves nothing while admin-listen is none");
  out.balancers = in.Each<Balancers>("proxy-protocol-from", &Balancers::Parse);
  out.external_url = in.Url("external-url", "https://");
  out.drain_delay = in.Duration("drain-delay", milliseconds(0));
  out.drain_deadline = in.Duration("drain-deadline", milliseconds(0));
  out.limits.max_header = in.Count("max-header", 1024, 1 << 20);
  out.limits.max_body = in.Count("max-body", 4096, 1 << 24);
  out.limits.max_connections = in.Count("max-connections", 1, 1'000'000);
  out.limits.request_deadline = in.Duration("request-deadline", milliseconds(100));
  out.limits.write_deadline = out.limits.request_deadline;
  out.limits.idle_deadline = in.Duration("idle-deadline", milliseconds(100));
  out.io_threads = static_cast<int>(in.Count("io-threads", 1, 256));
  out.acme_threads = in.Count("acme-threads", 1, 1024);
  out.http_threads = in.Count("http-threads", 1, 1024);
  out.queue_limit = in.Count("queue-limit", 1, 1'000'000);
  return out;
}

// A profile is a file name, never a path.
std::string ReadProfileName(Reader& in, std::string_view option) {
  std::string name = in.settings().Text(option);
  if (name.empty() || name.find('/') != std::string::npos || name.front() == '.')
    in.Fail(option, "'" + name + "' is not the name of a profile");
  return name;
}

AgentConfig ReadAgents(Reader& in) {
  AgentConfig out{ReadProfileName(in, "agents-profile"), in.settings().Text("agent-arc")};
  if (const Status checked = ca::CheckAgentArc(out.arc); !checked.ok())
    in.Fail("agent-arc", checked.error().detail);
  return out;
}

acme::Policy ReadPolicy(Reader& in) {
  acme::Policy out;
  out.allow_names = in.Hosts("allow-names");
  out.allow_ip_identifiers = in.settings().Given("allow-ip-identifiers")
                                 ? in.Bool("allow-ip-identifiers")
                                 : out.allow_names.empty();
  out.max_identifiers = in.Count("max-identifiers", 1, 1000);
  out.order_lifetime = in.WholeSeconds("order-lifetime", Seconds(1));
  out.authorization_lifetime = in.WholeSeconds("authorization-lifetime", Seconds(60));
  out.terms_of_service = in.Url("terms-of-service", "http");
  out.website = in.Url("website", "http");
  out.new_accounts_per_hour = static_cast<uint32_t>(in.Count("new-accounts-per-hour", 0, 1u << 31));
  out.new_orders_per_hour = static_cast<uint32_t>(in.Count("new-orders-per-hour", 0, 1u << 31));
  out.require_grant = in.Bool("require-grant");
  out.evidence_per_address_per_hour =
      static_cast<uint32_t>(in.Count("evidence-per-address-per-hour", 0, 1u << 31));
  out.evidence_per_hour = static_cast<uint32_t>(in.Count("evidence-per-hour", 0, 1u << 31));
  return out;
}

Result<acme::ChallengeType> ParseChallenge(const std::string& text) {
  const auto type = acme::ChallengeTypeFromString(text);
  if (type && *type != acme::ChallengeType::kAgentAttest01) return *type;
  return Error{Code::kMalformed, "'" + text + "' is not http-01, dns-01 or tls-alpn-01"};
}

ValidationConfig ReadValidation(Reader& in) {
  using acme::ChallengeType;
  ValidationConfig out;
  out.challenges = in.Each<ChallengeType>("challenge", &ParseChallenge);
  if (out.challenges.empty())
    out.challenges = {ChallengeType::kHttp01, ChallengeType::kDns01, ChallengeType::kTlsAlpn01};
  if (in.settings().Given("dns-resolver")) out.resolver = in.Address("dns-resolver").text;
  out.http01_port = in.Port("http01-port");
  out.tls_alpn01_port = in.Port("tls-alpn01-port");
  out.allow = in.Each<acme::Cidr>("validation-allow", &acme::Cidr::Parse);
  out.deny = in.Each<acme::Cidr>("validation-deny", &acme::Cidr::Parse);
  const auto always = acme::NetworkPolicy::DefaultDeny();
  out.deny.insert(out.deny.end(), always.begin(), always.end());
  out.limits.total = in.Duration("validation-timeout", milliseconds(100));
  out.limits.connect = std::min(out.limits.connect, out.limits.total);
  out.pool.attempts = static_cast<int>(in.Count("validation-attempts", 1, 20));
  out.pool.threads = in.Count("validation-threads", 1, 1024);
  return out;
}

ca::CrlSchedule ReadCrlSchedule(Reader& in) {
  ca::CrlSchedule out;
  out.lifetime = in.WholeSeconds("crl-lifetime", Seconds(60));
  out.interval = in.WholeSeconds("crl-interval", Seconds(1));
  out.keep_expired = 2 * out.lifetime;  // two more periods
  // At half of its life a CRL raises the first alarm: by then the next one must be out.
  if (out.interval > out.lifetime / 2) in.Fail("crl-interval", "is over half of crl-lifetime");
  return out;
}

Seconds ReadRetention(Reader& in, std::string_view name) {
  const Seconds kept = in.WholeSeconds(name, Seconds(0));
  // What is over now may be asked for in a moment.
  if (kept != Seconds(0) && kept < Seconds(60)) in.Fail(name, "is too short");
  return kept;
}

}  // namespace

Result<std::string> ParseHostName(std::string_view text) {
  if (IsHostName(text)) return std::string(text);
  return Error{Code::kMalformed,
               "'" + std::string(text) + "' is not a lower-case DNS name without final dot"};
}

Result<uint64_t> ParseCount(std::string_view text, uint64_t min, uint64_t max) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max)
    return Error{Code::kMalformed, "'" + std::string(text) + "' is not a number from " +
                                       std::to_string(min) + " to " + std::to_string(max)};
  return value;
}

Result<milliseconds> ParseDuration(std::string_view text) {
  constexpr std::pair<std::string_view, int64_t> kUnits[] = {
      {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  for (const auto& [unit, factor] : kUnits) {
    if (text.substr(digits) != unit) continue;
    const auto limit = static_cast<uint64_t>(int64_t{1} << 50) / static_cast<uint64_t>(factor);
    AGENTCA_ASSIGN(const uint64_t count, ParseCount(text.substr(0, digits), 0, limit));
    return milliseconds(static_cast<int64_t>(count) * factor);
  }
  return Error{Code::kMalformed,
               "'" + std::string(text) + "' is not a duration such as 250ms, 90s, 15m, 12h or 7d"};
}

Result<Endpoint> Endpoint::Parse(std::string_view text) {
  const Error bad{Code::kMalformed,
                  "'" + std::string(text) + "' is not ADDR:PORT with a numeric address"};
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  std::string address(text.substr(0, colon));
  const bool bracketed = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (bracketed) address = address.substr(1, address.size() - 2);
  uint8_t octets[16];
  if (inet_pton(bracketed ? AF_INET6 : AF_INET, address.c_str(), octets) != 1) return bad;
  const auto port = ParseCount(text.substr(colon + 1), 0, 65535);
  if (!port.ok()) return bad;
  return Endpoint{std::string(text), std::move(address), static_cast<uint16_t>(*port)};
}

Result<Config> Config::Make(const Settings& settings) {
  Reader in(settings);
  Config config{
      .directory = Directory(settings.directory()),
      .log_level = ReadLevel(in),
      .identity = ReadIdentity(in),
      .signer = ReadSigner(in),
      .storage = ReadStorage(in),
      .storage_connections = in.Count("storage-connections", 4, 1000),
      .serving = ReadServing(in),
      .profile = ReadProfileName(in, "profile"),
      .agents = ReadAgents(in),
      .serial_prefix = static_cast<uint8_t>(in.Count("serial-prefix", 1, 127)),
      .policy = ReadPolicy(in),
      .validation = ReadValidation(in),
      .crl = ReadCrlSchedule(in),
      .ocsp = {.lifetime = in.WholeSeconds("ocsp-lifetime", Seconds(60)),
               .max_cached = in.Count("ocsp-cache", 1, 100'000'000)},
      .retention = {.orders = ReadRetention(in, "retention-orders"),
                    .grants = ReadRetention(in, "retention-grants"),
                    .certificates = ReadRetention(in, "retention-certificates"),
                    .attestations = ReadRetention(in, "retention-attestations")},
  };
  AGENTCA_TRY(in.status());
  return config;
}

}  // namespace agentca::cli
