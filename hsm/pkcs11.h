// PKCS#11 tokens. Keys are generated, found and checked through the raw interface
// (p11-kit/pkcs11.h); signatures go through libp11's EVP_PKEY. `man agentca-design` says why.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ca/base/bytes.h"
#include "ca/base/random.h"
#include "ca/signer.h"
#include "hsm/key_uri.h"

namespace agentca::hsm {

// Which module and token, and how to log in. The PIN file is read at login and wiped.
struct TokenOptions {
  std::filesystem::path module;  // e.g. /usr/lib/softhsm/libsofthsm2.so
  std::string label;             // token label; must match exactly one token (with serial, if set)
  std::string serial;            // token serial; empty: any
  std::filesystem::path
      pin_file;  // first line is the user PIN; owned by us or root, closed to others
  std::filesystem::path softhsm2_conf;  // set as SOFTHSM2_CONF before loading; empty: left alone
};

enum class CaKeyType : uint8_t { kP256, kP384, kRsa3072 };
Result<CaKeyType> CaKeyTypeFromString(std::string_view text);  // kMalformed

// Creates a SoftHSM2 token: directory (0700), tokens/, softhsm2.conf, random PINs in user.pin and
// so.pin (0600), and initialises it with `label`. The options name its serial too. kConflict when
// `directory` holds a token already, or when the module is in use elsewhere in this process (it
// would write to the other token directory). Nothing is left behind on failure.
Result<TokenOptions> CreateSoftHsmToken(const std::filesystem::path& directory,
                                        const std::string& label, Random& random);

// One key as the token reports it.
struct KeyReport {
  KeyUri uri;
  ca::PublicKey public_key;
  bool sensitive, never_extractable, extractable, local, can_sign, can_decrypt, can_unwrap,
      can_derive, can_sign_recover;
  // Empty when the key is as a CA key must be: sensitive, not extractable, generated on the token,
  // sign-only. Otherwise each fault in words.
  std::vector<std::string> Faults() const;
};

// A logged-in session for administration (`agentca init`) and for checks. Not thread-safe. Open one
// at a time, and none while OpenPkcs11Keys' provider is open: libp11 closes every session of the
// process on that slot, after which a Token says kUnavailable. Errors: kUnavailable (module, token
// or PIN file not there), kUnauthorized (the token refuses the PIN: trying again locks it),
// kConflict (two tokens match, two keys match, label exists), kInternal (module misbehaves). The
// detail has the CKR_ name.
class Token {
 public:
  enum class Access { kReadOnly, kReadWrite };
  static Result<std::unique_ptr<Token>> Open(const TokenOptions& options,
                                             Access access = Access::kReadWrite);
  virtual ~Token() = default;
  // Generates a non-extractable, sensitive, sign-only pair and reads its attributes back: a key
  // that is not as it must be is destroyed and kInternal says which attribute failed.
  virtual Result<KeyReport> Generate(CaKeyType type, const std::string& object_label) = 0;
  virtual Result<KeyReport> Find(const KeyUri& uri) = 0;  // kNotFound
  // Cheap: C_GetSessionInfo on the open session, and one attribute of each key found so far.
  virtual Status CheckHealth() = 0;
};

// Signers over libp11 for keys of one token; opens libp11's sessions once and before login, and
// logs in through the raw interface, since libp11 would keep a copy of the PIN. Each key must be as
// it must be (KeyReport), or kUnauthorized says which fault. Signers are thread-safe; they share
// the token with the provider and may outlive it. Healthy() is Token::CheckHealth. A call can hang
// with the HSM: that is why only the signer process (and `agentca init`) uses this. After a
// signature failed, only a new provider is of use.
Result<std::unique_ptr<ca::KeyProvider>> OpenPkcs11Keys(
    const TokenOptions& options, std::vector<std::pair<std::string, KeyUri>> keys);

}  // namespace agentca::hsm
