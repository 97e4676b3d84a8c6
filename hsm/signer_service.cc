#include "hsm/signer_service.h"

#include <openssl/pem.h>

#include <algorithm>

#include "ca/base/clock.h"
#include "ca/base/file.h"
#include "ca/base/log.h"
#include "ca/openssl.h"
#include "hsm/key_uri.h"
#include "hsm/softkey.h"

namespace agentca::hsm {
namespace {

namespace openssl = ca::openssl;

bool Allows(const std::vector<Purpose>& purposes, Purpose purpose) {
  return std::find(purposes.begin(), purposes.end(), purpose) != purposes.end();
}

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The certificate is read at start only: the key and the subject are pinned, not the octets, so
// that a renewed certificate for the same key needs no restart.
Result<KeyScope> ReadScope(const KeyEntry& entry) {
  const openssl::ErrorScope errors;
  constexpr size_t kMaxFile = 64 << 10;
  auto file = ReadFile(entry.certificate_file, kMaxFile);
  if (!file.ok()) return Error{Code::kUnavailable, file.error().detail};
  using BioPtr = openssl::Owned<BIO, BIO_free_all>;
  const BioPtr memory(BIO_new_mem_buf(file->data(), static_cast<int>(file->size())));
  openssl::X509Ptr certificate(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
  if (!certificate) certificate = openssl::Decode<openssl::X509Ptr>(d2i_X509, *file);
  if (!certificate) {
    return Error{Code::kMalformed, entry.certificate_file + " holds no certificate"};
  }
  const bool signs_for_ca =
      Allows(entry.purposes, Purpose::kCertificate) || Allows(entry.purposes, Purpose::kCrl);
  if (signs_for_ca && X509_check_ca(certificate.get()) != 1) {
    return Error{Code::kUnauthorized, entry.certificate_file + " is no CA certificate, but key \"" +
                                          entry.name + "\" is to sign as a CA"};
  }
  const Bytes spki = openssl::Encode(
      i2d_X509_PUBKEY, static_cast<const X509_PUBKEY*>(X509_get_X509_PUBKEY(certificate.get())));
  AGENTCA_ASSIGN(ca::PublicKey key, ca::PublicKey::FromSpki(spki));
  const X509_NAME* subject = X509_get_subject_name(certificate.get());
  return KeyScope{entry.purposes, openssl::Encode(i2d_X509_NAME, subject), std::move(key), {}};
}

Reply Refusal(std::string_view key, std::string_view why) {
  Log(Level::kError, "refused to sign", {{"key", key}, {"reason", why}});
  return {ReplyStatus::kRefused, ToBytes(AsBytes(why))};
}

Reply Failure(std::string_view why) {
  Log(Level::kError, "signer failed", {{"reason", why}});
  return {ReplyStatus::kUnavailable, ToBytes(AsBytes(why))};
}

}  // namespace

Result<std::unique_ptr<SignerService>> SignerService::Open(const SignerOptions& options) {
  std::unique_ptr<SignerService> service(new SignerService);
  AGENTCA_TRY(service->ReadKeys(options));
  AGENTCA_TRY(service->OpenKeys(options));
  // The signer of a serve that was just killed sees its socket close and ends; it may need a
  // moment. The watchdog must not take the wait for a hang.
  AGENTCA_ASSIGN(service->log_,
                 ca::ChainedLog::Open(options.key_usage_log, options.hang_limit / 2));
  return service;
}

// A responder's key is certified by whoever holds the CA's: its public key is needed there, the key
// is not.
Status SignerService::ReadKeys(const SignerOptions& options) {
  for (const KeyEntry& entry : options.keys) {
    if (Contains(names_, entry.name)) {
      return Error{Code::kMalformed, "two signer-keys are named \"" + entry.name + "\""};
    }
    names_.push_back(entry.name);
    const bool held = options.held.empty() || Contains(options.held, entry.name);
    const bool responds = Allows(entry.purposes, Purpose::kOcsp);
    if (!held && !responds) continue;
    auto scope = ReadScope(entry);
    if (!scope.ok() && held) return std::move(scope).error();
    if (!scope.ok()) {
      Log(Level::kWarning, "no responder will be certified for a key that others hold",
          {{"key", entry.name}, {"reason", scope.error().detail}});
      continue;
    }
    if (responds) ocsp_keys_.push_back(scope->key);
    if (!held) continue;
    AGENTCA_ASSIGN(KeyUri uri, KeyUri::Parse(entry.uri));
    keys_.push_back({entry.name, std::move(uri), *std::move(scope), nullptr});
  }
  for (const std::string& name : options.held)
    if (!Contains(names_, name)) return Error{Code::kMalformed, "no signer-key \"" + name + "\""};
  return {};
}

Status SignerService::OpenKeys(const SignerOptions& options) {
  std::vector<std::pair<std::string, KeyUri>> on_token;
  for (Key& key : keys_) {
    if (key.uri.kind == KeyUri::Kind::kPkcs11) {
      on_token.emplace_back(key.name, key.uri);
    } else {
      AGENTCA_ASSIGN(key.signer, OpenSoftKey(key.uri.path));
    }
  }
  if (!on_token.empty()) {
    AGENTCA_ASSIGN(token_, OpenPkcs11Keys(options.token, std::move(on_token)));
  }
  for (Key& key : keys_) {
    key.scope.ocsp_keys = ocsp_keys_;
    if (!key.signer) {
      AGENTCA_ASSIGN(key.signer, token_->Open(key.name));
    }
    if (key.signer->public_key() != key.scope.key) {
      return Error{Code::kUnauthorized,
                   "key \"" + key.name + "\" is not the one that its certificate certifies"};
    }
  }
  return {};
}

Reply SignerService::Greeting() const {
  std::vector<NamedKey> keys;
  for (const Key& key : keys_) keys.push_back({key.name, key.scope.key});
  return {ReplyStatus::kReady, EncodeKeys(keys)};
}

Reply SignerService::Answer(const Frame& request) {
  switch (static_cast<Operation>(request.kind)) {
    case Operation::kSign:
      return Sign(request.body);
    case Operation::kPing:
      if (token_ && !token_->Healthy()) return Failure("the token does not answer as it should");
      return {ReplyStatus::kOk, {}};
  }
  return Refusal("", "no such operation");
}

Reply SignerService::Sign(ByteView body) {
  const auto request = ParseSignRequest(body);
  if (!request.ok()) return Refusal("", request.error().detail);
  const auto key = std::find_if(keys_.begin(), keys_.end(),
                                [&](const Key& k) { return k.name == request->key_name; });
  if (key == keys_.end()) {
    const bool known = Contains(names_, request->key_name);
    return Refusal(request->key_name, known ? "this signer does not hold that key" : "no such key");
  }
  return SignWithKey(*key, request->message);
}

Reply SignerService::SignWithKey(Key& key, ByteView message) {
  const auto use = JudgeUse(message, key.scope);
  if (!use.ok()) return Refusal(key.name, use.error().detail);
  // On disk before the key is used: a signature that nobody wrote down cannot exist.
  const Status logged =
      log_->Append("key-use",
                   {{"key", key.name},
                    {"purpose", ToString(use->purpose)},
                    {"object", use->object},
                    {"sha256", ToHex(Sha256(message))},
                    {"not_after", use->not_after ? ToRfc3339(*use->not_after) : ""}},
                   SystemClock().Now());
  if (!logged.ok()) return Failure("key-usage log: " + logged.error().detail);
  auto signature = key.signer->Sign(message);
  if (!signature.ok()) return Failure(signature.error().detail);
  return {ReplyStatus::kOk, *std::move(signature)};
}

}  // namespace agentca::hsm
