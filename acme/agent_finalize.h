// Finalizing the order of an agent: what its certificate says, and what is looked at again between
// the evidence and the signature, and after it.
#pragma once

#include "acme/finalize.h"
#include "ca/csr.h"

namespace agentca::acme {

// Does the order name an agent? Its authorization then has a drop key; a name of the zone that was
// ordered before there was one is nobody's.
bool IsForAgent(const Context& context, const OrderView& view);

// Profile, request, guard, and the question to a human where the class needs one: `csr_der` is what
// they agree to. Reads
// the registration of today: kUnauthorized when what was proven does not suffice for it; kBadCsr
// when the CSR has another key than the attested one.
Result<Issuable> IssuableForAgent(const Context& context, const OrderView& view, const ca::Csr& csr,
                                  const Bytes& csr_der, Time now);

// A suspension may have raced the signature: then the certificate is revoked, now or as soon as
// registry and store are back.
void RecheckAgent(Context& context, const OrderView& view, const ca::Serial& serial, Time now);
// The same, and drift is noted.
void FollowUp(Context& context, const OrderView& view, const ca::Certificate& certificate,
              Time now);

}  // namespace agentca::acme
