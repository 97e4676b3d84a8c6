// What the files of nodes know of serials and revocations, apart from any database: the signer's
// key-usage log, audit logs, and published revocation lists.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "acme/cli/hierarchy.h"
#include "ca/crl.h"

namespace agentca::cli {

// A certificate that a key was about to sign.
struct SignedSerial {
  ca::IssuerId issuer;
  ca::Serial serial;
  Time signed_at{};
  std::optional<Time> not_after;  // absent in lines of early programs
};
// In the order of the log, from its start; or what lies in its last octets alone. Lines that cannot
// be understood are skipped, with a line in our log.
Status VisitKeyUsage(const std::filesystem::path& file, const Hierarchy& hierarchy,
                     const std::function<Status(const SignedSerial&)>& visit);
Result<std::vector<SignedSerial>> LastKeyUsage(const std::filesystem::path& file,
                                               const Hierarchy& hierarchy);

// A revocation that was decided or published.
struct RecalledRevocation {
  ca::IssuerId issuer;
  ca::RevokedEntry entry;
};
using RevocationVisitor = std::function<Status(const RecalledRevocation&)>;
Status VisitAuditedRevocations(const std::filesystem::path& file, const RevocationVisitor& visit);
// Of whichever of the two issuers; returns which, and the summary. kConflict: of neither.
struct RecalledList {
  ca::IssuerId issuer;
  ca::CrlSummary summary;
};
Result<RecalledList> VisitPublishedList(const std::filesystem::path& file,
                                        const Hierarchy& hierarchy, const RevocationVisitor& visit);

}  // namespace agentca::cli
