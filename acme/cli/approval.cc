// agentca approval: orders that wait for a human.
#include <iostream>

#include "acme/admin/strict_json.h"
#include "acme/cli/admin_client.h"
#include "acme/cli/commands.h"
#include "acme/cli/config.h"

namespace agentca::cli {
namespace {

using acme::JsonDocument;
using acme::JsonValue;
using acme::JsonWriter;

std::string Text(const JsonValue& object, std::string_view name) {
  const auto text = object.String(name);
  return text.ok() ? *text : "";
}

void Print(const JsonValue& row) {
  std::cout << Text(row, "order") << "  " << Text(row, "decision") << "  " << Text(row, "agent")
            << "  asked " << Text(row, "askedAt");
  if (row.Find("decidedBy"))
    std::cout << ", decided " << Text(row, "decidedAt") << " by " << Text(row, "decidedBy") << ": "
              << Text(row, "reason");
  std::cout << "\n";
}

Result<int> Decide(const Settings& settings, const char* verb, std::string_view past) {
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  JsonWriter json;
  json.BeginObject().Member("reason", settings.Text("reason")).EndObject();
  AGENTCA_ASSIGN(
      const auto reply,
      client.Call("POST", "/approvals/" + PercentEncoded(settings.positional()) + "/" + verb,
                  std::move(json).Take()));
  if (settings.Flag("json")) {
    std::cout << reply.body << "\n";
    return kExitSuccess;
  }
  AGENTCA_ASSIGN(const JsonDocument document, reply.Json());
  std::cout << past << " the order of " << Text(document.root(), "agent") << ".\n";
  return kExitSuccess;
}

}  // namespace

Result<int> RunApprovalList(const Settings& settings) {
  const auto limit = ParseCount(settings.Text("limit"), 1, 1000);
  if (!limit.ok()) return settings.Bad("limit", limit.error().detail);
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  AGENTCA_ASSIGN(const JsonDocument document,
                 client.Get("/approvals?limit=" + std::to_string(*limit) +
                            (settings.Flag("all") ? "&all=1" : "")));
  const auto rows = document.root().Find("approvals");
  if (!rows) return Error{Code::kInternal, "the server's list has no approvals"};
  if (settings.Flag("json")) {
    AGENTCA_ASSIGN(const std::string text, acme::admin::JsonText(*rows));
    std::cout << text << "\n";
    return kExitSuccess;
  }
  for (const JsonValue& row : rows->elements()) Print(row);
  return kExitSuccess;
}

Result<int> RunApprovalGrant(const Settings& settings) {
  return Decide(settings, "grant", "Granted");
}

Result<int> RunApprovalDeny(const Settings& settings) { return Decide(settings, "deny", "Denied"); }

}  // namespace agentca::cli
