// TPM 2.0 structures of strangers (TCG TPM 2.0 Library, Part 2: Structures), read by libtss2-mu;
// tpm_structures.cc is its only includer. Octets after a structure are refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ca/public_key.h"

namespace agentca::acme::attest {

// libtss2-mu writes to stderr what it thinks of its input, unless the environment says otherwise
// when it is first used. Says so; an operator's own TSS2_LOG stays. Call it before there are
// threads: MakeTpmFormat does.
void SilenceTpmLibrary();

// A key of a TPM as TPM2B_PUBLIC has it: ECC on NIST P-256 or P-384, or RSA, with a name by
// SHA-256, SHA-384 or SHA-512.
struct TpmPublic {
  static Result<TpmPublic> Parse(ByteView tpm2b_public);  // kMalformed

  // Made by this TPM and never to leave it (fixedTPM, fixedParent, sensitiveDataOrigin) …
  bool is_resident;
  // … and signs nothing but what the TPM itself made (restricted), or whatever its user wants.
  bool signs;
  bool is_restricted;
  ca::PublicKey key;
  Bytes name;  // nameAlg ‖ hash of TPMT_PUBLIC (Part 1 §16)
};

// The PCRs of one bank, in ascending order.
struct PcrBank {
  std::string hash;  // "sha256", "sha384", "sha512"
  std::vector<int> indices;
};

// TPMS_ATTEST of a quote (Part 3 §18.4) or of a certification (§18.2), made by a TPM as its magic
// says: a restricted key signs nothing else that begins so. kMalformed for all others.
struct TpmAttest {
  static Result<TpmAttest> Parse(ByteView tpms_attest);

  Bytes extra_data;
  std::vector<PcrBank> pcrs;  // quote
  Bytes pcr_digest;           // quote: over the values of `pcrs`, in this order
  Bytes certified_name;       // certify; empty: it is a quote
};

// Verifies TPMT_SIGNATURE over a TPMS_ATTEST: ECDSA with SHA-256 or SHA-384, RSASSA with SHA-256.
// The hash is that of a quote's pcr_digest, too. kMalformed: not a signature, or of another kind;
// kBadAttestation (bad signature): not by `signer`.
Result<std::string> VerifyTpmSignature(const ca::PublicKey& signer, ByteView tpms_attest,
                                       ByteView tpmt_signature);

// Octets of "sha256", "sha384" or "sha512"; 0 for others.
size_t TpmHashSize(std::string_view hash);
// With one of these.
Bytes TpmHash(std::string_view hash, ByteView octets);

}  // namespace agentca::acme::attest
