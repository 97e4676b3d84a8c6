#include <iomanip>
#include <iostream>

#include "acme/cli/commands.h"
#include "acme/cli/config.h"
#include "acme/cli/files.h"
#include "acme/cli/hierarchy.h"
#include "acme/cli/identity_words.h"
#include "acme/json.h"
#include "ca/audit.h"
#include "ca/revocation.h"
#include "storage/open.h"

namespace agentca::cli {
namespace {

using ca::CertificateRecord;

// As other tools print it: "0A:1B:…", or without the leading zero of the first octet.
Result<ca::Serial> ParseSerial(std::string hex) {
  std::erase(hex, ':');
  if (hex.size() % 2 != 0) hex.insert(0, 1, '0');
  return ca::Serial::FromHex(hex);
}

// What every `cert` command needs: the store, and whose certificates are in it.
struct Desk {
  static Result<Desk> Open(const Settings& settings) {
    AGENTCA_ASSIGN(Config config, Config::Make(settings));
    SetLogLevel(config.log_level);
    AGENTCA_ASSIGN(Hierarchy hierarchy,
                   Hierarchy::Load(config.directory, config.identity.http_external_url));
    AGENTCA_ASSIGN(auto backend, storage::Open(config.storage, storage::OpenMode::kExisting));
    return Desk{std::move(config), std::move(hierarchy), std::move(backend)};
  }
  // By serial alone: serials of both issuers are random and do not collide.
  Result<CertificateRecord> Find(const std::string& serial_hex) const {
    const auto serial = ParseSerial(serial_hex);
    if (!serial.ok())
      return Error{Code::kMalformed, "'" + serial_hex + "' is not a serial number in hexadecimal"};
    for (const auto* ca : {&hierarchy.issuing, &hierarchy.root}) {
      auto record = backend->certificates().Find(ca->info.id, *serial);
      if (record.ok() || record.error().code != Code::kNotFound) return record;
    }
    return Error{Code::kNotFound, "no certificate with serial number " + serial_hex};
  }
  Config config;
  Hierarchy hierarchy;
  std::unique_ptr<storage::Backend> backend;
};

std::string_view StateOf(const CertificateRecord& record, Time now) {
  if (record.state == ca::SerialState::kIntent) return "unfinished";
  if (record.state == ca::SerialState::kAbandoned) return "abandoned";
  if (record.revocation) return "revoked";
  return record.not_after < now ? "expired" : "valid";
}

std::string Joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out.append(out.empty() ? "" : ", ").append(text);
  return out;
}

// What the certificate says of an agent; nothing for others, and for serials without certificate.
Result<std::optional<ca::AgentIdentity>> IdentityIn(const CertificateRecord& record,
                                                    const Config& config) {
  if (record.der.empty()) return std::optional<ca::AgentIdentity>();
  return ca::AgentIdentityOf(record.der, config.agents.arc);
}

// Leaves the object open.
void WriteRecord(acme::JsonWriter& json, const CertificateRecord& record, Time now) {
  json.BeginObject()
      .Member("serial", record.serial.ToString())
      .Member("issuer", record.issuer_id)
      .Member("state", StateOf(record, now))
      .Member("profile", record.profile)
      .Member("owner", record.owner)
      .Member("reference", record.reference)
      .Key("names")
      .BeginArray();
  for (const auto& name : record.dns_names) json.String(name);
  json.EndArray()
      .Member("intended_at", ToRfc3339(record.intended_at))
      .Member("not_after", ToRfc3339(record.not_after));
  if (record.revocation)
    json.Member("revoked_at", ToRfc3339(record.revocation->at))
        .Member("reason", ca::ToString(record.revocation->reason));
}

void WriteWhole(acme::JsonWriter& json, const CertificateRecord& record, const Config& config,
                Time now) {
  WriteRecord(json, record, now);
  const auto identity = IdentityIn(record, config);
  if (!identity.ok()) {
    json.Member("agent_identity_fault", identity.error().detail);
  } else if (*identity) {
    json.Key("agent_identity");
    WriteIdentity(json, **identity);
  }
  if (!record.der.empty()) json.Member("pem", ToPem("CERTIFICATE", record.der));
  json.EndObject();
}

void Print(const CertificateRecord& record, const Config& config, Time now) {
  const auto line = [](std::string_view key, std::string_view value) {
    std::cout << std::left << std::setw(12) << key << value << "\n";
  };
  line("Serial", record.serial.ToString());
  line("Issuer", record.issuer_id);
  line("State", StateOf(record, now));
  line("Profile", record.profile);
  if (!record.owner.empty()) line("Owner", record.owner);
  if (!record.reference.empty()) line("Reference", record.reference);
  if (!record.dns_names.empty()) line("Names", Joined(record.dns_names));
  line("Intended", ToRfc3339(record.intended_at));
  line("Not after", ToRfc3339(record.not_after));
  if (record.revocation) {
    line("Revoked", ToRfc3339(record.revocation->at));
    line("Reason", ca::ToString(record.revocation->reason));
  }
  const auto identity = IdentityIn(record, config);
  if (!identity.ok()) {
    line("Identity", identity.error().detail);
  } else if (*identity) {
    for (const auto& [key, value] : IdentityInWords(**identity)) line(key, value);
  }
  if (!record.der.empty()) std::cout << ToPem("CERTIFICATE", record.der);
}

}  // namespace

