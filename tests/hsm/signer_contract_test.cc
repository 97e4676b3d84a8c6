// The signer contract over every implementation.
#include "tests/contract/signer_contract.h"

#include <gtest/gtest.h>

#include "ca/base/random.h"
#include "hsm/pkcs11.h"
#include "hsm/signer_client.h"
#include "hsm/softkey.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/hsm/signer_world.h"

namespace agentca::hsm {
namespace {

contract::SignerSubject SoftKeySubject(CaKeyType type) {
  auto signer = GenerateSoftKey(type);
  if (!signer.ok()) return {};
  return {nullptr, *std::move(signer), [](int i) { return Bytes(100, static_cast<uint8_t>(i)); }};
}

contract::SignerSubject TokenSubject(CaKeyType type) {
  struct World {
    fakes::TemporaryDirectory directory;
    std::unique_ptr<ca::KeyProvider> keys;
  };
  auto world = std::make_shared<World>();
  OpenSslRandom random;
  const auto options = CreateSoftHsmToken(world->directory / "token", "contract", random).value();
  const KeyUri uri = Token::Open(options).value()->Generate(type, "key").value().uri;
  world->keys = OpenPkcs11Keys(options, {{"key", uri}}).value();
  auto signer = world->keys->Open("key").value();
  return {std::move(world), std::move(signer),
          [](int i) { return Bytes(100, static_cast<uint8_t>(i)); }};
}

contract::SignerSubject ClientSubject(const std::string& key) {
  struct World {
    testdata::SignerWorld world;
    std::unique_ptr<SignerClient> client;
  };
  auto world = std::make_shared<World>();
  world->client = SignerClient::Start(world->world.ClientOptions()).value();
  auto signer = world->client->Open(key).value();
  const Bytes hash = signer->public_key().key_identifier();
  const testdata::SignerWorld& messages = world->world;
  if (key == "ocsp") {
    return {world, std::move(signer), [hash](int i) {
              testdata::OcspDraft draft{hash};
              draft.serial = static_cast<uint64_t>(i) + 1;
              return draft.ToTbs();
            }};
  }
  return {world, std::move(signer), [&messages](int i) { return messages.Certificate(i); }};
}

}  // namespace
}  // namespace agentca::hsm

namespace agentca::contract {

using hsm::CaKeyType;

INSTANTIATE_TEST_SUITE_P(
    SoftKey, SignerContract,
    testing::Values(SignerCase{"p256", [] { return hsm::SoftKeySubject(CaKeyType::kP256); }},
                    SignerCase{"p384", [] { return hsm::SoftKeySubject(CaKeyType::kP384); }},
                    SignerCase{"rsa3072", [] { return hsm::SoftKeySubject(CaKeyType::kRsa3072); }}),
    NameOfCase);

INSTANTIATE_TEST_SUITE_P(
    Pkcs11, SignerContract,
    testing::Values(SignerCase{"p256", [] { return hsm::TokenSubject(CaKeyType::kP256); }},
                    SignerCase{"p384", [] { return hsm::TokenSubject(CaKeyType::kP384); }},
                    SignerCase{"rsa3072", [] { return hsm::TokenSubject(CaKeyType::kRsa3072); }}),
    NameOfCase);

INSTANTIATE_TEST_SUITE_P(
    SignerClient, SignerContract,
    testing::Values(SignerCase{"issuing", [] { return hsm::ClientSubject("issuing"); }},
                    SignerCase{"ocsp", [] { return hsm::ClientSubject("ocsp"); }}),
    NameOfCase);

}  // namespace agentca::contract
