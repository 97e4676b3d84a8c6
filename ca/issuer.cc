#include "ca/issuer.h"

#include <algorithm>

#include "ca/lint.h"
#include "ca/openssl.h"
#include "ca/signed_object.h"

namespace agentca::ca {
namespace {

Error Broken(std::string why) { return {Code::kInternal, std::move(why)}; }

// RFC 5280 §4.2.1.9, §4.2.1.3, §4.2.1.2: may this certificate issue, and under which identifier?
Status CheckIssuingCertificate(const Certificate& certificate, const IssuerInfo& info) {
  const openssl::ErrorScope errors;
  const auto x509 = openssl::Decode<openssl::X509Ptr>(d2i_X509, certificate.der);
  if (!x509) return Broken("issuing certificate is not one DER Certificate");
  if (X509_check_ca(x509.get()) != 1) return Broken("issuing certificate is not of a CA");
  if ((X509_get_key_usage(x509.get()) & KU_KEY_CERT_SIGN) == 0)
    return Broken("issuing certificate lacks keyCertSign");
  const ASN1_OCTET_STRING* const identifier = X509_get0_subject_key_id(x509.get());
  if (identifier == nullptr) return Broken("issuing certificate has no subject key identifier");
  const unsigned char* const octets = ASN1_STRING_get0_data(identifier);
  const ByteView found(octets, static_cast<size_t>(ASN1_STRING_length(identifier)));
  if (!std::equal(found.begin(), found.end(), info.key_identifier.begin(),
                  info.key_identifier.end()))
    return Broken("issuer information has another key identifier than the issuing certificate");
  return {};
}

}  // namespace

Ticket::Ticket(const Issuer* maker, IssuerId issuer_id, Serial serial)
    : maker_(maker), issuer_id_(std::move(issuer_id)), serial_(std::move(serial)) {}

Ticket::Ticket(Ticket&& other) noexcept
    : maker_(std::exchange(other.maker_, nullptr)),
      issuer_id_(std::move(other.issuer_id_)),
      serial_(std::move(other.serial_)),
      tbs_(std::exchange(other.tbs_, {})),
      key_(other.key_),
      reference_(std::move(other.reference_)),
      owner_(std::move(other.owner_)),
      profile_(std::move(other.profile_)),
      dns_names_(std::move(other.dns_names_)),
      not_after_(other.not_after_) {}

Ticket& Ticket::operator=(Ticket&& other) noexcept {
  if (this == &other) return *this;
  maker_ = std::exchange(other.maker_, nullptr);
  issuer_id_ = std::move(other.issuer_id_);
  serial_ = std::move(other.serial_);
  tbs_ = std::exchange(other.tbs_, {});
  key_ = other.key_;
  reference_ = std::move(other.reference_);
  owner_ = std::move(other.owner_);
  profile_ = std::move(other.profile_);
  dns_names_ = std::move(other.dns_names_);
  not_after_ = other.not_after_;
  return *this;
}

Issuer::Issuer(Certificate certificate, IssuerInfo info, std::unique_ptr<Signer> signer)
    : certificate_(std::move(certificate)), info_(std::move(info)), signer_(std::move(signer)) {}

Result<std::unique_ptr<Issuer>> Issuer::Make(Certificate certificate, IssuerInfo info,
                                             std::unique_ptr<Signer> signer) {
  if (!(signer->public_key() == certificate.key))
    return Broken("signer holds another key than the issuing certificate");
  if (signer->algorithm() != info.algorithm)
    return Broken("signer signs with another algorithm than the issuer information says");
  if (info.id != IssuerIdOf(certificate.key) || info.subject != certificate.subject)
    return Broken("issuer information does not belong to the issuing certificate");
  AGENTCA_TRY(CheckIssuingCertificate(certificate, info));
  return std::unique_ptr<Issuer>(
      new Issuer(std::move(certificate), std::move(info), std::move(signer)));
}

Result<Ticket> Issuer::Prepare(const Profile& profile, const CertificateRequest& request,
                               const Serial& serial, Time now) const {
  // RFC 5280 §6.1 needs every certificate of a path to be valid: nothing may outlive its issuer.
  if (now < certificate_.not_before || now >= certificate_.not_after)
    return Broken("issuing certificate is not valid now");
  CertificateRequest meant = request;
  AGENTCA_ASSIGN(const Validity wanted, ChooseValidity(profile, request, now));
  if (wanted.not_after > certificate_.not_after) {
    if (request.not_after)
      return Error{Code::kMalformed, "notAfter is beyond the end of the issuing certificate"};
    meant.not_after = certificate_.not_after;
  }
  AGENTCA_ASSIGN(Bytes tbs, BuildTbsCertificate(profile, info_, meant, serial, now));
  if (const auto findings = LintTbsCertificate(tbs, profile, info_, meant); !findings.empty())
    return Broken("refused by lint: " + findings.front());
  Ticket ticket(this, info_.id, serial);
  ticket.tbs_ = std::move(tbs);
  ticket.key_ = request.key.spki_sha256();
  ticket.reference_ = request.reference;
  ticket.owner_ = request.owner;
  ticket.profile_ = profile.name();
  ticket.dns_names_ = request.dns_names;
  ticket.not_after_ = meant.not_after.value_or(wanted.not_after);
  return ticket;
}

Result<Certificate> Issuer::Issue(Ticket ticket) const {
  if (ticket.spent()) return Broken("the ticket is spent");
  if (ticket.maker_ != this) return Broken("the ticket was made by another issuer");
  AGENTCA_ASSIGN(const Bytes der, MakeSigned(ticket.tbs(), *signer_));
  return Certificate::Parse(der);
}

}  // namespace agentca::ca
