// What a TlsIdentity holds; for the edge alone, so that no other file needs OpenSSL's headers.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <mutex>
#include <vector>

#include "acme/http/server.h"

namespace agentca::acme::http {

struct TlsIdentity::State {
  std::filesystem::path chain_pem, key_pem;

  std::shared_ptr<SSL_CTX> context() const {
    std::lock_guard lock(mutex);
    return current;
  }

  mutable std::mutex mutex;          // guards current
  std::shared_ptr<SSL_CTX> current;  // never null once Load returned
};

struct TlsClients::State {
  std::shared_ptr<X509_STORE> anchors;
  std::vector<Bytes> names;  // DER subjects of the anchors, told to clients so that they can choose
};

}  // namespace agentca::acme::http
