// A ca::Signer over a key in memory, with faults that a test switches on.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "ca/openssl.h"
#include "ca/signer.h"

namespace agentca::fakes {

enum class TestKey { kP256, kP384, kEd25519, kRsa2048, kRsa3072 };

inline ca::openssl::PkeyPtr GenerateKey(TestKey type) {
  switch (type) {
    case TestKey::kP256:
      return ca::openssl::PkeyPtr(EVP_EC_gen("P-256"));
    case TestKey::kP384:
      return ca::openssl::PkeyPtr(EVP_EC_gen("P-384"));
    case TestKey::kEd25519:
      return ca::openssl::PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    case TestKey::kRsa2048:
      return ca::openssl::PkeyPtr(EVP_RSA_gen(2048));
    case TestKey::kRsa3072:
      break;
  }
  return ca::openssl::PkeyPtr(EVP_RSA_gen(3072));
}

inline ca::PublicKey PublicHalf(EVP_PKEY* key) {
  return ca::PublicKey::FromSpki(ca::openssl::Encode(i2d_PUBKEY, key)).value();
}

// A key that passes for some client's.
inline ca::PublicKey NewPublicKey(TestKey type = TestKey::kP256) {
  return PublicHalf(GenerateKey(type).get());
}

enum class SignerFault {
  kNone,
  kUnavailable,     // as when the HSM is away
  kRefused,         // as when the signer does not like the bytes
  kWrongSignature,  // one bit of a real signature is flipped
  kOtherMessage,    // a sound signature, but of other bytes
};

// Thread-safe.
class TestSigner final : public ca::Signer {
 public:
  explicit TestSigner(TestKey type = TestKey::kP256) : TestSigner(GenerateKey(type), type) {}
  TestSigner(ca::openssl::PkeyPtr key, TestKey type)
      : key_(std::move(key)), public_key_(PublicHalf(key_.get())), type_(type) {}

  const ca::PublicKey& public_key() const override { return public_key_; }
  ca::SignatureAlgorithm algorithm() const override {
    switch (type_) {
      case TestKey::kP256:
        return ca::SignatureAlgorithm::kEcdsaSha256;
      case TestKey::kP384:
        return ca::SignatureAlgorithm::kEcdsaSha384;
      case TestKey::kEd25519:
        return ca::SignatureAlgorithm::kEd25519;
      default:
        return ca::SignatureAlgorithm::kRsaPkcs1Sha256;
    }
  }
  Result<Bytes> Sign(ByteView message) override {
    ++calls_;
    if (on_sign_) std::exchange(on_sign_, nullptr)();
    Bytes bytes = ToBytes(message);
    switch (fault_.load()) {
      case SignerFault::kUnavailable:
        return Error{Code::kUnavailable, "the signer is away"};
      case SignerFault::kRefused:
        return Error{Code::kInternal, "the signer refused"};
      case SignerFault::kOtherMessage:
        bytes.push_back(0);
        break;
      default:
        break;
    }
    Bytes signature = SignBytes(bytes);
    if (fault_.load() == SignerFault::kWrongSignature) signature.back() ^= 1;
    return signature;
  }

  void Fail(SignerFault fault) { fault_ = fault; }
  // What happens elsewhere just before the next signature. Set while nobody signs.
  void OnSign(std::function<void()> happens) { on_sign_ = std::move(happens); }
  int calls() const { return calls_; }
  EVP_PKEY* key() const { return key_.get(); }

 private:
  Bytes SignBytes(ByteView message) const {
    const char* digest = type_ == TestKey::kEd25519 ? nullptr
                         : type_ == TestKey::kP384  ? "SHA384"
                                                    : "SHA256";
    const ca::openssl::DigestContextPtr context(EVP_MD_CTX_new());
    EVP_DigestSignInit_ex(context.get(), nullptr, digest, nullptr, nullptr, key_.get(), nullptr);
    size_t length = 0;
    EVP_DigestSign(context.get(), nullptr, &length, message.data(), message.size());
    Bytes signature(length);
    EVP_DigestSign(context.get(), signature.data(), &length, message.data(), message.size());
    signature.resize(length);
    return signature;
  }

  const ca::openssl::PkeyPtr key_;
  const ca::PublicKey public_key_;
  const TestKey type_;
  std::atomic<SignerFault> fault_{SignerFault::kNone};
  std::atomic<int> calls_{0};
  std::function<void()> on_sign_;
};

}  // namespace agentca::fakes
