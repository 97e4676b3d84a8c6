// Finalizing an order (RFC 8555 §7.4): from a CSR to a certificate, or to an order that says why
// not.
#pragma once

#include "acme/context.h"
#include "acme/http/message.h"
#include "acme/verified_request.h"

namespace agentca::acme {

// What an order leads to once it may.
struct Issuable {
  const ca::Profile* profile;
  ca::CertificateRequest request;
  FinalizeGuard guard;
  std::optional<Approval> approval;  // to be asked for before anything is prepared
};

// Whatever is wrong with the request leaves the order ready. Once BeginFinalize has recorded the
// intent the order settles: valid with a certificate, or invalid with an error; an order that a
// human must agree to stays processing, without intent, until one decides.
Result<http::Response> HandleFinalize(Context& context, const VerifiedRequest& request);

// May SettleDecided be tried? kNotFound: no such order, or it asks for nobody's approval;
// kConflict: nobody has decided, or the order is settled.
Status CheckDecided(Context& context, const OrderId& id);
// An order that a human has decided: issued, after all that finalize looks at was looked at again,
// or failed; and one that expired while it waited fails. kUnavailable: store or key are away,
// nothing has happened, try again. kConflict: it waits. Otherwise the order is settled, or being
// so.
Status SettleDecided(Context& context, const OrderId& id, Time now);

}  // namespace agentca::acme
