#include "acme/attest/tpm_structures.h"

#include <openssl/evp.h>
#include <tss2/tss2_mu.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "acme/attest/format.h"
#include "ca/der.h"

namespace agentca::acme::attest {
namespace {

using ca::KeyType;
using ca::PublicKey;
using ca::SignatureAlgorithm;

Error Malformed(std::string detail) { return {Code::kMalformed, "TPM: " + std::move(detail)}; }

struct HashRow {
  TPM2_ALG_ID id;
  std::string_view name;
  size_t size;
  const EVP_MD* (*md)();
};
constexpr std::array kHashes{
    HashRow{TPM2_ALG_SHA256, "sha256", 32, EVP_sha256},
    HashRow{TPM2_ALG_SHA384, "sha384", 48, EVP_sha384},
    HashRow{TPM2_ALG_SHA512, "sha512", 64, EVP_sha512},
};

const HashRow* FindHash(TPM2_ALG_ID id) {
  const auto* row = std::find_if(kHashes.begin(), kHashes.end(),
                                 [&](const HashRow& each) { return each.id == id; });
  return row == kHashes.end() ? nullptr : row;
}

const HashRow* FindHash(std::string_view name) {
  const auto* row = std::find_if(kHashes.begin(), kHashes.end(),
                                 [&](const HashRow& each) { return each.name == name; });
  return row == kHashes.end() ? nullptr : row;
}

// The whole of `octets` as one structure.
template <class T>
Result<T> Unmarshal(TSS2_RC (*read)(const uint8_t*, size_t, size_t*, T*), ByteView octets,
                    const char* what) {
  T value{};
  size_t offset = 0;
  if (octets.empty() || read(octets.data(), octets.size(), &offset, &value) != TSS2_RC_SUCCESS) {
    return Malformed(std::string("not a ") + what);
  }
  if (offset != octets.size()) return Malformed(std::string("octets follow the ") + what);
  return value;
}

template <class Sized>
ByteView View(const Sized& sized, const BYTE* data) {
  return {data, sized.size};
}

// Part 2 §11.2.5: a TPM may leave out the leading zeros of a coordinate; an X.509 key has them.
Result<Bytes> Padded(const TPM2B_ECC_PARAMETER& number, size_t size) {
  if (number.size > size) return Malformed("a coordinate is longer than its curve allows");
  Bytes out(size - number.size, 0);
  out.insert(out.end(), number.buffer, number.buffer + number.size);
  return out;
}

Result<PublicKey> ReadEcc(const TPMT_PUBLIC& area) {
  const TPMI_ECC_CURVE curve = area.parameters.eccDetail.curveID;
  if (curve != TPM2_ECC_NIST_P256 && curve != TPM2_ECC_NIST_P384) {
    return Malformed("the curve of a key is neither P-256 nor P-384");
  }
  const KeyType type = curve == TPM2_ECC_NIST_P256 ? KeyType::kP256 : KeyType::kP384;
  const size_t size = type == KeyType::kP256 ? 32 : 48;
  AGENTCA_ASSIGN(const Bytes x, Padded(area.unique.ecc.x, size));
  AGENTCA_ASSIGN(const Bytes y, Padded(area.unique.ecc.y, size));
  return PublicKey::FromEcPoint(type, x, y);
}

Result<PublicKey> ReadRsa(const TPMT_PUBLIC& area) {
  // Part 2 §12.2.3.5: zero stands for 2^16 + 1.
  const uint32_t exponent =
      area.parameters.rsaDetail.exponent == 0 ? 65537 : area.parameters.rsaDetail.exponent;
  Bytes octets{static_cast<uint8_t>(exponent >> 24), static_cast<uint8_t>(exponent >> 16),
               static_cast<uint8_t>(exponent >> 8), static_cast<uint8_t>(exponent)};
  octets.erase(octets.begin(), std::find_if(octets.begin(), octets.end(),
                                            [](uint8_t octet) { return octet != 0; }));
  return PublicKey::FromRsa(View(area.unique.rsa, area.unique.rsa.buffer), octets);
}

Result<PublicKey> ReadKey(const TPMT_PUBLIC& area) {
  if (area.type != TPM2_ALG_ECC && area.type != TPM2_ALG_RSA) {
    return Malformed("a key is neither ECC nor RSA");
  }
  auto key = area.type == TPM2_ALG_ECC ? ReadEcc(area) : ReadRsa(area);
  if (!key.ok() && key.error().code != Code::kMalformed) {
    return Malformed("a key is not accepted: " + key.error().detail);
  }
  return key;
}

// TPMS_PCR_SELECTION: bit i % 8 of octet i / 8 is PCR i (Part 2 §10.6.2).
Result<PcrBank> ReadBank(const TPMS_PCR_SELECTION& selection) {
  const HashRow* hash = FindHash(selection.hash);
  if (hash == nullptr) return Malformed("the quote is of a bank other than SHA-256, -384 and -512");
  PcrBank bank{std::string(hash->name), {}};
  for (int i = 0; i < 8 * std::min<int>(selection.sizeofSelect, TPM2_PCR_SELECT_MAX); ++i) {
    if ((selection.pcrSelect[i / 8] >> (i % 8) & 1) != 0) bank.indices.push_back(i);
  }
  return bank;
}

Status ReadQuote(const TPMS_QUOTE_INFO& quote, TpmAttest& out) {
  for (UINT32 i = 0; i < quote.pcrSelect.count; ++i) {
    AGENTCA_ASSIGN(PcrBank bank, ReadBank(quote.pcrSelect.pcrSelections[i]));
    const bool again = std::any_of(out.pcrs.begin(), out.pcrs.end(),
                                   [&](const PcrBank& each) { return each.hash == bank.hash; });
    if (again) return Malformed("the quote names a bank twice");
    out.pcrs.push_back(std::move(bank));
  }
  out.pcr_digest = ToBytes(View(quote.pcrDigest, quote.pcrDigest.buffer));
  return {};
}

struct ReadSignature {
  SignatureAlgorithm algorithm;
  TPM2_ALG_ID hash;
  Bytes x509_form;
};

// ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } (RFC 3279 §2.2.3) of TPMS_SIGNATURE_ECDSA.
Bytes EcdsaSigValue(const TPMS_SIGNATURE_ECDSA& ecdsa) {
  return ca::der::Sequence(
      {ca::der::UnsignedInteger(View(ecdsa.signatureR, ecdsa.signatureR.buffer)),
       ca::der::UnsignedInteger(View(ecdsa.signatureS, ecdsa.signatureS.buffer))});
}

Result<ReadSignature> Read(const TPMT_SIGNATURE& signature) {
  const TPM2_ALG_ID hash = signature.signature.any.hashAlg;
  if (signature.sigAlg == TPM2_ALG_ECDSA && hash == TPM2_ALG_SHA256) {
    return ReadSignature{SignatureAlgorithm::kEcdsaSha256, hash,
                         EcdsaSigValue(signature.signature.ecdsa)};
  }
  if (signature.sigAlg == TPM2_ALG_ECDSA && hash == TPM2_ALG_SHA384) {
    return ReadSignature{SignatureAlgorithm::kEcdsaSha384, hash,
                         EcdsaSigValue(signature.signature.ecdsa)};
  }
  if (signature.sigAlg == TPM2_ALG_RSASSA && hash == TPM2_ALG_SHA256) {
    const TPM2B_PUBLIC_KEY_RSA& octets = signature.signature.rsassa.sig;
    return ReadSignature{SignatureAlgorithm::kRsaPkcs1Sha256, hash,
                         ToBytes(View(octets, octets.buffer))};
  }
  return BadAttestation(cause::kBadSignature,
                        "it is neither ECDSA with SHA-256 or SHA-384 nor RSASSA with SHA-256");
}

}  // namespace

void SilenceTpmLibrary() { setenv("TSS2_LOG", "all+NONE", 0); }

size_t TpmHashSize(std::string_view hash) {
  const HashRow* row = FindHash(hash);
  return row == nullptr ? 0 : row->size;
}

Bytes TpmHash(std::string_view hash, ByteView octets) {
  const HashRow* row = FindHash(hash);
  if (row == nullptr) return {};
  Bytes out(row->size);
  if (EVP_Digest(octets.data(), octets.size(), out.data(), nullptr, row->md(), nullptr) != 1) {
    return {};
  }
  return out;
}

Result<TpmPublic> TpmPublic::Parse(ByteView tpm2b_public) {
  // The size is read here and the rest as TPMT_PUBLIC: the library's reader of TPM2B_PUBLIC does
  // not hold the two against each other.
  UINT16 size = 0;
  size_t offset = 0;
  if (tpm2b_public.size() < sizeof size ||
      Tss2_MU_UINT16_Unmarshal(tpm2b_public.data(), tpm2b_public.size(), &offset, &size) !=
          TSS2_RC_SUCCESS ||
      tpm2b_public.size() - offset != size) {
    return Malformed("not a TPM2B_PUBLIC");
  }
  const ByteView octets = tpm2b_public.subspan(offset);
  AGENTCA_ASSIGN(const TPMT_PUBLIC area,
                 Unmarshal(Tss2_MU_TPMT_PUBLIC_Unmarshal, octets, "TPMT_PUBLIC"));
  const HashRow* name_hash = FindHash(area.nameAlg);
  if (name_hash == nullptr) return Malformed("the name of a key is not by SHA-256, -384 or -512");
  AGENTCA_ASSIGN(PublicKey key, ReadKey(area));

  const auto is_set = [&](TPMA_OBJECT bits) { return (area.objectAttributes & bits) == bits; };
  const bool is_resident =
      is_set(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN);
  TpmPublic out{is_resident,
                is_set(TPMA_OBJECT_SIGN_ENCRYPT),
                is_set(TPMA_OBJECT_RESTRICTED),
                std::move(key),
                {}};
  out.name = {static_cast<uint8_t>(area.nameAlg >> 8), static_cast<uint8_t>(area.nameAlg)};
  const Bytes digest = TpmHash(name_hash->name, octets);
  out.name.insert(out.name.end(), digest.begin(), digest.end());
  return out;
}

Result<TpmAttest> TpmAttest::Parse(ByteView tpms_attest) {
  AGENTCA_ASSIGN(const TPMS_ATTEST attest,
                 Unmarshal(Tss2_MU_TPMS_ATTEST_Unmarshal, tpms_attest, "TPMS_ATTEST"));
  if (attest.magic != TPM2_GENERATED_VALUE) return Malformed("no TPM made this (magic)");
  TpmAttest out;
  out.extra_data = ToBytes(View(attest.extraData, attest.extraData.buffer));
  if (attest.type == TPM2_ST_ATTEST_QUOTE) {
    AGENTCA_TRY(ReadQuote(attest.attested.quote, out));
    return out;
  }
  if (attest.type != TPM2_ST_ATTEST_CERTIFY) {
    return Malformed("neither a quote nor a certification");
  }
  const TPM2B_NAME& name = attest.attested.certify.name;
  out.certified_name = ToBytes(View(name, name.name));
  if (out.certified_name.empty()) return Malformed("what is certified has no name");
  return out;
}

Result<std::string> VerifyTpmSignature(const PublicKey& signer, ByteView tpms_attest,
                                       ByteView tpmt_signature) {
  AGENTCA_ASSIGN(const TPMT_SIGNATURE signature,
                 Unmarshal(Tss2_MU_TPMT_SIGNATURE_Unmarshal, tpmt_signature, "TPMT_SIGNATURE"));
  AGENTCA_ASSIGN(const ReadSignature read, Read(signature));
  if (!signer.Verify(read.algorithm, tpms_attest, read.x509_form)) {
    return BadAttestation(cause::kBadSignature, "not that of the attestation key");
  }
  return std::string(FindHash(read.hash)->name);
}

}  // namespace agentca::acme::attest
