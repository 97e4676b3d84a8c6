// agentca admin add: a certificate for another administrator.
#include <iostream>

#include "acme/cli/admin_client.h"
#include "acme/cli/commands.h"
#include "acme/cli/files.h"
#include "acme/cli/pem.h"

namespace agentca::cli {
namespace {

namespace fs = std::filesystem;

struct Files {
  fs::path certificate, key;
};

// Neither may be there: a key that is overwritten is gone.
Result<Files> ChooseFiles(const Settings& settings) {
  const fs::path out = settings.Text("out");
  const std::string& name = settings.positional();
  if (name.find('/') != std::string::npos || name.starts_with('.'))
    return Error{Code::kMalformed, "'" + name + "' is not the name of an administrator"};
  Files files{out / (name + ".pem"), out / (name + ".key")};
  std::error_code ignored;
  for (const fs::path& file : {files.certificate, files.key})
    if (fs::exists(file, ignored))
      return Error{Code::kConflict, file.string() + " is there already; nothing was done"};
  return files;
}

Result<std::string> RequestCertificate(const Settings& settings, const std::string& csr) {
  AGENTCA_ASSIGN(AdminClient client, AdminClient::Open(settings));
  acme::JsonWriter json;
  json.BeginObject()
      .Member("name", settings.positional())
      .Member("role", settings.Text("role"))
      .Member("csr", csr)
      .EndObject();
  AGENTCA_ASSIGN(const auto reply, client.Call("POST", "/admins", std::move(json).Take()));
  AGENTCA_ASSIGN(const auto document, reply.Json());
  return document.root().String("certificate");
}

}  // namespace

Result<int> RunAdminAdd(const Settings& settings) {
  if (!settings.Given("role")) return Error{Code::kMalformed, "--role is required"};
  AGENTCA_ASSIGN(const Files files, ChooseFiles(settings));
  std::string csr;
  if (settings.Given("csr")) {
    AGENTCA_ASSIGN(csr, ReadTextFile(settings.Text("csr")));
  } else {
    AGENTCA_ASSIGN(const TlsKey key, GenerateTlsKey());
    AGENTCA_ASSIGN(csr, MakeCsr(key, settings.positional()));
    AGENTCA_TRY(WriteTextFile(files.key, AsText(key.pem.view()), kSecretFile));
  }
  const auto certificate = RequestCertificate(settings, csr);
  if (!certificate.ok()) {
    std::error_code ignored;
    if (!settings.Given("csr")) fs::remove(files.key, ignored);
    return certificate.error();
  }
  AGENTCA_TRY(WriteTextFile(files.certificate, *certificate, kPublicFile));
  if (settings.Flag("json")) {
    acme::JsonWriter json;
    json.BeginObject()
        .Member("name", settings.positional())
        .Member("role", settings.Text("role"))
        .Member("certificate", files.certificate.string());
    if (!settings.Given("csr")) json.Member("key", files.key.string());
    json.EndObject();
    std::cout << std::move(json).Take() << "\n";
    return kExitSuccess;
  }
  std::cout << "Certificate of " << settings.Text("role") << " " << settings.positional() << ": "
            << files.certificate.string() << "\n";
  if (!settings.Given("csr")) std::cout << "Its key: " << files.key.string() << "\n";
  return kExitSuccess;
}

}  // namespace agentca::cli
