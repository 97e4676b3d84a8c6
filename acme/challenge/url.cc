#include "acme/challenge/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace agentca::acme {
namespace {

constexpr size_t kMaxLocation = 2048;  // octets
constexpr size_t kMaxHost = 253;

// What is wrong with a URL, to be continued from its name.
Error Bad(std::string_view why) { return Error{Code::kMalformed, std::string(why)}; }

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string Lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), Lower);
  return out;
}

bool IsHostname(std::string_view host) {
  if (host.empty() || host.size() > kMaxHost || host.front() == '.' || host.back() == '.')
    return false;
  return host.find("..") == std::string_view::npos &&
         std::all_of(host.begin(), host.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                  c == '_';
         });
}

// "1.2.3.4", but also "127.1", "0x7f.1" and "2130706433", which some software takes for addresses.
bool LooksNumeric(std::string_view host) {
  const auto last = host.substr(host.rfind('.') + 1);  // npos + 1 is 0: the whole host
  return last.starts_with("0x") ||
         std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool IsV6(const std::string& text) {
  in6_addr ignored;
  return ::inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

Status SetPort(Url& url, std::string_view digits) {
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
  if (ec != std::errc{} || end != digits.data() + digits.size() || url.port == 0)
    return Bad("has a bad port");
  return {};
}

Status SetAuthority(Url& url, std::string_view authority) {
  if (authority.find('@') != std::string_view::npos) return Bad("has user information");
  url.port = url.secure ? 443 : 80;
  url.literal = authority.starts_with('[');
  std::string_view rest;
  if (url.literal) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return Bad("has a bad host");
    url.host = Lowered(authority.substr(1, end - 1));
    rest = authority.substr(end + 1);
    if (!IsV6(url.host)) return Bad("has a bad host");
  } else {
    const size_t colon = authority.find(':');
    url.host = Lowered(authority.substr(0, colon));
    if (colon != std::string_view::npos) rest = authority.substr(colon);
    if (!IsHostname(url.host)) return Bad("has a bad host");
    url.literal = LooksNumeric(url.host);
  }
  if (rest.empty() || rest == ":") return {};
  if (rest.front() != ':') return Bad("has a bad host");
  return SetPort(url, rest.substr(1));
}

Result<Url> WithAuthority(bool secure, std::string_view rest) {
  Url url;
  url.secure = secure;
  const size_t end = rest.find_first_of("/?");
  AGENTCA_TRY(SetAuthority(url, rest.substr(0, end)));
  url.target = end == std::string_view::npos ? "/" : std::string(rest.substr(end));
  if (url.target.front() != '/') url.target.insert(0, "/");
  return url;
}

// RFC 3986 §3.1; empty when there is no scheme.
std::string_view SchemeOf(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.find_first_of("/?") < colon) return {};
  return text.substr(0, colon);
}

Result<Url> Resolve(const Url& base, std::string_view location) {
  if (location.empty()) return Bad("is missing");
  if (location.size() > kMaxLocation) return Bad("is too long");
  if (!std::all_of(location.begin(), location.end(), [](char c) { return c > ' ' && c < '\x7f'; }))
    return Bad("holds octets that no URL has");
  location = location.substr(0, location.find('#'));
  if (const auto scheme = SchemeOf(location); !scheme.empty()) {
    const std::string lowered = Lowered(scheme);
    if (lowered != "http" && lowered != "https") return Bad("is neither http nor https");
    const auto rest = location.substr(scheme.size() + 1);
    if (!rest.starts_with("//")) return Bad("has no host");
    return WithAuthority(lowered == "https", rest.substr(2));
  }
  if (location.starts_with("//")) return WithAuthority(base.secure, location.substr(2));
  Url url = base;
  const std::string_view path = std::string_view(base.target).substr(0, base.target.find('?'));
  if (location.starts_with('/')) {
    url.target = location;
  } else if (location.empty() || location.front() == '?') {
    url.target = std::string(path) + std::string(location);
  } else {
    url.target = std::string(path.substr(0, path.rfind('/') + 1)) + std::string(location);
  }
  return url;
}

}  // namespace

std::string Url::Authority() const {
  const bool v6 = host.find(':') != std::string::npos;
  std::string out = v6 ? "[" + host + "]" : host;
  if (port != (secure ? 443 : 80)) out.append(":").append(std::to_string(port));
  return out;
}

std::string Url::Text() const { return (secure ? "https://" : "http://") + Authority() + target; }

Result<Url> ParseUrl(std::string_view text) {
  if (SchemeOf(text).empty()) return Error{Code::kMalformed, "URL has no scheme"};
  auto url = Resolve({}, text);
  if (!url.ok()) return Error{Code::kMalformed, "URL " + url.error().detail};
  return url;
}

Result<Url> ResolveRedirect(const Url& base, std::string_view location) {
  auto url = Resolve(base, location);
  if (!url.ok()) {
    return Error{Code::kIncorrectResponse, "redirect target " + url.error().detail};
  }
  return url;
}

}  // namespace agentca::acme
