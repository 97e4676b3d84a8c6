// Complete ACME objects, in one line each, for tests of and above the stores.
#pragma once

#include <string>
#include <vector>

#include "acme/model.h"
#include "acme/store.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/test_signer.h"

namespace agentca::fakes {

// Makes objects with ids of their own. Not thread-safe.
class AcmeObjects {
 public:
  explicit AcmeObjects(uint64_t seed = 1) : random_(seed) {}
  Time now() const { return now_; }
  std::string NewId() { return acme::NewId(now_, random_); }
  ca::Serial NewSerial() { return ca::Serial::Random(1, random_); }

  acme::Account NewAccount() {
    ca::PublicKey key = NewPublicKey();
    const std::string thumbprint = ToBase64Url(key.spki_sha256());  // as unique as the real one
    return {.id = NewId(),
            .status = acme::AccountStatus::kValid,
            .key = std::move(key),
            .thumbprint = thumbprint,
            .contacts = {"mailto:admin@example.test", "mailto:\"odd\\name\"@example.test"},
            .agreed_terms = "https://ca.example.test/terms",
            .created_at = now_};
  }

  acme::NewOrder NewOrder(const acme::AccountId& account,
                          const std::vector<acme::Identifier>& identifiers) {
    acme::NewOrder request{.order = {.id = NewId(),
                                     .account_id = account,
                                     .created_at = now_,
                                     .expires_at = now_ + Seconds(3600),
                                     .identifiers = identifiers,
                                     .not_before = {},
                                     .not_after = {},
                                     .certificate = {},
                                     .error = {}},
                           .authorizations = {}};
    for (const acme::Identifier& identifier : identifiers) {
      request.authorizations.push_back(NewAuthorization(request.order, identifier));
    }
    return request;
  }
  acme::NewOrder NewOrder(const acme::AccountId& account, const std::string& name) {
    return NewOrder(account, {{acme::Identifier::Type::kDns, name}});
  }

  // For a name in the agents zone: one authorization, with a drop.
  acme::NewOrder NewAgentOrder(const acme::Account& account, const std::string& name) {
    acme::NewOrder request = NewOrder(account.id, name);
    acme::Authorization& authorization = request.authorizations.front();
    authorization.offered = {acme::ChallengeType::kAgentAttest01, acme::ChallengeType::kDns01};
    authorization.drop_key = Sha256(AsBytes(authorization.token + "." + account.thumbprint));
    return request;
  }

  // Evidence that nobody has seen before.
  acme::Attestation NewAttestation(const ca::Agent& agent) {
    return {.agent = agent.id,
            .agent_version = agent.version,
            .format = "jwt",
            .source = "cluster",
            .level = 3,
            .key_bound = true,
            .key = Sha256(AsBytes(NewId())),
            .evidence_hash = Sha256(AsBytes(NewId())),
            .replay_id = "https://issuer.example.test " + NewId(),
            .verified_at = now_,
            .claims = {{"sub", {"system:serviceaccount:prod:web"}}, {"aud", {"one", "two"}}},
            .components = {{.kind = ca::ComponentKind::kImage,
                            .hash_algorithm = "sha256",
                            .digest = ToBytes(Sha256({})),
                            .basis = ca::Basis::kSigned}}};
  }
  acme::Grant NewGrant(const ca::Agent& agent) {
    return {.key_id = NewId(),
            .mac_key = ToBytes(Sha256(AsBytes(NewId()))),
            .attestation = NewAttestation(agent),
            .created_at = now_,
            .expires_at = now_ + Seconds(600)};
  }

 private:
  acme::Authorization NewAuthorization(const acme::Order& order, acme::Identifier identifier) {
    const bool wildcard = identifier.value.starts_with("*.");
    if (wildcard) identifier.value.erase(0, 2);
    std::vector<acme::ChallengeType> offered{acme::ChallengeType::kDns01};
    if (!wildcard) offered.push_back(acme::ChallengeType::kHttp01);
    return {.id = NewId(),
            .order_id = order.id,
            .account_id = order.account_id,
            .identifier = std::move(identifier),
            .wildcard = wildcard,
            .token = NewId(),
            .offered = std::move(offered),
            .expires_at = now_ + Seconds(1800),
            .attempt = {}};
  }

  const Time now_ = ManualClock().Now();
  SeededRandom random_;
};

}  // namespace agentca::fakes
