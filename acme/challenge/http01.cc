// RFC 8555 §8.3, and §8.3 of RFC 8738's extension to IP identifiers: fetch a URL of the identifier
// and compare. Redirects are followed as Boulder follows them: to http and https, to hosts by name,
// to the ports of the schemes or of the configuration.
#include <exception>
#include <optional>

#include "acme/challenge/answer.h"
#include "acme/challenge/challenges.h"
#include "acme/challenge/url.h"
#include "acme/challenge/wire.h"

namespace agentca::acme {
namespace {

Error Incorrect(std::string detail) { return Error{Code::kIncorrectResponse, std::move(detail)}; }

std::string_view WithoutTrailingSpace(std::string_view text) {
  const size_t last = text.find_last_not_of(" \t\r\n");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 307 || status == 308;
}

class Http01 final : public Verifier {
 public:
  explicit Http01(const ValidationNetwork& network)
      : network_(network), tls_(MakeValidationTls()) {}
  std::string_view name() const override { return "http-01"; }

  Result<Proof> Verify(const Evidence& evidence) const override {
    const Deadline deadline = std::chrono::steady_clock::now() + network_.limits.total;
    Url url;
    url.host = evidence.identifier.value;
    url.literal = evidence.identifier.type == Identifier::Type::kIp;
    url.port = network_.http01_port;
    url.target = "/.well-known/acme-challenge/" + std::string(evidence.token);
    try {
      AGENTCA_TRY(Follow(std::move(url), evidence.key_authorization, deadline));
    } catch (const std::exception&) {
      return Error{Code::kConnection, "the answer could not be read"};
    }
    return Proof{{evidence.identifier}, std::nullopt};
  }

 private:
  Status Follow(Url url, std::string_view expected, Deadline deadline) const {
    // Errors reach the client, who may have redirected us to what only we can reach. So they quote
    // what the identifier's own URL answered, its redirect included, and nothing said after that.
    std::string where = Shown(url);
    for (int redirects = 0;; ++redirects) {
      const bool redirected = redirects > 0;
      if (redirects == 1) where = Shown(url);
      if (redirects == 2) where += " and on from there";
      const auto answer = Fetch(url, deadline, redirects > 1);
      if (!answer.ok()) return InContext(where, answer.error());
      if (!IsRedirect(answer->status)) {
        const Status verdict = Judge(*answer, expected, redirected);
        return verdict.ok() ? verdict : InContext(where, verdict.error());
      }
      if (redirects == network_.limits.max_redirects)
        return Incorrect("more than " + std::to_string(redirects) + " redirects");
      auto next = Next(url, answer->location);
      if (!next.ok() && redirected)
        return InContext(where, Incorrect("a redirect that validation does not follow"));
      if (!next.ok()) return InContext(where, next.error());
      url = *std::move(next);
    }
  }

  Result<Url> Next(const Url& url, std::string_view location) const {
    AGENTCA_ASSIGN(auto next, ResolveRedirect(url, location));
    AGENTCA_TRY(CheckRedirect(url, next));
    if (next.Text() == url.Text()) return Incorrect("redirect to itself");
    return next;
  }

  static Error InContext(const std::string& where, Error error) {
    if (error.code != Code::kRejectedIdentifier)
      error.detail = "fetching " + where + ": " + error.detail;
    return error;
  }

  static std::string Shown(const Url& url) {
    // A redirect's path is a stranger's text too.
    return (url.secure ? "https://" : "http://") + url.Authority() + Excerpt(url.target);
  }

  Status CheckRedirect(const Url& from, const Url& to) const {
    const uint16_t usual = to.secure ? 443 : 80;
    const uint16_t configured = to.secure ? network_.tls_alpn01_port : network_.http01_port;
    if (to.port != usual && to.port != configured)
      return Incorrect("redirect to port " + std::to_string(to.port));
    if (to.literal && to.host != from.host)
      return Incorrect("redirect to an IP address instead of a name");
    return {};
  }

  // Why there is no connection, without the name, the addresses and the port.
  static Error Anonymous(Error error) {
    if (error.code == Code::kDns) error.detail = "the name could not be looked up";
    if (error.code == Code::kConnection) error.detail = "no connection, or no answer in time";
    return error;
  }

  Result<HttpAnswer> Fetch(const Url& url, Deadline deadline, bool anonymous) const {
    auto dialing = Dial(network_, url.host, url.literal, url.port, deadline);
    if (!dialing.ok()) return anonymous ? Anonymous(dialing.error()) : dialing.error();
    auto dialed = *std::move(dialing);
    if (url.secure) {
      if (!tls_) return Error{Code::kTls, "TLS cannot start"};
      AGENTCA_TRY(
          dialed.wire->StartTls(tls_.get(), url.literal ? std::string() : url.host, deadline));
    }
    const std::string request = "GET " + url.target + " HTTP/1.1\r\nHost: " + url.Authority() +
                                "\r\nUser-Agent: agentca/" AGENTCA_VERSION
                                "\r\nAccept: */*\r\nConnection: close\r\n\r\n";
    AGENTCA_TRY(dialed.wire->Write(AsBytes(request), deadline));
    return ReadAnswer(*dialed.wire, network_.limits, deadline);
  }

  static Status Judge(const HttpAnswer& answer, std::string_view expected, bool redirected) {
    if (answer.status != 200)
      return Incorrect(redirected ? "the status is not 200"
                                  : "status " + std::to_string(answer.status));
    // §8.3: "The server SHOULD ignore whitespace characters at the end of the body."
    const auto body = WithoutTrailingSpace(answer.body);
    if (body == expected) return {};
    const std::string wrong = "the body is not the key authorization";
    return Incorrect(redirected ? wrong : wrong + "; it begins \"" + Excerpt(body) + "\"");
  }

  const ValidationNetwork network_;
  const std::shared_ptr<SSL_CTX> tls_;
};

}  // namespace

std::unique_ptr<Verifier> MakeHttp01(const ValidationNetwork& network) {
  return std::make_unique<Http01>(network);
}

}  // namespace agentca::acme
