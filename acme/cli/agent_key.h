// A private key that lies beside an agent, in a PEM file: its certificate's, or an attester's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ca/signer.h"

namespace agentca::cli {

// PKCS#8 or traditional PEM without passphrase. kUnavailable when it cannot be read.
Result<std::unique_ptr<ca::Signer>> ReadAgentKey(const std::string& file);

// RFC 7515 §7.1 compact serialization. `header`: further members of the protected header, as
// JSON members with a trailing comma ("\"kid\":\"a\","), or "".
Result<std::string> SignCompactJws(ca::Signer& key, std::string_view header,
                                   std::string_view payload);

}  // namespace agentca::cli
