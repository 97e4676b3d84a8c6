// Google Benchmarks of the parts that decide what an issuance costs: verifying JWS, signing,
// encoding, and what keeps requests from being replayed. `--benchmark_filter=REGEX` picks some.
#include <benchmark/benchmark.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "acme/jws.h"
#include "acme/nonce_books.h"
#include "ca/certificate.h"
#include "ca/crl.h"
#include "ca/lint.h"
#include "ca/name.h"
#include "ca/ocsp.h"
#include "ca/signed_object.h"
#include "hsm/pkcs11.h"
#include "hsm/softkey.h"
#include "tests/fakes/memory_nonces.h"

namespace {

using namespace agentca;  // NOLINT: one file, no header

constexpr Time kNow{Seconds{1'800'000'000}};

template <class T>
T Must(Result<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", result.error().detail.c_str());
    std::exit(1);
  }
  return std::move(result).value();
}

struct Freed {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};

// An ES256 request as a client sends it, and the key that made it.
struct SignedRequest {
  std::string body;
  std::unique_ptr<EVP_PKEY, Freed> key{EVP_EC_gen("P-256")};

  SignedRequest() {
    const std::string head = ToBase64Url(AsBytes(
        R"({"alg":"ES256","kid":"https://localhost:14000/acme/account/AGoxBBMAAAAAAAAAAAAAAAAAAAAA",)"
        R"("nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","url":"https://localhost:14000/acme/new-order"})"));
    const std::string payload =
        ToBase64Url(AsBytes(R"({"identifiers":[{"type":"dns","value":"agent.example.test"}]})"));
    const std::string input = head + "." + payload;
    std::unique_ptr<EVP_MD_CTX, Freed> context(EVP_MD_CTX_new());
    uint8_t der[80];
    size_t length = sizeof der;
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get());
    EVP_DigestSign(context.get(), der, &length, AsBytes(input).data(), input.size());
    const uint8_t* cursor = der;
    std::unique_ptr<ECDSA_SIG, Freed> signature(
        d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(length)));
    Bytes raw(64);
    BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + 32, 32);
    body = R"({"protected":")" + head + R"(","payload":")" + payload + R"(","signature":")" +
           ToBase64Url(raw) + R"("})";
  }
  ca::PublicKey public_key() const {
    uint8_t* der = nullptr;
    const int length = i2d_PUBKEY(key.get(), &der);
    auto parsed = Must(ca::PublicKey::FromSpki(ByteView(der, static_cast<size_t>(length))));
    OPENSSL_free(der);
    return parsed;
  }
};

void JwsParse(benchmark::State& state) {
  const SignedRequest request;
  for (auto _ : state) benchmark::DoNotOptimize(acme::Jws::Parse(request.body));
}
BENCHMARK(JwsParse);

void JwsParseAndVerify(benchmark::State& state) {
  const SignedRequest request;
  const auto key = request.public_key();
  for (auto _ : state) {
    const auto jws = Must(acme::Jws::Parse(request.body));
    if (!jws.Verify(key).ok()) state.SkipWithError("signature does not verify");
  }
}
BENCHMARK(JwsParseAndVerify);

hsm::CaKeyType KeyTypeOf(const benchmark::State& state) {
  return static_cast<hsm::CaKeyType>(state.range(0));
}

// 0: P-256, 1: P-384, 2: RSA-3072.
void SignSoftKey(benchmark::State& state) {
  const auto signer = Must(hsm::GenerateSoftKey(KeyTypeOf(state)));
  const Bytes message(600, 0x5a);
  for (auto _ : state) benchmark::DoNotOptimize(signer->Sign(message).ok());
}
BENCHMARK(SignSoftKey)->DenseRange(0, 2);

// Through libp11 on a SoftHSM2 token in a directory of its own.
void SignSoftHsm(benchmark::State& state) {
  const std::string pattern = (std::filesystem::temp_directory_path() / "agentca-bench-XXXXXX");
  std::string directory = pattern;
  if (mkdtemp(directory.data()) == nullptr) return state.SkipWithError("no temporary directory");
  OpenSslRandom random;
  const auto options = Must(hsm::CreateSoftHsmToken(directory + "/token", "bench", random));
  hsm::KeyUri uri = [&] {
    const auto token = Must(hsm::Token::Open(options));
    return Must(token->Generate(KeyTypeOf(state), "bench")).uri;
  }();
  {
    const auto keys = Must(hsm::OpenPkcs11Keys(options, {{"bench", uri}}));
    const auto signer = Must(keys->Open("bench"));
    const Bytes message(600, 0x5a);
    for (auto _ : state) benchmark::DoNotOptimize(signer->Sign(message).ok());
  }
  std::filesystem::remove_all(directory);
}
BENCHMARK(SignSoftHsm)->DenseRange(0, 2);

