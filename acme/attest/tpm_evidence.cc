#include "acme/attest/tpm_evidence.h"

#include <charconv>

#include "acme/attest/format.h"
#include "acme/attest/tpm_structures.h"
#include "acme/json.h"

namespace agentca::acme::attest {
namespace {

constexpr size_t kMaxStructure = 4096;  // octets; the largest of TPM 2.0 are about half of it
constexpr int kMaxPcr = 31;             // TPM2_PCR_SELECT_MAX is 4 octets

Error Malformed(std::string detail) {
  return {Code::kMalformed, "TPM evidence: " + std::move(detail)};
}

Result<Bytes> Structure(const JsonValue& object, std::string_view name) {
  const auto member = object.Find(name);
  const auto text = member ? member->AsString() : std::nullopt;
  auto octets = text ? FromBase64Url(*text) : Result<Bytes>(Malformed(""));
  if (!octets.ok() || octets->empty() || octets->size() > kMaxStructure) {
    return Malformed("\"" + std::string(name) + "\" must be a TPM structure in base64url");
  }
  return octets;
}

Result<int> PcrIndex(std::string_view text) {
  int index = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  // One spelling an index, so that none is given twice.
  if (!whole || index < 0 || index > kMaxPcr || std::to_string(index) != text) {
    return Malformed("a member of \"pcrs\" is no index of a PCR");
  }
  return index;
}

Status ReadPcrs(const JsonValue& root, TpmEvidence& out) {
  const auto banks = root.Find("pcrs");
  if (!banks || !banks->is_object()) return Malformed("\"pcrs\" is missing");
  for (const auto& [bank, values] : banks->members()) {
    const size_t size = TpmHashSize(bank);
    if (size == 0) return Malformed("a bank of \"pcrs\" is none of sha256, sha384 and sha512");
    for (const auto& [name, value] : values.members()) {
      AGENTCA_ASSIGN(const int index, PcrIndex(name));
      auto octets = FromHex(value.AsString().value_or("?"));
      if (!octets.ok() || octets->size() != size) {
        return Malformed("a value of \"pcrs\" is no digest of its bank in hexadecimal");
      }
      out.pcrs[std::string(bank)][index] = *std::move(octets);
    }
  }
  return {};
}

}  // namespace

Result<TpmEvidence> TpmEvidence::Parse(ByteView octets) {
  if (octets.size() > kMaxEvidence) return Malformed("it is too large");
  AGENTCA_ASSIGN(const JsonDocument document,
                 JsonDocument::Parse(AsText(octets), {.max_size = kMaxEvidence, .max_depth = 4}));
  const JsonValue root = document.root();
  if (!root.is_object()) return Malformed("no JSON object");
  TpmEvidence out;
  AGENTCA_ASSIGN(out.ak, Structure(root, "akPub"));
  AGENTCA_ASSIGN(const auto kid, root.OptionalString("kid"));
  out.kid = kid.value_or("");
  if (const auto quote = root.Find("quote")) {
    out.quote.emplace();
    AGENTCA_ASSIGN(out.quote->attest, Structure(*quote, "attest"));
    AGENTCA_ASSIGN(out.quote->signature, Structure(*quote, "sig"));
    AGENTCA_TRY(ReadPcrs(root, out));
  }
  if (const auto certify = root.Find("certify")) {
    out.certification.emplace();
    AGENTCA_ASSIGN(out.certification->attest, Structure(*certify, "attest"));
    AGENTCA_ASSIGN(out.certification->signature, Structure(*certify, "sig"));
    AGENTCA_ASSIGN(out.certification->key, Structure(*certify, "public"));
  }
  if (!out.quote && !out.certification) return Malformed("\"quote\" and \"certify\" are missing");
  return out;
}

}  // namespace agentca::acme::attest
