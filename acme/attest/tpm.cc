// `tpm`: a TPM 2.0 quotes its PCRs, certifies the certificate's key, or both. The evidence is the
// JSON of acme/attest/tpm_evidence.h.
//
// The attestation key (AK) must be resident (fixedTPM, fixedParent, sensitiveDataOrigin),
// restricted and for signing. That it is one, somebody must vouch for, as "akPub" only says so:
//   - `chain`, whose first certificate has the AK's key and tcg-kp-AIKCertificate among its
//   extended key
//     usages, leads to one of the source's roots; or
//   - the AK is in the source's JWK Set (under "kid", if the evidence has one).
// There is no enrolment of AKs by MakeCredential.
//
// extraData is N, or SHA-256(N ‖ K) with a key; in
//   quote    always: PCR values are those of now
//   certify  unless the quote beside it has SHA-256(N ‖ K). (Stock tpm2_certify hard-codes
//   extraData.
//            That a key was made in this TPM and cannot leave it stays true: what must be fresh is
//            that the TPM takes part now, for this key, and that the quote says.)
//
// Level 2: quote over N. Level 3: quote over SHA-256(N ‖ K): the platform vouches for a key that
// may live anywhere. Level 4: certify: K is the certified key's, which is resident and signs. A
// certification with N or SHA-256(N ‖ K) proves possession: TPM2_Certify takes the key's own
// authorization (Part 3 §18.2). Otherwise `pop` does.
//
// Claims: "pcr/sha256/7" → hex, for each PCR that was quoted; "ak" → SHA-256 of the AK's SPKI in
// hex; with a chain "attester/…", those of the AK's certificate
// (acme/attest/attester_certificate.h).
#include <algorithm>

#include "acme/attest/attester_certificate.h"
#include "acme/attest/chain.h"
#include "acme/attest/measurement.h"
#include "acme/attest/token.h"
#include "acme/attest/tpm_evidence.h"
#include "acme/attest/tpm_structures.h"

