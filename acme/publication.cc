#include "acme/publication.h"

#include <algorithm>

#include "acme/ocsp_path.h"

namespace agentca::acme {
namespace {

using http::Request;
using http::Response;

constexpr std::string_view kOcspPath = "/ocsp";
constexpr Seconds kMaxAge{300};  // a cache must not hide a revocation for long
constexpr std::string_view kUnchanging = "public, max-age=86400";

bool IsRead(const Request& request) { return request.method == "GET" || request.method == "HEAD"; }

Response NotAllowed(std::string allowed) {
  return PlainResponse(405, "method not allowed").With("Allow", std::move(allowed));
}

// RFC 9110 §13.1.2: weak comparison against each member of the list.
bool Matches(std::string_view if_none_match, std::string_view etag) {
  while (!if_none_match.empty()) {
    const size_t comma = if_none_match.find(',');
    auto member = if_none_match.substr(0, comma);
    if_none_match.remove_prefix(comma == std::string_view::npos ? if_none_match.size() : comma + 1);
    const size_t first = member.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    member = member.substr(first, member.find_last_not_of(" \t") - first + 1);
    if (member == "*") return true;
    if (member.starts_with("W/")) member.remove_prefix(2);
    if (member == etag) return true;
  }
  return false;
}

// RFC 9110 §15.4.5: a 304 repeats the fields that a 200 would have had, without content.
Response Conditional(const Request& request, Response response, std::string_view etag) {
  if (!IsRead(request) || !Matches(request.Header("If-None-Match"), etag)) return response;
  response.status = 304;
  response.shared_body = nullptr;
  return response;
}

std::string MaxAge(Seconds age) {
  return "max-age=" + std::to_string(std::max<Seconds::rep>(age.count(), 0));
}

bool IsOcspRequestType(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  const size_t last = content_type.find_last_not_of(" \t");
  return http::EqualNames(content_type.substr(0, last + 1), "application/ocsp-request");
}

// What an OCSP request over HTTP comes to: the octets of the request, or the answer to a wrong one.
struct OcspInput {
  Bytes from_path;
  std::optional<Response> refusal;
  ByteView request;
};

bool IsOcsp(std::string_view path) {
  return path == kOcspPath ||
         (path.starts_with(kOcspPath) && path.substr(kOcspPath.size()).starts_with('/'));
}

void ReadOcspPost(const Request& request, OcspInput& input) {
  const auto rest = std::string_view(request.path).substr(kOcspPath.size());
  if (!rest.empty() && rest != "/") {
    input.refusal = NotAllowed("GET, HEAD");
  } else if (!IsOcspRequestType(request.Header("Content-Type"))) {
    input.refusal = PlainResponse(415, "the content type must be application/ocsp-request");
  } else if (request.body.size() > ca::kMaxOcspRequestSize) {
    input.refusal = PlainResponse(413, "the OCSP request is too large");
  } else {
    input.request = AsBytes(request.body);
  }
}

void ReadOcspGet(const Request& request, OcspInput& input) {
  if (request.path.size() <= kOcspPath.size() + 1) {
    input.refusal = NotAllowed("POST");
    return;
  }
  auto decoded = OcspRequestFromPath(std::string_view(request.path).substr(kOcspPath.size() + 1));
  if (!decoded.ok()) {
    const bool large = decoded.error().code == Code::kPayloadTooLarge;
    input.refusal = PlainResponse(large ? 413 : 400, decoded.error().detail);
    return;
  }
  input.from_path = *std::move(decoded);
  input.request = input.from_path;
}

void ReadOcsp(const Request& request, OcspInput& input) {
  if (request.method == "POST") {
    ReadOcspPost(request, input);
  } else if (IsRead(request)) {
    ReadOcspGet(request, input);
  } else {
    input.refusal = NotAllowed("GET, HEAD, POST");
  }
}

}  // namespace

Publication::Publication(Parts parts)
    : parts_(std::move(parts)),
      malformed_request_(ca::OcspErrorResponse(ca::OcspErrorStatus::kMalformedRequest)) {
  documents_["/root.pem"] = MakeDocument("application/x-pem-file", AsBytes(parts_.root_pem));
  for (const auto& [id, der] : parts_.issuers)
    documents_["/issuer/" + id + ".der"] = MakeDocument("application/pkix-cert", der);
  for (const auto& [id, source] : parts_.crls) crls_["/crl/" + id + ".crl"] = source;
}

Publication::~Publication() = default;

Publication::Document Publication::MakeDocument(std::string content_type, ByteView content) {
  const auto digest = Sha256(content);
  return {std::move(content_type), std::make_shared<const Bytes>(content.begin(), content.end()),
          "\"" + ToHex(ByteView(digest).first(16)) + "\""};
}

Response Publication::Handle(const Request& request) {
  if (auto response = FromMemory(request)) return *std::move(response);
  if (auto response = parts_.health.Handle(request)) return *std::move(response);
  OcspInput input;
  ReadOcsp(request, input);
  return ServeOcsp(request, parts_.responder.Answer(input.request));
}

std::optional<Response> Publication::HandleFast(const Request& request) {
  return FromMemory(request);
}

Response Publication::Refuse(int status, std::string_view detail) { return PlainResponse(status, detail); }

std::optional<Response> Publication::FromMemory(const Request& request) {
  if (IsOcsp(request.path)) {
    OcspInput input;
    ReadOcsp(request, input);
    if (input.refusal) return input.refusal;
    const auto answer = parts_.responder.Cached(input.request);
    if (!answer) return std::nullopt;
    return ServeOcsp(request, answer);
  }
  if (Health::Knows(request.path)) return parts_.health.HandleFast(request);
  const auto document = documents_.find(request.path);
  const auto crl = crls_.find(request.path);
  if (document == documents_.end() && crl == crls_.end()) return PlainResponse(404, "not found");
  if (!IsRead(request)) return NotAllowed("GET, HEAD");
  if (document != documents_.end()) return Serve(request, document->second);
  return ServeCrl(request, *crl->second);
}

Response Publication::Serve(const Request& request, const Document& document) const {
  Response response;
  response.shared_body = document.content;
  response.With("Content-Type", document.content_type)
      .With("ETag", document.etag)
      .With("Cache-Control", std::string(kUnchanging));
  return Conditional(request, std::move(response), document.etag);
}

Response Publication::ServeCrl(const Request& request, const ca::CrlSource& source) const {
  const auto crl = source.current();
  if (!crl) return PlainResponse(503, "no CRL was published yet").With("Retry-After", "1");
  const auto& summary = crl->summary;
  // The CRL number never repeats (RFC 5280 §5.2.3), so it names these octets without hashing them.
  const std::string etag = "\"crl-" + std::to_string(summary.number) + "-" +
                           std::to_string(summary.this_update.time_since_epoch().count()) + "\"";
  const Seconds left = summary.next_update - parts_.clock.Now();
  Response response;
  response.shared_body = std::shared_ptr<const Bytes>(crl, &crl->der);
  response.With("Content-Type", "application/pkix-crl")
      .With("ETag", etag)
      .With("Last-Modified", ToHttpDate(summary.this_update))
      .With("Expires", ToHttpDate(summary.next_update))
      .With("Cache-Control", MaxAge(std::min(left, kMaxAge)) + ", public, no-transform");
  return Conditional(request, std::move(response), etag);
}

// RFC 9919 §6.2 for the headers of cacheable answers; others must not be kept anywhere. Expires is
// nextUpdate as it asks, but max-age, which wins (RFC 9111 §5.3), is shorter: with it a shared
// cache would say "good" until nextUpdate of what was revoked meanwhile.
Response Publication::ServeOcsp(const Request& request,
                                const std::shared_ptr<const ca::OcspAnswer>& answer) const {
  Response response;
  response.shared_body = std::shared_ptr<const Bytes>(answer, &answer->der);
  response.With("Content-Type", "application/ocsp-response");
  if (!answer->successful || !answer->cacheable) {
    if (answer->der == malformed_request_) response.status = 400;
    return response.With("Cache-Control", "max-age=0, no-cache, no-store");
  }
  const Seconds left = answer->next_update - parts_.clock.Now();
  response.With("ETag", answer->etag)
      .With("Last-Modified", ToHttpDate(answer->this_update))
      .With("Expires", ToHttpDate(answer->next_update))
      .With("Cache-Control",
            MaxAge(std::min(left, kMaxAge)) + ", public, no-transform, must-revalidate");
  return Conditional(request, std::move(response), answer->etag);
}

}  // namespace agentca::acme
