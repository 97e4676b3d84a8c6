// The signer without its process: keys with their purposes, and the key-usage log.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ca/audit.h"
#include "ca/signer.h"
#include "hsm/key_uri.h"
#include "hsm/key_use.h"
#include "hsm/signer_process.h"

namespace agentca::hsm {

struct Reply {
  ReplyStatus status;
  Bytes body;
};

// Thread-safe.
class SignerService {
 public:
  // kUnauthorized, kMalformed or kBadPublicKey need a person; anything else may pass by itself.
  static Result<std::unique_ptr<SignerService>> Open(const SignerOptions& options);

  Reply Greeting() const;
  // kUnavailable means that this object is of no use any more.
  Reply Answer(const Frame& request);

 private:
  struct Key {
    std::string name;
    KeyUri uri;
    KeyScope scope;
    std::unique_ptr<ca::Signer> signer;
  };

  SignerService() = default;
  Status ReadKeys(const SignerOptions& options);
  Status OpenKeys(const SignerOptions& options);
  Reply Sign(ByteView body);
  Reply SignWithKey(Key& key, ByteView message);

  std::unique_ptr<ca::KeyProvider> token_;  // null when every key is in a file
  std::vector<Key> keys_;                 // those that are held
  std::vector<std::string> names_;        // of all keys
  std::vector<ca::PublicKey> ocsp_keys_;  // of all responders, whoever holds them
  std::unique_ptr<ca::ChainedLog> log_;
};

}  // namespace agentca::hsm
