#include "acme/verified_request.h"

#include <algorithm>

namespace agentca::acme {
namespace {

constexpr std::string_view kMediaType = "application/jose+json";

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

bool IsJoseJson(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return http::EqualNames(type, kMediaType);
}

Status CheckContentType(const http::Request& request) {
  if (IsJoseJson(request.Header("Content-Type"))) return {};
  return Error{Code::kUnsupportedMediaType, "Content-Type must be " + std::string(kMediaType)};
}

Status CheckRule(const Jws& jws, KeyRule rule) {
  if (rule == KeyRule::kJwk && !jws.jwk) return Malformed("this resource needs \"jwk\"");
  if (rule == KeyRule::kKid && !jws.kid) {
    return Malformed("this resource needs \"kid\", the URL of the account");
  }
  return {};
}

}  // namespace

Result<JsonDocument> VerifiedRequest::ParsePayload() const {
  AGENTCA_ASSIGN(JsonDocument document, JsonDocument::Parse(payload()));
  if (!document.root().is_object()) return Malformed("payload must be a JSON object");
  return document;
}

Result<std::shared_ptr<const Account>> Authenticator::FindAccount(const std::string& kid,
                                                                  Time now) const {
  const Error unknown{Code::kAccountDoesNotExist, "\"kid\" is not the URL of an account here"};
  const std::string prefix = links_.Account("");
  if (!kid.starts_with(prefix)) return unknown;
  auto account = accounts_.Find(kid.substr(prefix.size()), now);
  if (!account.ok() && account.error().code == Code::kNotFound) return unknown;
  return account;
}

// Another node may have changed the key of an account that is remembered here: its owner, who was
// told so, is judged by the store.
Status Authenticator::VerifySignature(VerifiedRequest& request) const {
  Status verified = request.jws_.Verify(request.key());
  if (verified.ok() || !request.account_) return verified;
  AGENTCA_ASSIGN(const auto account, accounts_.FindAnew(request.account_->id, request.now()));
  if (account->key == request.account_->key) return verified;
  request.account_ = account;
  return request.jws_.Verify(request.key());
}

Result<VerifiedRequest> Authenticator::Authenticate(const http::Request& request, KeyRule rule,
                                                    std::vector<std::string> ids, Time now) const {
  AGENTCA_TRY(CheckContentType(request));
  AGENTCA_ASSIGN(Jws jws, Jws::Parse(request.body));
  return Authenticate(request, std::move(jws), rule, std::move(ids), now);
}

Result<VerifiedRequest> Authenticator::Authenticate(const http::Request& request, Jws jws,
                                                    KeyRule rule, std::vector<std::string> ids,
                                                    Time now) const {
  AGENTCA_TRY(CheckContentType(request));
  AGENTCA_TRY(CheckRule(jws, rule));

  // §6.4: the same string, not an equivalent URL; ours is made from the configured base, so that a
  // proxy's rewriting and a forged Host change nothing.
  const std::string expected =
      links_.base() + request.path + (request.query.empty() ? "" : "?" + request.query);
  if (jws.url != expected) {
    return Error{Code::kUnauthorized, "\"url\" is not the URL of this request"};
  }

  VerifiedRequest verified(request, now, std::move(jws));
  if (verified.jws_.kid) {
    AGENTCA_ASSIGN(verified.account_, FindAccount(*verified.jws_.kid, now));
  }
  AGENTCA_TRY(VerifySignature(verified));
  if (!verified.jws_.nonce) return Error{Code::kBadNonce, "JWS has no nonce"};
  AGENTCA_TRY(nonces_.Spend(*verified.jws_.nonce, now));
  if (verified.account_ && verified.account_->status != AccountStatus::kValid) {
    return Error{Code::kAccountInactive, "the account is not valid any more"};  // §7.3.6
  }
  verified.ids_ = std::move(ids);
  return verified;
}

}  // namespace agentca::acme
