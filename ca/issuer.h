// Issuance as a line: Prepare → Ticket → (recorded) → Issue. A Ticket proves that these exact bytes
// passed profile and lints; only an Issuer makes one, and it can be spent once, at that Issuer.
#pragma once

#include <string>

#include "ca/certificate.h"
#include "ca/profile.h"
#include "ca/signer.h"

namespace agentca::ca {

class Issuer;

class Ticket {  // move-only; empty once moved from or spent
 public:
  Ticket(Ticket&& other) noexcept;
  Ticket& operator=(Ticket&& other) noexcept;
  const IssuerId& issuer_id() const { return issuer_id_; }
  const Serial& serial() const { return serial_; }
  const Bytes& tbs() const { return tbs_; }
  const Sha256Digest& key() const { return key_; }  // PublicKey::spki_sha256
  const std::string& reference() const { return reference_; }
  const std::string& owner() const { return owner_; }
  const std::string& profile() const { return profile_; }
  const std::vector<std::string>& dns_names() const { return dns_names_; }
  Time not_after() const { return not_after_; }
  bool spent() const { return tbs_.empty(); }

 private:
  friend class Issuer;
  Ticket(const Issuer* maker, IssuerId issuer_id, Serial serial);
  const Issuer* maker_;
  IssuerId issuer_id_;
  Serial serial_;
  Bytes tbs_;
  Sha256Digest key_{};
  std::string reference_, owner_, profile_;
  std::vector<std::string> dns_names_;
  Time not_after_{};
};

// Thread-safe. Neither copied nor moved: tickets are bound to its address.
class Issuer {
 public:
  // `certificate` is the issuing certificate. kInternal when `signer` holds another key.
  static Result<std::unique_ptr<Issuer>> Make(Certificate certificate, IssuerInfo info,
                                              std::unique_ptr<Signer> signer);
  Issuer(const Issuer&) = delete;
  Issuer& operator=(const Issuer&) = delete;

  const IssuerId& id() const { return info_.id; }
  const IssuerInfo& info() const { return info_; }
  const Certificate& certificate() const { return certificate_; }
  Signer& signer() const { return *signer_; }  // for CRLs

  // Builds and lints; signs nothing. Errors as BuildTbsCertificate's; kInternal names the finding.
  Result<Ticket> Prepare(const Profile&, const CertificateRequest&, const Serial&, Time now) const;
  // Signs the ticket's bytes and verifies the result. Call it only after RecordIntent succeeded.
  // A serial whose Issue failed is abandoned: never prepare it again.
  Result<Certificate> Issue(Ticket ticket) const;

 private:
  Issuer(Certificate certificate, IssuerInfo info, std::unique_ptr<Signer> signer);
  Certificate certificate_;
  IssuerInfo info_;
  std::unique_ptr<Signer> signer_;
};

}  // namespace agentca::ca
