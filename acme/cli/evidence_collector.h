// Where the evidence of the agent beside us comes from: a platform's token endpoint, a file, a
// command, a key, a TPM. Collected anew for each challenge, since each has a nonce of its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "acme/cli/settings.h"
#include "ca/base/clock.h"
#include "ca/base/random.h"
#include "ca/public_key.h"
#include "ca/signer.h"

namespace agentca::cli {

// What the evidence shall be bound to, as the CA asks for it.
struct Demand {
  std::string audience;     // URL of the challenge or of the grant
  Sha256Digest nonce{};     // N
  std::optional<ca::PublicKey> key;  // of the certificate: K is its spki_sha256
  Time now{};
};
// N, or SHA-256(N ‖ K) when a key is to be bound; and what a token must name as its audience
// (acme/attest/format.h, BoundNonce and TokenAudience).
Sha256Digest BoundNonceFor(const Demand& demand);
std::string AudienceFor(const Demand& demand);
// What x5c evidence and "pop" sign: "agent-attest-01\0" ‖ N ‖ K, without K when none is bound.
Bytes MessageFor(const Demand& demand);

struct Collected {
  Bytes evidence;
  std::vector<Bytes> chain{};  // DER, leaf first
};

// Errors: kUnavailable and kNotFound in words that name endpoint, file or command; kMalformed for
// what the operator said. No secret is ever part of one.
class Collector {
 public:
  virtual ~Collector() = default;
  virtual std::string_view format() const = 0;  // as the CA names it: "jwt", "x5c", …
  virtual Result<Collected> Collect(const Demand& demand) = 0;
};

// The one that the options of group kEvidence ask for; kMalformed unless exactly one does.
Result<std::unique_ptr<Collector>> MakeCollector(const Settings& settings, Random& random);

// A token by audience, as bearer of the format `format` ("jwt", "jwt-svid", "eat").
using TokenSource = std::function<Result<std::string>(const std::string& audience)>;
std::unique_ptr<Collector> MakeTokenCollector(std::string format, TokenSource source);

// token_sources.cc. Those of platforms read what the platform lays before a workload: environment
// variables, mounted files.
TokenSource TokenFromFile(std::string file);
// Runs `command` with AGENTCA_AUDIENCE in its environment; its output is the token.
TokenSource TokenFromCommand(std::vector<std::string> command);
// The TokenRequest API, with the pod's own service account (directory: its projected volume).
TokenSource TokenFromKubernetes(std::string directory);
TokenSource TokenFromGitHub();         // ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN
TokenSource TokenFromGcp(std::string metadata_url);  // instance identity, full format
// The SPIFFE Workload API by `spire-agent api fetch jwt`, or a command that prints the like.
TokenSource TokenFromSpiffe(std::vector<std::string> command);

// key_evidence.cc. `key`: PEM, of the attester (statement) or of the certificate (x5c).
Result<std::unique_ptr<Collector>> MakeStatementCollector(const std::string& key,
                                                          const std::string& key_id,
                                                          const std::string& claims_file,
                                                          Random& random);
Result<std::unique_ptr<Collector>> MakeX5cCollector(const std::string& key,
                                                    const std::string& chain);

// tpm_evidence.cc, by tpm2-tools. Objects as those name them: a handle or a context file.
struct TpmObjects {
  std::string attestation_key, key_id;
  std::string certificate_key;  // "" : it is not in the TPM
};
// `pcrs`: "sha256:0,7".
Result<std::unique_ptr<Collector>> MakeTpmCollector(TpmObjects objects, const std::string& pcrs,
                                                    std::vector<Bytes> chain);
// The certificate's key in the TPM.
Result<std::unique_ptr<ca::Signer>> OpenTpmKey(const std::string& object);

}  // namespace agentca::cli