struct Material {
  ca::PublicKey key = SignedRequest().public_key();
  ca::Profile profile = Must(ca::Profile::Make([] {
    ca::RawProfile raw;
    raw.name = "bench";
    raw.subject = {{"CN", "{first-dns}"}};
    raw.key_usage = {"digitalSignature"};
    raw.extended_key_usage = {"serverAuth", "clientAuth"};
    raw.allowed_keys = {"p256"};
    raw.lifetime_seconds = 7 * 86400;
    raw.backdate_seconds = 60;
    raw.max_names = 10;
    return raw;
  }()));
  ca::IssuerInfo issuer{"0011223344556677",
                        Must(ca::EncodeName({{ca::Attribute::kCommonName, "Bench CA"}})),
                        key.key_identifier(),
                        "http://ca.example.test/ocsp",
                        "http://ca.example.test/issuer/0011223344556677.der",
                        "http://ca.example.test/crl/0011223344556677.crl",
                        ca::SignatureAlgorithm::kEcdsaSha256};
  ca::Serial serial = Must(ca::Serial::FromHex("010203040506070809"));
  ca::CertificateRequest request = [this] {
    ca::CertificateRequest made{key, {"agent.example.test"}, {}, {}, {}, {}, {}, {}, {}, {}};
    return made;
  }();
};

void EncodeTbsCertificate(benchmark::State& state) {
  const Material m;
  for (auto _ : state)
    benchmark::DoNotOptimize(
        ca::BuildTbsCertificate(m.profile, m.issuer, m.request, m.serial, kNow).ok());
}
BENCHMARK(EncodeTbsCertificate);

void LintTbsCertificate(benchmark::State& state) {
  const Material m;
  const Bytes tbs = Must(ca::BuildTbsCertificate(m.profile, m.issuer, m.request, m.serial, kNow));
  for (auto _ : state) {
    const auto findings = ca::LintTbsCertificate(tbs, m.profile, m.issuer, m.request);
    if (!findings.empty()) state.SkipWithError(findings.front().c_str());
  }
}
BENCHMARK(LintTbsCertificate);

void EncodeCrl(benchmark::State& state) {
  const Material m;
  std::vector<ca::RevokedEntry> entries;
  OpenSslRandom random;
  for (int64_t i = 0; i < state.range(0); ++i)
    entries.push_back({ca::Serial::Random(1, random), {kNow, ca::Reason::kSuperseded}});
  for (auto _ : state) {
    ca::CrlBuilder builder;
    for (const auto& entry : entries) builder.Add(entry);
    benchmark::DoNotOptimize(
        std::move(builder).Finish(m.issuer, 1, kNow, kNow + Seconds{86400}).size());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(EncodeCrl)->Arg(1'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void EncodeOcspResponse(benchmark::State& state) {
  const Material m;
  const auto signer = Must(hsm::GenerateSoftKey(hsm::CaKeyType::kP256));
  const ca::CertId id{ca::OcspHash::kSha1, Bytes(20, 1), Bytes(20, 2), m.serial, Bytes(60, 0x30)};
  const Bytes delegate(500, 0x30);
  for (auto _ : state) {
    const Bytes data =
        ca::BuildResponseData(signer->public_key(), kNow, kNow, kNow + Seconds{3600},
                              {{id, {ca::OcspCertState::kGood, std::nullopt}}}, std::nullopt);
    benchmark::DoNotOptimize(ca::MakeOcspResponse(data, *signer, delegate).ok());
  }
}
BENCHMARK(EncodeOcspResponse);

// Shared: over a store in memory, so that the store's own cost is not in it.
struct Nonces {
  OpenSslRandom random;
  SystemClock clock;
  fakes::MemoryNonces store;
  acme::NonceBooks local = acme::LocalBooks(random);
  acme::NonceBooks shared = Must(acme::SharedBooks(store, clock, random));
  acme::NonceBook& of(bool is_shared) { return *(is_shared ? shared : local).requests; }
  static Nonces& Get() {
    static Nonces all;
    return all;
  }
};

void NonceIssue(benchmark::State& state, bool shared) {
  acme::NonceBook& book = Nonces::Get().of(shared);
  for (auto _ : state) benchmark::DoNotOptimize(book.Issue(kNow));
}
BENCHMARK_CAPTURE(NonceIssue, local, false);
BENCHMARK_CAPTURE(NonceIssue, shared, true);

void NonceIssueAndSpend(benchmark::State& state, bool shared) {
  acme::NonceBook& book = Nonces::Get().of(shared);
  for (auto _ : state) {
    if (!book.Spend(book.Issue(kNow), kNow).ok()) state.SkipWithError("a nonce is not good");
  }
}
BENCHMARK_CAPTURE(NonceIssueAndSpend, local, false)->ThreadRange(1, 8)->UseRealTime();
BENCHMARK_CAPTURE(NonceIssueAndSpend, shared, true)->ThreadRange(1, 8)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
