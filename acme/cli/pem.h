// PEM on disk: certificates as DER, and the one private key that serve makes itself (TLS).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ca/base/bytes.h"
#include "ca/public_key.h"

namespace agentca::cli {

// Every CERTIFICATE block of the file, in order; at least one. kMalformed, or as ReadTextFile.
Result<std::vector<Bytes>> ReadCertificates(const std::filesystem::path& file);

// A new P-256 key pair in this process's memory, for TLS alone: CA keys are made on the token.
struct TlsKey {
  ca::PublicKey public_key;
  Secret pem;  // PKCS#8 without passphrase
};
Result<TlsKey> GenerateTlsKey();

// A certificate request for the key (PKCS#10, PEM) that says no more than a common name.
Result<std::string> MakeCsr(const TlsKey& key, const std::string& common_name);

// Whether the file holds the private half of `key`.
bool HoldsKey(const std::filesystem::path& file, const ca::PublicKey& key);

}  // namespace agentca::cli
