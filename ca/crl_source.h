// The CRL of one issuer that is served now, whoever signed it: ca/crl_publisher.h makes lists,
// ca/crl_follower.h takes those that another node made.
#pragma once

#include <memory>

#include "ca/base/bytes.h"
#include "ca/crl.h"

namespace agentca::ca {

struct PublishedCrl {
  Bytes der;
  CrlSummary summary;
};

// Thread-safe.
class CrlSource {
 public:
  virtual ~CrlSource() = default;
  // Null before the first.
  virtual std::shared_ptr<const PublishedCrl> current() const = 0;
};

}  // namespace agentca::ca
