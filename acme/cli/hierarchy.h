// The two CA certificates and what certificates below them say about their issuer.
#pragma once

#include <string>

#include "acme/cli/directory.h"
#include "ca/certificate.h"

namespace agentca::cli {

// Names of the keys in the signer's key table.
inline constexpr char kRootKey[] = "root";
inline constexpr char kIssuingKey[] = "issuing";
inline constexpr char kOcspKey[] = "ocsp";

struct CaIdentity {
  ca::Certificate certificate;
  ca::IssuerInfo info;
  std::string Pem() const;
};

// `http_url`: base of the URLs; `has_responder`: whether OCSP is answered for this issuer.
CaIdentity MakeCaIdentity(ca::Certificate certificate, const std::string& http_url,
                          bool has_responder);
// X.509's one signature algorithm for a CA key of this type.
ca::SignatureAlgorithm AlgorithmOf(const ca::PublicKey& key);

struct Hierarchy {
  // From DIR/ca. The root answers by CRL alone: what it issued is one certificate.
  static Result<Hierarchy> Load(const Directory& directory, const std::string& http_url);
  CaIdentity root;
  CaIdentity issuing;
};

// The first certificate of the file, read back; the error names the file.
Result<ca::Certificate> ReadCertificate(const std::filesystem::path& file);

}  // namespace agentca::cli
