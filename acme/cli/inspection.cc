#include "acme/cli/inspection.h"

#include <httplib.h>

#include <algorithm>

#include "acme/cli/files.h"
#include "acme/cli/freshness.h"
#include "acme/json.h"
#include "ca/crl.h"
#include "storage/open.h"

namespace agentca::cli {
namespace {

constexpr size_t kMaxCrl = size_t{256} << 20;
constexpr size_t kMaxCount = 100'000;
constexpr time_t kHttpTimeout = 3;  // seconds

// CA certificates are not renewed by themselves: the operator needs months of notice.
constexpr double kCaFailBelow = 0.02;

Expiry Unreadable(std::string what, const Error& error) {
  return {.what = std::move(what), .subject = "", .fault = error.detail};
}

Expiry OfCertificate(std::string what, const ca::Certificate& certificate, double fail_below,
                     Time now) {
  Expiry out{.what = std::move(what),
             .subject = certificate.serial.ToString(),
             .from = certificate.not_before,
             .to = certificate.not_after,
             .remaining = RemainingLife(certificate.not_before, certificate.not_after, now),
             .fault = ""};
  if (out.remaining <= 0)
    out.fault = "expired";
  else if (out.remaining < fail_below)
    out.fault = "expires soon";
  return out;
}

Expiry OfFile(std::string what, const std::filesystem::path& file, Time now) {
  const auto certificate = ReadCertificate(file);
  if (!certificate.ok()) return Unreadable(std::move(what), certificate.error());
  return OfCertificate(std::move(what), *certificate, kFailBelow, now);
}

Expiry OfCrl(std::string what, const std::filesystem::path& file, const ca::PublicKey& issuer,
             Time now) {
  const auto der = ReadFile(file, kMaxCrl);
  if (!der.ok()) return Unreadable(std::move(what), der.error());
  const auto crl = ca::ParseCrl(*der, issuer);
  if (!crl.ok()) return Unreadable(std::move(what), crl.error());
  Expiry out{.what = std::move(what),
             .subject = std::to_string(crl->number),
             .from = crl->this_update,
             .to = crl->next_update,
             .remaining = RemainingLife(crl->this_update, crl->next_update, now),
             .fault = ""};
  if (out.remaining < kFailBelow) out.fault = out.remaining <= 0 ? "expired" : "not renewed";
  return out;
}

std::string Get(httplib::Client& client, const char* path) {
  const auto answer = client.Get(path);
  if (!answer) return "no answer: " + httplib::to_string(answer.error());
  if (answer->status == 200) return "ok";
  constexpr size_t kShown = 100;
  std::string body = answer->body.substr(0, kShown);
  std::replace_if(
      body.begin(), body.end(), [](unsigned char c) { return c < ' ' || c >= 0x7f; }, ' ');
  return "HTTP " + std::to_string(answer->status) + ": " + body;
}

// What the server said of itself; where health is to be asked, or "" while it starts.
std::string ReadAnnouncement(const Directory& directory, ServerView& view) {
  const auto text = ReadTextFile(directory.Serving());
  if (!text.ok()) return "";
  const auto document = acme::JsonDocument::Parse(*text);
  if (!document.ok()) return "";
  const auto member = [&](const char* name) {
    const auto value = document->root().String(name);
    return value.ok() ? std::string(*value) : std::string();
  };
  view.directory_url = member("directory");
  view.http_url = member("http");
  view.admin_url = member("admin");
  if (const auto roles = Roles::Parse(member("roles")); roles.ok()) view.roles = *roles;
  return member("health");
}

ServerView AskServer(const Directory& directory) {
  ServerView view;
  view.running = FileLock::IsHeld(directory.ServeLock());
  if (!view.running) return view;
  const std::string health = ReadAnnouncement(directory, view);
  if (health.empty()) {
    view.healthz = view.readyz = "starting";
    return view;
  }
  // The admin API alone asks for a certificate.
  const bool as_admin = health == view.admin_url;
  httplib::Client client(health, as_admin ? directory.AdminCertificate().string() : "",
                         as_admin ? directory.AdminKey().string() : "");
  if (health.starts_with("https:")) client.set_ca_cert_path(directory.RootCertificate().c_str());
  client.set_tcp_nodelay(true);
  client.set_connection_timeout(kHttpTimeout);
  client.set_read_timeout(kHttpTimeout);
  client.set_write_timeout(kHttpTimeout);
  view.healthz = Get(client, "/healthz");
  view.readyz = Get(client, "/readyz");
  return view;
}

void AskStore(const Config& config, Time now, Inspection& out) {
  auto backend = storage::Open(config.storage, storage::OpenMode::kExisting);
  if (!backend.ok()) {
    // What is in memory: is known to serve alone.
    out.store = config.storage;
    if (config.storage != "memory:") out.store_fault = backend.error().detail;
    return;
  }
  out.store = (*backend)->Describe();
  ca::CertificateFilter filter;
  filter.only_valid = true;
  filter.now = now;
  filter.limit = kMaxCount;
  const auto records = (*backend)->certificates().List(filter);
  if (!records.ok()) {
    out.store_fault = records.error().detail;
    return;
  }
  out.valid_certificates = records->size();
  out.more_certificates = records->size() == kMaxCount;
}

}  // namespace

std::string ServerView::Fault() const {
  if (!running) return "the server does not run";
  if (healthz != "ok") return "/healthz: " + healthz;
  if (readyz != "ok") return "/readyz: " + readyz;
  return "";
}

std::vector<std::string> Inspection::Faults() const {
  std::vector<std::string> faults;
  if (!server.Fault().empty()) faults.push_back(server.Fault());
  if (!store_fault.empty()) faults.push_back("store: " + store_fault);
  for (const Expiry& expiry : expiries) {
    if (!expiry.fault.empty()) faults.push_back(expiry.what + ": " + expiry.fault);
  }
  return faults;
}

Inspection Inspect(const Config& config, const Hierarchy& hierarchy, Time now) {
  const Directory& directory = config.directory;
  const CaIdentity& root = hierarchy.root;
  const CaIdentity& issuing = hierarchy.issuing;
  Inspection out;
  out.server = AskServer(directory);
  out.roles = out.server.running ? out.server.roles : config.serving.roles;
  out.keys = config.signer.keys;
  out.expiries = {
      OfCertificate("root certificate", root.certificate, kCaFailBelow, now),
      OfCertificate("issuing certificate", issuing.certificate, kCaFailBelow, now),
      OfFile("OCSP delegate", directory.OcspCertificate(), now),
      OfCrl("CRL of the root", directory.Crl(root.info.id), root.certificate.key, now),
      OfCrl("CRL of the issuing CA", directory.Crl(issuing.info.id), issuing.certificate.key, now),
  };
  if (out.roles.Issue()) out.expiries.push_back(OfFile("TLS certificate", directory.TlsChain(), now));
  std::error_code ignored;
  if (std::filesystem::exists(directory.AdminCertificate(), ignored))
    out.expiries.push_back(OfFile("admin certificate", directory.AdminCertificate(), now));
  AskStore(config, now, out);
  return out;
}

}  // namespace agentca::cli
