// The certificates that this CA issues to itself: the OCSP delegate, the server's TLS identity and
// that of the first administrator.
// Used by `init` for the first and by `serve` for every later one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acme/cli/config.h"
#include "acme/cli/directory.h"
#include "acme/cli/pem.h"
#include "ca/issuance.h"
#include "ca/profile.h"

namespace agentca::cli {

// What the TLS certificate must be valid for: the dns-names, localhost, both loopback addresses and
// the addresses that acme-listen and admin-listen name. What name constraints exclude is left out:
// relying parties would refuse the whole certificate.
struct TlsNames {
  static TlsNames Of(const Config& config, const ca::Profile& issuing);
  std::vector<std::string> dns_names;  // sorted
  std::vector<Bytes> ip_addresses;     // sorted
};
// Whether `name` is under one of the permitted suffixes; true when there are none.
bool IsPermitted(const std::string& name, const std::vector<std::string>& permitted);

// Whether certificates below the issuing CA may hold IP addresses (ca/profile.h, permitted_dns).
bool PermitsIpAddresses(const ca::Profile& issuing);

class OwnCertificates {
 public:
  // Reads the profiles "ocsp-delegate", "tls-server", "admin" and "issuing" of DIR. References must
  // outlive it.
  static Result<OwnCertificates> Make(const Config& config, const ca::Issuance& issuance);

  // A certificate for the delegate's key, in DIR/ca/ocsp.pem.
  Result<ca::Certificate> IssueOcspDelegate(const ca::PublicKey& key, Time now) const;
  // A new key and certificate in DIR/tls.
  Result<ca::Certificate> IssueTlsIdentity(Time now) const;

  // A new key and certificate in DIR/admin, of role admin and name "init".
  Result<ca::Certificate> IssueAdmin(Time now) const;

  // What is on disk when it is sound and more than a third of its life remains; nullopt otherwise.
  std::optional<ca::Certificate> CurrentOcspDelegate(const ca::PublicKey& key, Time now) const;
  std::optional<ca::Certificate> CurrentTlsIdentity(Time now) const;
  std::optional<ca::Certificate> CurrentAdmin(Time now) const;
  // Of this issuer, and more than a third of its life remains.
  bool IsFresh(const ca::Certificate& certificate, Time now) const;
  // Whether there is a DIR/admin/admin.pem at all: an operator who removes it wants none.
  bool KeepsAdmin() const;

 private:
  struct Profiles {
    ca::Profile ocsp, tls, admin;
  };
  OwnCertificates(const Config& config, const ca::Issuance& issuance, TlsNames names,
                  Profiles profiles);
  Status WritePair(const TlsKey& key, const ca::Certificate& certificate,
                   const std::filesystem::path& key_file,
                   const std::filesystem::path& chain_file) const;
  Directory directory_;
  const ca::Issuance& issuance_;
  std::string trust_domain_;
  TlsNames names_;
  Profiles profiles_;
};

}  // namespace agentca::cli
