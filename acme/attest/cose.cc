#include "acme/attest/cose.h"

#include <algorithm>
#include <array>

#include "acme/jws.h"

namespace agentca::acme::attest {
namespace {

using ca::KeyType;
using ca::PublicKey;
using ca::SignatureAlgorithm;

constexpr uint64_t kSign1Tag = 18;  // RFC 9052 §2
constexpr uint64_t kCwtTag = 61;    // RFC 8392 §6

// Header parameters: RFC 9052 §3.1.
constexpr int64_t kAlg = 1;
constexpr int64_t kCrit = 2;
constexpr int64_t kKid = 4;

// COSE_Key: RFC 9052 §7.1, RFC 9053 §7.1 and §7.2, RFC 8230 §4.
constexpr int64_t kKty = 1;
constexpr int64_t kOkp = 1;
constexpr int64_t kEc2 = 2;
constexpr int64_t kRsa = 3;
constexpr int64_t kCrv = -1;
constexpr int64_t kP256 = 1;
constexpr int64_t kP384 = 2;
constexpr int64_t kEd25519 = 6;

Error Malformed(std::string detail) { return {Code::kMalformed, "COSE: " + std::move(detail)}; }
Error BadKey(std::string detail) { return {Code::kBadPublicKey, std::move(detail)}; }

struct AlgorithmRow {
  int64_t id;
  SignatureAlgorithm algorithm;
};
constexpr std::array kAlgorithms{
    AlgorithmRow{-7, SignatureAlgorithm::kEcdsaSha256},       // ES256, RFC 9053 §2.1
    AlgorithmRow{-9, SignatureAlgorithm::kEcdsaSha256},       // ESP256, RFC 9864
    AlgorithmRow{-35, SignatureAlgorithm::kEcdsaSha384},      // ES384
    AlgorithmRow{-51, SignatureAlgorithm::kEcdsaSha384},      // ESP384
    AlgorithmRow{-8, SignatureAlgorithm::kEd25519},           // EdDSA, RFC 9053 §2.2
    AlgorithmRow{-19, SignatureAlgorithm::kEd25519},          // Ed25519
    AlgorithmRow{-257, SignatureAlgorithm::kRsaPkcs1Sha256},  // RS256, RFC 8812 §2
};

Result<SignatureAlgorithm> ReadAlgorithm(const CborValue& protected_header) {
  const auto alg = protected_header.Find(kAlg);
  const auto id = alg ? alg->AsInt() : std::nullopt;
  const auto* row = std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                                 [&](const AlgorithmRow& each) { return each.id == id; });
  if (row == kAlgorithms.end()) {
    return Error{Code::kBadSignatureAlgorithm,
                 "COSE: the protected header names no signature algorithm of ours"};
  }
  return row->algorithm;
}

// RFC 9052 §3: a label "MUST NOT occur more than once" in both headers together. (Within one, the
// reader of maps sees to it.)
Status CheckHeaders(const CborValue& protected_header, const CborValue& unprotected) {
  for (const auto& [label, value] : unprotected.members()) {
    const auto number = label.AsInt();
    const auto text = label.AsText();
    if ((number && protected_header.Find(*number)) || (text && protected_header.Find(*text))) {
      return Malformed("a header parameter is in both headers");
    }
  }
  // §3.1: a recipient that does not understand a critical parameter must fail; we know of none.
  if (protected_header.Find(kCrit) || unprotected.Find(kCrit)) {
    return Malformed("there are critical header parameters that we do not know");
  }
  return {};
}

Result<std::string> ReadKid(const CborValue& protected_header, const CborValue& unprotected) {
  auto kid = protected_header.Find(kKid);
  if (!kid) kid = unprotected.Find(kKid);
  if (!kid) return std::string();
  const auto octets = kid->AsBytes();
  if (!octets) return Malformed("\"kid\" must be a byte string");
  const bool printable = std::all_of(octets->begin(), octets->end(),
                                     [](uint8_t octet) { return octet > 0x20 && octet < 0x7F; });
  return printable ? std::string(AsText(*octets)) : ToBase64Url(*octets);
}

// Sig_structure = [context: "Signature1", body_protected, external_aad: h'', payload]   (§4.4)
// "The protected attributes from the body structure, encoded in a bstr type": as they were sent.
Bytes SigningInput(ByteView protected_octets, ByteView payload) {
  CborWriter writer;
  writer.Array(4).Text("Signature1").Octets(protected_octets).Octets({}).Octets(payload);
  return std::move(writer).Take();
}

// The array, under the tags that may be around it.
Result<CborValue> Untag(CborValue value) {
  if (const auto cwt = value.AsTagged(); cwt && cwt->first == kCwtTag) {
    // RFC 8392 §6: "The CWT CBOR tag MUST prefix a tagged object using one of the COSE CBOR tags".
    value = cwt->second;
    if (!value.AsTagged()) return Malformed("the CWT tag must be around a COSE tag");
  }
  if (const auto sign1 = value.AsTagged()) {
    if (sign1->first != kSign1Tag) return Malformed("it is no COSE_Sign1 (tag 18)");
    value = sign1->second;
  }
  if (value.elements().size() != 4) return Malformed("a COSE_Sign1 is an array of four");
  return value;
}

Result<Bytes> KeyOctets(const CborValue& key, int64_t label, const char* name) {
  const auto value = key.Find(label);
  const auto octets = value ? value->AsBytes() : std::nullopt;
  if (!octets) return BadKey("COSE_Key needs the byte string \"" + std::string(name) + "\"");
  return ToBytes(*octets);
}

Result<PublicKey> ParseEc2Key(const CborValue& key) {
  const auto curve = key.Find(kCrv);
  const auto id = curve ? curve->AsInt() : std::nullopt;
  if (id != kP256 && id != kP384) return BadKey("EC2 keys must be on P-256 or P-384");
  AGENTCA_ASSIGN(const Bytes x, KeyOctets(key, -2, "x"));
  AGENTCA_ASSIGN(const Bytes y, KeyOctets(key, -3, "y"));  // a sign bit (compression) is none
  // RFC 9053 §7.1.1: "Leading-zero octets MUST be preserved".
  const size_t size = id == kP256 ? 32 : 48;
  if (x.size() != size || y.size() != size) {
    return BadKey("EC2 coordinates must have the full size of the curve");
  }
  return PublicKey::FromEcPoint(id == kP256 ? KeyType::kP256 : KeyType::kP384, x, y);
}

Result<PublicKey> ParseOkpKey(const CborValue& key) {
  const auto curve = key.Find(kCrv);
  if (!curve || curve->AsInt() != kEd25519) return BadKey("OKP keys must be Ed25519");
  AGENTCA_ASSIGN(const Bytes x, KeyOctets(key, -2, "x"));
  if (x.size() != 32) return BadKey("an Ed25519 key has 32 octets");
  return PublicKey::FromEd25519(x);
}

Result<PublicKey> ParseRsaKey(const CborValue& key) {
  AGENTCA_ASSIGN(const Bytes modulus, KeyOctets(key, -1, "n"));
  AGENTCA_ASSIGN(const Bytes exponent, KeyOctets(key, -2, "e"));
  // RFC 8230 §4: "the octet sequence MUST utilize the minimum number of octets".
  if (modulus.empty() || exponent.empty() || modulus[0] == 0 || exponent[0] == 0) {
    return BadKey("RSA integers must not have leading zero octets");
  }
  return PublicKey::FromRsa(modulus, exponent);
}

}  // namespace

