// The admin API over the memory backend, with faults, and administrators who talk to it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "acme/admin/administrator.h"
#include "acme/admin/service.h"
#include "acme/json.h"
#include "storage/memory.h"
#include "tests/fakes/command.h"
#include "tests/fakes/faulty_store.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::acme::admin::testing {

inline ca::Profile AdminProfile() {
  ca::RawProfile raw;
  raw.name = kAdminProfile;
  raw.key_usage = {"digitalSignature"};
  raw.extended_key_usage = {"clientAuth"};
  raw.allowed_keys = {"p256"};
  raw.lifetime_seconds = 30 * 86400;
  raw.backdate_seconds = 3600;
  raw.max_names = 1;
  return ca::Profile::Make(raw).value();
}

class AdminTest : public ::testing::Test {
 protected:
  // A certificate of this CA for an administrator.
  ca::Certificate Certify(Role role, const std::string& name = "alice") {
    return issuance_
        .Issue(admin_profile_,
               AdminCertificateRequest({role, name}, fakes::NewPublicKey(), "example.test"),
               clock_.Now())
        .value();
  }
  // A live certificate of an agent.
  ca::Certificate CertifyAgent(const ca::AgentId& id) {
    return issuance_
        .Issue(server_profile_, fakes::MakeRequest({naming_.DnsNameOf(id)}), clock_.Now())
        .value();
  }

  http::Response Ask(const Bytes& certificate, const std::string& method, const std::string& path,
                     const std::string& body = "", const std::string& if_match = "") {
    http::Request request;
    request.method = method;
    const std::string target = "/admin/v1" + path;
    request.path = target.substr(0, target.find('?'));
    if (request.path.size() < target.size()) request.query = target.substr(request.path.size() + 1);
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    if (!if_match.empty()) request.headers.emplace_back("If-Match", if_match);
    request.body = body;
    request.remote_address = "192.0.2.1";
    request.peer_certificate = certificate;
    return service_.Handle(request);
  }
  http::Response Ask(const std::string& method, const std::string& path,
                     const std::string& body = "", const std::string& if_match = "") {
    return Ask(admin_.der, method, path, body, if_match);
  }

  static std::string AgentBody(const std::string& name, const std::string& more = "") {
    return R"({"tenant":"acme","name":")" + name + R"(","sponsor":"team",)" +
           R"("class":{"access":"low","decision":"low","risk":"low","lifespan":"session"})" + more +
           "}";
  }
  void Register(const std::string& name) {
    const auto added = Ask("POST", "/agents", AgentBody(name));
    ASSERT_EQ(added.status, 201) << added.body;
  }
  static std::string Text(const http::Response& response, std::string_view member) {
    const auto document = JsonDocument::Parse(response.body);
    if (!document.ok()) return "no JSON: " + response.body;
    const auto value = document->root().String(member);
    return value.ok() ? *value : "no member: " + response.body;
  }
  static std::vector<std::string> Texts(const http::Response& response, std::string_view member) {
    const auto document = JsonDocument::Parse(response.body);
    if (!document.ok()) return {"no JSON: " + response.body};
    auto value = document->root().OptionalStrings(member);
    return value.ok() && *value ? **value : std::vector<std::string>{"no member"};
  }
  static std::string Header(const http::Response& response, std::string_view name) {
    for (const auto& [key, value] : response.headers)
      if (http::EqualNames(key, name)) return value;
    return "";
  }
  std::string AuditText() const {
    return std::string(AsText(fakes::ReadWholeFile(directory_ / "audit.log")));
  }

  fakes::ManualClock clock_;
  OpenSslRandom random_;
  fakes::FaultPlan faults_;
  std::unique_ptr<storage::Backend> backend_ = storage::MakeMemoryBackend();
  fakes::FaultyStore store_{backend_->acme(), faults_};
  fakes::FaultyCertificateStore certificates_{backend_->certificates(), faults_};
  fakes::TemporaryDirectory directory_;
  std::unique_ptr<ca::ChainedLog> audit_ = ca::ChainedLog::Open(directory_ / "audit.log").value();
  fakes::TestIssuer issuer_ = fakes::MakeIssuer();
  ca::Profile admin_profile_ = AdminProfile();
  ca::Profile server_profile_ = fakes::ServerProfile();
  ca::Issuance issuance_{*issuer_.issuer, certificates_, *audit_, random_, 1};
  ca::Revoker revoker_{certificates_, *audit_};
  const ca::AgentNaming naming_{"agents.example.test", "example.test"};
  std::atomic<int> nudges_{0};
  std::vector<OrderId> decided_;
  Status source_verdict_;
  AdminService service_{Parts{
      .memory = {store_, certificates_, *audit_},
      .registry = backend_->agents(),
      .world = {clock_, random_},
      .naming = naming_,
      .certification = {.issuance = issuance_,
                        .profile = admin_profile_,
                        .revoker = revoker_,
                        .chain_pem = {ToPem("CERTIFICATE", issuer_.issuer->certificate().der)}},
      .hooks = {.on_revoked = [this] { ++nudges_; },
                .on_decided = [this](const OrderId& id) { decided_.push_back(id); },
                .check_source = [this](const ca::EvidenceSource&) { return source_verdict_; }}}};
  const ca::Certificate admin_ = Certify(Role::kAdmin);
};

}  // namespace agentca::acme::admin::testing
