// Keys in PEM files: development only, and it says so in the log each time one is opened.
#pragma once

#include <filesystem>
#include <memory>

#include "ca/signer.h"
#include "hsm/pkcs11.h"

namespace agentca::hsm {

// A key that is no CA's: an agent's own, say. PKCS#8 PEM without passphrase; kUnavailable when it
// cannot be read, kBadPublicKey for a key type this CA does not use.
Result<std::unique_ptr<ca::Signer>> ReadPemKey(const std::filesystem::path& pem);
// The same for a CA key, with a warning in the log.
Result<std::unique_ptr<ca::Signer>> OpenSoftKey(const std::filesystem::path& pem);
Result<std::unique_ptr<ca::Signer>> GenerateSoftKey(CaKeyType type);    // in memory, tests
Status WriteSoftKey(CaKeyType type, const std::filesystem::path& pem);  // 0600, must not exist

}  // namespace agentca::hsm
