// newAccount and account URLs (RFC 8555 §7.3).
#pragma once

#include "acme/context.h"
#include "acme/http/message.h"
#include "acme/verified_request.h"

namespace agentca::acme {

Result<http::Response> HandleNewAccount(Context& context, const VerifiedRequest& request);
// POST-as-GET, update of contacts, deactivation (§7.3.2, §7.3.6).
Result<http::Response> HandleAccount(Context& context, const VerifiedRequest& request);

// §11.1: may this key become an account's? kBadPublicKey when it is or was a certificate's, so that
// nothing signed as an account can be taken for something signed as a certificate's holder; above
// all when it was revoked as compromised.
Status CheckNoCertificateKey(Context& context, const ca::PublicKey& key);

// 200 with the account object and its Location.
http::Response AccountResponse(const Context& context, const Account& account);

// §7.3: "mailto:" with one address and no header fields. kUnsupportedContact, kInvalidContact.
Status CheckContact(std::string_view contact);

}  // namespace agentca::acme