namespace agentca::acme::attest {
namespace {

constexpr std::string_view kName = "tpm";

Error Malformed(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

// What extraData covers.
enum class Cover : uint8_t { kNothing, kNonce, kNonceAndKey };

Cover CoverOf(ByteView extra_data, const Expectation& expectation) {
  const auto is = [&](const Sha256Digest& digest) {
    return std::equal(extra_data.begin(), extra_data.end(), digest.begin(), digest.end());
  };
  if (is(expectation.nonce)) return Cover::kNonce;
  if (expectation.key != nullptr && is(BoundNonce(expectation))) return Cover::kNonceAndKey;
  return Cover::kNothing;
}

// Whether somebody whom the source believes says that `ak` is an attestation key; adds what its
// certificate says.
Status CheckAttestationKey(const EvidenceStatement& statement, const TpmEvidence& evidence,
                           const TpmPublic& ak, const Trust& trust, Time now, ca::Claims& claims) {
  if (!ak.is_resident || !ak.is_restricted || !ak.signs) {
    return BadAttestation(cause::kBadSignature,
                          "the attestation key is not a restricted signing key of a TPM");
  }
  if (statement.chain.empty()) {
    AGENTCA_ASSIGN(const auto keys, trust.KeysFor(evidence.kid));
    if (std::find(keys.begin(), keys.end(), ak.key) != keys.end()) return {};
    return BadAttestation(cause::kUnknownKey, "the attestation key is not one of source " +
                                                  Quoted(trust.source().name));
  }
  AGENTCA_TRY(VerifyChain(statement.chain, trust.roots(), Purpose::kAny, now));
  AGENTCA_ASSIGN(const auto certificate, AttesterCertificate::Parse(statement.chain.front()));
  if (!certificate.HasPurpose(kAikCertificate)) {
    return BadAttestation(cause::kUntrustedRoot,
                          "the certificate is not that of an attestation key (extended key usage "
                          "without tcg-kp-AIKCertificate)");
  }
  if (!(certificate.key == ak.key)) {
    return BadAttestation(cause::kUnknownKey, "\"akPub\" is not the key of the certificate");
  }
  for (const auto& [name, values] : certificate.claims) claims["attester/" + name] = values;
  return {};
}

// The digest of the values in the order of the selection (Part 3 §18.4), with the hash of the
// signature. The values become claims.
Status CheckPcrs(const TpmAttest& quote, const TpmEvidence& evidence, const std::string& hash,
                 ca::Claims& claims) {
  Bytes values;
  size_t given = 0;
  for (const auto& [bank, pcrs] : evidence.pcrs) given += pcrs.size();
  for (const PcrBank& bank : quote.pcrs) {
    for (const int index : bank.indices) {
      const auto pcrs = evidence.pcrs.find(bank.hash);
      const auto value = pcrs == evidence.pcrs.end() ? std::map<int, Bytes>::const_iterator{}
                                                     : pcrs->second.find(index);
      if (pcrs == evidence.pcrs.end() || value == pcrs->second.end()) {
        return Malformed("\"pcrs\" lacks one that is quoted");
      }
      values.insert(values.end(), value->second.begin(), value->second.end());
      claims["pcr/" + bank.hash + "/" + std::to_string(index)] = {ToHex(value->second)};
      --given;
    }
  }
  if (given != 0) return Malformed("\"pcrs\" has one that is not quoted");
  if (ConstantTimeEqual(TpmHash(hash, values), quote.pcr_digest)) return {};
  return BadAttestation(cause::kMeasurementDenied, "the values of \"pcrs\" are not those quoted");
}

Result<Cover> CheckQuote(const TpmEvidence& evidence, const TpmPublic& ak,
                         const Expectation& expectation, ca::Claims& claims) {
  AGENTCA_ASSIGN(const TpmAttest quote, TpmAttest::Parse(evidence.quote->attest));
  if (!quote.certified_name.empty()) return Malformed("\"quote\" is not a quote");
  AGENTCA_ASSIGN(const std::string hash,
                 VerifyTpmSignature(ak.key, evidence.quote->attest, evidence.quote->signature));
  const Cover cover = CoverOf(quote.extra_data, expectation);
  if (cover == Cover::kNothing) {
    return BadAttestation(cause::kStaleNonce,
                          "the quote was made for another challenge, account or key");
  }
  AGENTCA_TRY(CheckPcrs(quote, evidence, hash, claims));
  return cover;
}

// `quoted`: what the quote beside it covers.
Result<Cover> CheckCertification(const TpmEvidence::Certification& certification,
                                 const TpmPublic& ak, const Expectation& expectation,
                                 Cover quoted) {
  AGENTCA_ASSIGN(const TpmAttest attest, TpmAttest::Parse(certification.attest));
  AGENTCA_ASSIGN(const TpmPublic certified, TpmPublic::Parse(certification.key));
  if (attest.certified_name.empty()) return Malformed("\"certify\" is not a certification");
  AGENTCA_TRY(VerifyTpmSignature(ak.key, certification.attest, certification.signature));
  const Cover cover = CoverOf(attest.extra_data, expectation);
  if (cover == Cover::kNothing && quoted != Cover::kNonceAndKey) {
    return BadAttestation(cause::kStaleNonce,
                          "the certification was made for another challenge, account or key");
  }
  if (attest.certified_name != certified.name) {
    return BadAttestation(cause::kKeyMismatch, "\"public\" is not the key that was certified");
  }
  if (!certified.is_resident || !certified.signs || certified.is_restricted) {
    return BadAttestation(cause::kKeyMismatch,
                          "the certified key is not a signing key that was made in the TPM and "
                          "cannot leave it");
  }
  if (expectation.key == nullptr || !(certified.key == *expectation.key)) {
    return BadAttestation(cause::kKeyMismatch, "the certified key is not that of \"spki\"");
  }
  return cover;
}

class Tpm final : public Format {
 public:
  std::string_view name() const override { return kName; }

  std::vector<std::string> Candidates(
      const EvidenceStatement& statement,
      const std::vector<ca::EvidenceSource>& sources) const override {
    std::vector<std::string> names, others;
    for (const ca::EvidenceSource& source : sources) {
      if (source.format != kName) continue;
      const bool has_keys = !source.jwks.empty() || !source.jwks_url.empty();
      const bool could_vouch = statement.chain.empty() ? has_keys : !source.roots_pem.empty();
      (could_vouch ? names : others).push_back(source.name);
    }
    // None could: any of them says why in Verify.
    if (names.empty()) return others;
    return names;
  }

  Result<Attested> Verify(const EvidenceStatement& statement, const Trust& trust,
                          const Expectation& expectation) const override {
    AGENTCA_ASSIGN(const TpmEvidence evidence, TpmEvidence::Parse(statement.evidence));
    AGENTCA_ASSIGN(const TpmPublic ak, TpmPublic::Parse(evidence.ak));
    Attested out;
    AGENTCA_TRY(CheckAttestationKey(statement, evidence, ak, trust, expectation.now, out.claims));
    Cover quoted = Cover::kNothing;
    out.level = 2;
    if (evidence.quote) {
      AGENTCA_ASSIGN(quoted, CheckQuote(evidence, ak, expectation, out.claims));
      out.key_bound = quoted == Cover::kNonceAndKey;
      out.level = out.key_bound ? 3 : 2;
    }
    if (evidence.certification) {
      AGENTCA_ASSIGN(const Cover certified,
                     CheckCertification(*evidence.certification, ak, expectation, quoted));
      out.key_bound = true;
      out.proves_possession = certified != Cover::kNothing;
      out.level = 4;
    }
    out.claims["ak"] = {ToHex(ak.key.spki_sha256())};
    AGENTCA_TRY(CheckRequired(trust.source(), out.claims));
    out.replay_id = "tpm:" + ToBase64Url(Sha256(evidence.quote ? evidence.quote->attest
                                                               : evidence.certification->attest));
    return out;
  }
};

}  // namespace

std::unique_ptr<Format> MakeTpmFormat() {
  SilenceTpmLibrary();
  return std::make_unique<Tpm>();
}

}  // namespace agentca::acme::attest
