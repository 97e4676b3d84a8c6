#include "acme/revocation.h"

#include <algorithm>
#include <array>

#include "acme/identifier.h"

namespace agentca::acme {
namespace {

// §7.6: "The server MAY disallow a subset of reasonCodes from being used by the user". Those that
// speak of the CA, of attribute authorities, or of a revocation that can be taken back.
constexpr std::array kAllowedReasons{
    ca::Reason::kUnspecified, ca::Reason::kKeyCompromise,        ca::Reason::kAffiliationChanged,
    ca::Reason::kSuperseded,  ca::Reason::kCessationOfOperation, ca::Reason::kPrivilegeWithdrawn};

Result<ca::Reason> ParseReason(const JsonValue& payload) {
  const auto member = payload.Find("reason");
  if (!member) return ca::Reason::kUnspecified;
  const Error refused{Code::kBadRevocationReason,
                      "the reasons allowed are 0, 1, 3, 4, 5 and 9 of RFC 5280"};
  const auto number = member->AsInt();
  if (!number) return refused;
  const auto reason = ca::ReasonFromInt(*number);
  if (!reason.ok() ||
      std::find(kAllowedReasons.begin(), kAllowedReasons.end(), *reason) == kAllowedReasons.end()) {
    return refused;
  }
  return *reason;
}

Result<ca::CertificateRecord> FindIssued(Context& context, const ca::Certificate& certificate) {
  const Error foreign{Code::kNotFound, "this CA did not issue this certificate"};
  auto record = context.memory.certificates.Find(context.authority.issuance.issuer().id(),
                                                 certificate.serial);
  if (!record.ok() && record.error().code == Code::kNotFound) return foreign;
  // The octets, not the serial: somebody else's certificate can carry any serial.
  if (record.ok() && record->der != certificate.der) return foreign;
  return record;
}

std::vector<Identifier> IdentifiersOf(const ca::Certificate& certificate) {
  std::vector<Identifier> all;
  for (const std::string& name : certificate.dns_names) {
    all.push_back({Identifier::Type::kDns, name});
  }
  for (const Bytes& address : certificate.ip_addresses) {
    all.push_back({Identifier::Type::kIp, AddressText(address)});
  }
  return all;
}

struct Requester {
  std::string name;  // in words for the audit log
  bool had_key;      // showed once, by this request or its CSR, that it holds the certificate's key
};

// kUnauthorized when nobody who may.
Result<Requester> CheckRight(Context& context, const VerifiedRequest& request,
                             const ca::Certificate& certificate, const std::string& owner) {
  if (!request.has_account()) {
    if (request.key() == certificate.key) return Requester{"certificate key", true};
    return Error{Code::kUnauthorized, "the JWS is not signed with the certificate's key"};
  }
  const AccountId& id = request.account().id;
  if (owner == id) return Requester{"account " + id, true};
  const auto identifiers = IdentifiersOf(certificate);
  const Error denied{Code::kUnauthorized,
                     "the account neither ordered the certificate nor holds authorizations for all "
                     "its identifiers"};
  if (identifiers.empty()) return denied;
  AGENTCA_ASSIGN(const bool holds,
                 context.memory.store.HoldsAuthorizations(id, identifiers, request.now()));
  if (!holds) return denied;
  return Requester{"account " + id, false};
}

}  // namespace

Result<http::Response> HandleRevocation(Context& context, const VerifiedRequest& request) {
  AGENTCA_ASSIGN(const JsonDocument payload, request.ParsePayload());
  AGENTCA_ASSIGN(const std::string text, payload.root().String("certificate"));
  AGENTCA_ASSIGN(const Bytes der, FromBase64Url(text));
  AGENTCA_ASSIGN(const ca::Certificate certificate, ca::Certificate::Parse(der));
  AGENTCA_ASSIGN(const ca::CertificateRecord record, FindIssued(context, certificate));
  AGENTCA_ASSIGN(const Requester requester,
                 CheckRight(context, request, certificate, record.owner));
  AGENTCA_ASSIGN(const ca::Reason reason, ParseReason(payload.root()));
  // A compromised key is never certified again; that is not for others than its holder to say.
  if (reason == ca::Reason::kKeyCompromise && !requester.had_key) {
    return Error{Code::kBadRevocationReason,
                 "keyCompromise is for the account that ordered the certificate, or for a request "
                 "signed with its key"};
  }
  if (record.revocation) return Error{Code::kAlreadyRevoked, "the certificate is revoked already"};
  AGENTCA_TRY(context.authority.revoker.Revoke(record.issuer_id, record.serial, reason,
                                               requester.name, request.now()));
  if (context.authority.on_revoked) context.authority.on_revoked();
  return http::Response{};
}

}  // namespace agentca::acme
