#include "ca/der.h"

#include <gtest/gtest.h>

#include "ca/openssl.h"

namespace agentca::ca::der {
namespace {

std::string Hex(const Bytes& bytes) { return ToHex(bytes); }
Time At(std::string_view text) { return FromRfc3339(text).value(); }

TEST(Der, WritesTheShortestLengths) {
  EXPECT_EQ(Hex(Header(kOctetString, 0)), "0400");
  EXPECT_EQ(Hex(Header(kOctetString, 127)), "047f");
  EXPECT_EQ(Hex(Header(kOctetString, 128)), "048180");
  EXPECT_EQ(Hex(Header(kOctetString, 255)), "0481ff");
  EXPECT_EQ(Hex(Header(kOctetString, 256)), "04820100");
  EXPECT_EQ(Hex(Header(kOctetString, 65536)), "0483010000");
  EXPECT_EQ(Hex(Header(kOctetString, size_t{1} << 32)), "04850100000000");
}

TEST(Der, WritesMinimalIntegers) {
  EXPECT_EQ(Hex(Integer(0)), "020100");
  EXPECT_EQ(Hex(Integer(127)), "02017f");
  EXPECT_EQ(Hex(Integer(128)), "02020080");
  EXPECT_EQ(Hex(Integer(0xffffffffffffffff)), "020900ffffffffffffffff");
  EXPECT_EQ(Hex(UnsignedInteger(Bytes{0, 0, 1, 2})), "02020102");
  EXPECT_EQ(Hex(UnsignedInteger(Bytes{0x80})), "02020080");
  EXPECT_EQ(Hex(UnsignedInteger({})), "020100");
  EXPECT_EQ(Hex(Enumerated(6)), "0a0106");
  EXPECT_EQ(Hex(Enumerated(200)), "0a0200c8");
}

TEST(Der, CutsTrailingZerosOfNamedBits) {
  EXPECT_EQ(Hex(NamedBits(0)), "030100");
  EXPECT_EQ(Hex(NamedBits(0x8000)), "03020780");
  EXPECT_EQ(Hex(NamedBits(0xa000)), "030205a0");
  EXPECT_EQ(Hex(NamedBits(0x0600)), "03020106");
  EXPECT_EQ(Hex(NamedBits(0x0880)), "0303070880");
  EXPECT_EQ(Hex(NamedBits(0x0100)), "03020001");
}

TEST(Der, WritesOidsAsOpenSslDoes) {
  for (const char* dotted : {"2.5.29.17", "1.2.840.113549.1.1.11", "1.3.6.1.5.5.7.48.1.5",
                             "2.999.1", "0.9.2342.19200300.100.1.25", "2.25.4611686018427387903"}) {
    const openssl::Owned<ASN1_OBJECT, ASN1_OBJECT_free> object(OBJ_txt2obj(dotted, 1));
    EXPECT_EQ(Oid(dotted), openssl::Encode(i2d_ASN1_OBJECT, object.get())) << dotted;
  }
}

TEST(Der, ChoosesTheTimeTypeByYear) {
  EXPECT_EQ(Hex(X509Time(At("1950-01-01T00:00:00Z"))), "170d" + ToHex(AsBytes("500101000000Z")));
  EXPECT_EQ(Hex(X509Time(At("2049-12-31T23:59:59Z"))), "170d" + ToHex(AsBytes("491231235959Z")));
  EXPECT_EQ(Hex(X509Time(At("2050-01-01T00:00:00Z"))), "180f" + ToHex(AsBytes("20500101000000Z")));
  EXPECT_EQ(Hex(GeneralizedTime(At("2026-11-22T04:05:06Z"))),
            "180f" + ToHex(AsBytes("20261122040506Z")));
}

TEST(Der, NestsAndConcatenates) {
  EXPECT_EQ(Hex(Sequence({Integer(1), Sequence({Boolean(true), Null()}), OctetString(Bytes{9})})),
            "300d020101"
            "30050101ff0500"
            "040109");
  EXPECT_EQ(Hex(BitString(Bytes{0xaa})), "030200aa");
  EXPECT_EQ(Hex(Tlv(Constructed(3), Tlv(Primitive(2), AsBytes("a")))), "a303820161");
  EXPECT_EQ(Hex(Concat({Null(), Null()})), "05000500");
}

}  // namespace
}  // namespace agentca::ca::der
