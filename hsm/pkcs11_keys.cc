// Signers over libp11's EVP_PKEY.
#include <libp11.h>

#include <mutex>

#include "ca/openssl.h"
#include "hsm/pkcs11_module.h"
#include "hsm/signature.h"

namespace agentca::hsm {
namespace {

using ca::openssl::PkeyPtr;

void Unload(PKCS11_CTX* context) {
  PKCS11_CTX_unload(context);
  PKCS11_CTX_free(context);
}

// libp11's context and slots, loaded; released in the one order that does not crash: keys, slots,
// context.
class Libp11 {
 public:
  static Result<std::unique_ptr<Libp11>> Load(const std::filesystem::path& module) {
    std::unique_ptr<Libp11> loaded(new Libp11);
    PKCS11_CTX* context = PKCS11_CTX_new();
    if (context == nullptr) return Error{Code::kInternal, "libp11: no context"};
    if (PKCS11_CTX_load(context, module.c_str()) != 0) {
      PKCS11_CTX_free(context);
      return Error{Code::kUnavailable,
                   "libp11 cannot load " + module.string() + ": " + ca::openssl::LastError()};
    }
    loaded->context_.reset(context);
    if (PKCS11_enumerate_slots(context, &loaded->slots_, &loaded->slot_count_) != 0) {
      return Error{Code::kUnavailable, "libp11: no slots: " + ca::openssl::LastError()};
    }
    return loaded;
  }
  ~Libp11() {
    if (slots_ != nullptr) PKCS11_release_all_slots(context_.get(), slots_, slot_count_);
  }
  Libp11(const Libp11&) = delete;
  Libp11& operator=(const Libp11&) = delete;

  PKCS11_SLOT* SlotOf(CK_SLOT_ID id) const {
    for (unsigned int i = 0; i < slot_count_; ++i) {
      if (PKCS11_get_slotid_from_slot(&slots_[i]) == id) return &slots_[i];
    }
    return nullptr;
  }

 private:
  Libp11() = default;
  ca::openssl::Owned<PKCS11_CTX, Unload> context_;
  PKCS11_SLOT* slots_ = nullptr;
  unsigned int slot_count_ = 0;
};

struct KeyOnToken {
  std::string name;
  ca::PublicKey public_key;
  PkeyPtr key;
};

// Everything that must live as long as one of the signers does. Members end in reverse order.
struct Home {
  std::shared_ptr<Module> module;  // whichever of it and libp11 came first has initialised it
  std::unique_ptr<Libp11> libp11;
  std::mutex mutex;  // guards token
  std::unique_ptr<Token> token;
  std::vector<KeyOnToken> keys;
};

class Pkcs11Signer final : public ca::Signer {
 public:
  Pkcs11Signer(std::shared_ptr<const Home> home, const KeyOnToken& key)
      : home_(std::move(home)), key_(key), algorithm_(AlgorithmOf(key.public_key.type())) {}

  const ca::PublicKey& public_key() const override { return key_.public_key; }
  ca::SignatureAlgorithm algorithm() const override { return algorithm_; }
  Result<Bytes> Sign(ByteView message) override {
    return SignWith(key_.key.get(), algorithm_, message);
  }

 private:
  const std::shared_ptr<const Home> home_;
  const KeyOnToken& key_;  // in *home_
  const ca::SignatureAlgorithm algorithm_;
};

class Pkcs11Keys final : public ca::KeyProvider {
 public:
  explicit Pkcs11Keys(std::shared_ptr<Home> home) : home_(std::move(home)) {}

  Result<std::unique_ptr<ca::Signer>> Open(std::string_view key_name) override {
    for (const KeyOnToken& key : home_->keys) {
      if (key.name == key_name) {
        return std::unique_ptr<ca::Signer>(std::make_unique<Pkcs11Signer>(home_, key));
      }
    }
    return Error{Code::kNotFound, "no key named " + std::string(key_name)};
  }

  bool Healthy() const override {
    const std::lock_guard lock(home_->mutex);
    return home_->token->CheckHealth().ok();
  }

 private:
  const std::shared_ptr<Home> home_;
};

Result<PkeyPtr> FindPrivateKey(PKCS11_TOKEN* token, const KeyReport& report) {
  PKCS11_KEY* keys = nullptr;  // libp11's, as long as its slots live
  unsigned int count = 0;
  if (PKCS11_enumerate_keys(token, &keys, &count) != 0) {
    return Error{Code::kUnavailable,
                 "libp11 cannot list the token's keys; a key of a type it does not know (Ed25519) "
                 "hides all: " +
                     ca::openssl::LastError()};
  }
  for (unsigned int i = 0; i < count; ++i) {
    const ByteView id(keys[i].id, keys[i].id_len);
    if (!std::equal(id.begin(), id.end(), report.uri.id.begin(), report.uri.id.end())) continue;
    PkeyPtr key(PKCS11_get_private_key(&keys[i]));
    if (key == nullptr) break;
    const Bytes spki = ca::openssl::Encode(i2d_PUBKEY, static_cast<const EVP_PKEY*>(key.get()));
    if (spki == report.public_key.spki()) return key;
  }
  return Error{Code::kUnavailable, "libp11 does not find " + report.uri.ToString()};
}

std::string Join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

Result<std::unique_ptr<ca::KeyProvider>> OpenPkcs11Keys(
    const TokenOptions& options, std::vector<std::pair<std::string, KeyUri>> keys) {
  const ca::openssl::ErrorScope errors;
  auto home = std::make_shared<Home>();
  AGENTCA_ASSIGN(home->module, Module::Load(options.module, options.softhsm2_conf));
  AGENTCA_ASSIGN(const TokenName name, FindToken(*home->module, options.label, options.serial));
  AGENTCA_ASSIGN(home->libp11, Libp11::Load(options.module));
  PKCS11_SLOT* slot = home->libp11->SlotOf(name.slot);
  // PKCS11_open_session closes all sessions of the slot, which ends the login: so it goes first.
  if (slot == nullptr || slot->token == nullptr || PKCS11_open_session(slot, 0) != 0) {
    return Error{Code::kUnavailable, "libp11: no session: " + ca::openssl::LastError()};
  }
  AGENTCA_ASSIGN(home->token, Token::Open(options, Token::Access::kReadOnly));
  for (auto& [key_name, uri] : keys) {
    AGENTCA_ASSIGN(const KeyReport report, home->token->Find(uri));
    if (const auto faults = report.Faults(); !faults.empty()) {
      return Error{Code::kUnauthorized,
                   "key \"" + key_name + "\" is not as a CA key must be: " + Join(faults)};
    }
    AGENTCA_ASSIGN(PkeyPtr key, FindPrivateKey(slot->token, report));
    home->keys.push_back({std::move(key_name), report.public_key, std::move(key)});
  }
  return std::unique_ptr<ca::KeyProvider>(std::make_unique<Pkcs11Keys>(std::move(home)));
}

}  // namespace agentca::hsm
