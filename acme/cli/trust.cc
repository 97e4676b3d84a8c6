// agentca rule and agentca evidence: whom this CA believes.
#include <iomanip>
#include <iostream>

#include "acme/admin/strict_json.h"
#include "acme/admin/trust_json.h"
#include "acme/cli/admin_client.h"
#include "acme/cli/commands.h"
#include "acme/cli/description.h"

namespace agentca::cli {
namespace {

using acme::JsonDocument;
using acme::JsonWriter;

// What is added, from --file and the options.
template <class T>
Result<T> Described(const Settings& settings, Result<T> (*read)(const acme::JsonValue&),
                    Status (*describe)(const Settings&, T&)) {
  T item;
  if (settings.Given("file")) {
    AGENTCA_ASSIGN(const JsonDocument document, ReadJsonFile(settings));
    auto from_file = read(document.root());
    if (!from_file.ok()) return settings.Bad("file", from_file.error().detail);
    item = *std::move(from_file);
  }
  item.name = settings.positional();
  AGENTCA_TRY(describe(settings, item));
  return item;
}

template <class T>
Result<int> Put(const Settings& settings, const std::string& collection, const T& item,
                void (*write)(JsonWriter&, const T&), std::string_view kind) {
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  JsonWriter json;
  write(json, item);
  AGENTCA_ASSIGN(const auto reply,
                 client.Call("PUT", "/" + collection + "/" + PercentEncoded(item.name),
                             std::move(json).Take()));
  if (settings.Flag("json"))
    std::cout << reply.body << "\n";
  else
    std::cout << "Stored " << kind << " " << item.name << ".\n";
  return kExitSuccess;
}

template <class T>
Result<int> List(const Settings& settings, const std::string& collection,
                 Result<T> (*read)(const acme::JsonValue&), void (*print)(const T&)) {
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  AGENTCA_ASSIGN(const JsonDocument document, client.Get("/" + collection));
  const auto rows = document.root().Find(collection);
  if (!rows) return Error{Code::kInternal, "the server's list has no " + collection};
  if (settings.Flag("json")) {
    AGENTCA_ASSIGN(const std::string text, acme::admin::JsonText(*rows));
    std::cout << text << "\n";
    return kExitSuccess;
  }
  for (const auto& row : rows->elements()) {
    AGENTCA_ASSIGN(const T item, read(row));
    print(item);
  }
  return kExitSuccess;
}

Result<int> Remove(const Settings& settings, const std::string& collection, std::string_view kind) {
  const std::string& name = settings.positional();
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  AGENTCA_TRY(client.Call("DELETE", "/" + collection + "/" + PercentEncoded(name)));
  if (settings.Flag("json")) {
    JsonWriter json;
    json.BeginObject().Member("removed", name).EndObject();
    std::cout << std::move(json).Take() << "\n";
  } else {
    std::cout << "Removed " << kind << " " << name << ".\n";
  }
  return kExitSuccess;
}

void PrintRule(const ca::AdmissionRule& rule) {
  std::cout << rule.name << "\n  evidence   " << rule.source;
  if (!rule.claims.empty()) std::cout << ": " << InWords(rule.claims);
  std::cout << "\n  admits     " << rule.tenant_template << "/" << rule.name_template
            << "\n  class      " << InWords(rule.agent_class) << "\n  sponsor    " << rule.sponsor
            << "\n";
  if (!rule.scopes.empty()) std::cout << "  scopes     " << Joined(rule.scopes) << "\n";
}

void PrintSource(const ca::EvidenceSource& source) {
  std::cout << source.name << "\n  format     " << source.format << ", level " << source.max_level
            << " at most\n";
  const auto line = [](const char* key, const std::string& value) {
    if (!value.empty()) std::cout << "  " << std::left << std::setw(11) << key << value << "\n";
  };
  line("tenant", source.tenant);
  line("issuer", source.issuer);
  line("keys", source.jwks.empty() ? source.jwks_url : "pinned");
  line("roots", source.roots_pem.empty() ? "" : "pinned");
  line("audience", source.fixed_audience);
  line("required", InWords(source.required));
}

}  // namespace

Result<int> RunRuleAdd(const Settings& settings) {
  AGENTCA_ASSIGN(const auto rule,
                 Described<ca::AdmissionRule>(settings, &acme::admin::ReadRule, &DescribeRule));
  return Put(settings, "rules", rule, &acme::admin::WriteRule, "admission rule");
}

Result<int> RunRuleList(const Settings& settings) {
  return List<ca::AdmissionRule>(settings, "rules", &acme::admin::ReadRule, &PrintRule);
}

Result<int> RunRuleRemove(const Settings& settings) {
  return Remove(settings, "rules", "admission rule");
}

Result<int> RunEvidenceAdd(const Settings& settings) {
  AGENTCA_ASSIGN(const auto source, Described<ca::EvidenceSource>(
                                        settings, &acme::admin::ReadSource, &DescribeSource));
  return Put(settings, "sources", source, &acme::admin::WriteSource, "source of evidence");
}

Result<int> RunEvidenceList(const Settings& settings) {
  return List<ca::EvidenceSource>(settings, "sources", &acme::admin::ReadSource, &PrintSource);
}

Result<int> RunEvidenceRemove(const Settings& settings) {
  return Remove(settings, "sources", "source of evidence");
}

}  // namespace agentca::cli
