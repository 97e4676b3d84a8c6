#include <cmath>
#include <iomanip>
#include <iostream>

#include "acme/cli/commands.h"
#include "acme/cli/inspection.h"
#include "acme/json.h"

namespace agentca::cli {
namespace {

int Percent(double share) { return static_cast<int>(std::floor(share * 100)); }

std::string_view OrOff(std::string_view url) { return url.empty() ? "off" : url; }

std::string Certificates(const Inspection& found) {
  return (found.more_certificates ? "at least " : "") + std::to_string(found.valid_certificates);
}

void PrintWords(const Config& config, const Inspection& found) {
  const ServerView& server = found.server;
  std::cout << "Authority for " << config.identity.trust_domain << " in "
            << config.directory.root().string() << "\n"
            << "Roles: " << found.roles.ToString() << "\n";
  if (!server.running) {
    std::cout << "Server: not running\n";
  } else {
    std::cout << "Server: " << (server.Fault().empty() ? "ready" : "not ready") << "\n"
              << "  ACME directory  " << OrOff(server.directory_url) << "\n"
              << "  plain HTTP      " << OrOff(server.http_url) << "\n"
              << "  admin API       " << OrOff(server.admin_url) << "\n"
              << "  /healthz        " << server.healthz << "\n"
              << "  /readyz         " << server.readyz << "\n";
  }
  std::cout << "Store: " << found.store << "\n";
  if (!found.store_fault.empty()) std::cout << "  FAULT: " << found.store_fault << "\n";
  std::cout << "  valid certificates: " << Certificates(found) << "\n";
  std::cout << "Expires:\n";
  for (const Expiry& expiry : found.expiries) {
    std::cout << "  " << std::left << std::setw(22) << expiry.what << " ";
    if (!expiry.subject.empty())
      std::cout << ToRfc3339(expiry.to) << " " << std::right << std::setw(4)
                << Percent(expiry.remaining) << "% left";
    std::cout << (expiry.fault.empty() ? "" : "  FAULT: ") << expiry.fault << "\n";
  }
  std::cout << "Keys:\n";
  for (const auto& key : found.keys) std::cout << "  " << key.ToString() << "\n";
  const std::vector<std::string> faults = found.Faults();
  if (faults.empty()) std::cout << "All is well.\n";
  for (const std::string& fault : faults) std::cout << "Not well: " << fault << "\n";
}

void WriteServer(acme::JsonWriter& json, const ServerView& server) {
  json.Key("server").BeginObject().Key("running").Bool(server.running);
  if (server.running)
    json.Member("directory", server.directory_url)
        .Member("http", server.http_url)
        .Member("admin", server.admin_url)
        .Member("healthz", server.healthz)
        .Member("readyz", server.readyz);
  json.EndObject();
}

void WriteFaults(acme::JsonWriter& json, const std::vector<std::string>& faults) {
  json.Key("healthy").Bool(faults.empty()).Key("faults").BeginArray();
  for (const std::string& fault : faults) json.String(fault);
  json.EndArray();
}

void WriteExpiries(acme::JsonWriter& json, const std::vector<Expiry>& expiries) {
  json.Key("expires").BeginArray();
  for (const Expiry& expiry : expiries) {
    json.BeginObject().Member("what", expiry.what);
    if (!expiry.subject.empty())
      json.Member("number", expiry.subject)
          .Member("from", ToRfc3339(expiry.from))
          .Member("to", ToRfc3339(expiry.to))
          .Key("remaining_percent")
          .Int(Percent(expiry.remaining));
    if (!expiry.fault.empty()) json.Member("fault", expiry.fault);
    json.EndObject();
  }
  json.EndArray();
}

void PrintJson(const Config& config, const Inspection& found) {
  acme::JsonWriter json;
  json.BeginObject();
  WriteFaults(json, found.Faults());
  json.Member("trust_domain", config.identity.trust_domain)
      .Member("directory", config.directory.root().string());
  json.Key("roles").BeginArray();
  for (const std::string_view role : found.roles.Names()) json.String(role);
  json.EndArray();
  WriteServer(json, found.server);
  json.Member("store", found.store);
  if (!found.store_fault.empty()) json.Member("store_fault", found.store_fault);
  json.Key("valid_certificates").Int(static_cast<int64_t>(found.valid_certificates));
  WriteExpiries(json, found.expiries);
  json.Key("keys").BeginArray();
  for (const auto& key : found.keys) {
    json.BeginObject().Member("name", key.name).Key("purposes").BeginArray();
    for (const auto purpose : key.purposes) json.String(hsm::ToString(purpose));
    json.EndArray().Member("uri", key.uri).Member("certificate", key.certificate_file).EndObject();
  }
  json.EndArray().EndObject();
  std::cout << std::move(json).Take() << "\n";
}

}  // namespace

Result<int> RunStatus(const Settings& settings) {
  AGENTCA_ASSIGN(const Config config, Config::Make(settings));
  SetLogLevel(config.log_level);
  AGENTCA_ASSIGN(const Hierarchy hierarchy,
                 Hierarchy::Load(config.directory, config.identity.http_external_url));
  const Inspection found = Inspect(config, hierarchy, SystemClock().Now());
  if (settings.Flag("json"))
    PrintJson(config, found);
  else
    PrintWords(config, found);
  return found.Faults().empty() ? kExitSuccess : kExitFailure;
}

}  // namespace agentca::cli
