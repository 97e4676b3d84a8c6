#include "acme/cli/shared_delegate.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "acme/cli/profiles.h"
#include "storage/sqlite.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fakes/test_issuer.h"

namespace agentca::cli {
namespace {

class SharedDelegates : public testing::Test {
 protected:
  static Config MakeConfig(const std::filesystem::path& dir) {
    for (const char* folder : {"ca", "profiles"}) std::filesystem::create_directory(dir / folder);
    std::ofstream(dir / "agentca.conf") << "trust-domain = example.test\n";
    const auto settings =
        Settings::Read(Command::kServe, std::vector<std::string>{"--dir", dir.string()});
    const Config config = Config::Make(*settings).value();
    for (const auto& file : InitialProfiles({}))
      std::ofstream(config.directory.Profile(file.name)) << file.json;
    return config;
  }

  // A node with a DIR of its own; the delegate's key is that of all.
  struct Node {
    Node(SharedDelegates& world, const std::string& name)
        : config(MakeConfig(directory.path())),
          backend(storage::OpenSqlite(world.shared_ / "ca.sqlite", storage::OpenMode::kCreate, {},
                                      name)
                      .value()),
          issuance(*world.issuer_.issuer, backend->certificates(), *audit, random, 1),
          own(OwnCertificates::Make(config, issuance).value()),
          responder(backend->certificates(), world.clock_, {}),
          delegate({&own, config.directory, backend->certificates(), backend->leases(),
                    backend->documents(), world.identity_, responder, world.signer_}) {}
    ca::Serial serial() const {  // of what it serves, and would serve after a restart
      return ReadCertificate(config.directory.OcspCertificate())->serial;
    }
    fakes::TemporaryDirectory directory;
    const Config config;
    const std::unique_ptr<storage::Backend> backend;
    const std::unique_ptr<ca::ChainedLog> audit =
        ca::ChainedLog::Open(directory / "audit.log").value();
    OpenSslRandom random;
    const ca::Issuance issuance;
    const OwnCertificates own;
    ca::Responder responder;
    SharedDelegate delegate;
  };

  size_t Issued() {
    return two_.backend->certificates().List(ca::CertificateFilter())->size();
  }
  Status Revoke(const ca::Serial& serial) {
    return two_.backend->certificates().Revoke(identity_.info.id, serial, ca::Reason::kSuperseded,
                                               now_);
  }
  // A third node that has the duty and does nothing.
  bool TakeDuty() {
    idle_ = storage::OpenSqlite(shared_ / "ca.sqlite", storage::OpenMode::kExisting, {}, "three")
                .value();
    return idle_->leases().Hold(name_, ca::kLongestLease).value();
  }

