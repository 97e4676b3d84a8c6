// The response to an agent-attest-01 challenge, and the body of a drop.
#include "acme/attest/format.h"
#include "acme/json.h"

namespace agentca::acme::attest {
namespace {

constexpr size_t kMaxFormatName = 32;
constexpr size_t kMaxCertificate = 16 * 1024;  // octets; a TPM's endorsement certificate has 2 KiB
constexpr JsonLimits kLimits{.max_size = 128 * 1024, .max_depth = 4};

Error Malformed(std::string_view member, std::string_view why) {
  return {Code::kMalformed, "evidence: member \"" + std::string(member) + "\" " + std::string(why)};
}

Result<Bytes> Decode(std::string_view member, std::string_view text, size_t max_size) {
  // Four characters carry three octets: what is too long is not even decoded.
  if (text.size() > (max_size * 4 + 2) / 3) return Malformed(member, "is too large");
  auto octets = FromBase64Url(text);
  if (!octets.ok()) return Malformed(member, "is not base64url without padding");
  return octets;
}

Result<std::vector<Bytes>> DecodeChain(const JsonValue& root) {
  AGENTCA_ASSIGN(const auto texts, root.OptionalStrings("chain"));
  std::vector<Bytes> chain;
  if (!texts) return chain;
  if (texts->size() > kMaxChain) return Malformed("chain", "has too many certificates");
  for (const std::string& text : *texts) {
    AGENTCA_ASSIGN(Bytes certificate, Decode("chain", text, kMaxCertificate));
    if (certificate.empty()) return Malformed("chain", "has an empty certificate");
    chain.push_back(std::move(certificate));
  }
  return chain;
}

bool IsFormatName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxFormatName &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

}  // namespace

Result<EvidenceStatement> ParseEvidenceStatement(std::string_view json) {
  AGENTCA_ASSIGN(const JsonDocument document, JsonDocument::Parse(json, kLimits));
  const JsonValue root = document.root();
  if (!root.is_object()) return Error{Code::kMalformed, "evidence must be a JSON object"};

  EvidenceStatement statement;
  AGENTCA_ASSIGN(statement.format, root.String("fmt"));
  if (!IsFormatName(statement.format)) return Malformed("fmt", "is not the name of a format");
  AGENTCA_ASSIGN(const std::string evidence, root.String("evidence"));
  AGENTCA_ASSIGN(statement.evidence, Decode("evidence", evidence, kMaxEvidence));
  if (statement.evidence.empty()) return Malformed("evidence", "is empty");
  AGENTCA_ASSIGN(statement.chain, DecodeChain(root));

  AGENTCA_ASSIGN(const auto spki, root.OptionalString("spki"));
  if (spki) {
    AGENTCA_ASSIGN(const Bytes der, Decode("spki", *spki, kMaxPop));
    auto key = ca::PublicKey::FromSpki(der);
    if (!key.ok()) return Malformed("spki", "is not a key that we accept: " + key.error().detail);
    statement.key = *std::move(key);
  }
  AGENTCA_ASSIGN(const auto pop, root.OptionalString("pop"));
  if (pop) {
    AGENTCA_ASSIGN(statement.pop, Decode("pop", *pop, kMaxPop));
    if (!statement.key) return Malformed("pop", "proves possession of no key: \"spki\" is missing");
  }
  return statement;
}

}  // namespace agentca::acme::attest
