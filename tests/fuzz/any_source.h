// A source for fuzzing: it has the keys and roots of tests/testdata/attest, so that what follows a
// valid signature is reached from the seeds.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "acme/attest/trust.h"

namespace agentca::fuzz {

inline Bytes TestData(const std::string& name) {
  std::ifstream file(std::string(AGENTCA_TESTDATA) + "/attest/" + name, std::ios::binary);
  Bytes octets{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (octets.empty()) std::abort();
  return octets;
}

class AnySource final : public acme::attest::Trust {
 public:
  AnySource(std::string format, const std::string& jwks, const std::string& root) {
    source_.name = "any";
    source_.format = std::move(format);
    if (!jwks.empty()) keys_ = acme::attest::KeySet::Parse(AsText(TestData(jwks))).value();
    roots_.push_back(TestData(root));
  }
  const ca::EvidenceSource& source() const override { return source_; }
  Result<std::vector<ca::PublicKey>> KeysFor(std::string_view kid) const override {
    return keys_.Find(kid);
  }
  const std::vector<Bytes>& roots() const override { return roots_; }

 private:
  ca::EvidenceSource source_;
  acme::attest::KeySet keys_;
  std::vector<Bytes> roots_;
};

// What a format may answer to anything: accepted, malformed, or refused with a cause.
inline void CheckAnswer(const Result<acme::attest::Attested>& answer) {
  if (answer.ok()) return;
  const Error& error = answer.error();
  const bool typed = error.code == Code::kMalformed ||
                     (error.code == Code::kBadAttestation && !acme::attest::CauseOf(error).empty());
  if (!typed) std::abort();
}

}  // namespace agentca::fuzz
