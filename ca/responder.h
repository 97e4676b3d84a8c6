// The OCSP responder: status → signed, cached answer.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "ca/certificate_store.h"
#include "ca/ocsp.h"

namespace agentca::ca {

struct OcspAnswer {
  Bytes der;
  bool successful = false;  // has the fields below; otherwise an error response, not cacheable
  bool cacheable = false;   // no nonce, one CertID
  Time this_update{};
  Time next_update{};
  std::string etag;  // strong, in quotes: hash of der
};

struct OcspSchedule {
  Seconds lifetime{12 * 3600};  // nextUpdate − thisUpdate; re-signed at half-life
  size_t max_cached = 200'000;  // answers; the least recently used go first
  // Answers a second that serve one request only, for its nonce or its several CertIDs, so that
  // strangers cannot keep the signer busy. Beyond, a nonce is ignored, as whoever produces answers
  // in advance always does (RFC 9654 §2.1 allows it for lengths other than 16 to 32 only: a
  // deviation), and several CertIDs get tryLater.
  uint32_t fresh_per_second = 100;
};

// A key and the certificate that lets it answer for one issuer. Replaced as a whole on renewal.
struct OcspDelegate {
  Certificate certificate;
  std::shared_ptr<Signer> signer;
};

// Thread-safe.
class Responder {
 public:
  Responder(CertificateStore& store, const Clock& clock, OcspSchedule schedule);
  ~Responder();
  // Serves `issuer` with `delegate`; called again to replace the delegate (drops cached answers).
  void Serve(const Certificate& issuer, const IssuerId& id, OcspDelegate delegate);

  // The answer to these exact request octets if it is cached and fresh, without parsing, without
  // I/O and without waiting: safe on an I/O thread. Null otherwise.
  std::shared_ptr<const OcspAnswer> Cached(ByteView request) const;
  // The full way: parse, look up, sign, cache. May block on store and signer. Never null.
  // Unknown issuer or never-issued serial → unauthorized; store or signer away → tryLater, or the
  // last answer as long as it has not expired (for requests that are cached).
  std::shared_ptr<const OcspAnswer> Answer(ByteView request);
  // Call for every revocation, also those learned from RevocationsSince.
  // No answer whose status was read before it is kept after it.
  void Evict(const IssuerId&, const Serial&);
  // The same for every serial: when revocations may have been missed.
  void EvictAll();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace agentca::ca
