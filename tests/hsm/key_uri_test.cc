#include "hsm/key_uri.h"

#include <gtest/gtest.h>

namespace agentca::hsm {
namespace {

TEST(KeyUri, ReadsEveryAttribute) {
  const auto uri = KeyUri::Parse("pkcs11:token=my%20ca;serial=0123;object=issuing;id=%01%ff");
  ASSERT_TRUE(uri.ok()) << uri.error().detail;
  EXPECT_EQ(uri->kind, KeyUri::Kind::kPkcs11);
  EXPECT_EQ(uri->token, "my ca");
  EXPECT_EQ(uri->serial, "0123");
  EXPECT_EQ(uri->object, "issuing");
  EXPECT_EQ(uri->id, (Bytes{0x01, 0xff}));
}

TEST(KeyUri, WritesWhatItReads) {
  for (const char* text :
       {"pkcs11:object=issuing", "pkcs11:token=a%3Bb%25;object=x%20y", "pkcs11:id=%00%01",
        "pkcs11:token=t;serial=9a;object=o;id=%aa", "file:/var/lib/my%20ca/key.pem"}) {
    const auto uri = KeyUri::Parse(text);
    ASSERT_TRUE(uri.ok()) << text << ": " << uri.error().detail;
    EXPECT_EQ(uri->ToString(), text);
  }
}

TEST(KeyUri, TakesTypePrivateAsP11toolWritesIt) {
  EXPECT_TRUE(KeyUri::Parse("pkcs11:object=a;type=private").ok());
  EXPECT_FALSE(KeyUri::Parse("pkcs11:object=a;type=public").ok());
}

TEST(KeyUri, ReadsFilesWithAndWithoutAuthority) {
  EXPECT_EQ(KeyUri::Parse("file:/a/b.pem")->path, "/a/b.pem");
  EXPECT_EQ(KeyUri::Parse("file:///a/b.pem")->path, "/a/b.pem");
  EXPECT_FALSE(KeyUri::Parse("file:b.pem").ok());
  EXPECT_FALSE(KeyUri::Parse("file://host/b.pem").ok());
}

TEST(KeyUri, RefusesPinsWhereverTheyAre) {
  for (const char* text :
       {"pkcs11:object=a;pin-value=1234", "pkcs11:object=a?pin-value=1234",
        "pkcs11:object=a?pin-source=file:/pin", "pkcs11:object=a;pin-source=x"}) {
    const auto uri = KeyUri::Parse(text);
    ASSERT_FALSE(uri.ok()) << text;
    EXPECT_EQ(uri.error().code, Code::kMalformed);
    EXPECT_NE(uri.error().detail.find("pin-"), std::string::npos) << uri.error().detail;
    EXPECT_EQ(uri.error().detail.find("1234"), std::string::npos) << "the PIN is in the error";
  }
}

TEST(KeyUri, RefusesWhatItDoesNotUnderstand) {
  for (const char* text :
       {"", "pkcs11:", "pkcs11:token=t", "http://example.test/", "issuing",
        "pkcs11:object=", "pkcs11:object=a;object=b", "pkcs11:object", "pkcs11:slot-id=3;object=a",
        "pkcs11:object=a%", "pkcs11:object=a%0", "pkcs11:object=a%zz", "pkcs11:object=a%00b",
        "pkcs11:object=a b", "pkcs11:object=a?module-name=m", "pkcs11:id=", "file:/a%0a"}) {
    const auto uri = KeyUri::Parse(text);
    ASSERT_FALSE(uri.ok()) << text;
    EXPECT_EQ(uri.error().code, Code::kMalformed);
  }
}

}  // namespace
}  // namespace agentca::hsm
