// The bytes a CA signs, built by OpenSSL's X509 or by hand: also those that no CA should sign.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ca/public_key.h"

namespace agentca::testdata {

// A TBSCertificate. Extensions are OpenSSL's names and configuration syntax.
struct CertificateDraft {
  ca::PublicKey key;
  std::string issuer = "Test CA";  // common name
  std::string subject = "agent";
  long serial = 77;
  int version = 2;  // v3
  ca::SignatureAlgorithm algorithm = ca::SignatureAlgorithm::kEcdsaSha256;
  std::vector<std::pair<std::string, std::string>> extensions = {};
  Bytes ToTbs() const;
};

Bytes CommonName(const std::string& name);  // DER Name with one UTF8String CN

// A TBSCertList.
struct CrlDraft {
  std::string issuer = "Test CA";
  uint64_t number = 5;
  size_t entries = 2;  // the same one again and again
  ca::SignatureAlgorithm algorithm = ca::SignatureAlgorithm::kEcdsaSha256;
  Bytes version = {0x02, 0x01, 0x01};
  bool with_number = true;
  Bytes more_extensions = {};  // complete Extension values
  Bytes raw_entries = {};      // in the place of entries
  Bytes ToTbs() const;
};

// A ResponseData by the key whose identifier is given, about one serial number.
struct OcspDraft {
  Bytes responder_key_hash;
  uint64_t serial = 9;
  size_t answers = 1;
  Bytes responder = {};  // complete responderID in the place of the hash
  Bytes ToTbs() const;
};

}  // namespace agentca::testdata