Result<CoseSign1> CoseSign1::Parse(ByteView octets) {
  AGENTCA_ASSIGN(const CborDocument document, CborDocument::Parse(octets));
  AGENTCA_ASSIGN(const CborValue array, Untag(document.root()));
  const std::vector<CborValue> parts = array.elements();
  const auto protected_octets = parts[0].AsBytes();
  const auto payload = parts[2].AsBytes();
  const auto signature = parts[3].AsBytes();
  if (!protected_octets || parts[1].type() != CborType::kMap || !signature) {
    return Malformed("a COSE_Sign1 holds bstr, map, bstr, bstr");
  }
  if (!payload) return Malformed("the payload must be there, not detached");

  // §3: an empty protected header may be h''; then there is no algorithm either.
  if (protected_octets->empty()) {
    return Error{Code::kBadSignatureAlgorithm, "COSE: the protected header is empty"};
  }
  AGENTCA_ASSIGN(const CborDocument header, CborDocument::Parse(*protected_octets));
  if (header.root().type() != CborType::kMap) return Malformed("the protected header is no map");
  AGENTCA_TRY(CheckHeaders(header.root(), parts[1]));

  CoseSign1 sign1{};
  AGENTCA_ASSIGN(sign1.algorithm, ReadAlgorithm(header.root()));
  AGENTCA_ASSIGN(sign1.kid, ReadKid(header.root(), parts[1]));
  sign1.payload = ToBytes(*payload);
  sign1.signing_input = SigningInput(*protected_octets, *payload);
  sign1.signature = ToBytes(*signature);
  return sign1;
}

Status CoseSign1::Verify(const PublicKey& signer) const {
  return VerifyJoseSignature(algorithm, signing_input, signature, signer);
}

Result<PublicKey> ParseCoseKey(const CborValue& key) {
  const auto type = key.Find(kKty);
  const auto id = type ? type->AsInt() : std::nullopt;
  // "d" of EC2 and OKP is -4, that of RSA -3.
  if (key.Find(id == kRsa ? -3 : -4)) return BadKey("COSE_Key is a private key");
  if (id == kEc2) return ParseEc2Key(key);
  if (id == kOkp) return ParseOkpKey(key);
  if (id == kRsa) return ParseRsaKey(key);
  return BadKey("COSE_Key has a type that is not supported");
}

}  // namespace agentca::acme::attest
