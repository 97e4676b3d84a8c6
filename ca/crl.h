// Certificate revocation lists (RFC 5280 §5): a streaming writer of TBSCertList.
#pragma once

#include <cstdint>

#include "ca/base/bytes.h"
#include "ca/base/clock.h"
#include "ca/certificate_store.h"

namespace agentca::ca {

// Collects entries as DER and then writes the whole list with one allocation of its final size.
class CrlBuilder {
 public:
  // RFC 5280 §5.3: reason code (never unspecified) per entry; dates as RevokedEntry says.
  void Add(const RevokedEntry& entry);
  size_t size() const { return count_; }  // entries
  // TBSCertList with AKI and CRL number (§5.2.1, §5.2.3); revokedCertificates absent when empty.
  Bytes Finish(const IssuerInfo& issuer, uint64_t number, Time this_update, Time next_update) &&;

 private:
  Bytes entries_;
  size_t count_ = 0;
};

// What a relying party reads in a CRL; parsed by OpenSSL.
struct CrlSummary {
  uint64_t number;
  Time this_update;
  Time next_update;
  size_t entries;
};
Result<CrlSummary> ParseCrl(ByteView der, const PublicKey& issuer_key);  // verifies the signature

}  // namespace agentca::ca
