// The compact serialization of JWS, with the examples of the RFCs.
#include <gtest/gtest.h>

#include "acme/jws.h"

namespace agentca::acme {
namespace {

ca::PublicKey KeyOf(std::string_view jwk) {
  return ParseJwk(JsonDocument::Parse(jwk).value().root()).value();
}

Code CodeOf(std::string_view text) {
  const auto jws = CompactJws::Parse(text);
  EXPECT_FALSE(jws.ok()) << text;
  return jws.ok() ? Code::kInternal : jws.error().code;
}

// A JWS with this header, a payload of "{}" and no signature worth the name.
std::string WithHeader(std::string_view header) {
  return ToBase64Url(AsBytes(header)) + ".e30.AAAA";
}

constexpr std::string_view kJoe =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";

// RFC 7515 Appendix A.2.
TEST(CompactJws, VerifiesTheRs256ExampleOfTheRfc) {
  const auto jws =
      CompactJws::Parse("eyJhbGciOiJSUzI1NiJ9." + std::string(kJoe) +
                        ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__"
                        "dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
                        "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
                        "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L"
                        "07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
                        "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUi"
                        "pUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw");
  ASSERT_TRUE(jws.ok()) << jws.error().detail;
  EXPECT_EQ(jws->algorithm, ca::SignatureAlgorithm::kRsaPkcs1Sha256);
  EXPECT_TRUE(
      jws
          ->Verify(KeyOf(
              R"({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W)"
              R"(26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6)"
              R"(b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7W)"
              R"(TBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF)"
              R"(8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"})"))
          .ok());
}

// RFC 7515 Appendix A.3.
TEST(CompactJws, VerifiesTheEs256ExampleOfTheRfc) {
  const auto jws = CompactJws::Parse(
      "eyJhbGciOiJFUzI1NiJ9." + std::string(kJoe) +
      ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
  ASSERT_TRUE(jws.ok()) << jws.error().detail;
  EXPECT_EQ(jws->payload,
            "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");
  const auto key =
      KeyOf(R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
            R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})");
  EXPECT_TRUE(jws->Verify(key).ok());
  CompactJws changed = *jws;
  changed.signing_input += "A";
  EXPECT_FALSE(changed.Verify(key).ok());
  changed = *jws;
  changed.algorithm = ca::SignatureAlgorithm::kEcdsaSha384;
  EXPECT_FALSE(changed.Verify(key).ok());
}

// RFC 8037 Appendix A.4.
TEST(CompactJws, VerifiesTheEd25519ExampleOfTheRfc) {
  const auto jws = CompactJws::Parse(
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
      "09PGcvMg"
      "3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
  ASSERT_TRUE(jws.ok()) << jws.error().detail;
  EXPECT_EQ(jws->payload, "Example of Ed25519 signing");
  EXPECT_TRUE(jws->Verify(KeyOf(R"({"kty":"OKP","crv":"Ed25519",)"
                                R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"))
                  .ok());
}

// RFC 7515 Appendix A.1, A.4 and A.5.
TEST(CompactJws, RefusesTheHmacP521AndUnsecuredExamplesOfTheRfc) {
  EXPECT_EQ(CodeOf("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + std::string(kJoe) +
                   ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            Code::kBadSignatureAlgorithm);
  EXPECT_EQ(CodeOf(WithHeader(R"({"alg":"ES512"})")), Code::kBadSignatureAlgorithm);
  EXPECT_EQ(CodeOf("eyJhbGciOiJub25lIn0." + std::string(kJoe) + "."), Code::kBadSignatureAlgorithm);
}

TEST(CompactJws, KeepsWhatTheHeaderSays) {
  const auto jws =
      CompactJws::Parse(WithHeader(R"({"typ":"JWT","alg":"ES256","kid":"k","x5t":"AA"})"));
  ASSERT_TRUE(jws.ok());
  EXPECT_EQ(jws->kid, "k");
  EXPECT_EQ(jws->type, "JWT");
  EXPECT_EQ(jws->parameters, (std::vector<std::string>{"typ", "alg", "kid", "x5t"}));
}

TEST(CompactJws, RefusesKeysCriticalParametersAndUnencodedPayloads) {
  for (const char* member : {R"("jwk":{})", R"("jku":"https://x.test")", R"("x5u":"")",
                             R"("x5c":[])", R"("crit":["exp"])", R"("b64":false)", R"("b64":true)",
                             R"("kid":7)", R"("typ":{})", R"("alg":"ES256")"}) {
    EXPECT_EQ(CodeOf(WithHeader(R"({"alg":"ES256",)" + std::string(member) + "}")),
              Code::kMalformed)
        << member;
  }
}

TEST(CompactJws, RefusesOtherForms) {
  const std::string good = WithHeader(R"({"alg":"ES256"})");
  ASSERT_TRUE(CompactJws::Parse(good).ok());
  for (const std::string& text :
       {std::string(), std::string("."), std::string(".."), std::string("e30.e30"), good + ".AAAA",
        good + "=", good + "\n", " " + good, std::string("e30..AAAA"), good.substr(1),
        std::string(R"({"protected":"e30","payload":"e30","signature":"AAAA"})"), WithHeader("[]"),
        WithHeader("{}"), WithHeader(R"({"alg":7})"),
        ToBase64Url(AsBytes(R"({"alg":"ES256"})")) + ".e31.AAAA"}) {  // trailing bits
    EXPECT_EQ(CodeOf(text), Code::kMalformed) << text;
  }
}

}  // namespace
}  // namespace agentca::acme
