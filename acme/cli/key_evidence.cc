// Evidence that is a signature of a key in a file: `statement` and `x5c`.
#include <algorithm>
#include <array>

#include "acme/cli/agent_key.h"
#include "acme/cli/evidence_collector.h"
#include "acme/cli/files.h"
#include "acme/cli/pem.h"
#include "acme/json.h"
#include "acme/jws.h"

namespace agentca::cli {
namespace {

constexpr Seconds kStatementLife{300};

// Signs "agent-attest-01\0" ‖ N ‖ K; the leaf's key is the certificate key that gets renewed, or the
// one that vouches for it.
class X5cCollector final : public Collector {
 public:
  X5cCollector(std::unique_ptr<ca::Signer> key, std::vector<Bytes> chain)
      : key_(std::move(key)), chain_(std::move(chain)) {}
  std::string_view format() const override { return "x5c"; }
  Result<Collected> Collect(const Demand& demand) override {
    AGENTCA_ASSIGN(Bytes signature, key_->Sign(MessageFor(demand)));
    return Collected{std::move(signature), chain_};
  }

 private:
  const std::unique_ptr<ca::Signer> key_;
  const std::vector<Bytes> chain_;
};

std::string RandomId(Random& random) {
  std::array<uint8_t, 16> octets{};
  random.Fill(octets);
  return ToBase64Url(octets);
}

// The attester's claims (a JSON object) with ours added: nonce, cnf, iat, exp, jti.
class StatementCollector final : public Collector {
 public:
  StatementCollector(std::unique_ptr<ca::Signer> key, std::string key_id, std::string claims,
                     Random& random)
      : key_(std::move(key)),
        key_id_(std::move(key_id)),
        claims_(std::move(claims)),
        random_(random) {}

  std::string_view format() const override { return "statement"; }
  Result<Collected> Collect(const Demand& demand) override {
    acme::JsonWriter header;
    header.BeginObject().Member("typ", "agent-statement+jwt");
    if (!key_id_.empty()) header.Member("kid", key_id_);
    header.EndObject();
    const std::string members = std::move(header).Take();
    AGENTCA_ASSIGN(const std::string statement,
                   SignCompactJws(*key_, members.substr(1, members.size() - 2) + ",",
                                  Payload(demand)));
    return Collected{ToBytes(AsBytes(statement)), {}};
  }

 private:
  std::string Payload(const Demand& demand) const {
    const int64_t now = demand.now.time_since_epoch().count();
    acme::JsonWriter ours;
    ours.BeginObject().Member("nonce", ToBase64Url(demand.nonce));
    if (demand.key) {
      ours.Key("cnf")
          .BeginObject()
          .Member("jkt", acme::Thumbprint(*demand.key))
          .EndObject();
    }
    ours.Key("iat").Int(now).Key("exp").Int(now + kStatementLife.count());
    ours.Member("jti", RandomId(random_)).EndObject();
    return "{" + claims_ + std::move(ours).Take().substr(1);
  }

  const std::unique_ptr<ca::Signer> key_;
  const std::string key_id_;
  const std::string claims_;  // members of a JSON object, each with a comma behind it
  Random& random_;
};

// What stands between the braces of a JSON object that was parsed, with a comma if there is any.
std::string MembersOf(const acme::JsonValue& object, const std::string& text) {
  if (object.members().empty()) return "";
  const size_t first = text.find('{') + 1;
  return text.substr(first, text.rfind('}') - first) + ",";
}

}  // namespace

Result<std::unique_ptr<Collector>> MakeX5cCollector(const std::string& key,
                                                    const std::string& chain) {
  AGENTCA_ASSIGN(auto signer, ReadAgentKey(key));
  AGENTCA_ASSIGN(auto certificates, ReadCertificates(chain));
  return std::unique_ptr<Collector>(
      std::make_unique<X5cCollector>(std::move(signer), std::move(certificates)));
}

Result<std::unique_ptr<Collector>> MakeStatementCollector(const std::string& key,
                                                          const std::string& key_id,
                                                          const std::string& claims_file,
                                                          Random& random) {
  AGENTCA_ASSIGN(auto signer, ReadAgentKey(key));
  AGENTCA_ASSIGN(const std::string claims, ReadTextFile(claims_file));
  const auto document = acme::JsonDocument::Parse(claims);
  if (!document.ok() || !document->root().is_object()) {
    return Error{Code::kMalformed, claims_file + ": the claims must be one JSON object"};
  }
  for (const char* name : {"nonce", "cnf", "iat", "exp", "jti"}) {
    if (document->root().Find(name)) {
      return Error{Code::kMalformed,
                   claims_file + ": \"" + name + "\" is added for each challenge; leave it out"};
    }
  }
  return std::unique_ptr<Collector>(std::make_unique<StatementCollector>(
      std::move(signer), key_id, MembersOf(document->root(), claims), random));
}

}  // namespace agentca::cli
