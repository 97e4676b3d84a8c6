#include "acme/cli/recollections.h"

#include "acme/cli/line_file.h"
#include "acme/cli/published.h"
#include "acme/json.h"
#include "ca/base/log.h"
#include "ca/crl_entries.h"

namespace agentca::cli {
namespace {

constexpr size_t kMaxLogLine = size_t{1} << 20;
// Hundreds of signatures: those of the last moments before a store was lost.
constexpr uint64_t kTail = uint64_t{1} << 18;

// A line that says nothing to us, such as one of another event.
template <class T>
using Found = Result<std::optional<T>>;

Found<SignedSerial> ReadKeyUse(const acme::JsonValue& line, const Hierarchy& hierarchy) {
  AGENTCA_ASSIGN(const std::string event, line.String("event"));
  if (event != "key-use") return std::optional<SignedSerial>();
  AGENTCA_ASSIGN(const std::string purpose, line.String("purpose"));
  if (purpose != "certificate") return std::optional<SignedSerial>();
  AGENTCA_ASSIGN(const std::string key, line.String("key"));
  AGENTCA_ASSIGN(const std::string object, line.String("object"));
  AGENTCA_ASSIGN(const std::string at, line.String("time"));
  AGENTCA_ASSIGN(const auto not_after, line.OptionalString("not_after"));
  AGENTCA_ASSIGN(const auto octets, FromHex(object));
  AGENTCA_ASSIGN(ca::Serial serial, ca::Serial::FromBytes(octets));
  const CaIdentity& issuer = key == kRootKey ? hierarchy.root : hierarchy.issuing;
  SignedSerial use{issuer.info.id, std::move(serial), {}, {}};
  AGENTCA_ASSIGN(use.signed_at, FromRfc3339(at));
  if (not_after) {
    AGENTCA_ASSIGN(use.not_after, FromRfc3339(*not_after));
  }
  return std::optional(std::move(use));
}

Found<RecalledRevocation> ReadRevocation(const acme::JsonValue& line) {
  AGENTCA_ASSIGN(const std::string event, line.String("event"));
  if (event != "revoke") return std::optional<RecalledRevocation>();
  AGENTCA_ASSIGN(std::string issuer, line.String("issuer"));
  AGENTCA_ASSIGN(const std::string hex, line.String("serial"));
  AGENTCA_ASSIGN(const std::string name, line.String("reason"));
  AGENTCA_ASSIGN(const std::string time, line.String("time"));
  AGENTCA_ASSIGN(ca::Serial serial, ca::Serial::FromHex(hex));
  AGENTCA_ASSIGN(const ca::Reason reason, ca::ReasonFromString(name));
  AGENTCA_ASSIGN(const Time at, FromRfc3339(time));
  return std::optional(RecalledRevocation{std::move(issuer), {std::move(serial), {at, reason}}});
}

// `read` makes of a line what `visit` takes.
template <class Read, class Visit>
Status VisitLines(LineReader& lines, const std::filesystem::path& file, const Read& read,
                  const Visit& visit) {
  size_t skipped = 0;
  for (;;) {
    AGENTCA_ASSIGN(const auto line, lines.Next());
    if (!line) break;
    const auto document = acme::JsonDocument::Parse(*line, {.max_size = kMaxLogLine});
    const auto found =
        document.ok() ? read(document->root()) : decltype(read(document->root()))(document.error());
    if (!found.ok())
      ++skipped;
    else if (*found)
      AGENTCA_TRY(visit(**found));
  }
  if (skipped > 0)
    Log(Level::kWarning, "lines of a log cannot be understood",
        {{"file", file.native()}, {"lines", std::to_string(skipped)}});
  return {};
}

}  // namespace

Status VisitKeyUsage(const std::filesystem::path& file, const Hierarchy& hierarchy,
                     const std::function<Status(const SignedSerial&)>& visit) {
  AGENTCA_ASSIGN(const auto lines, LineReader::Open(file, kMaxLogLine));
  return VisitLines(
      *lines, file, [&](const acme::JsonValue& line) { return ReadKeyUse(line, hierarchy); },
      visit);
}

Result<std::vector<SignedSerial>> LastKeyUsage(const std::filesystem::path& file,
                                               const Hierarchy& hierarchy) {
  AGENTCA_ASSIGN(const auto lines, LineReader::Open(file, kMaxLogLine));
  AGENTCA_ASSIGN(const uint64_t size, lines->Size());
  if (size > kTail) AGENTCA_TRY(lines->SkipTo(size - kTail));
  std::vector<SignedSerial> uses;
  AGENTCA_TRY(VisitLines(
      *lines, file, [&](const acme::JsonValue& line) { return ReadKeyUse(line, hierarchy); },
      [&](const SignedSerial& use) -> Status {
        uses.push_back(use);
        return {};
      }));
  return uses;
}

Status VisitAuditedRevocations(const std::filesystem::path& file, const RevocationVisitor& visit) {
  AGENTCA_ASSIGN(const auto lines, LineReader::Open(file, kMaxLogLine));
  return VisitLines(*lines, file, &ReadRevocation, visit);
}

Result<RecalledList> VisitPublishedList(const std::filesystem::path& file,
                                        const Hierarchy& hierarchy,
                                        const RevocationVisitor& visit) {
  AGENTCA_ASSIGN(const Bytes der, ReadFile(file, kMaxCrlFile));
  for (const CaIdentity* issuer : {&hierarchy.issuing, &hierarchy.root}) {
    if (!ca::ParseCrl(der, issuer->certificate.key).ok()) continue;
    AGENTCA_ASSIGN(const ca::CrlSummary summary,
                   ca::VisitCrl(der, issuer->certificate.key, [&](const ca::RevokedEntry& entry) {
                     return visit({issuer->info.id, entry});
                   }));
    return RecalledList{issuer->info.id, summary};
  }
  return Error{Code::kConflict, file.string() + " is no revocation list of this authority"};
}

}  // namespace agentca::cli
