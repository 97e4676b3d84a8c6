// RFC 8555 §8.4.
#include <algorithm>

#include "acme/challenge/challenges.h"

namespace agentca::acme {
namespace {

class Dns01 final : public Verifier {
 public:
  explicit Dns01(const ValidationNetwork& network) : resolver_(network.resolver) {}
  std::string_view name() const override { return "dns-01"; }

  Result<Proof> Verify(const Evidence& evidence) const override {
    if (evidence.identifier.type != Identifier::Type::kDns)
      return Error{Code::kMalformed, "dns-01 proves DNS names only"};
    const std::string owner = "_acme-challenge." + evidence.identifier.value;
    const std::string expected = ToBase64Url(Sha256(AsBytes(evidence.key_authorization)));
    AGENTCA_ASSIGN(const auto records, resolver_.Txt(owner));
    // §8.4: "…verify that the contents of one of the TXT records match the digest value"
    if (std::find(records.begin(), records.end(), expected) != records.end())
      return Proof{{evidence.identifier}, std::nullopt};
    return Error{Code::kIncorrectResponse, "none of the " + std::to_string(records.size()) +
                                               " TXT records of " + owner +
                                               " holds the digest of the key authorization"};
  }

 private:
  const Resolver& resolver_;
};

}  // namespace

std::unique_ptr<Verifier> MakeDns01(const ValidationNetwork& network) {
  return std::make_unique<Dns01>(network);
}

}  // namespace agentca::acme
