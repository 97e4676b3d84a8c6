// A self-signed issuing CA and what it needs, in one line each.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ca/issuer.h"
#include "ca/signed_object.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/test_signer.h"

namespace agentca::fakes {

inline ca::RawProfile RawServerProfile() {
  ca::RawProfile raw;
  raw.name = "server";
  raw.subject = {{"CN", "{first-dns}"}};
  raw.key_usage = {"digitalSignature"};
  raw.extended_key_usage = {"serverAuth", "clientAuth"};
  raw.allowed_keys = {"p256", "p384", "ed25519", "rsa2048"};
  raw.lifetime_seconds = 90 * 86400;
  raw.backdate_seconds = 3600;
  raw.max_names = 100;
  raw.allow_wildcards = true;
  raw.allow_ip_addresses = true;
  return raw;
}

inline ca::RawProfile RawCaProfile() {
  ca::RawProfile raw;
  raw.name = "issuing";
  raw.subject = {{"O", "Example"}, {"CN", "Example Issuing CA"}};
  raw.key_usage = {"digitalSignature", "keyCertSign", "cRLSign"};
  raw.allowed_keys = {"p256", "p384", "rsa2048"};
  raw.lifetime_seconds = 3650LL * 86400;
  raw.backdate_seconds = 3600;
  raw.is_ca = true;
  raw.path_length = 0;
  return raw;
}

inline ca::RawProfile RawOcspProfile() {
  ca::RawProfile raw;
  raw.name = "ocsp";
  raw.subject = {{"CN", "Example OCSP"}};
  raw.key_usage = {"digitalSignature"};
  raw.extended_key_usage = {"OCSPSigning"};
  raw.allowed_keys = {"p256", "p384", "rsa2048"};
  raw.lifetime_seconds = 30 * 86400;
  raw.backdate_seconds = 3600;
  raw.ocsp_no_check = true;
  return raw;
}

inline ca::Profile ServerProfile() { return ca::Profile::Make(RawServerProfile()).value(); }
inline ca::Profile CaProfile() { return ca::Profile::Make(RawCaProfile()).value(); }
inline ca::Profile OcspProfile() { return ca::Profile::Make(RawOcspProfile()).value(); }

// `signer` belongs to `issuer`; tests use it to switch faults on.
struct TestIssuer {
  std::unique_ptr<ca::Issuer> issuer;
  TestSigner* signer;
};

// Self-signed, so that its certificate is the root as well. `now` is ManualClock's beginning.
inline TestIssuer MakeIssuer(TestKey type = TestKey::kP256, Time now = ManualClock().Now()) {
  auto signer = std::make_unique<TestSigner>(type);
  const ca::PublicKey key = signer->public_key();
  const Bytes subject = ca::EncodeName({{ca::Attribute::kOrganization, "Example"},
                                        {ca::Attribute::kCommonName, "Example Issuing CA"}})
                            .value();
  ca::IssuerInfo info{ca::IssuerIdOf(key), subject, key.key_identifier(), "", "", "",
                      signer->algorithm()};
  ca::CertificateRequest request{.key = key};
  const ca::Profile profile = CaProfile();
  SeededRandom random(7);
  const auto serial = ca::Serial::Random(1, random);
  const Bytes tbs = ca::BuildTbsCertificate(profile, info, request, serial, now).value();
  ca::Certificate certificate =
      ca::Certificate::Parse(ca::MakeSigned(tbs, *signer).value()).value();
  info.ocsp_url = "http://ca.example.test/ocsp";
  info.ca_issuers_url = "http://ca.example.test/issuer/" + info.id + ".der";
  info.crl_url = "http://ca.example.test/crl/" + info.id + ".crl";
  TestSigner* const borrowed = signer.get();
  return {ca::Issuer::Make(std::move(certificate), std::move(info), std::move(signer)).value(),
          borrowed};
}

// A request for these names and a new key.
inline ca::CertificateRequest MakeRequest(std::vector<std::string> dns_names,
                                          TestKey type = TestKey::kP256) {
  ca::CertificateRequest request{.key = NewPublicKey(type)};
  request.dns_names = std::move(dns_names);
  return request;
}

}  // namespace agentca::fakes