Result<int> RunCertList(const Settings& settings) {
  const auto limit = ParseCount(settings.Text("limit"), 1, 1'000'000);
  if (!limit.ok()) return settings.Bad("limit", limit.error().detail);
  AGENTCA_ASSIGN(const Desk desk, Desk::Open(settings));
  const Time now = SystemClock().Now();
  ca::CertificateFilter filter;
  if (settings.Given("name")) filter.name = settings.Text("name");
  filter.only_valid = settings.Flag("valid");
  filter.now = now;
  filter.limit = *limit;
  AGENTCA_ASSIGN(const auto records, desk.backend->certificates().List(filter));
  if (settings.Flag("json")) {
    acme::JsonWriter json;
    json.BeginArray();
    for (const auto& record : records) {
      WriteRecord(json, record, now);
      json.EndObject();
    }
    json.EndArray();
    std::cout << std::move(json).Take() << "\n";
    return kExitSuccess;
  }
  for (const auto& record : records)
    std::cout << record.serial.ToString() << "  " << std::left << std::setw(10)
              << StateOf(record, now) << "  " << ToRfc3339(record.not_after) << "  "
              << std::setw(13) << record.profile << "  " << Joined(record.dns_names) << "\n";
  return kExitSuccess;
}

Result<int> RunCertShow(const Settings& settings) {
  AGENTCA_ASSIGN(const Desk desk, Desk::Open(settings));
  AGENTCA_ASSIGN(const CertificateRecord record, desk.Find(settings.positional()));
  const Time now = SystemClock().Now();
  if (!settings.Flag("json")) {
    Print(record, desk.config, now);
    return kExitSuccess;
  }
  acme::JsonWriter json;
  WriteWhole(json, record, desk.config, now);
  std::cout << std::move(json).Take() << "\n";
  return kExitSuccess;
}

Result<int> RunCertRevoke(const Settings& settings) {
  const auto reason = ca::ReasonFromString(settings.Text("reason"));
  // RFC 5280 §5.3.1: a hold is not final, and removal belongs to delta CRLs; this CA has neither.
  if (!reason.ok() || *reason == ca::Reason::kCertificateHold ||
      *reason == ca::Reason::kRemoveFromCrl)
    return settings.Bad("reason", "'" + settings.Text("reason") + "' is not a reason to revoke");
  AGENTCA_ASSIGN(const Desk desk, Desk::Open(settings));
  AGENTCA_ASSIGN(const CertificateRecord record, desk.Find(settings.positional()));
  // Operators take turns; serve, which holds audit.log, is not in the way.
  AGENTCA_ASSIGN(const FileLock turn,
                 FileLock::Take(desk.config.directory.OperatorLock(), FileLock::Wait::kYes));
  AGENTCA_ASSIGN(const auto audit, ca::ChainedLog::Open(desk.config.directory.OperatorAuditLog(),
                                                        std::chrono::milliseconds(5000)));
  ca::Revoker revoker(desk.backend->certificates(), *audit);
  const Time now = SystemClock().Now();
  const Status revoked = revoker.Revoke(record.issuer_id, record.serial, *reason, "operator", now);
  if (!revoked.ok()) {
    if (revoked.error().code == Code::kNotFound)
      return Error{Code::kNotFound, "serial number " + record.serial.ToString() +
                                        " was never issued; it counts as revoked"};
    return revoked.error();
  }
  const bool served = FileLock::IsHeld(desk.config.directory.ServeLock());
  if (settings.Flag("json")) {
    acme::JsonWriter json;
    json.BeginObject()
        .Member("serial", record.serial.ToString())
        .Member("revoked_at", ToRfc3339(now))
        .Member("reason", ca::ToString(*reason))
        .Key("served")
        .Bool(served)
        .EndObject();
    std::cout << std::move(json).Take() << "\n";
    return kExitSuccess;
  }
  std::cout << "Revoked " << record.serial.ToString() << " (" << ca::ToString(*reason) << ").\n"
            << (served ? "The running server answers so within a second.\n"
                       : "No server runs: OCSP and CRL say so after the next agentca serve.\n");
  return kExitSuccess;
}

}  // namespace agentca::cli
