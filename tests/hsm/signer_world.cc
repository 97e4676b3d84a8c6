#include "tests/hsm/signer_world.h"

#include <gtest/gtest.h>

#include <fstream>

#include "ca/base/random.h"
#include "ca/signed_object.h"
#include "tests/fakes/command.h"
#include "tests/fakes/test_signer.h"

namespace agentca::testdata {

SignerWorld::SignerWorld() : agent_key_(fakes::NewPublicKey()) {
  OpenSslRandom random;
  token_ = hsm::CreateSoftHsmToken(directory_ / "token", "world", random).value();
  const auto token = hsm::Token::Open(token_).value();
  const hsm::KeyReport issuing = token->Generate(hsm::CaKeyType::kP256, "issuing").value();
  const hsm::KeyReport ocsp = token->Generate(hsm::CaKeyType::kP256, "ocsp").value();
  issuing_uri_ = issuing.uri;
  ocsp_uri_ = ocsp.uri;
  issuing_key_ = issuing.public_key;
  ocsp_key_ = ocsp.public_key;
  MakeCertificates();
}

void SignerWorld::MakeCertificates() {
  const auto keys = hsm::OpenPkcs11Keys(token_, {{"issuing", issuing_uri_}}).value();
  const auto signer = keys->Open("issuing").value();
  CertificateDraft ca{.key = *issuing_key_};
  ca.subject = "Test CA";
  ca.extensions = {{"basicConstraints", "critical,CA:TRUE"},
                   {"keyUsage", "critical,keyCertSign,cRLSign"}};
  CertificateDraft delegate{.key = *ocsp_key_};
  delegate.subject = "Test OCSP";
  delegate.extensions = {{"extendedKeyUsage", "OCSPSigning"}};
  std::ofstream(File("issuing.pem"))
      << ToPem("CERTIFICATE", ca::MakeSigned(ca.ToTbs(), *signer).value());
  std::ofstream(File("ocsp.pem")) << ToPem("CERTIFICATE",
                                           ca::MakeSigned(delegate.ToTbs(), *signer).value());
}

std::vector<hsm::KeyEntry> SignerWorld::Keys() const {
  using hsm::Purpose;
  return {{"issuing",
           {Purpose::kCertificate, Purpose::kCrl},
           issuing_uri_.ToString(),
           File("issuing.pem")},
          {"ocsp", {Purpose::kOcsp}, ocsp_uri_.ToString(), File("ocsp.pem")}};
}

std::vector<std::string> SignerWorld::Command(const std::vector<hsm::KeyEntry>& keys,
                                              const std::string& socket) const {
  std::vector<std::string> command = {AGENTCA_TEST_SIGNER,  socket,        token_.module,
                                      token_.label,         token_.serial, token_.pin_file,
                                      token_.softhsm2_conf, Log(),         "10000"};
  for (const hsm::KeyEntry& key : keys) command.push_back(key.ToString());
  return command;
}

hsm::SignerClientOptions SignerWorld::ClientOptions() const {
  hsm::SignerClientOptions options;
  options.command = Command(Keys());
  return options;
}

Bytes SignerWorld::Certificate(int i) const {
  CertificateDraft draft{.key = *agent_key_};
  draft.serial = 1000 + i;
  draft.extensions = {{"basicConstraints", "critical,CA:FALSE"},
                      {"keyUsage", "critical,digitalSignature"},
                      {"subjectAltName", "DNS:agent.example.test"}};
  return draft.ToTbs();
}

int SignerWorld::TimesLogged(const Bytes& message) const {
  const std::string field = "\"sha256\":\"" + ToHex(Sha256(message)) + "\"";
  std::ifstream log(Log());
  int times = 0;
  for (std::string line; std::getline(log, line);) {
    if (line.find(field) != std::string::npos) ++times;
  }
  return times;
}

std::string SignerWorld::RunTool(const std::string& command) const {
  const auto result =
      fakes::RunCommand("SOFTHSM2_CONF=" + token_.softhsm2_conf.string() + " " + command);
  EXPECT_EQ(result.exit_code, 0) << command << "\n" << result.output;
  return result.exit_code == 0 ? result.output : "";
}

std::string SignerWorld::Pkcs11Tool(const std::string& arguments) const {
  return RunTool("pkcs11-tool --module " + token_.module.string() + " --token-label world --login" +
                 " --pin $(cat " + token_.pin_file.string() + ") " + arguments);
}

}  // namespace agentca::testdata
