#include "ca/crl_entries.h"

#include <ctime>

#include "ca/openssl.h"

namespace agentca::ca {
namespace {

Error Unfit(std::string_view why) { return Error{Code::kMalformed, "CRL: " + std::string(why)}; }

Result<Reason> ReasonOf(const X509_REVOKED* revoked) {
  using EnumeratedPtr = openssl::Owned<ASN1_ENUMERATED, ASN1_ENUMERATED_free>;
  if (X509_REVOKED_get_ext_by_NID(revoked, NID_crl_reason, -1) < 0) return Reason::kUnspecified;
  const EnumeratedPtr value(static_cast<ASN1_ENUMERATED*>(
      X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, nullptr, nullptr)));
  if (!value) return Unfit("has a reason that does not parse");
  return ReasonFromInt(ASN1_ENUMERATED_get(value.get()));
}

Result<RevokedEntry> EntryOf(const X509_REVOKED* revoked) {
  const ASN1_INTEGER* integer = X509_REVOKED_get0_serialNumber(revoked);
  if (integer == nullptr || ASN1_STRING_type(integer) != V_ASN1_INTEGER)
    return Unfit("has a serial number that is not positive");
  AGENTCA_ASSIGN(Serial serial,
                 Serial::FromBytes({ASN1_STRING_get0_data(integer),
                                    static_cast<size_t>(ASN1_STRING_length(integer))}));
  std::tm utc{};
  if (ASN1_TIME_to_tm(X509_REVOKED_get0_revocationDate(revoked), &utc) != 1)
    return Unfit("has a date that is none");
  AGENTCA_ASSIGN(const Reason reason, ReasonOf(revoked));
  return RevokedEntry{std::move(serial), {Time(Seconds(timegm(&utc))), reason}};
}

}  // namespace

Result<CrlSummary> VisitCrl(ByteView der, const PublicKey& issuer_key,
                            const std::function<Status(const RevokedEntry&)>& visit) {
  const openssl::ErrorScope errors;
  AGENTCA_ASSIGN(const CrlSummary summary, ParseCrl(der, issuer_key));
  const auto crl = openssl::Decode<openssl::X509CrlPtr>(d2i_X509_CRL, der);
  if (!crl) return Unfit("does not parse");
  const auto* entries = X509_CRL_get_REVOKED(crl.get());
  const int count = entries == nullptr ? 0 : sk_X509_REVOKED_num(entries);
  for (int i = 0; i < count; ++i) {
    AGENTCA_ASSIGN(const RevokedEntry entry, EntryOf(sk_X509_REVOKED_value(entries, i)));
    AGENTCA_TRY(visit(entry));
  }
  return summary;
}

}  // namespace agentca::ca
