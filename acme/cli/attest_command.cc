// `agentca attest`: stand-alone, or as the hook of an ACME client.
#include <cstdlib>
#include <iostream>

#include "acme/cli/agent_key.h"
#include "acme/cli/attest.h"
#include "acme/cli/commands.h"
#include "acme/cli/config.h"
#include "acme/cli/deadline.h"
#include "acme/json.h"

namespace agentca::cli {
namespace {

constexpr std::string_view kDirectory = "/directory";

std::optional<std::string> EnvironmentVariable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// Clients are configured with the URL of the directory: the same one will do here.
Result<std::string> ServerOf(const Settings& settings) {
  std::string server = settings.Text("server");
  if (server.empty()) return Error{Code::kMalformed, "--server URL is required"};
  if (server.ends_with(kDirectory)) server.erase(server.size() - kDirectory.size());
  while (server.ends_with('/')) server.pop_back();
  if (!server.starts_with("https://")) return settings.Bad("server", "must be an https URL");
  return server;
}

Result<HookCall> WhatToProve(const Settings& settings) {
  const std::string agent = settings.Text("agent");
  const std::string txt = settings.Text("txt");
  if (agent.empty() && txt.empty()) return ReadHookCall(settings.positionals(), EnvironmentVariable);
  if (agent.empty() || txt.empty())
    return Error{Code::kMalformed, "--agent and --txt go together, or --agent with --grant"};
  const auto nonce = ParseTxtValue(txt);
  if (!nonce.ok()) return settings.Bad("txt", nonce.error().detail);
  AGENTCA_ASSIGN(std::string name, ParseHostName(agent));
  return HookCall{HookCall::Action::kProve, {{std::move(name), *nonce}}};
}

// Null when none is to be bound.
Result<std::unique_ptr<ca::Signer>> CertificateKey(const Settings& settings) {
  if (settings.Given("certificate-key")) return ReadAgentKey(settings.Text("certificate-key"));
  if (settings.Given("tpm-key")) return OpenTpmKey(settings.Text("tpm-key"));
  return std::unique_ptr<ca::Signer>();
}

Result<int> RunPrint(const Settings& settings, const AttestPlan& plan, Time now) {
  Demand demand{.audience = settings.Text("audience"), .nonce = {}, .key = {}, .now = now};
  if (demand.audience.empty()) return Error{Code::kMalformed, "--print needs --audience URL"};
  const auto nonce = ParseTxtValue(settings.Text("txt"));
  if (!nonce.ok()) return settings.Bad("txt", nonce.error().detail);
  demand.nonce = *nonce;
  AGENTCA_ASSIGN(const std::string response, MakeResponse(plan, demand));
  std::cout << response << "\n";
  return kExitSuccess;
}

// Nothing to do at all is known before anything is configured: clean-up hooks always succeed.
Result<int> RunHook(const AttestPlan& plan, const HookCall& call, Time now) {
  for (const ProofRequest& request : call.requests) {
    AGENTCA_ASSIGN(const std::string said, ProveAtDrop(plan, request, now));
    std::cout << said << "\n";
  }
  return kExitSuccess;
}

Result<int> RunGrant(const Settings& settings, const AttestPlan& plan, Time now) {
  const std::string agent = settings.Text("agent");
  if (agent.empty()) return Error{Code::kMalformed, "--grant needs --agent DNS-NAME"};
  AGENTCA_ASSIGN(const GrantedBinding binding, AskForGrant(plan, agent, now));
  if (settings.Flag("json")) {
    acme::JsonWriter json;
    json.BeginObject()
        .Member("agent", binding.agent)
        .Member("kid", binding.key_id)
        .Member("hmacKey", binding.hmac_key)
        .Member("expires", binding.expires)
        .EndObject();
    std::cout << std::move(json).Take() << "\n";
  } else {
    std::cout << "agent:    " << binding.agent << "\nkid:      " << binding.key_id
              << "\nhmac-key: " << binding.hmac_key << "\nexpires:  " << binding.expires << "\n";
  }
  return kExitSuccess;
}

}  // namespace

Result<int> RunAttest(const Settings& settings) {
  SetLogLevel(Level::kWarning);
  HookCall call;
  const bool is_hook = !settings.Flag("grant") && !settings.Flag("print");
  if (is_hook) {
    AGENTCA_ASSIGN(call, WhatToProve(settings));
    if (call.action == HookCall::Action::kNothing) return kExitSuccess;
    if (call.action == HookCall::Action::kDecline) return kExitFailure;
  }
  const auto limit = ParseDuration(settings.Text("deadline"));
  if (!limit.ok()) return settings.Bad("deadline", limit.error().detail);
  const Deadline deadline(*limit, "attest");
  OpenSslRandom random;
  AGENTCA_ASSIGN(const auto collector, MakeCollector(settings, random));
  AGENTCA_ASSIGN(const auto key, CertificateKey(settings));
  AttestPlan plan{"", settings.Text("ca-file"), *collector, key.get()};
  const Time now = SystemClock().Now();
  if (settings.Flag("print")) return RunPrint(settings, plan, now);
  AGENTCA_ASSIGN(plan.server, ServerOf(settings));
  return is_hook ? RunHook(plan, call, now) : RunGrant(settings, plan, now);
}

}  // namespace agentca::cli
