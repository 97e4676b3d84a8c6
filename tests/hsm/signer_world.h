// A SoftHSM2 token with a CA key and an OCSP key, their certificates, and the signer that serves
// them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hsm/pkcs11.h"
#include "hsm/signer_client.h"
#include "hsm/signer_process.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/hsm/to_be_signed.h"

namespace agentca::testdata {

class SignerWorld {
 public:
  SignerWorld();

  // "issuing" (certificate, crl) and "ocsp".
  std::vector<hsm::KeyEntry> Keys() const;
  // argv of hsm_test_signer; `socket` is a descriptor's number or a path.
  std::vector<std::string> Command(const std::vector<hsm::KeyEntry>& keys,
                                   const std::string& socket = "3") const;
  hsm::SignerClientOptions ClientOptions() const;

  // The i-th of many end-entity certificates to be signed.
  Bytes Certificate(int i) const;
  Bytes Crl() const { return CrlDraft().ToTbs(); }
  Bytes Ocsp() const { return OcspDraft{ocsp_key_->key_identifier()}.ToTbs(); }

  std::filesystem::path Log() const { return directory_ / "key-usage.log"; }
  // Counts the lines of the log whose sha256 field is that of `message`.
  int TimesLogged(const Bytes& message) const;
  std::filesystem::path File(const std::string& name) const { return directory_ / name; }
  const hsm::TokenOptions& token() const { return token_; }
  hsm::TokenOptions& token() { return token_; }
  const ca::PublicKey& ocsp_key() const { return *ocsp_key_; }
  // Runs pkcs11-tool or softhsm2-util on the token; the output, or "" with a failed expectation.
  std::string RunTool(const std::string& command) const;
  std::string Pkcs11Tool(const std::string& arguments) const;

 private:
  void MakeCertificates();
  const fakes::TemporaryDirectory directory_;
  hsm::TokenOptions token_;
  hsm::KeyUri issuing_uri_;
  hsm::KeyUri ocsp_uri_;
  std::optional<ca::PublicKey> issuing_key_;
  std::optional<ca::PublicKey> ocsp_key_;
  std::optional<ca::PublicKey> agent_key_;
};

}  // namespace agentca::testdata
