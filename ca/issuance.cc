#include "ca/issuance.h"

#include <arpa/inet.h>

#include <array>

#include "ca/base/log.h"

namespace agentca::ca {
namespace {

constexpr int kSerialAttempts = 3;
constexpr size_t kSweptAtOnce = 256;

// "dns:a.example,ip:192.0.2.1,uri:spiffe://…": everything the certificate vouches for.
std::string NamesOf(const CertificateRequest& request) {
  std::string all;
  const auto add = [&all](std::string_view type, std::string_view name) {
    if (!all.empty()) all.push_back(',');
    all.append(type).append(":").append(name);
  };
  for (const std::string& name : request.dns_names) add("dns", name);
  for (const Bytes& address : request.ip_addresses) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(address.size() == 4 ? AF_INET : AF_INET6, address.data(), text.data(), text.size());
    add("ip", text.data());
  }
  for (const std::string& uri : request.uris) add("uri", uri);
  return all;
}

// An end without a certificate: "abandoned", or "refused" when nothing was recorded.
Status AuditEnd(ChainedLog& audit, std::string_view event, const IssuerId& issuer_id,
                const Serial& serial, std::string_view reference, std::string_view why, Time now) {
  return audit.Append(event,
                      {{"serial", serial.ToString()},
                       {"issuer", issuer_id},
                       {"reference", reference},
                       {"why", why}},
                      now);
}

void LogAuditFailure(const Serial& serial, const Status& failure) {
  Log(Level::kError, "audit log failed",
      {{"serial", serial.ToString()}, {"error", failure.error().detail}});
}

// Whether the store cannot say what it did.
bool IsUnknown(Code code) { return code == Code::kUnavailable || code == Code::kInternal; }

}  // namespace

Issuance::Issuance(const Issuer& issuer, CertificateStore& store, ChainedLog& audit, Random& random,
                   uint8_t serial_prefix)
    : issuer_(issuer),
      store_(store),
      audit_(audit),
      random_(random),
      serial_prefix_(serial_prefix) {}

struct Issuance::Intent {
  Intent(Ticket made, const CertificateRequest& request)
      : ticket(std::move(made)),
        serial(ticket.serial()),
        profile(ticket.profile()),
        owner(request.owner),
        reference(request.reference),
        names(NamesOf(request)),
        tbs_hash(ToHex(Sha256(ticket.tbs()))) {}
  Ticket ticket;
  const Serial serial;
  const std::string profile, owner, reference, names, tbs_hash;
};

ChainedLog::Pending Issuance::BeginAudit(std::string_view event, const Intent& intent,
                                         Time now) const {
  return audit_.Begin(event,
                      {{"serial", intent.serial.ToString()},
                       {"issuer", issuer_.id()},
                       {"profile", intent.profile},
                       {"owner", intent.owner},
                       {"reference", intent.reference},
                       {"names", intent.names},
                       {"tbs_sha256", intent.tbs_hash}},
                      now);
}

// 1. build and lint; 2. make the exact bytes durable, in the store and, at the same time, in the
// audit log. A serial that exists is nobody's fault.
Result<Issuance::Intent> Issuance::PrepareRecorded(const Profile& profile,
                                                   const CertificateRequest& request, Time now,
                                                   Journal& journal) const {
  for (int attempt = 1;; ++attempt) {
    const Serial serial = Serial::Random(serial_prefix_, random_);
    AGENTCA_ASSIGN(Ticket ticket, issuer_.Prepare(profile, request, serial, now));
    Intent intent(std::move(ticket), request);
    auto line = BeginAudit("intent", intent, now);
    const Status recorded = journal.RecordIntent(intent.ticket, now);
    const Status audited = line.Wait();
    if (recorded && audited) return intent;
    if (recorded) {
      Abandon(serial, request.reference, "audit log failed", now);
      return audited.error();
    }
    const std::string why = "intent not recorded: " + recorded.error().detail;
    if (IsUnknown(recorded.error().code)) {
      // The intent may be there all the same. It is settled now or, if the store stays away, by the
      // sweep once this process is gone; nothing was signed.
      Abandon(serial, request.reference, why, now);
    } else if (const Status logged = AuditEnd(audit_, "refused", issuer_.id(), serial,
                                              request.reference, why, now);
               !logged) {
      LogAuditFailure(serial, logged);
    }
    if (recorded.error().code != Code::kConflict) return recorded.error();
    if (attempt == kSerialAttempts)
      return Error{Code::kInternal, "random serials are in use: is the generator broken?"};
  }
}

Result<Certificate> Issuance::Issue(const Profile& profile, const CertificateRequest& request,
                                    Time now, Journal& journal) const {
  AGENTCA_ASSIGN(Intent intent, PrepareRecorded(profile, request, now, journal));
  const Serial& serial = intent.serial;

  // 3. Sign and verify.
  Result<Certificate> certificate = issuer_.Issue(std::move(intent.ticket));
  if (!certificate) {
    Abandon(serial, request.reference, "not signed: " + certificate.error().detail, now);
    return certificate;
  }

  // 4. Make the certificate durable before anybody sees it. The line says that it was signed; one
  // that says "abandoned" follows when it is not recorded.
  auto line = BeginAudit("issued", intent, now);
  const Status stored = journal.RecordCertificate(*certificate, issuer_.id());
  // The intent line names the same bytes and the store has the certificate: nothing is hidden.
  if (const Status logged = line.Wait(); !logged) LogAuditFailure(serial, logged);
  if (!stored && !Abandon(serial, request.reference, "not recorded: " + stored.error().detail, now))
    return stored.error();
  return certificate;
}

// Returns true when the store says that the certificate is issued after all: a write that failed
// and took effect (a connection lost at commit).
bool Issuance::Abandon(const Serial& serial, std::string_view reference, const std::string& why,
                       Time now) const {
  const std::string serial_text = serial.ToString();
  const Status abandoned = store_.Abandon(issuer_.id(), serial, now);
  if (!abandoned && abandoned.error().code == Code::kConflict) {
    const auto status = store_.StatusOf(issuer_.id(), serial);
    if (status && status->state == SerialState::kIssued) return true;
  }
  if (!abandoned && abandoned.error().code != Code::kNotFound)
    Log(Level::kError, "cannot abandon a serial; the sweep will once this process is gone",
        {{"serial", serial_text}, {"error", abandoned.error().detail}});
  Log(Level::kWarning, "issuance abandoned", {{"serial", serial_text}, {"why", why}});
  if (const Status logged =
          AuditEnd(audit_, "abandoned", issuer_.id(), serial, reference, why, now);
      !logged)
    LogAuditFailure(serial, logged);
  return false;
}

Status AbandonInterrupted(CertificateStore& store, ChainedLog& audit, WorkScope scope, Time now) {
  for (bool more = true; more;) {
    AGENTCA_ASSIGN(const auto intents, store.ListIntents(scope, kSweptAtOnce));
    for (const CertificateRecord& intent : intents) {
      const Status abandoned = store.Abandon(intent.issuer_id, intent.serial, now);
      // Settled meanwhile by the process that recorded it.
      if (!abandoned && abandoned.error().code == Code::kConflict) continue;
      AGENTCA_TRY(abandoned);
      AGENTCA_TRY(AuditEnd(audit, "abandoned", intent.issuer_id, intent.serial, intent.reference,
                           "interrupted", now));
    }
    more = intents.size() == kSweptAtOnce;
  }
  return {};
}

}  // namespace agentca::ca
