#include "bench/prover.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include <chrono>
#include <cstdio>

#include "bench/acme_client.h"
#include "ca/base/bytes.h"
#include "ca/openssl.h"

namespace agentca::bench {
namespace {

using ca::openssl::DigestContextPtr;
using ca::openssl::PkeyPtr;
using SignaturePtr = ca::openssl::Owned<ECDSA_SIG, ECDSA_SIG_free>;
using FilePtr = std::unique_ptr<FILE, int (*)(FILE*)>;

acme::JsonValue Choose(const acme::JsonValue& challenges, std::string_view type) {
  for (const auto& challenge : challenges.elements())
    if (StringMember("authorization", challenge, "type") == type) return challenge;
  throw FlowError("authorization: no " + std::string(type) + " challenge");
}

class Http01Prover final : public Prover {
 public:
  explicit Http01Prover(Http01Responder& responder) : responder_(responder) {}
  Answer Begin(const acme::JsonValue& challenges, const std::string&,
               const std::string& thumbprint) override {
    const acme::JsonValue challenge = Choose(challenges, "http-01");
    Answer answer{StringMember("authorization", challenge, "url"), "{}",
                  StringMember("authorization", challenge, "token")};
    responder_.Put(answer.token, answer.token + "." + thumbprint);
    return answer;
  }
  void End(const Answer& answer) override { responder_.Remove(answer.token); }

 private:
  Http01Responder& responder_;
};

class JwtProver final : public Prover {
 public:
  JwtProver(PkeyPtr key, std::string issuer) : key_(std::move(key)), issuer_(std::move(issuer)) {}
  Answer Begin(const acme::JsonValue& challenges, const std::string& dns_name,
               const std::string& thumbprint) override {
    const acme::JsonValue challenge = Choose(challenges, "agent-attest-01");
    Answer answer{StringMember("authorization", challenge, "url"), "",
                  StringMember("authorization", challenge, "token")};
    const std::string nonce = ToBase64Url(Sha256(AsBytes(answer.token + "." + thumbprint)));
    const std::string audience =
        StringMember("authorization", challenge, "audience") + "#" + nonce;
    const std::string token = Token(dns_name.substr(0, dns_name.find('.')), audience);
    answer.payload = R"({"fmt":"jwt","evidence":")" + ToBase64Url(AsBytes(token)) + R"("})";
    return answer;
  }
  void End(const Answer&) override {}

 private:
  std::string Token(const std::string& subject, const std::string& audience) const {
    const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
    acme::JsonWriter claims;
    claims.BeginObject().Member("iss", issuer_).Member("sub", subject).Member("aud", audience);
    claims.Key("iat").Int(now).Key("exp").Int(now + 300).EndObject();
    const std::string input = ToBase64Url(AsBytes(R"({"alg":"ES256","typ":"JWT"})")) + "." +
                              ToBase64Url(AsBytes(std::move(claims).Take()));
    return input + "." + SignEs256(key_.get(), input);
  }

  const PkeyPtr key_;
  const std::string issuer_;
};

}  // namespace

std::unique_ptr<Prover> MakeHttp01Prover(Http01Responder& responder) {
  return std::make_unique<Http01Prover>(responder);
}

std::unique_ptr<Prover> MakeJwtProver(const std::string& key_file, const std::string& issuer) {
  const FilePtr file(std::fopen(key_file.c_str(), "r"), &std::fclose);
  PkeyPtr key(file ? PEM_read_PrivateKey(file.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!key) throw FlowError("no private key in " + key_file);
  return std::make_unique<JwtProver>(std::move(key), issuer);
}

std::string SignEs256(EVP_PKEY* key, const std::string& input) {
  const DigestContextPtr context(EVP_MD_CTX_new());
  unsigned char der[128];
  size_t length = sizeof der;
  if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), der, &length,
                     reinterpret_cast<const unsigned char*>(input.data()), input.size()) != 1)
    throw FlowError("signing failed");
  const auto signature = ca::openssl::Decode<SignaturePtr>(d2i_ECDSA_SIG, ByteView(der, length));
  Bytes raw(64);
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + 32, 32);
  return ToBase64Url(raw);
}

std::string StringMember(const std::string& step, const acme::JsonValue& value,
                         std::string_view name) {
  auto text = value.String(name);
  if (!text.ok()) throw FlowError(step + ": " + text.error().detail);
  return std::move(text).value();
}

}  // namespace agentca::bench
