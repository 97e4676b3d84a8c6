// The octets of `evidence` in format `tpm`: a JSON object, so that a shell script can make it from
// what tpm2-tools write. acme/attest/tpm.cc says what it proves.
//
//   {"akPub": "<TPM2B_PUBLIC>",          tpm2_createak -u, tpm2_create -u
//    "kid": "…",                         optional: the AK's name in the source's JWK Set
//    "quote": {"attest": "<TPMS_ATTEST>", "sig": "<TPMT_SIGNATURE>"},   tpm2_quote -m, -s
//    "pcrs": {"sha256": {"0": "<hex>", "7": "<hex>"}},                  exactly those that are
//    quoted "certify": {"attest": "<TPMS_ATTEST>", "sig": "<TPMT_SIGNATURE>",  tpm2_certify -o, -s
//                "public": "<TPM2B_PUBLIC>"}}                           of the certified key
//
// Structures are base64url without padding. "quote" or "certify" or both must be there, "pcrs" when
// a "quote" is.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "ca/base/bytes.h"

namespace agentca::acme::attest {

struct TpmEvidence {
  static Result<TpmEvidence> Parse(ByteView octets);  // kMalformed names the member

  struct Signed {
    Bytes attest;
    Bytes signature;
  };
  struct Certification : Signed {
    Bytes key;  // TPM2B_PUBLIC
  };
  Bytes ak;  // TPM2B_PUBLIC
  std::string kid;
  std::optional<Signed> quote;
  std::map<std::string, std::map<int, Bytes>> pcrs;  // bank → index → value
  std::optional<Certification> certification;
};

}  // namespace agentca::acme::attest
