#include <sys/stat.h>

#include <algorithm>
#include <iostream>

#include "acme/cli/bootstrap.h"
#include "acme/cli/commands.h"
#include "acme/cli/conf_file.h"
#include "acme/cli/config.h"
#include "acme/cli/files.h"
#include "acme/cli/node_id.h"
#include "acme/cli/own_certificates.h"
#include "acme/cli/policy.h"
#include "acme/cli/profiles.h"
#include "acme/cli/recorded_keys.h"
#include "ca/audit.h"
#include "hsm/pkcs11.h"
#include "storage/open.h"

namespace agentca::cli {
namespace {

namespace fs = std::filesystem;

struct Plan {
  Config config;
  hsm::CaKeyType key_type;
  std::vector<std::string> name_constraints;
};

Result<Plan> MakePlan(const Settings& settings) {
  AGENTCA_TRY(CheckForConf(settings));
  AGENTCA_ASSIGN(Config config, Config::Make(settings));
  const auto key_type = hsm::CaKeyTypeFromString(settings.Text("key-type"));
  if (!key_type.ok()) return settings.Bad("key-type", "is not p256, p384 or rsa3072");
  auto constraints = settings.List("name-constraint");
  for (const auto& suffix : constraints)
    if (auto host = ParseHostName(suffix); !host.ok())
      return settings.Bad("name-constraint", host.error().detail);
  for (const auto& name : config.identity.dns_names)
    if (!IsPermitted(name, constraints))
      return settings.Bad("dns-name", "'" + name + "' is outside every --name-constraint");
  if (config.identity.dns_names.empty() && !IsPermitted("localhost", constraints))
    return settings.Bad("name-constraint",
                        "leaves this server no name; give a --dns-name under it");
  if (config.signer.token.module.empty() &&
      (settings.Given("token-label") || settings.Given("pin-file") ||
       settings.Given("token-serial")))
    return settings.Bad("pkcs11-module", "is required with token-label, token-serial or pin-file");
  return Plan{std::move(config), *key_type, std::move(constraints)};
}

// ---- Keys ---------------------------------------------------------------------------------------

struct MadeKey {
  const char* name;
  std::vector<hsm::Purpose> purposes;
  fs::path certificate_file;
  hsm::KeyUri uri;
};

Result<hsm::TokenOptions> OpenOrCreateToken(const Plan& plan, Random& random) {
  if (!plan.config.signer.token.module.empty()) return plan.config.signer.token;
  return hsm::CreateSoftHsmToken(plan.config.directory.Token(), "agentca", random);
}

// On a token of the operator's, keys of a failed attempt stay behind and must not be in the way of
// the next one: labels end in a random suffix there.
std::string LabelSuffix(const Plan& plan, Random& random) {
  if (plan.config.signer.token.module.empty()) return "";
  uint8_t octets[4];
  random.Fill(octets);
  return "-" + ToHex(octets);
}

Result<std::vector<MadeKey>> GenerateKeys(const Plan& plan, const hsm::TokenOptions& options,
                                          ca::ChainedLog& audit, Random& random, Time now) {
  using hsm::Purpose;
  const Directory& directory = plan.config.directory;
  std::vector<MadeKey> keys = {
      {kRootKey, {Purpose::kCrl}, directory.RootCertificate(), {}},
      {kIssuingKey, {Purpose::kCertificate, Purpose::kCrl}, directory.IssuingCertificate(), {}},
      {kOcspKey, {Purpose::kOcsp}, directory.OcspCertificate(), {}},
  };
  const std::string suffix = LabelSuffix(plan, random);
  AGENTCA_ASSIGN(const auto token, hsm::Token::Open(options));
  for (MadeKey& key : keys) {
    AGENTCA_ASSIGN(const hsm::KeyReport report, token->Generate(plan.key_type, key.name + suffix));
    for (const std::string& fault : report.Faults())
      return Error{Code::kInternal, report.uri.ToString() + ": " + fault};
    key.uri = report.uri;
    AGENTCA_TRY(audit.Append("key-generated",
                             {{"key", key.name},
                              {"uri", key.uri.ToString()},
                              {"spki_sha256", ToHex(report.public_key.spki_sha256())}},
                             now));
  }
  return keys;
}

// ---- agentca.conf -------------------------------------------------------------------------------

// What the operator said, what was derived from it, and what init made.
ConfValues MakeConfValues(const Settings& settings, const Config& config,
                          const hsm::TokenOptions& token, const std::vector<MadeKey>& keys) {
  const Directory& directory = config.directory;
  ConfValues values = ConfValuesOf(settings);
  values["trust-domain"] = {config.identity.trust_domain};
  values["agents-zone"] = {config.identity.agents_zone};
  values["organization"] = {config.identity.organization};
  values["http-external-url"] = {config.identity.http_external_url};
  if (settings.Given("storage")) values["storage"] = {config.storage};
  if (!config.signer.socket.empty()) values["signer-socket"] = {config.signer.socket.string()};
  values["pkcs11-module"] = {token.module.string()};
  values["token-label"] = {token.label};
  if (!token.serial.empty()) values["token-serial"] = {token.serial};
  values["pin-file"] = {ForConf(directory, token.pin_file)};
  if (!token.softhsm2_conf.empty())
    values["softhsm2-conf"] = {ForConf(directory, token.softhsm2_conf)};
  for (const MadeKey& key : keys)
    values["signer-key"].push_back(hsm::KeyEntry{key.name, key.purposes, key.uri.ToString(),
                                                 ForConf(directory, key.certificate_file)}
                                       .ToString());
  return values;
}

// ---- The directory ------------------------------------------------------------------------------

// Removes what init itself makes, and nothing else.
void Clear(const Directory& directory) {
  std::error_code ignored;
  for (const char* folder : Directory::kFolders) fs::remove_all(directory.root() / folder, ignored);
  fs::remove_all(directory.Token(), ignored);
  fs::remove(directory.PolicyFile(), ignored);
  fs::remove(directory.NodeId(), ignored);
}

enum class State : uint8_t { kAbsent, kEmpty, kUnfinished, kInitialised, kForeign };

State StateOf(const Directory& directory) {
  std::error_code error;
  if (!fs::exists(directory.root(), error) && !error) return State::kAbsent;
  if (fs::exists(directory.Conf(), error)) return State::kInitialised;
  if (fs::exists(directory.Unfinished(), error)) return State::kUnfinished;
  return fs::is_empty(directory.root(), error) && !error ? State::kEmpty : State::kForeign;
}

Result<Hierarchy> Build(const Settings& settings, const Plan& plan) {
  const Directory& directory = plan.config.directory;
  const SystemClock clock;
  OpenSslRandom random;
  for (const char* folder : Directory::kFolders)
    AGENTCA_TRY(MakeDirectory(directory.root() / folder));
  for (const ProfileFile& profile : InitialProfiles(plan.name_constraints))
    AGENTCA_TRY(WriteTextFile(directory.Profile(profile.name), profile.json, kPublicFile));
  AGENTCA_TRY(WriteTextFile(directory.PolicyFile(), PolicyText(ca::DefaultPolicy()), kPublicFile));
  if (auto node = ReadNodeId(directory, random); !node.ok()) return std::move(node).error();
  AGENTCA_ASSIGN(const auto audit, ca::ChainedLog::Open(directory.AuditLog()));
  AGENTCA_ASSIGN(const auto key_usage, ca::ChainedLog::Open(directory.KeyUsageLog()));
  AGENTCA_ASSIGN(const auto token, OpenOrCreateToken(plan, random));
  AGENTCA_ASSIGN(const auto keys, GenerateKeys(plan, token, *audit, random, clock.Now()));
  AGENTCA_ASSIGN(const auto backend,
                 storage::Open(plan.config.storage, storage::OpenMode::kCreate));
  std::vector<std::pair<std::string, hsm::KeyUri>> named;
  for (const MadeKey& key : keys) named.emplace_back(key.name, key.uri);
  AGENTCA_ASSIGN(const auto provider, hsm::OpenPkcs11Keys(token, std::move(named)));
  RecordedKeys recorded(*provider, *key_usage, clock);
  AGENTCA_ASSIGN(Hierarchy hierarchy,
                 Found({plan.config, recorded, *backend, *audit, random, clock}));
  // The last step: a directory with agentca.conf is initialised, one without is not.
  AGENTCA_TRY(WriteTextFile(
      directory.Conf(), ConfText(MakeConfValues(settings, plan.config, token, keys)), kSecretFile));
  return hierarchy;
}

void Report(const Plan& plan, const Hierarchy& hierarchy) {
  std::cout << "Created a certificate authority for " << plan.config.identity.trust_domain << " in "
            << plan.config.directory.root().string() << "\n"
            << "Root certificate: " << plan.config.directory.RootCertificate().string() << "\n"
            << "SHA-256 of it:    " << ToHex(Sha256(hierarchy.root.certificate.der)) << "\n"
            << "Administrator:    " << plan.config.directory.AdminCertificate().string() << "\n"
            << "Next: agentca serve --dir " << plan.config.directory.root().string() << "\n";
}

int RefuseExisting(const Directory& directory, std::string_view what) {
  std::cerr << "agentca: " << directory.root().string() << " " << what << "; nothing was changed\n";
  return kExitExists;
}

}  // namespace

Result<int> RunInit(const Settings& settings) {
  constexpr std::string_view kHoldsOne = "holds a certificate authority already";
  AGENTCA_ASSIGN(const Plan plan, MakePlan(settings));
  SetLogLevel(plan.config.log_level);
  const Directory& directory = plan.config.directory;
  const State before = StateOf(directory);
  if (before == State::kInitialised) return RefuseExisting(directory, kHoldsOne);
  if (before == State::kForeign) return RefuseExisting(directory, "is not empty");
  AGENTCA_TRY(MakeDirectory(directory.root()));
  if (::chmod(directory.root().c_str(), 0700) != 0)
    return FileError("cannot protect", directory.root());
  AGENTCA_ASSIGN(const FileLock marker,
                 FileLock::Take(directory.Unfinished(), FileLock::Wait::kNo));
  std::error_code ignored;
  if (fs::exists(directory.Conf(), ignored)) {  // another init was faster
    fs::remove(directory.Unfinished(), ignored);
    return RefuseExisting(directory, kHoldsOne);
  }
  Clear(directory);
  auto hierarchy = Build(settings, plan);
  if (hierarchy.ok()) {
    fs::remove(directory.Unfinished(), ignored);
    Report(plan, *hierarchy);
    return kExitSuccess;
  }
  Clear(directory);
  fs::remove(directory.Unfinished(), ignored);
  if (before == State::kAbsent) fs::remove(directory.root(), ignored);  // only when empty
  return std::move(hierarchy).error();
}

}  // namespace agentca::cli
