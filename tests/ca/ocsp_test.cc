#include "ca/ocsp.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ca/der.h"
#include "tests/fakes/command.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/ocsp_client.h"
#include "tests/fakes/plain_pki.h"
#include "tests/fakes/temporary_directory.h"

namespace agentca::ca {
namespace {

using fakes::MakeOcspRequest;

class Ocsp : public testing::Test {
 protected:
  Serial serial_ = *Serial::FromHex("01ff02030405060708090a0b0c");
  const Time now_ = SystemClock().Now();
  fakes::PlainIssuer issuer_{now_};
  fakes::PlainDelegate delegate_{issuer_, now_ - Seconds(60), now_ + Seconds(86400)};
};

bool IsMalformed(ByteView der) {
  const auto request = ParseOcspRequest(der);
  return !request.ok() && request.error().code == Code::kMalformed;
}

// A request around `cert_ids` (each a whole CertID), with any single and request extensions.
Bytes Wrap(const std::vector<Bytes>& cert_ids, const Bytes& extensions = {},
           const Bytes& single_extensions = {}) {
  Bytes list;
  for (const Bytes& id : cert_ids) {
    const Bytes one = der::Sequence({id, single_extensions});
    list.insert(list.end(), one.begin(), one.end());
  }
  return der::Sequence({der::Sequence({der::Tlv(der::kSequence, list), extensions})});
}

Bytes Extension(std::string_view oid, bool critical, ByteView value) {
  return der::Sequence(
      {der::Oid(oid), critical ? der::Boolean(true) : Bytes(), der::OctetString(value)});
}

Bytes RequestExtensions(const Bytes& extension) {
  return der::Tlv(der::Constructed(2), der::Sequence({extension}));
}

Bytes WithNonce(const Bytes& cert_id, ByteView nonce) {
  return Wrap({cert_id},
              RequestExtensions(Extension("1.3.6.1.5.5.7.48.1.2", false, der::OctetString(nonce))));
}

Bytes IdOf(const fakes::PlainIssuer& issuer, const Serial& serial,
           OcspHash hash = OcspHash::kSha1) {
  return EncodeCertId(hash, true, HashIssuer(issuer.certificate, hash), serial);
}

TEST_F(Ocsp, ReadsWhatOpenSslAsksWithSha1AndSha256) {
  for (const OcspHash hash : {OcspHash::kSha1, OcspHash::kSha256}) {
    const Bytes nonce(32, 0x5a);
    const Bytes der = MakeOcspRequest(issuer_.certificate, {{serial_}, hash, nonce});
    const auto request = ParseOcspRequest(der);
    ASSERT_TRUE(request.ok()) << request.error().detail;
    ASSERT_EQ(request->cert_ids.size(), 1u);
    const CertId& id = request->cert_ids.front();
    const IssuerHashes hashes = HashIssuer(issuer_.certificate, hash);
    EXPECT_EQ(id.hash, hash);
    EXPECT_EQ(id.issuer_name_hash, hashes.name);
    EXPECT_EQ(id.issuer_key_hash, hashes.key);
    EXPECT_EQ(id.serial, serial_);
    EXPECT_EQ(id.der, IdOf(issuer_, serial_, hash)) << "OpenSSL writes NULL parameters";
    EXPECT_EQ(request->nonce, nonce);
  }
}

TEST_F(Ocsp, Sha1KeyHashIsTheKeyIdentifierForEveryKeyType) {
  for (const auto type : {fakes::TestKey::kP256, fakes::TestKey::kP384, fakes::TestKey::kEd25519,
                          fakes::TestKey::kRsa2048}) {
    const fakes::PlainIssuer issuer(now_, type);
    EXPECT_EQ(HashIssuer(issuer.certificate, OcspHash::kSha1).key,
              issuer.certificate.key.key_identifier());
  }
}

TEST_F(Ocsp, AcceptsAbsentHashParametersAndKeepsTheClientsOctets) {
  for (const OcspHash hash : {OcspHash::kSha1, OcspHash::kSha256}) {
    const Bytes id = EncodeCertId(hash, false, HashIssuer(issuer_.certificate, hash), serial_);
    const auto request = ParseOcspRequest(Wrap({id}));
    ASSERT_TRUE(request.ok()) << request.error().detail;
    EXPECT_EQ(request->cert_ids.front().der, id);
  }
}

TEST_F(Ocsp, TakesThePlainCertIdOutOfPlainRequestsOnly) {
  for (const OcspHash hash : {OcspHash::kSha1, OcspHash::kSha256}) {
    const Bytes request = MakeOcspRequest(issuer_.certificate, {{serial_}, hash});
    EXPECT_EQ(ToBytes(PlainCertId(request)), IdOf(issuer_, serial_, hash));
    for (size_t size = 0; size < request.size(); ++size)
      EXPECT_TRUE(PlainCertId(ByteView(request).first(size)).empty());
  }
  EXPECT_TRUE(PlainCertId(MakeOcspRequest(issuer_.certificate, {{serial_, serial_}})).empty());
  EXPECT_TRUE(
      PlainCertId(MakeOcspRequest(issuer_.certificate, {{serial_}, OcspHash::kSha1, Bytes(8, 1)}))
          .empty());
}

TEST_F(Ocsp, LimitsTheNonceToOneTo128Octets) {
  const Bytes id = IdOf(issuer_, serial_);
  for (const size_t good : {1u, 16u, 32u, 127u, 128u}) {
    const auto request = ParseOcspRequest(WithNonce(id, Bytes(good, 7)));
    ASSERT_TRUE(request.ok()) << good << ": " << request.error().detail;
    EXPECT_EQ(request->nonce, Bytes(good, 7));
  }
  EXPECT_TRUE(IsMalformed(WithNonce(id, {})));
  EXPECT_TRUE(IsMalformed(WithNonce(id, Bytes(129, 7))));
  const Bytes raw = Extension("1.3.6.1.5.5.7.48.1.2", false, Bytes{1, 2, 3});
  EXPECT_TRUE(IsMalformed(Wrap({id}, RequestExtensions(raw)))) << "no OCTET STRING inside";
  const Bytes one = Extension("1.3.6.1.5.5.7.48.1.2", false, der::OctetString(Bytes{1}));
  EXPECT_TRUE(IsMalformed(Wrap({id}, RequestExtensions(der::Concat({one, one})))));
}

TEST_F(Ocsp, IgnoresUnknownExtensionsUnlessCritical) {
  const Bytes id = IdOf(issuer_, serial_);
  for (const bool critical : {false, true}) {
    const Bytes extension = Extension("1.3.6.1.5.5.7.48.1.8", critical, der::Null());
    EXPECT_EQ(IsMalformed(Wrap({id}, RequestExtensions(extension))), critical);
    const Bytes single = der::Tlv(der::Constructed(0), der::Sequence({extension}));
    EXPECT_EQ(IsMalformed(Wrap({id}, {}, single)), critical);
  }
}

TEST_F(Ocsp, LimitsTheNumberOfCertIdsAndTheSize) {
  const Bytes id = IdOf(issuer_, serial_);
  EXPECT_TRUE(IsMalformed(Wrap({})));
  EXPECT_TRUE(ParseOcspRequest(Wrap(std::vector<Bytes>(kMaxOcspCertIds, id))).ok());
  EXPECT_TRUE(IsMalformed(Wrap(std::vector<Bytes>(kMaxOcspCertIds + 1, id))));
  const Bytes fat = Extension("1.2.3.4", false, Bytes(kMaxOcspRequestSize, 0));
  EXPECT_TRUE(IsMalformed(Wrap({id}, RequestExtensions(fat))));
}

TEST_F(Ocsp, RefusesOtherHashesLengthsAndSerials) {
  const IssuerHashes hashes = HashIssuer(issuer_.certificate, OcspHash::kSha1);
  const auto make = [](std::string_view oid, ByteView parameters, ByteView name, ByteView key,
                       ByteView serial) {
    return Wrap({der::Sequence({der::Sequence({der::Oid(oid), parameters}), der::OctetString(name),
                                der::OctetString(key), der::Tlv(der::kInteger, serial)})});
  };
  const std::string_view sha1 = "1.3.14.3.2.26";
  const Bytes serial{0x05};
  EXPECT_FALSE(IsMalformed(make(sha1, der::Null(), hashes.name, hashes.key, serial)));
  EXPECT_TRUE(IsMalformed(make("1.2.840.113549.2.5", der::Null(), Bytes(16), Bytes(16), serial)));
  EXPECT_TRUE(
      IsMalformed(make("2.16.840.1.101.3.4.2.3", der::Null(), Bytes(64), Bytes(64), serial)));
  EXPECT_TRUE(IsMalformed(make(sha1, der::Integer(1), hashes.name, hashes.key, serial)));
  EXPECT_TRUE(IsMalformed(make(sha1, der::Null(), Bytes(19), hashes.key, serial)));
  EXPECT_TRUE(IsMalformed(make(sha1, der::Null(), hashes.name, Bytes(21), serial)));
  EXPECT_TRUE(IsMalformed(make(sha1, der::Null(), hashes.name, hashes.key, Bytes{0x00})));
  EXPECT_TRUE(IsMalformed(make(sha1, der::Null(), hashes.name, hashes.key, Bytes{0x85})));
  EXPECT_TRUE(IsMalformed(make(sha1, der::Null(), hashes.name, hashes.key, Bytes(21, 0x11))));
  EXPECT_TRUE(IsMalformed(make(sha1, der::Null(), hashes.name, hashes.key, {})));
}

TEST_F(Ocsp, RefusesBerAndTrailingData) {
  Bytes request = MakeOcspRequest(issuer_.certificate, {{serial_}});
  request.push_back(0);
  EXPECT_TRUE(IsMalformed(request));
  // issuerNameHash as a constructed OCTET STRING: BER that OpenSSL reads.
  const IssuerHashes hashes = HashIssuer(issuer_.certificate, OcspHash::kSha1);
  const Bytes split =
      der::Tlv(0x24, der::Concat({der::OctetString(ByteView(hashes.name).first(8)),
                                  der::OctetString(ByteView(hashes.name).subspan(8))}));
  const Bytes id = der::Sequence({der::Sequence({der::Oid("1.3.14.3.2.26"), der::Null()}), split,
                                  der::OctetString(hashes.key), der::Integer(5)});
  EXPECT_TRUE(IsMalformed(Wrap({id})));
}

TEST_F(Ocsp, SurvivesEveryTruncationAndFlippedOctet) {
  const Bytes request =
      MakeOcspRequest(issuer_.certificate, {{serial_, serial_}, OcspHash::kSha256, Bytes(16, 9)});
  for (size_t i = 0; i < request.size(); ++i) {
    EXPECT_TRUE(IsMalformed(ByteView(request).first(i)));
    for (const int mask : {0x01, 0x20, 0x80, 0xff}) {
      Bytes changed = request;
      changed[i] = static_cast<uint8_t>(changed[i] ^ mask);
      const auto parsed = ParseOcspRequest(changed);
      EXPECT_TRUE(parsed.ok() || parsed.error().code == Code::kMalformed) << i;
    }
  }
}

TEST_F(Ocsp, ErrorResponsesAreWhatOpenSslCallsThem) {
  for (const auto& [status, name] : std::vector<std::pair<OcspErrorStatus, int>>{
           {OcspErrorStatus::kMalformedRequest, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST},
           {OcspErrorStatus::kInternalError, OCSP_RESPONSE_STATUS_INTERNALERROR},
           {OcspErrorStatus::kTryLater, OCSP_RESPONSE_STATUS_TRYLATER},
           {OcspErrorStatus::kUnauthorized, OCSP_RESPONSE_STATUS_UNAUTHORIZED}}) {
    const Bytes der = OcspErrorResponse(status);
    EXPECT_EQ(fakes::ReadOcsp(der, {}, issuer_.certificate, now_).response_status, name);
  }
  EXPECT_EQ(ToHex(OcspErrorResponse(OcspErrorStatus::kUnauthorized)), "30030a0106");
}

class OcspAnswerBytes : public Ocsp {
 protected:
  Result<Bytes> Make(const OcspRequest& request, const std::vector<SingleStatus>& statuses,
                     fakes::PlainDelegate& delegate) {
    std::vector<std::pair<CertId, SingleStatus>> singles;
    for (size_t i = 0; i < statuses.size(); ++i)
      singles.emplace_back(request.cert_ids[i], statuses[i]);
    return MakeOcspResponse(BuildResponseData(delegate.certificate.key, now_, now_,
                                              now_ + Seconds(3600), singles, request.nonce),
                            *delegate.signer, delegate.certificate.der);
  }
};

TEST_F(OcspAnswerBytes, VerifyInOpenSslForEveryDelegateKeyType) {
  const Bytes asked =
      MakeOcspRequest(issuer_.certificate, {{serial_}, OcspHash::kSha256, Bytes(128, 3)});
  const auto request = ParseOcspRequest(asked);
  ASSERT_TRUE(request.ok());
  for (const auto type : {fakes::TestKey::kP256, fakes::TestKey::kP384, fakes::TestKey::kEd25519,
                          fakes::TestKey::kRsa2048}) {
    fakes::PlainDelegate delegate(issuer_, now_ - Seconds(60), now_ + Seconds(86400), type);
    const auto response = Make(*request, {{OcspCertState::kGood, {}}}, delegate);
    ASSERT_TRUE(response.ok()) << response.error().detail;
    const auto reading = fakes::ReadOcsp(*response, asked, issuer_.certificate, now_);
    EXPECT_EQ(reading.response_status, OCSP_RESPONSE_STATUS_SUCCESSFUL);
    EXPECT_TRUE(reading.verified);
    EXPECT_EQ(reading.statuses, std::vector<int>{V_OCSP_CERTSTATUS_GOOD});
    EXPECT_EQ(reading.nonce_check, 1);
    EXPECT_EQ(reading.certificates, 1);
    EXPECT_EQ(reading.this_update.size(), std::string_view("20270115080000Z").size());
    EXPECT_EQ(reading.next_update.size(), reading.this_update.size());
  }
}

TEST_F(OcspAnswerBytes, SayRevokedWithReasonAndOmitUnspecified) {
  const Bytes asked = MakeOcspRequest(issuer_.certificate, {{serial_, serial_, serial_}});
  const auto request = ParseOcspRequest(asked);
  const auto response = Make(
      *request,
      {{OcspCertState::kRevoked, Revocation{now_, Reason::kKeyCompromise}},
       {OcspCertState::kUnknown, {}},
       {OcspCertState::kRevoked, Revocation{Time{Seconds{1'800'000'000}}, Reason::kUnspecified}}},
      delegate_);
  ASSERT_TRUE(response.ok());
  const auto reading = fakes::ReadOcsp(*response, asked, issuer_.certificate, now_);
  EXPECT_TRUE(reading.verified);
  EXPECT_EQ(reading.statuses,
            (std::vector<int>{V_OCSP_CERTSTATUS_REVOKED, V_OCSP_CERTSTATUS_UNKNOWN,
                              V_OCSP_CERTSTATUS_REVOKED}));
  EXPECT_EQ(reading.reasons, (std::vector<int>{OCSP_REVOKED_STATUS_KEYCOMPROMISE, -1, -1}));
  EXPECT_EQ(reading.revoked_at, "20270115080000Z");
  EXPECT_EQ(reading.nonce_check, 2) << "no nonce was asked, none is given";
}

TEST_F(OcspAnswerBytes, RepeatTheCertIdByteForByte) {
  const Bytes id = EncodeCertId(OcspHash::kSha256, false,
                                HashIssuer(issuer_.certificate, OcspHash::kSha256), serial_);
  const auto response =
      Make(*ParseOcspRequest(Wrap({id})), {{OcspCertState::kGood, {}}}, delegate_);
  EXPECT_NE(std::search(response->begin(), response->end(), id.begin(), id.end()), response->end());
}

TEST_F(OcspAnswerBytes, CarryNoCertificateWhenTheIssuerItselfSigns) {
  const Bytes asked = MakeOcspRequest(issuer_.certificate, {{serial_}});
  const auto request = ParseOcspRequest(asked);
  const auto response = MakeOcspResponse(
      BuildResponseData(issuer_.certificate.key, now_, now_, now_ + Seconds(60),
                        {{request->cert_ids.front(), {OcspCertState::kGood, {}}}}, {}),
      issuer_.signer, {});
  ASSERT_TRUE(response.ok());
  const auto outer = openssl::Decode<openssl::OcspResponsePtr>(d2i_OCSP_RESPONSE, *response);
  const openssl::OcspBasicPtr basic(OCSP_response_get1_basic(outer.get()));
  EXPECT_LE(sk_X509_num(OCSP_resp_get0_certs(basic.get())), 0);  // −1: there is no list
}

TEST_F(OcspAnswerBytes, AreNotMadeFromASignatureThatDoesNotVerify) {
  const auto request = ParseOcspRequest(MakeOcspRequest(issuer_.certificate, {{serial_}}));
  delegate_.signer->Fail(fakes::SignerFault::kWrongSignature);
  const auto response = Make(*request, {{OcspCertState::kGood, {}}}, delegate_);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, Code::kInternal);
}

// The command line tools of two other implementations ask and judge.
class OcspTools : public OcspAnswerBytes {
 protected:
  void SetUp() override {
    fakes::WriteFile(directory_ / "ca.pem", AsBytes(ToPem("CERTIFICATE", issuer_.certificate.der)));
  }
  std::string Path(std::string_view name) const { return (directory_ / name).string(); }
  void AnswerFile(std::string_view request_file, const SingleStatus& status) {
    const auto request = ParseOcspRequest(fakes::ReadWholeFile(directory_ / request_file));
    ASSERT_TRUE(request.ok()) << request.error().detail;
    const auto response = Make(*request, {status}, delegate_);
    ASSERT_TRUE(response.ok());
    fakes::WriteFile(directory_ / "response.der", *response);
  }
  fakes::TemporaryDirectory directory_;
};

TEST_F(OcspTools, OpensslOcspAgreesOnGoodAndRevoked) {
  for (const std::string flags : {"-sha1 -no_nonce", "-sha256 -nonce"}) {
    const std::string ask =
        "openssl ocsp -issuer " + Path("ca.pem") + " " + flags + " -serial 0x" + serial_.ToString();
    const auto asked = fakes::RunCommand(ask + " -reqout " + Path("request.der"));
    ASSERT_EQ(asked.exit_code, 0) << asked.output;
    // Without -no_nonce it would put a fresh nonce into the request that was answered.
    const std::string judge = ask + " -no_nonce -CAfile " + Path("ca.pem") + " -reqin " +
                              Path("request.der") + " -respin " + Path("response.der");
    AnswerFile("request.der", {OcspCertState::kGood, {}});
    const auto good = fakes::RunCommand(judge);
    EXPECT_EQ(good.exit_code, 0);
    EXPECT_NE(good.output.find("Response verify OK"), std::string::npos) << good.output;
    EXPECT_NE(good.output.find("0x" + serial_.ToString() + ": good"), std::string::npos)
        << good.output;
    EXPECT_EQ(good.output.find("WARNING"), std::string::npos) << good.output;

    AnswerFile("request.der", {OcspCertState::kRevoked, Revocation{now_, Reason::kSuperseded}});
    const auto revoked = fakes::RunCommand(judge);
    EXPECT_NE(revoked.output.find("Response verify OK"), std::string::npos) << revoked.output;
    EXPECT_NE(revoked.output.find(": revoked"), std::string::npos) << revoked.output;
    EXPECT_NE(revoked.output.find("Reason: superseded"), std::string::npos) << revoked.output;
  }
}

TEST_F(OcspTools, GnuTlsOcsptoolAgreesOnGoodAndRevoked) {
  const auto leaf_key = fakes::GenerateKey(fakes::TestKey::kP256);
  const auto leaf =
      fakes::MakeCertificate({"leaf", leaf_key.get(), issuer_.common_name, issuer_.signer.key(),
                              now_ - Seconds(60), now_ + Seconds(3600), 77});
  fakes::WriteFile(directory_ / "leaf.pem", AsBytes(ToPem("CERTIFICATE", leaf.der)));
  const auto asked =
      fakes::RunCommand("ocsptool --generate-request --load-issuer " + Path("ca.pem") +
                        " --load-cert " + Path("leaf.pem") + " --outfile " + Path("request.der"));
  ASSERT_EQ(asked.exit_code, 0) << asked.output;
  const auto show = [&] {
    return fakes::RunCommand("ocsptool --response-info --infile " + Path("response.der")).output +
           fakes::RunCommand("ocsptool --verify-response --load-trust " + Path("ca.pem") +
                             " --load-response " + Path("response.der"))
               .output;
  };
  AnswerFile("request.der", {OcspCertState::kGood, {}});
  const std::string good = show();
  EXPECT_NE(good.find("Certificate Status: good"), std::string::npos) << good;
  EXPECT_NE(good.find("Verifying OCSP Response: Success"), std::string::npos) << good;
  AnswerFile("request.der", {OcspCertState::kRevoked, Revocation{now_, Reason::kKeyCompromise}});
  const std::string revoked = show();
  EXPECT_NE(revoked.find("Certificate Status: revoked"), std::string::npos) << revoked;
  EXPECT_NE(revoked.find("Verifying OCSP Response: Success"), std::string::npos) << revoked;
}

}  // namespace
}  // namespace agentca::ca
