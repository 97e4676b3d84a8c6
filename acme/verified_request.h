// The only form in which handlers see a POST: signature, URL, nonce and account were checked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "acme/accounts.h"
#include "acme/http/message.h"
#include "acme/json.h"
#include "acme/jws.h"
#include "acme/links.h"
#include "acme/nonce.h"

namespace agentca::acme {

enum class KeyRule : uint8_t { kJwk, kKid, kEither };  // RFC 8555 §6.2

class VerifiedRequest {
 public:
  const http::Request& http() const { return *http_; }
  Time now() const { return now_; }
  const std::string& url() const { return jws_.url; }
  bool has_account() const { return account_ != nullptr; }
  const Account& account() const { return *account_; }  // kKid; with kEither ask has_account
  const ca::PublicKey& key() const { return account_ ? account_->key : *jws_.jwk; }
  // The path's variable parts, in order.
  const std::string& id(size_t index) const { return ids_.at(index); }

  bool is_post_as_get() const { return jws_.payload.empty(); }  // §6.3
  std::string_view payload() const { return jws_.payload; }
  Result<JsonDocument> ParsePayload() const;  // kMalformed unless a JSON object

 private:
  friend class Authenticator;
  VerifiedRequest(const http::Request& http, Time now, Jws jws)
      : http_(&http), now_(now), jws_(std::move(jws)) {}
  const http::Request* http_;
  Time now_;
  Jws jws_;
  std::shared_ptr<const Account> account_;
  std::vector<std::string> ids_;
};

// Thread-safe. Checks in this order: content type, form, algorithm, key or kid, URL, signature;
// then spends the nonce; then asks whether the account is valid. Whoever cannot sign spends
// nothing.
class Authenticator {
 public:
  Authenticator(Accounts& accounts, NonceBook& nonces, const Links& links)
      : accounts_(accounts), nonces_(nonces), links_(links) {}
  // `ids`: the path's variable parts.
  Result<VerifiedRequest> Authenticate(const http::Request& request, KeyRule rule,
                                       std::vector<std::string> ids, Time now) const;
  // The same with the request's body parsed.
  Result<VerifiedRequest> Authenticate(const http::Request& request, Jws jws, KeyRule rule,
                                       std::vector<std::string> ids, Time now) const;

 private:
  Result<std::shared_ptr<const Account>> FindAccount(const std::string& kid, Time now) const;
  Status VerifySignature(VerifiedRequest& request) const;
  Accounts& accounts_;
  NonceBook& nonces_;
  const Links& links_;
};

}  // namespace agentca::acme
