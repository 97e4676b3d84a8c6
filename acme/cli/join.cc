#include "acme/cli/join.h"

#include <algorithm>
#include <array>
#include <iostream>

#include "acme/cli/authority.h"
#include "acme/cli/commands.h"
#include "acme/cli/conf_file.h"
#include "acme/cli/files.h"
#include "acme/cli/node_id.h"
#include "acme/cli/profiles.h"
#include "ca/base/log.h"
#include "ca/heartbeat.h"

namespace agentca::cli {
namespace {

namespace fs = std::filesystem;

// What each node has of its own.
constexpr std::array<const char*, 5> kOwn{"acme-listen", "http-listen", "admin-listen", "role",
                                          "signer-socket"};

bool IsShared(const std::string& storage) {
  return storage.starts_with("postgresql://") || storage.starts_with("postgres://");
}

// Every node must make the same URLs of orders and accounts, whatever its own port is.
Result<std::string> ExternalUrl(const NodeSettings& origin) {
  const Config& config = origin.config;
  if (!config.serving.external_url.empty()) return config.serving.external_url;
  if (config.serving.acme_listen.port == 0)
    return Error{Code::kMalformed, config.directory.Conf().string() +
                                       ": external-url is required of an authority with several "
                                       "nodes, since acme-listen has port 0"};
  const auto& names = config.identity.dns_names;
  return "https://" + (names.empty() ? "localhost" : names.front()) + ":" +
         std::to_string(config.serving.acme_listen.port);
}

// The certificate of a key is in both directories; what is elsewhere stays there.
std::vector<std::string> SignerKeys(const Config& origin) {
  std::vector<std::string> rows;
  for (hsm::KeyEntry key : origin.signer.keys) {
    if (!key.certificate_file.empty())
      key.certificate_file = ForConf(origin.directory, key.certificate_file);
    rows.push_back(key.ToString());
  }
  return rows;
}

Status CopyFile(const fs::path& from, const fs::path& to) {
  AGENTCA_ASSIGN(const std::string text, ReadTextFile(from));
  return WriteTextFile(to, text, kPublicFile);
}

Status CopyProfiles(const fs::path& from, const fs::path& to) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(from, error)) {
    if (entry.path().extension() != ".json") continue;
    AGENTCA_TRY(CopyFile(entry.path(), to / entry.path().filename()));
  }
  if (error) return Error{Code::kInternal, "cannot read " + from.string() + ": " + error.message()};
  return {};
}

Status CheckNames(const Settings& joining, const Config& node) {
  AGENTCA_ASSIGN(const ca::Profile issuing, ReadProfile(node.directory, "issuing"));
  for (const std::string& name : node.identity.dns_names)
    if (!IsPermitted(name, issuing.raw().permitted_dns))
      return joining.Bad("dns-name", "'" + name + "' is outside the name constraints of the CA");
  return {};
}

// A name beside `target` that nobody uses: what is made there becomes `target` as a whole.
fs::path Beside(const fs::path& target, Random& random) {
  std::array<uint8_t, 8> octets{};
  random.Fill(octets);
  return target.string() + ".joining-" + ToHex(octets);
}

Status Make(const Settings& joining, const NodeSettings& origin, const fs::path& root,
            Random& random) {
  AGENTCA_ASSIGN(ConfValues conf, JoinedConf(joining, origin));
  // Who is to listen at the socket needs the directory first: meanwhile the signer is a child.
  const auto socket = conf.extract("signer-socket");
  AGENTCA_ASSIGN(const NodeSettings node, CopyNode(origin, conf, root));
  AGENTCA_TRY(CheckNames(joining, node.config));
  AGENTCA_ASSIGN(const ca::NodeId id, ReadNodeId(node.config.directory, random));
  AGENTCA_ASSIGN(const auto backend,
                 storage::Open(node.config.storage, storage::OpenMode::kExisting, id));
  AGENTCA_TRY(EquipNode(node.config, *backend));
  if (socket.empty()) return {};
  conf.insert_or_assign(socket.key(), socket.mapped());
  return WriteTextFile(node.config.directory.Conf(), ConfText(conf), kSecretFile);
}

Status Replace(const fs::path& fresh, const fs::path& target) {
  std::error_code error;
  fs::rename(fresh, target, error);
  if (error)
    return Error{Code::kConflict, "cannot make " + target.string() + ": " + error.message()};
  return SyncDirectoryOf(target);
}

}  // namespace

Result<NodeSettings> NodeSettings::Read(const fs::path& directory) {
  const std::vector<std::string> arguments{"--dir", directory.string()};
  AGENTCA_ASSIGN(Settings settings, Settings::Read(Command::kServe, arguments));
  AGENTCA_ASSIGN(Config config, Config::Make(settings));
  return NodeSettings{std::move(settings), std::move(config)};
}

