// Where everything lives under DIR. Directories are 0700, secret files 0600.
#pragma once

#include <filesystem>
#include <string>

namespace agentca::cli {

class Directory {
 public:
  using Path = std::filesystem::path;
  explicit Directory(Path root) : root_(std::move(root)) {}
  const Path& root() const { return root_; }
  Path Conf() const { return root_ / "agentca.conf"; }
  Path RootCertificate() const { return root_ / "ca" / "root.pem"; }
  Path IssuingCertificate() const { return root_ / "ca" / "issuing.pem"; }
  Path OcspCertificate() const { return root_ / "ca" / "ocsp.pem"; }
  Path TlsChain() const { return root_ / "tls" / "chain.pem"; }
  Path TlsKey() const { return root_ / "tls" / "key.pem"; }
  // The first administrator, made by init and renewed by serve while the files are there.
  Path AdminCertificate() const { return root_ / "admin" / "admin.pem"; }
  Path AdminKey() const { return root_ / "admin" / "admin.key"; }
  Path Token() const { return root_ / "token"; }
  Path Crl(const std::string& issuer_id) const { return root_ / "crl" / (issuer_id + ".crl"); }
  Path AuditLog() const { return root_ / "log" / "audit.log"; }
  // Decisions of `agentca cert`: serve alone writes audit.log, for it holds the file open.
  Path OperatorAuditLog() const { return root_ / "log" / "audit-cli.log"; }
  Path OperatorLock() const { return root_ / "log" / "audit-cli.lock"; }
  Path KeyUsageLog() const { return root_ / "log" / "key-usage.log"; }
  Path Profile(const std::string& name) const { return root_ / "profiles" / (name + ".json"); }
  Path PolicyFile() const { return root_ / "policy.json"; }
  Path ServeLock() const { return root_ / "serve.lock"; }
  // Made by init and join, or by the first serve; see node_id.h.
  Path NodeId() const { return root_ / "node-id"; }
  // What serve says about itself while it runs: process id and URLs, as JSON.
  Path Serving() const { return root_ / "serving.json"; }
  // Exists from the first to the last step of `init`: what is here is unfinished.
  Path Unfinished() const { return root_ / "init-unfinished"; }
  // The sub-directories that init makes.
  static constexpr const char* kFolders[] = {"ca", "tls", "admin", "db", "crl", "log", "profiles"};

 private:
  Path root_;
};

}  // namespace agentca::cli
