#include "hsm/signer_protocol.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/fakes/test_signer.h"

namespace agentca::hsm {
namespace {

// Feeds `stream` in steps of `step` octets, as a socket might.
std::vector<Frame> Split(ByteView stream, size_t step, size_t limit, bool& refused) {
  FrameReader reader(limit);
  std::vector<Frame> frames;
  refused = false;
  while (!stream.empty()) {
    const auto space = reader.Space();
    const size_t count = std::min({space.size(), step, stream.size()});
    std::copy_n(stream.begin(), count, space.begin());
    stream = stream.subspan(count);
    const auto complete = reader.Advance(count);
    refused = !complete.ok();
    if (refused) break;
    if (*complete) frames.push_back(reader.Take());
  }
  return frames;
}

TEST(SignerProtocol, FramesSurviveAnyFragmentation) {
  const Bytes large((1 << 20) + 77, 0xab);
  Bytes stream = EncodeFrame(7, 1, AsBytes("hello"));
  for (const Bytes& frame : {EncodeFrame(8, 2, {}), EncodeFrame(~uint64_t{0}, 3, large)}) {
    stream.insert(stream.end(), frame.begin(), frame.end());
  }
  for (const size_t step : {size_t{7}, size_t{13}, size_t{1000}, size_t{1} << 22}) {
    bool refused = false;
    const auto frames = Split(stream, step, kMaxRequest, refused);
    ASSERT_FALSE(refused);
    ASSERT_EQ(frames.size(), 3u);
    EXPECT_EQ(frames[0].id, 7u);
    EXPECT_EQ(frames[0].body, ToBytes(AsBytes("hello")));
    EXPECT_EQ(frames[1].kind, 2);
    EXPECT_TRUE(frames[1].body.empty());
    EXPECT_EQ(frames[2].id, ~uint64_t{0});
    EXPECT_EQ(frames[2].body, large);
  }
}

TEST(SignerProtocol, RefusesLengthsOutOfBounds) {
  for (const Bytes& prefix : {Bytes{0xff, 0xff, 0xff, 0xff}, Bytes{0, 0, 0, 8}, Bytes{0, 0, 0, 0},
                              Bytes{0x04, 0, 0, 1}}) {
    Bytes stream = prefix;
    stream.resize(13);
    bool refused = false;
    EXPECT_TRUE(Split(stream, 13, kMaxRequest, refused).empty());
    EXPECT_TRUE(refused);
  }
}

TEST(SignerProtocol, MemoryFollowsWhatArrivesNotWhatIsClaimed) {
  FrameReader reader(kMaxRequest);
  const Bytes header = EncodeHeader(1, 1, size_t{60} << 20);
  std::copy(header.begin(), header.end(), reader.Space().begin());
  ASSERT_TRUE(reader.Advance(header.size()).ok());
  EXPECT_LE(reader.Space().size(), size_t{1} << 20);
}

TEST(SignerProtocol, SignRequestsComeApartAsTheyWereMade) {
  Bytes body = EncodeSignPrefix("issuing");
  body.insert(body.end(), {1, 2, 3});
  const auto request = ParseSignRequest(body);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->key_name, "issuing");
  EXPECT_EQ(ToBytes(request->message), (Bytes{1, 2, 3}));
  EXPECT_FALSE(ParseSignRequest(Bytes{}).ok());
  EXPECT_FALSE(ParseSignRequest(Bytes{9, 'a'}).ok());
}

TEST(SignerProtocol, KeysComeApartAsTheyWereMade) {
  const std::vector<NamedKey> keys = {{"a", fakes::NewPublicKey()},
                                      {"b", fakes::NewPublicKey(fakes::TestKey::kRsa2048)}};
  const Bytes encoded = EncodeKeys(keys);
  const auto parsed = ParseKeys(encoded);
  ASSERT_TRUE(parsed.ok()) << parsed.error().detail;
  EXPECT_EQ(*parsed, keys);
  EXPECT_FALSE(ParseKeys(ByteView(encoded).first(encoded.size() - 1)).ok());
}

TEST(KeyEntry, ReadsALineOfTheConfiguration) {
  const auto entry =
      KeyEntry::Parse("issuing  certificate,crl\tpkcs11:object=issuing   /var/my ca/issuing.pem ");
  ASSERT_TRUE(entry.ok()) << entry.error().detail;
  EXPECT_EQ(entry->name, "issuing");
  EXPECT_EQ(entry->purposes, (std::vector<Purpose>{Purpose::kCertificate, Purpose::kCrl}));
  EXPECT_EQ(entry->uri, "pkcs11:object=issuing");
  EXPECT_EQ(entry->certificate_file, "/var/my ca/issuing.pem");
  EXPECT_EQ(entry->ToString(),
            "issuing certificate,crl pkcs11:object=issuing /var/my ca/issuing.pem");
}

TEST(KeyEntry, CertificateFileMayBeAbsent) {
  const auto entry = KeyEntry::Parse("ocsp ocsp file:/k.pem");
  ASSERT_TRUE(entry.ok()) << entry.error().detail;
  EXPECT_TRUE(entry->certificate_file.empty());
  EXPECT_EQ(entry->ToString(), "ocsp ocsp file:/k.pem");
}

TEST(KeyEntry, RefusesWhatItDoesNotUnderstand) {
  for (const char* line : {"", "issuing", "issuing crl", "issuing sign pkcs11:object=a",
                           "issuing crl,crl pkcs11:object=a", "issuing crl, pkcs11:object=a",
                           "is/suing crl pkcs11:object=a", "issuing crl object=a",
                           "issuing crl pkcs11:object=a;pin-value=1"}) {
    EXPECT_FALSE(KeyEntry::Parse(line).ok()) << line;
  }
}

}  // namespace
}  // namespace agentca::hsm