Result<ConfValues> JoinedConf(const Settings& joining, const NodeSettings& origin) {
  const Config& config = origin.config;
  ConfValues conf = ConfValuesOf(origin.settings);
  for (const char* key : kOwn) conf.erase(key);
  AGENTCA_ASSIGN(const std::string url, ExternalUrl(origin));
  conf["external-url"] = {url};
  conf["signer-key"] = SignerKeys(config);
  const auto whole = [&](const char* key, const fs::path& path) {
    if (!path.empty()) conf[key] = {path.string()};
  };
  whole("pkcs11-module", config.signer.token.module);
  whole("pin-file", config.signer.token.pin_file);
  whole("softhsm2-conf", config.signer.token.softhsm2_conf);
  for (auto& [key, values] : ConfValuesOf(joining)) conf[key] = std::move(values);
  if (joining.Given("signer-socket")) {
    std::error_code error;
    whole("signer-socket", fs::absolute(joining.Text("signer-socket"), error).lexically_normal());
    if (error) return joining.Bad("signer-socket", error.message());
  }
  return conf;
}

Result<NodeSettings> CopyNode(const NodeSettings& origin, const ConfValues& conf,
                              const fs::path& root) {
  const Directory& from = origin.config.directory;
  const Directory to(root);
  for (const char* folder : Directory::kFolders) AGENTCA_TRY(MakeDirectory(root / folder));
  AGENTCA_TRY(CopyFile(from.RootCertificate(), to.RootCertificate()));
  AGENTCA_TRY(CopyFile(from.IssuingCertificate(), to.IssuingCertificate()));
  std::error_code ignored;  // one that cannot be seen cannot be read either
  if (fs::exists(from.OcspCertificate(), ignored)) {
    AGENTCA_TRY(CopyFile(from.OcspCertificate(), to.OcspCertificate()));
  }
  if (fs::exists(from.PolicyFile(), ignored)) {
    AGENTCA_TRY(CopyFile(from.PolicyFile(), to.PolicyFile()));
  }
  AGENTCA_TRY(CopyProfiles(from.root() / "profiles", root / "profiles"));
  AGENTCA_TRY(WriteTextFile(to.Conf(), ConfText(conf), kSecretFile));
  return NodeSettings::Read(root);
}

Status EquipNode(const Config& node, storage::Backend& backend) {
  const SystemClock clock;
  OpenSslRandom random;
  AGENTCA_ASSIGN(const Hierarchy hierarchy,
                 Hierarchy::Load(node.directory, node.identity.http_external_url));
  const auto known = backend.certificates().Find(hierarchy.root.info.id,
                                                 hierarchy.issuing.certificate.serial);
  if (!known.ok() && known.error().code == Code::kNotFound)
    return Error{Code::kConflict, "the store is not that of this authority: it does not know the "
                                  "certificate of the issuing CA"};
  if (!known.ok()) return known.error();
  if (!node.serving.roles.Issue()) return {};
  ca::Heartbeat heartbeat(backend.leases());  // so that nobody takes what is under way for left over
  AGENTCA_TRY(heartbeat.Start());
  AGENTCA_ASSIGN(const auto keys, hsm::SignerClient::Start(SignerOf(node)));
  AGENTCA_ASSIGN(auto signer, keys->Open(kIssuingKey));
  AGENTCA_ASSIGN(const auto issuer,
                 ca::Issuer::Make(hierarchy.issuing.certificate, hierarchy.issuing.info,
                                  std::move(signer)));
  AGENTCA_ASSIGN(const auto audit, ca::ChainedLog::Open(node.directory.AuditLog()));
  const ca::Issuance issuance(*issuer, backend.certificates(), *audit, random, node.serial_prefix);
  AGENTCA_ASSIGN(const OwnCertificates own, OwnCertificates::Make(node, issuance));
  const auto tls = own.IssueTlsIdentity(clock.Now());
  return tls.ok() ? Status() : tls.error();
}

Result<int> RunJoin(const Settings& settings) {
  if (settings.Text("from").empty()) return Error{Code::kMalformed, "--from DIR is required"};
  AGENTCA_TRY(CheckForConf(settings));
  AGENTCA_ASSIGN(const NodeSettings origin, NodeSettings::Read(settings.Text("from")));
  SetLogLevel(origin.config.log_level);
  if (!IsShared(origin.config.storage))
    return Error{Code::kConflict, "several nodes need PostgreSQL; the storage of " +
                                      origin.config.directory.root().string() + " is " +
                                      origin.config.storage};
  const fs::path& target = settings.directory();
  std::error_code error;
  if (fs::symlink_status(target, error).type() != fs::file_type::not_found) {
    std::cerr << "agentca: " << target.string() << " exists; nothing was changed\n";
    return kExitExists;
  }
  OpenSslRandom random;
  const fs::path fresh = Beside(target, random);
  AGENTCA_TRY(MakeDirectory(fresh));
  Status made = Make(settings, origin, fresh, random);
  if (made.ok()) made = Replace(fresh, target);
  if (!made.ok()) {
    fs::remove_all(fresh, error);
    return std::move(made).error();
  }
  std::cout << "Joined the authority for " << origin.config.identity.trust_domain << ": a node in "
            << target.string() << "\n"
            << "Next: agentca serve --dir " << target.string() << "\n";
  return kExitSuccess;
}

}  // namespace agentca::cli
