#include "acme/challenge/agent_attest01.h"

#include "acme/json.h"

namespace agentca::acme {
namespace {

class AgentAttest01 final : public Verifier {
 public:
  AgentAttest01(const Attestor& attestor, const ca::AgentNaming& naming)
      : attestor_(attestor), naming_(naming) {}
  std::string_view name() const override { return "agent-attest-01"; }

  Result<Proof> Verify(const Evidence& evidence) const override {
    const auto agent = naming_.AgentOf(evidence.identifier.value);
    if (!agent) return Error{Code::kRejectedIdentifier, "this is not the name of an agent"};
    const std::string_view payload = AsText(evidence.payload);
    AGENTCA_ASSIGN(const bool brings, BringsEvidence(payload));
    if (!brings) {
      if (evidence.dropped != nullptr) return Proof{{evidence.identifier}, *evidence.dropped};
      return Error{Code::kBadAttestation,
                   "no evidence: the response brings none, and none lies at the drop"};
    }
    AGENTCA_ASSIGN(const auto statement, attest::ParseEvidenceStatement(payload));
    AGENTCA_ASSIGN(Attestation attestation,
                   attestor_.Attest(*agent,
                                    {.audience = std::string(evidence.audience),
                                     .nonce = Sha256(AsBytes(evidence.key_authorization)),
                                     .now = evidence.now},
                                    statement));
    return Proof{{evidence.identifier}, std::move(attestation)};
  }

 private:
  const Attestor& attestor_;
  const ca::AgentNaming& naming_;
};

class ZoneDns01 final : public Verifier {
 public:
  std::string_view name() const override { return "dns-01"; }
  Result<Proof> Verify(const Evidence& evidence) const override {
    if (evidence.dropped != nullptr) return Proof{{evidence.identifier}, *evidence.dropped};
    return Error{Code::kIncorrectResponse,
                 "no evidence about agent " + evidence.identifier.value +
                     " was dropped for this order: its TXT record counts as not published"};
  }
};

}  // namespace

Result<bool> BringsEvidence(std::string_view payload) {
  AGENTCA_ASSIGN(const JsonDocument document, JsonDocument::Parse(payload));
  const JsonValue root = document.root();
  if (!root.is_object()) return Error{Code::kMalformed, "payload must be a JSON object"};
  return root.Find("fmt").has_value() || root.Find("evidence").has_value();
}

std::unique_ptr<Verifier> MakeAgentAttest01(const Attestor& attestor,
                                            const ca::AgentNaming& naming) {
  return std::make_unique<AgentAttest01>(attestor, naming);
}

std::unique_ptr<Verifier> MakeZoneDns01() { return std::make_unique<ZoneDns01>(); }

}  // namespace agentca::acme
