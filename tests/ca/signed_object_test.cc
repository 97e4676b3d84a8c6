#include "ca/signed_object.h"

#include <gtest/gtest.h>

#include "ca/der.h"
#include "tests/fakes/test_signer.h"

namespace agentca::ca {
namespace {

using fakes::SignerFault;
using fakes::TestKey;

const Bytes kTbs = der::Sequence({der::Integer(1)});

TEST(SignedObject, HoldsTheBytesTheAlgorithmAndASignatureOverThem) {
  for (TestKey type : {TestKey::kP256, TestKey::kP384, TestKey::kEd25519, TestKey::kRsa2048}) {
    fakes::TestSigner signer(type);
    const Bytes made = MakeSigned(kTbs, signer).value();
    const Bytes start = der::Concat({kTbs, AlgorithmIdentifier(signer.algorithm())});
    const size_t header = made[1] < 0x80 ? 2 : made[1] == 0x81 ? 3 : 4;
    ASSERT_GT(made.size(), header + start.size());
    EXPECT_TRUE(
        std::equal(start.begin(), start.end(), made.begin() + static_cast<ptrdiff_t>(header)));
  }
}

TEST(SignedObject, NeverReturnsASignatureThatDoesNotVerify) {
  for (SignerFault fault : {SignerFault::kWrongSignature, SignerFault::kOtherMessage}) {
    fakes::TestSigner signer;
    signer.Fail(fault);
    EXPECT_EQ(MakeSigned(kTbs, signer).error().code, Code::kInternal);
  }
}

TEST(SignedObject, PassesTheSignersErrorOn) {
  fakes::TestSigner signer;
  signer.Fail(SignerFault::kUnavailable);
  EXPECT_EQ(MakeSigned(kTbs, signer).error().code, Code::kUnavailable);
}

TEST(SignedObject, WrapsWithoutASignature) {
  const Bytes wrapped = WrapUnsigned(kTbs, SignatureAlgorithm::kEcdsaSha256);
  EXPECT_EQ(ToHex(wrapped),
            "3014"
            "3003020101"
            "300a06082a8648ce3d040302"
            "030100");
}

}  // namespace
}  // namespace agentca::ca