  fakes::ManualClock clock_;
  const Time now_ = clock_.Now();
  fakes::TemporaryDirectory shared_;
  fakes::TestIssuer issuer_ = fakes::MakeIssuer();
  const CaIdentity identity_{issuer_.issuer->certificate(), issuer_.issuer->info()};
  const std::string name_ = "ocsp/" + identity_.info.id;
  const std::shared_ptr<ca::Signer> signer_ = std::make_shared<fakes::TestSigner>();
  Node one_{*this, "one"}, two_{*this, "two"};
  std::unique_ptr<storage::Backend> idle_;
};

TEST_F(SharedDelegates, OneNodeIssuesItAndTheOtherAdoptsIt) {
  ASSERT_TRUE(one_.delegate.Renew(now_).ok());
  ASSERT_TRUE(two_.delegate.Renew(now_).ok());
  EXPECT_EQ(Issued(), 1u);
  EXPECT_EQ(one_.serial(), two_.serial());
}

TEST_F(SharedDelegates, ItIsRenewedOnceForAll) {
  ASSERT_TRUE(one_.delegate.Renew(now_).ok());
  ASSERT_TRUE(two_.delegate.Renew(now_).ok());
  const auto first = ReadCertificate(one_.config.directory.OcspCertificate());
  const Time late = first->not_after - Seconds(60);
  ASSERT_TRUE(one_.delegate.Renew(late).ok());
  EXPECT_NE(one_.serial(), first->serial);
  EXPECT_EQ(two_.serial(), first->serial);
  ASSERT_TRUE(two_.delegate.Follow(late).ok());
  EXPECT_EQ(two_.serial(), one_.serial());
  ASSERT_TRUE(two_.delegate.Renew(late).ok());
  EXPECT_EQ(Issued(), 2u);
}

TEST_F(SharedDelegates, WithoutTheDutyANodeKeepsWhatIsStillGood) {
  ASSERT_TRUE(one_.delegate.Renew(now_).ok());
  const ca::Serial serial = one_.serial();
  const Time late =
      ReadCertificate(one_.config.directory.OcspCertificate())->not_after - Seconds(60);
  ASSERT_TRUE(two_.delegate.Renew(now_).ok());
  ASSERT_TRUE(one_.backend->leases().Release(name_).ok());
  ASSERT_TRUE(two_.backend->leases().Release(name_).ok());
  ASSERT_TRUE(TakeDuty());
  Node four(*this, "four");
  ASSERT_TRUE(four.delegate.Renew(late).ok());
  EXPECT_EQ(Issued(), 1u);
  EXPECT_EQ(four.serial(), serial);
}

TEST_F(SharedDelegates, ARevokedOneIsReplacedWhoeverHasTheDuty) {
  ASSERT_TRUE(TakeDuty());
  ASSERT_TRUE(one_.delegate.Renew(now_).ok());
  const ca::Serial serial = one_.serial();
  ASSERT_TRUE(Revoke(serial).ok());
  ASSERT_TRUE(one_.delegate.Renew(now_).ok());
  EXPECT_NE(one_.serial(), serial);
  ASSERT_TRUE(two_.delegate.Follow(now_).ok());
  EXPECT_EQ(two_.serial(), one_.serial());
}

TEST_F(SharedDelegates, WhatIsNoDelegateOfOursIsNotServedAndIsReplaced) {
  ASSERT_TRUE(one_.delegate.Renew(now_).ok());
  ASSERT_TRUE(two_.delegate.Renew(now_).ok());
  const ca::Serial serial = two_.serial();
  auto& documents = two_.backend->documents();
  const auto expect_refused = [&](const Bytes& content) {
    const int64_t version = documents.VersionOf(name_).value();
    ASSERT_TRUE(documents.Put(name_, version, {version + 1, content}).ok());
    EXPECT_EQ(two_.delegate.Follow(now_).error().code, Code::kInternal);
    EXPECT_EQ(two_.serial(), serial);
  };
  expect_refused({0x30, 0x00});
  expect_refused(identity_.certificate.der);  // not with our key
  Bytes damaged = ReadCertificate(two_.config.directory.OcspCertificate())->der;
  damaged.back() ^= 1;
  expect_refused(damaged);
  ASSERT_TRUE(one_.delegate.Renew(now_).ok());  // which has the duty
  ASSERT_TRUE(two_.delegate.Follow(now_).ok());
  EXPECT_EQ(one_.serial(), two_.serial());
}

TEST_F(SharedDelegates, WhoHasNotTheKeyRenewsForItAndForNoOther) {
  ASSERT_TRUE(one_.delegate.Renew(now_).ok());
  const ca::Serial first = one_.serial();
  ca::SharedDocuments& documents = one_.backend->documents();
  SharedDelegate keyless({&one_.own, one_.config.directory, one_.backend->certificates(),
                          one_.backend->leases(), documents, identity_, one_.responder, nullptr});
  ASSERT_TRUE(keyless.Renew(now_).ok());
  // Whoever can write to the store has a certificate of this CA, for a key of theirs.
  const auto foreign = two_.own.IssueOcspDelegate(fakes::NewPublicKey(), now_);
  ASSERT_TRUE(foreign.ok());
  const int64_t version = documents.VersionOf(name_).value();
  ASSERT_TRUE(documents.Put(name_, version, {version + 1, foreign->der}).ok());
  EXPECT_EQ(keyless.Follow(now_).error().code, Code::kInternal);
  EXPECT_EQ(one_.serial(), first);
  ASSERT_TRUE(Revoke(first).ok());
  ASSERT_TRUE(keyless.Renew(now_).ok());
  EXPECT_NE(one_.serial(), first);
  const auto renewed = ReadCertificate(one_.config.directory.OcspCertificate());
  EXPECT_EQ(renewed->key, signer_->public_key());
  EXPECT_EQ(documents.Get(name_)->content, renewed->der);
  EXPECT_EQ(keyless.responds_until(), Time{});
}

}  // namespace
}  // namespace agentca::cli
