// What one node makes and all of them publish: CRLs, whose version is the CRL number, and the
// certificate of the OCSP responder.
#pragma once

#include <string>
#include <string_view>

#include "ca/base/bytes.h"
#include "ca/base/result.h"

namespace agentca::ca {

// Names of documents, and of the duties to make them. `issuer`: its id.
inline std::string CrlNameOf(std::string_view issuer) { return "crl/" + std::string(issuer); }
inline std::string OcspNameOf(std::string_view issuer) { return "ocsp/" + std::string(issuer); }

struct SharedDocument {
  int64_t version = 0;  // positive
  Bytes content;
};

// Thread-safe; each call is one durable transaction. Readers trust nothing: they check a document
// before they publish it, as if a stranger had handed it to them.
class SharedDocuments {
 public:
  virtual ~SharedDocuments() = default;
  // Puts `next` in the place of version `replaces`, 0 when there is none yet. kConflict when
  // another version is there, or when the next is not higher. So what a document was made from, if
  // it was read after `replaces` was seen, is never older than what its predecessor was made from.
  virtual Status Put(std::string_view name, int64_t replaces, const SharedDocument& next) = 0;
  virtual Result<SharedDocument> Get(std::string_view name) = 0;  // kNotFound
  virtual Result<int64_t> VersionOf(std::string_view name) = 0;   // 0: there is none
};

}  // namespace agentca::ca
