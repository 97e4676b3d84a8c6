#include "acme/key_change.h"

#include "acme/account.h"
#include "acme/jws.h"

namespace agentca::acme {
namespace {

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

// The numbered checks of §7.3.5 that concern the inner JWS.
Result<ca::PublicKey> CheckInner(const Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const Jws inner, Jws::Parse(request.payload()));
  if (!inner.jwk) return Malformed("the inner JWS needs \"jwk\", the new key");
  AGENTCA_TRY(inner.Verify(*inner.jwk));
  if (inner.nonce) return Malformed("the inner JWS must not have a nonce");
  if (inner.url != request.url()) return Malformed("the \"url\" of both JWS must be equal");

  AGENTCA_ASSIGN(const JsonDocument payload, JsonDocument::Parse(inner.payload));
  if (!payload.root().is_object()) return Malformed("the inner payload must be a JSON object");
  AGENTCA_ASSIGN(const std::string account, payload.root().String("account"));
  if (account != context.links.Account(request.account().id)) {
    return Malformed("\"account\" is not the account of the outer JWS");
  }
  const auto old_jwk = payload.root().Find("oldKey");
  if (!old_jwk) return Malformed("member \"oldKey\" is missing");
  AGENTCA_ASSIGN(const ca::PublicKey old_key, ParseJwk(*old_jwk));
  if (!(old_key == request.account().key)) {
    return Malformed("\"oldKey\" is not the key of the account");
  }
  return *inner.jwk;
}

}  // namespace

Result<http::Response> HandleKeyChange(Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const ca::PublicKey new_key, CheckInner(context, request));
  const Account& account = request.account();
  const std::string thumbprint = Thumbprint(new_key);
  if (thumbprint == account.thumbprint) {
    return Error{Code::kAccountKeyInUse, "the new key is the present one", account.id};
  }
  AGENTCA_TRY(CheckNoCertificateKey(context, new_key));
  AGENTCA_TRY(context.memory.store.ChangeKey(account.id, account.thumbprint, new_key, thumbprint));
  context.accounts.Forget(account.id);
  AGENTCA_TRY(context.memory.audit.Append("account-key-changed",
                                          {{"account", account.id},
                                           {"old_thumbprint", account.thumbprint},
                                           {"new_thumbprint", thumbprint}},
                                          request.now()));
  return AccountResponse(context, account);
}

}  // namespace agentca::acme
