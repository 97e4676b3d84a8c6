// What `serve`, `signer`, `init` and the rest work with: every option checked and typed.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "acme/challenge/challenges.h"
#include "acme/cli/balancers.h"
#include "acme/cli/directory.h"
#include "acme/cli/roles.h"
#include "acme/cli/settings.h"
#include "acme/http/server.h"
#include "acme/model.h"
#include "acme/service.h"
#include "ca/base/log.h"
#include "ca/crl_publisher.h"
#include "ca/responder.h"
#include "hsm/pkcs11.h"
#include "hsm/signer_protocol.h"

namespace agentca::cli {

// "ADDR:PORT" or "[V6]:PORT", numeric.
struct Endpoint {
  std::string text;     // as http::ServerOptions::listen wants it
  std::string address;  // without brackets
  uint16_t port = 0;
  static Result<Endpoint> Parse(std::string_view text);  // kMalformed
};

// "90s", "15m", "12h", "7d", "250ms"; kMalformed for anything else and for what does not fit.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);
// Lower-case letters, digits and inner hyphens in labels, no final dot; kMalformed.
Result<std::string> ParseHostName(std::string_view text);
// Digits alone, from `min` to `max`; kMalformed.
Result<uint64_t> ParseCount(std::string_view text, uint64_t min, uint64_t max);

struct IdentityConfig {
  std::string trust_domain, agents_zone, organization;
  std::vector<std::string> dns_names;
  std::string http_external_url;  // without trailing slash
};

// Certificates of agents.
struct AgentConfig {
  std::string profile;  // a file name; with kAnnualHsmSuffix for agents of "annual-hsm"
  std::string arc;      // ca::CheckAgentArc
};

struct SignerConfig {
  hsm::TokenOptions token;
  std::vector<hsm::KeyEntry> keys;
  std::filesystem::path socket;  // empty: serve starts the signer
  int threads = 0;
  std::chrono::milliseconds deadline{};
};

struct ServingConfig {
  Roles roles;
  Endpoint acme_listen, http_listen;
  std::optional<Endpoint> admin_listen;  // nullopt: no admin API
  std::vector<Balancers> balancers;
  std::string external_url;  // "": made of the port that acme_listen got
  std::chrono::milliseconds drain_delay{}, drain_deadline{};
  acme::http::Limits limits;
  int io_threads = 0;
  size_t acme_threads = 0, http_threads = 0, queue_limit = 0;
};

struct ValidationConfig {
  std::vector<acme::ChallengeType> challenges;
  std::string resolver;
  uint16_t http01_port = 0, tls_alpn01_port = 0;
  std::vector<acme::Cidr> allow, deny;
  acme::ValidationLimits limits;
  acme::ValidationOptions pool;
};

// How long what is over is kept; zero: for ever.
struct RetentionConfig {
  Seconds orders{}, grants{}, certificates{}, attestations{};
};

struct Config {
  // kMalformed names file, line and key, or the option, and the cause.
  static Result<Config> Make(const Settings& settings);

  Directory directory;
  Level log_level;
  IdentityConfig identity;
  SignerConfig signer;
  std::string storage;  // URI with an absolute path
  size_t storage_connections;
  ServingConfig serving;
  std::string profile;
  AgentConfig agents;
  uint8_t serial_prefix;
  acme::Policy policy;
  ValidationConfig validation;
  ca::CrlSchedule crl;
  ca::OcspSchedule ocsp;
  RetentionConfig retention;
};

}  // namespace agentca::cli
