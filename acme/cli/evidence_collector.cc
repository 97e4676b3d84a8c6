#include "acme/cli/evidence_collector.h"

#include <algorithm>
#include <array>

#include "acme/attest/format.h"
#include "acme/cli/pem.h"

namespace agentca::cli {
namespace {

namespace attest = acme::attest;

constexpr std::array<std::string_view, 9> kWays{
    "token-file",  "token-command", "from-kubernetes", "from-github",   "from-gcp",
    "from-spiffe", "statement",     "attester-chain",  "tpm-ak"};

// The one way that was asked for.
Result<std::string_view> WayOf(const Settings& settings) {
  std::string_view way;
  for (const std::string_view each : kWays) {
    if (!settings.Given(each)) continue;
    if (!way.empty()) return settings.Bad(each, "cannot be combined with " + std::string(way));
    way = each;
  }
  if (!way.empty()) return way;
  std::string all;
  for (const std::string_view each : kWays)
    all.append(all.empty() ? "--" : ", --").append(each);
  return Error{Code::kMalformed, "how does the agent prove itself? Give one of " + all};
}

std::vector<std::string> SpiffeCommand(const Settings& settings) {
  auto command = settings.List("spiffe-command");
  if (command.empty()) command = {"spire-agent", "api", "fetch", "jwt"};
  return command;
}

attest::Expectation ExpectationOf(const Demand& demand) {
  return {.audience = demand.audience,
          .nonce = demand.nonce,
          .key = demand.key ? &*demand.key : nullptr,
          .now = demand.now};
}

Result<std::unique_ptr<Collector>> TpmCollectorOf(const Settings& settings) {
  std::vector<Bytes> chain;
  if (settings.Given("tpm-chain")) {
    AGENTCA_ASSIGN(chain, ReadCertificates(settings.Text("tpm-chain")));
  }
  return MakeTpmCollector({.attestation_key = settings.Text("tpm-ak"),
                           .key_id = settings.Text("attester-key-id"),
                           .certificate_key = settings.Text("tpm-key")},
                          settings.Text("tpm-pcrs"), std::move(chain));
}

Result<std::string> AttesterKey(const Settings& settings) {
  std::string file = settings.Text("attester-key");
  if (file.empty()) return Error{Code::kMalformed, "--attester-key FILE is required"};
  return file;
}

}  // namespace

Sha256Digest BoundNonceFor(const Demand& demand) {
  return attest::BoundNonce(ExpectationOf(demand));
}

std::string AudienceFor(const Demand& demand) {
  return attest::TokenAudience(ExpectationOf(demand));
}

Bytes MessageFor(const Demand& demand) { return attest::SignedMessage(ExpectationOf(demand)); }

Result<std::unique_ptr<Collector>> MakeCollector(const Settings& settings, Random& random) {
  AGENTCA_ASSIGN(const std::string_view way, WayOf(settings));
  const std::string format = settings.Text("evidence-format");
  if (way == "token-file") return MakeTokenCollector(format, TokenFromFile(settings.Text(way)));
  if (way == "token-command")
    return MakeTokenCollector(format, TokenFromCommand(settings.List(way)));
  if (way == "from-kubernetes")
    return MakeTokenCollector("jwt", TokenFromKubernetes(settings.Text("service-account-dir")));
  if (way == "from-github") return MakeTokenCollector("jwt", TokenFromGitHub());
  if (way == "from-gcp")
    return MakeTokenCollector("jwt", TokenFromGcp(settings.Text("gcp-metadata")));
  if (way == "from-spiffe")
    return MakeTokenCollector("jwt-svid", TokenFromSpiffe(SpiffeCommand(settings)));
  if (way == "tpm-ak") return TpmCollectorOf(settings);
  AGENTCA_ASSIGN(const std::string key, AttesterKey(settings));
  if (way == "statement")
    return MakeStatementCollector(key, settings.Text("attester-key-id"), settings.Text(way),
                                  random);
  return MakeX5cCollector(key, settings.Text(way));
}

}  // namespace agentca::cli
