#include "ca/audit.h"

#include <fstream>
#include <iostream>
#include <map>

#include "acme/cli/commands.h"
#include "acme/cli/config.h"
#include "acme/json.h"

namespace agentca::cli {
namespace {

namespace fs = std::filesystem;

struct LogVerdict {
  fs::path file;
  bool exists = false;
  uint64_t lines = 0;
  std::string head;
  std::string fault;  // "" when sound
};

LogVerdict VerifyLog(const fs::path& file) {
  LogVerdict out{.file = file, .head = "", .fault = ""};
  std::error_code error;
  out.exists = fs::exists(file, error);
  if (!out.exists) return out;
  const auto verdict = ca::ChainedLog::Verify(file);
  if (!verdict.ok()) {
    out.fault = verdict.error().detail;
    return out;
  }
  out.lines = verdict->lines;
  out.head = verdict->head;
  return out;
}

// serial → SHA-256 of the TBSCertificate
using Signed = std::map<std::string, std::string>;

// Members of each line of one event: `serial_member` → `hash_member`. Lines of `log` were verified.
Result<Signed> Collect(const fs::path& file, std::string_view event, const char* serial_member,
                       const char* hash_member, std::string_view purpose) {
  std::ifstream stream(file);
  Signed out;
  std::string line;
  while (std::getline(stream, line)) {
    if (stream.eof()) break;  // without its LF: being written at this moment
    AGENTCA_ASSIGN(const auto document, acme::JsonDocument::Parse(line));
    const auto root = document.root();
    AGENTCA_ASSIGN(const std::string name, root.String("event"));
    if (name != event) continue;
    if (!purpose.empty()) {
      AGENTCA_ASSIGN(const std::string used_for, root.String("purpose"));
      if (used_for != purpose) continue;
    }
    AGENTCA_ASSIGN(std::string serial, root.String(serial_member));
    AGENTCA_ASSIGN(out[std::move(serial)], root.String(hash_member));
  }
  return out;
}

// The signer's own log is apart from the CA's: what the one signed and the other never decided was
// signed behind the CA's back, or the CA's log was cut at its end.
Result<std::vector<std::string>> Compare(const Directory& directory) {
  AGENTCA_ASSIGN(const Signed used,
                 Collect(directory.KeyUsageLog(), "key-use", "object", "sha256", "certificate"));
  AGENTCA_ASSIGN(const Signed decided,
                 Collect(directory.AuditLog(), "intent", "serial", "tbs_sha256", ""));
  std::vector<std::string> faults;
  for (const auto& [serial, hash] : used) {
    const auto found = decided.find(serial);
    if (found == decided.end())
      faults.push_back("certificate " + serial + " was signed, but audit.log does not know it");
    else if (found->second != hash)
      faults.push_back("certificate " + serial + " was signed with other bytes than were decided");
  }
  return faults;
}

void PrintWords(const std::vector<LogVerdict>& logs, const std::vector<std::string>& faults) {
  for (const LogVerdict& log : logs) {
    std::cout << log.file.string() << ": ";
    if (!log.exists)
      std::cout << "none yet\n";
    else if (!log.fault.empty())
      std::cout << "FAULT: " << log.fault << "\n";
    else
      std::cout << log.lines << " lines, head " << log.head << "\n";
  }
  for (const auto& fault : faults) std::cout << "FAULT: " << fault << "\n";
}

void PrintJson(const std::vector<LogVerdict>& logs, const std::vector<std::string>& faults,
               bool sound) {
  acme::JsonWriter json;
  json.BeginObject().Key("sound").Bool(sound).Key("logs").BeginArray();
  for (const LogVerdict& log : logs) {
    if (!log.exists) continue;
    json.BeginObject()
        .Member("file", log.file.string())
        .Key("lines")
        .Int(static_cast<int64_t>(log.lines))
        .Member("head", log.head)
        .Member("fault", log.fault)
        .EndObject();
  }
  json.EndArray().Key("faults").BeginArray();
  for (const auto& fault : faults) json.String(fault);
  json.EndArray().EndObject();
  std::cout << std::move(json).Take() << "\n";
}

}  // namespace

Result<int> RunAuditVerify(const Settings& settings) {
  AGENTCA_ASSIGN(const Config config, Config::Make(settings));
  SetLogLevel(config.log_level);
  const Directory& directory = config.directory;
  std::vector<LogVerdict> logs;
  // The key-usage log first: what is signed while we read is decided, and so logged, before.
  for (const auto& file :
       {directory.KeyUsageLog(), directory.AuditLog(), directory.OperatorAuditLog()})
    logs.push_back(VerifyLog(file));
  bool sound = logs[0].exists && logs[1].exists;
  for (const LogVerdict& log : logs) sound = sound && log.fault.empty();
  std::vector<std::string> faults;
  if (sound) {
    AGENTCA_ASSIGN(faults, Compare(directory));
    sound = faults.empty();
  }
  if (settings.Flag("json"))
    PrintJson(logs, faults, sound);
  else
    PrintWords(logs, faults);
  return sound ? kExitSuccess : kExitFailure;
}

}  // namespace agentca::cli
