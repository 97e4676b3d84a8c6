// agentca agent suspend, resume, retire, revoke: of one agent, or of those of a tenant whose name
// fits a pattern with a final "*".
#include <iostream>

#include "acme/admin/strict_json.h"
#include "acme/cli/admin_client.h"
#include "acme/cli/commands.h"
#include "ca/agent.h"

namespace agentca::cli {
namespace {

using acme::JsonDocument;
using acme::JsonValue;
using acme::JsonWriter;

struct Verb {
  const char* name;  // of the admin API's path
  const char* past;  // for people
  const char* flag;  // in a request about many; null: there is none
};
constexpr Verb kSuspend{"suspend", "Suspended", "suspend"};
constexpr Verb kResume{"resume", "Resumed", nullptr};
constexpr Verb kRetire{"retire", "Retired", "retire"};
constexpr Verb kRevoke{"revoke", "Revoked the certificates of", nullptr};

std::vector<JsonValue> Rows(const JsonValue& object, std::string_view name) {
  const auto rows = object.Find(name);
  return rows ? rows->elements() : std::vector<JsonValue>();
}

std::string Text(const JsonValue& object, std::string_view name) {
  const auto text = object.String(name);
  return text.ok() ? *text : "";
}

// What became of one agent's certificates. False: something failed.
bool PrintOutcome(const Verb& verb, const std::string& agent, const JsonValue& outcome) {
  std::cout << verb.past << " " << agent << ".\n";
  for (const JsonValue& serial : Rows(outcome, "revoked"))
    std::cout << "  revoked " << serial.AsString().value_or("") << "\n";
  const auto errors = Rows(outcome, "errors");
  for (const JsonValue& error : errors) {
    const std::string serial = Text(error, "serial");
    std::cerr << "agentca: " << (serial.empty() ? agent : "certificate " + serial) << ": "
              << Text(error, "detail") << "\n";
  }
  return errors.empty();
}

void WriteReasons(const Settings& settings, JsonWriter& json) {
  json.Member("reason", settings.Text("reason"));
  if (settings.Given("revocation-reason"))
    json.Member("revocationReason", settings.Text("revocation-reason"));
}

Result<int> EndOne(const Settings& settings, const Verb& verb, const std::string& agent) {
  AGENTCA_TRY(ca::ParseAgentId(agent));
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  JsonWriter json;
  json.BeginObject();
  WriteReasons(settings, json);
  if (settings.Flag("keep-certificates")) json.Key("revoke").Bool(false);
  json.EndObject();
  AGENTCA_ASSIGN(const auto reply,
                 client.Call("POST", "/agents/" + agent + "/" + verb.name, std::move(json).Take()));
  AGENTCA_ASSIGN(const JsonDocument document, reply.Json());
  if (!settings.Flag("json"))
    return PrintOutcome(verb, agent, document.root()) ? kExitSuccess : kExitFailure;
  std::cout << reply.body << "\n";
  return Rows(document.root(), "errors").empty() ? kExitSuccess : kExitFailure;
}

std::string ManyRequest(const Settings& settings, const Verb& verb, const std::string& tenant,
                        const std::string& pattern, const std::string& after) {
  JsonWriter json;
  json.BeginObject().Member("tenant", tenant).Member("name", pattern).Member("after", after);
  if (verb.flag != nullptr) json.Key(verb.flag).Bool(true);
  WriteReasons(settings, json);
  json.EndObject();
  return std::move(json).Take();
}

Result<int> EndMany(const Settings& settings, const Verb& verb, const std::string& selection) {
  if (settings.Flag("keep-certificates"))
    return settings.Bad("keep-certificates", "goes with one agent alone");
  const size_t slash = selection.find('/');
  const std::string tenant = selection.substr(0, slash), pattern = selection.substr(slash + 1);
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  bool complete = true;
  size_t count = 0;
  JsonWriter json;
  json.BeginArray();
  std::string after;
  for (bool more = true; more;) {
    AGENTCA_ASSIGN(
        const auto reply,
        client.Call("POST", "/agents/revoke", ManyRequest(settings, verb, tenant, pattern, after)));
    AGENTCA_ASSIGN(const JsonDocument document, reply.Json());
    for (const JsonValue& row : Rows(document.root(), "agents")) {
      ++count;
      if (settings.Flag("json")) {
        AGENTCA_ASSIGN(const std::string text, acme::admin::JsonText(row));
        json.Raw(text);
        complete = Rows(row, "errors").empty() && complete;
      } else {
        complete = PrintOutcome(verb, Text(row, "agent"), row) && complete;
      }
    }
    after = Text(document.root(), "next");
    more = !after.empty();
  }
  json.EndArray();
  if (settings.Flag("json"))
    std::cout << std::move(json).Take() << "\n";
  else
    std::cout << count << (count == 1 ? " agent.\n" : " agents.\n");
  return complete ? kExitSuccess : kExitFailure;
}

Result<int> End(const Settings& settings, const Verb& verb) {
  const std::string& agent = settings.positional();
  const bool many = agent.ends_with('*') && agent.find('/') != std::string::npos;
  return many ? EndMany(settings, verb, agent) : EndOne(settings, verb, agent);
}

}  // namespace

Result<int> RunAgentSuspend(const Settings& settings) { return End(settings, kSuspend); }
Result<int> RunAgentRetire(const Settings& settings) { return End(settings, kRetire); }
Result<int> RunAgentRevoke(const Settings& settings) { return End(settings, kRevoke); }

// One at a time: whoever lets an agent go on has looked at it.
Result<int> RunAgentResume(const Settings& settings) {
  AGENTCA_TRY(ca::ParseAgentId(settings.positional()));
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  JsonWriter json;
  json.BeginObject().Member("reason", settings.Text("reason")).EndObject();
  AGENTCA_ASSIGN(
      const auto reply,
      client.Call("POST", "/agents/" + settings.positional() + "/resume", std::move(json).Take()));
  if (settings.Flag("json"))
    std::cout << reply.body << "\n";
  else
    std::cout << kResume.past << " " << settings.positional() << ".\n";
  return kExitSuccess;
}

}  // namespace agentca::cli
