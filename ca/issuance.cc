#include "ca/issuance.h"

#include <arpa/inet.h>

#include <array>

#include "ca/base/log.h"

namespace agentca::ca {
namespace {

constexpr int kSerialAttempts = 3;

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

Status AuditAbandoned(ChainedLog& audit, const IssuerId& issuer_id, const Serial& serial,
                      std::string_view reference, std::string_view why, Time now) {
  return audit.Append("abandoned",
                      {{"serial", serial.ToString()},
                       {"issuer", issuer_id},
                       {"reference", reference},
                       {"why", why}},
                      now);
}

}  // namespace

Issuance::Issuance(const Issuer& issuer, CertificateStore& store, ChainedLog& audit, Random& random,
                   uint8_t serial_prefix)
    : issuer_(issuer),
      store_(store),
      audit_(audit),
      random_(random),
      serial_prefix_(serial_prefix) {}

// 1. build and lint; 2. make the exact bytes durable. A serial that exists is nobody's fault.
Result<Ticket> Issuance::PrepareRecorded(const Profile& profile, const CertificateRequest& request,
                                         Time now, Journal& journal) const {
  for (int attempt = 1;; ++attempt) {
    const Serial serial = Serial::Random(serial_prefix_, random_);
    AGENTCA_ASSIGN(Ticket ticket, issuer_.Prepare(profile, request, serial, now));
    const Status recorded = journal.RecordIntent(ticket, now);
    if (recorded) return ticket;
    const Code code = recorded.error().code;
    if (code == Code::kUnavailable || code == Code::kInternal) {
      // The intent may be there all the same. It is settled now or, if the store stays away, by the
      // sweep at the next start; nothing was signed.
      Abandon(serial, request.reference, "intent not recorded: " + recorded.error().detail, now);
    }
    if (code != Code::kConflict) return recorded.error();
    if (attempt == kSerialAttempts)
      return Error{Code::kInternal, "random serials are in use: is the generator broken?"};
  }
}

Result<Certificate> Issuance::Issue(const Profile& profile, const CertificateRequest& request,
                                    Time now, Journal& journal) const {
  AGENTCA_ASSIGN(Ticket ticket, PrepareRecorded(profile, request, now, journal));
  const Serial serial = ticket.serial();
  const std::string serial_text = serial.ToString();
  const std::string tbs_hash = ToHex(Sha256(ticket.tbs()));
  const std::string names = NamesOf(request);
  const auto audit = [&](std::string_view event) {
    return audit_.Append(event,
                         {{"serial", serial_text},
                          {"issuer", issuer_.id()},
                          {"profile", profile.name()},
                          {"owner", request.owner},
                          {"reference", request.reference},
                          {"names", names},
                          {"tbs_sha256", tbs_hash}},
                         now);
  };

  // 3. The log names the bytes before the key is used.
  if (const Status audited = audit("intent"); !audited) {
    Abandon(serial, request.reference, "audit log failed", now);
    return audited.error();
  }

  // 4. Sign and verify.
  Result<Certificate> certificate = issuer_.Issue(std::move(ticket));
  if (!certificate) {
    Abandon(serial, request.reference, "not signed: " + certificate.error().detail, now);
    return certificate;
  }

  // 5. Make the certificate durable before anybody sees it.
  if (const Status stored = journal.RecordCertificate(*certificate, issuer_.id()); !stored) {
    if (!Abandon(serial, request.reference, "not recorded: " + stored.error().detail, now))
      return stored.error();
  }
  // The intent line names the same bytes and the store has the certificate: nothing is hidden.
  if (const Status logged = audit("issued"); !logged)
    Log(Level::kError, "audit log failed after issuance",
        {{"serial", serial_text}, {"error", logged.error().detail}});
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
    Log(Level::kError, "cannot abandon a serial; the sweep at the next start will",
        {{"serial", serial_text}, {"error", abandoned.error().detail}});
  Log(Level::kWarning, "issuance abandoned", {{"serial", serial_text}, {"why", why}});
  if (const Status logged = AuditAbandoned(audit_, issuer_.id(), serial, reference, why, now);
      !logged)
    Log(Level::kError, "audit log failed",
        {{"serial", serial_text}, {"error", logged.error().detail}});
  return false;
}

Status AbandonInterrupted(CertificateStore& store, ChainedLog& audit, Time before, Time now) {
  AGENTCA_ASSIGN(const auto intents, store.ListIntents(before));
  for (const CertificateRecord& intent : intents) {
    const Status abandoned = store.Abandon(intent.issuer_id, intent.serial, now);
    // Settled meanwhile by the process that recorded it.
    if (!abandoned && abandoned.error().code == Code::kConflict) continue;
    AGENTCA_TRY(abandoned);
    AGENTCA_TRY(AuditAbandoned(audit, intent.issuer_id, intent.serial, intent.reference,
                               "interrupted", now));
  }
  return {};
}

}  // namespace agentca::ca
