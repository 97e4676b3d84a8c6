// What every ca::Signer must do, whatever holds its key. Include it in one file of a test program
// and instantiate it with factories:
//
//   INSTANTIATE_TEST_SUITE_P(SoftKey, SignerContract, testing::Values(SignerCase{"p256", Make}));
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ca/signed_object.h"
#include "ca/signer.h"

namespace agentca::contract {

// A signer and what must live as long as it.
struct SignerSubject {
  std::shared_ptr<void> world;
  std::unique_ptr<ca::Signer> signer;
  // The i-th of many different messages that this signer is allowed to sign.
  std::function<Bytes(int i)> message;
};

struct SignerCase {
  std::string name;
  std::function<SignerSubject()> make;
};

class SignerContract : public testing::TestWithParam<SignerCase> {};

inline std::string NameOfCase(const testing::TestParamInfo<SignerCase>& info) {
  return info.param.name;
}

TEST_P(SignerContract, SignatureVerifiesWithItsPublicKey) {
  const SignerSubject subject = GetParam().make();
  ASSERT_TRUE(subject.signer);
  const Bytes message = subject.message(0);
  const auto signature = subject.signer->Sign(message);
  ASSERT_TRUE(signature.ok()) << signature.error().detail;
  const ca::PublicKey& key = subject.signer->public_key();
  EXPECT_TRUE(key.Verify(subject.signer->algorithm(), message, *signature));
  EXPECT_FALSE(key.Verify(subject.signer->algorithm(), subject.message(1), *signature));
}

TEST_P(SignerContract, MakesSignedObjects) {
  const SignerSubject subject = GetParam().make();
  ASSERT_TRUE(subject.signer);
  const Bytes message = subject.message(0);
  const auto made = ca::MakeSigned(message, *subject.signer);
  ASSERT_TRUE(made.ok()) << made.error().detail;
  const Bytes bare = ca::WrapUnsigned(message, subject.signer->algorithm());
  EXPECT_GT(made->size(), bare.size());
}

TEST_P(SignerContract, SignsFromSixteenThreadsAtOnce) {
  const SignerSubject subject = GetParam().make();
  ASSERT_TRUE(subject.signer);
  constexpr int kThreads = 16;
  constexpr int kEach = 8;
  std::atomic<int> verified{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const Bytes message = subject.message(t * kEach + i);
        const auto signature = subject.signer->Sign(message);
        if (signature.ok() &&
            subject.signer->public_key().Verify(subject.signer->algorithm(), message, *signature)) {
          ++verified;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(verified, kThreads * kEach);
}

TEST_P(SignerContract, AlgorithmIsTheOneOfTheKeyType) {
  const SignerSubject subject = GetParam().make();
  ASSERT_TRUE(subject.signer);
  switch (subject.signer->public_key().type()) {
    case ca::KeyType::kP256:
      EXPECT_EQ(subject.signer->algorithm(), ca::SignatureAlgorithm::kEcdsaSha256);
      break;
    case ca::KeyType::kP384:
      EXPECT_EQ(subject.signer->algorithm(), ca::SignatureAlgorithm::kEcdsaSha384);
      break;
    case ca::KeyType::kEd25519:
      EXPECT_EQ(subject.signer->algorithm(), ca::SignatureAlgorithm::kEd25519);
      break;
    case ca::KeyType::kRsa:
      EXPECT_EQ(subject.signer->algorithm(), ca::SignatureAlgorithm::kRsaPkcs1Sha256);
      break;
  }
}

}  // namespace agentca::contract
