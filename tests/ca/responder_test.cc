#include "ca/responder.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <thread>

#include "tests/fakes/fake_certificate_store.h"
#include "tests/fakes/fixed.h"
#include "tests/fakes/ocsp_client.h"
#include "tests/fakes/plain_pki.h"

namespace agentca::ca {
namespace {

using fakes::FakeCertificateStore;

class ResponderTest : public testing::Test {
 protected:
  void SetUp() override {
    store_.Add(issuer_.info.id, serial_, now_ + Seconds(86400));
    Serve(responder_, delegate_);
  }
  void Serve(Responder& responder, const fakes::PlainDelegate& delegate) {
    responder.Serve(issuer_.certificate, issuer_.info.id, {delegate.certificate, delegate.signer});
  }
  Bytes Ask(OcspHash hash = OcspHash::kSha1, std::optional<Bytes> nonce = {}) const {
    return fakes::MakeOcspRequest(issuer_.certificate, {{serial_}, hash, std::move(nonce)});
  }
  Bytes AskFor(std::vector<Serial> serials) const {
    return fakes::MakeOcspRequest(issuer_.certificate, {std::move(serials)});
  }
  fakes::OcspReading Read(ByteView request) {
    const auto answer = responder_.Answer(request);
    return fakes::ReadOcsp(answer->der, request, issuer_.certificate, clock_.Now());
  }
  int StatusOf(ByteView request) { return Read(request).response_status; }
  void Revoke(Reason reason = Reason::kKeyCompromise) {
    ASSERT_TRUE(store_.Revoke(issuer_.info.id, serial_, reason, clock_.Now()).ok());
  }

  fakes::ManualClock clock_;
  const Time now_ = clock_.Now();
  FakeCertificateStore store_;
  fakes::PlainIssuer issuer_{now_};
  fakes::PlainDelegate delegate_{issuer_, now_ - Seconds(60), now_ + Seconds(7 * 86400)};
  const OcspSchedule schedule_;
  const Serial serial_ = *Serial::FromHex("0102030405");
  const Serial other_ = *Serial::FromHex("01aa");
  Responder responder_{store_, clock_, schedule_};
};

TEST_F(ResponderTest, AnswersGoodAndSaysUntilWhen) {
  const Bytes request = Ask();
  const auto answer = responder_.Answer(request);
  EXPECT_TRUE(answer->successful);
  EXPECT_TRUE(answer->cacheable);
  EXPECT_EQ(answer->this_update, now_);
  EXPECT_EQ(answer->next_update, now_ + schedule_.lifetime);
  EXPECT_EQ(answer->etag.size(), 34u);
  const auto reading = fakes::ReadOcsp(answer->der, request, issuer_.certificate, now_);
  EXPECT_TRUE(reading.verified);
  EXPECT_EQ(reading.statuses, std::vector<int>{V_OCSP_CERTSTATUS_GOOD});
  EXPECT_EQ(reading.this_update, "20270115080000Z");
  EXPECT_EQ(reading.next_update, "20270115200000Z");
}

TEST_F(ResponderTest, AnswersRevokedWithTheReason) {
  Revoke(Reason::kSuperseded);
  const auto reading = Read(Ask(OcspHash::kSha256));
  EXPECT_TRUE(reading.verified);
  EXPECT_EQ(reading.statuses, std::vector<int>{V_OCSP_CERTSTATUS_REVOKED});
  EXPECT_EQ(reading.reasons, std::vector<int>{OCSP_REVOKED_STATUS_SUPERSEDED});
}

TEST_F(ResponderTest, SaysNothingOfSerialsThatWereNeverIssued) {
  EXPECT_EQ(StatusOf(AskFor({other_})), OCSP_RESPONSE_STATUS_UNAUTHORIZED);
  store_.Add(issuer_.info.id, other_, now_, SerialState::kIntent);
  EXPECT_EQ(StatusOf(AskFor({other_})), OCSP_RESPONSE_STATUS_UNAUTHORIZED);
  EXPECT_EQ(delegate_.signer->calls(), 0);
}

TEST_F(ResponderTest, CallsAnAbandonedSerialRevoked) {
  store_.Add(issuer_.info.id, other_, now_ + Seconds(60), SerialState::kIntent);
  ASSERT_TRUE(store_.Abandon(issuer_.info.id, other_, now_).ok());
  EXPECT_EQ(Read(AskFor({other_})).statuses, std::vector<int>{V_OCSP_CERTSTATUS_REVOKED});
}

TEST_F(ResponderTest, RefusesIssuersItDoesNotServe) {
  const fakes::PlainIssuer stranger(now_);
  const Bytes request = fakes::MakeOcspRequest(stranger.certificate, {{serial_}});
  EXPECT_EQ(StatusOf(request), OCSP_RESPONSE_STATUS_UNAUTHORIZED);
  EXPECT_EQ(responder_.Cached(request), nullptr);
}

TEST_F(ResponderTest, RefusesMalformedRequests) {
  EXPECT_EQ(StatusOf({}), OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
  EXPECT_EQ(StatusOf(AsBytes("hello")), OCSP_RESPONSE_STATUS_MALFORMEDREQUEST);
  EXPECT_EQ(responder_.Cached({}), nullptr);
}

TEST_F(ResponderTest, CachesByTheExactRequest) {
  const Bytes request = Ask();
  EXPECT_EQ(responder_.Cached(request), nullptr);
  const auto answer = responder_.Answer(request);
  EXPECT_EQ(responder_.Cached(request), answer);
  EXPECT_EQ(responder_.Answer(request), answer);
  EXPECT_EQ(delegate_.signer->calls(), 1);
  EXPECT_EQ(store_.status_reads(), 1);
  EXPECT_EQ(responder_.Cached(Ask(OcspHash::kSha256)), nullptr)
      << "another CertID needs another answer: it is repeated in it";
}

TEST_F(ResponderTest, NeverCachesAnswersWithANonce) {
  const Bytes request = Ask(OcspHash::kSha1, Bytes(32, 1));
  const auto first = responder_.Answer(request);
  EXPECT_FALSE(first->cacheable);
  EXPECT_EQ(fakes::ReadOcsp(first->der, request, issuer_.certificate, now_).nonce_check, 1);
  EXPECT_EQ(responder_.Cached(request), nullptr);
  EXPECT_NE(responder_.Answer(request), first);
  EXPECT_EQ(responder_.Cached(Ask()), nullptr);
}

TEST_F(ResponderTest, AnswersSeveralCertificatesInFull) {
  store_.Add(issuer_.info.id, other_, now_ + Seconds(60));
  Revoke();
  const Bytes request = AskFor({other_, serial_, other_});
  const auto reading = Read(request);
  EXPECT_TRUE(reading.verified);
  EXPECT_EQ(reading.statuses, (std::vector<int>{V_OCSP_CERTSTATUS_GOOD, V_OCSP_CERTSTATUS_REVOKED,
                                                V_OCSP_CERTSTATUS_GOOD}));
  EXPECT_FALSE(responder_.Answer(request)->cacheable);
  const Serial unknown = *Serial::FromHex("0bad");
  EXPECT_EQ(StatusOf(AskFor({other_, unknown})), OCSP_RESPONSE_STATUS_UNAUTHORIZED);
}

TEST_F(ResponderTest, SignsAgainAtHalfLife) {
  const Bytes request = Ask();
  const auto first = responder_.Answer(request);
  clock_.Advance(schedule_.lifetime / 2 - Seconds(1));
  EXPECT_EQ(responder_.Cached(request), first);
  clock_.Advance(Seconds(1));
  EXPECT_EQ(responder_.Cached(request), nullptr);
  const auto second = responder_.Answer(request);
  EXPECT_NE(second, first);
  EXPECT_EQ(second->this_update, clock_.Now());
  EXPECT_EQ(responder_.Cached(request), second);
}

TEST_F(ResponderTest, NeverOutlivesTheDelegate) {
  fakes::PlainDelegate brief(issuer_, now_ - Seconds(60), now_ + Seconds(600));
  Serve(responder_, brief);
  const Bytes request = Ask();
  const auto answer = responder_.Answer(request);
  EXPECT_EQ(answer->next_update, now_ + Seconds(600));
  clock_.Advance(Seconds(300));
  EXPECT_EQ(responder_.Cached(request), nullptr);
  EXPECT_EQ(responder_.Answer(request)->next_update, now_ + Seconds(600));
  clock_.Advance(Seconds(300));
  EXPECT_EQ(responder_.Cached(request), nullptr);
  EXPECT_EQ(StatusOf(request), OCSP_RESPONSE_STATUS_TRYLATER);
}

TEST_F(ResponderTest, NeverOutlivesTheIssuer) {
  const Time end = issuer_.certificate.not_after;
  fakes::PlainDelegate late(issuer_, now_ - Seconds(60), end + Seconds(86400));
  Serve(responder_, late);
  clock_.Set(end - Seconds(100));
  EXPECT_EQ(responder_.Answer(Ask())->next_update, end);
}

TEST_F(ResponderTest, RefusesADelegateThatIsNotYetValidOrHoldsAnotherKey) {
  fakes::PlainDelegate future(issuer_, now_ + Seconds(60), now_ + Seconds(86400));
  Serve(responder_, future);
  EXPECT_EQ(StatusOf(Ask()), OCSP_RESPONSE_STATUS_TRYLATER);
  responder_.Serve(issuer_.certificate, issuer_.info.id,
                   {delegate_.certificate, std::make_shared<fakes::TestSigner>()});
  EXPECT_EQ(StatusOf(Ask()), OCSP_RESPONSE_STATUS_TRYLATER);
}

TEST_F(ResponderTest, ANewDelegateReplacesTheCachedAnswers) {
  const Bytes request = Ask();
  const auto old = responder_.Answer(request);
  fakes::PlainDelegate next(issuer_, now_ - Seconds(60), now_ + Seconds(86400));
  Serve(responder_, next);
  EXPECT_EQ(responder_.Cached(request), nullptr);
  EXPECT_NE(responder_.Answer(request), old);
  EXPECT_EQ(next.signer->calls(), 1);
}

TEST_F(ResponderTest, SaysTryLaterWhenStoreOrSignerAreAway) {
  store_.SetFault(FakeCertificateStore::Fault::kFails);
  EXPECT_EQ(StatusOf(Ask()), OCSP_RESPONSE_STATUS_TRYLATER);
  store_.SetFault(FakeCertificateStore::Fault::kNone);
  delegate_.signer->Fail(fakes::SignerFault::kUnavailable);
  EXPECT_EQ(StatusOf(Ask()), OCSP_RESPONSE_STATUS_TRYLATER);
  EXPECT_EQ(StatusOf(Ask(OcspHash::kSha1, Bytes(16, 1))), OCSP_RESPONSE_STATUS_TRYLATER);
  delegate_.signer->Fail(fakes::SignerFault::kNone);
  EXPECT_EQ(StatusOf(Ask()), OCSP_RESPONSE_STATUS_SUCCESSFUL) << "failures are not cached";
}

TEST_F(ResponderTest, GivesTheLastAnswerWhileItCannotSignUntilThatExpires) {
  const Bytes request = Ask();
  const auto first = responder_.Answer(request);
  delegate_.signer->Fail(fakes::SignerFault::kUnavailable);
  clock_.Advance(schedule_.lifetime - Seconds(1));
  EXPECT_EQ(responder_.Answer(request), first);
  clock_.Advance(Seconds(1));
  EXPECT_EQ(StatusOf(request), OCSP_RESPONSE_STATUS_TRYLATER);
}

TEST_F(ResponderTest, AnEvictedAnswerIsNotTheLastAnswer) {
  const Bytes request = Ask();
  responder_.Answer(request);
  Revoke();
  responder_.Evict(issuer_.info.id, serial_);
  delegate_.signer->Fail(fakes::SignerFault::kUnavailable);
  EXPECT_EQ(StatusOf(request), OCSP_RESPONSE_STATUS_TRYLATER);
}

TEST_F(ResponderTest, RefusesToSignWhenTheClockRunsBackwards) {
  responder_.Answer(Ask());
  clock_.Leap(Seconds(-100));
  EXPECT_EQ(responder_.Cached(Ask()), nullptr) << "this_update would be in the future";
  EXPECT_EQ(StatusOf(Ask()), OCSP_RESPONSE_STATUS_TRYLATER);
  clock_.Leap(Seconds(100));
  EXPECT_EQ(StatusOf(Ask()), OCSP_RESPONSE_STATUS_SUCCESSFUL);
}

TEST_F(ResponderTest, AnswersAgainAfterTheClockLeaptAheadAndCameBack) {
  responder_.Answer(Ask());
  clock_.Leap(Seconds(5 * 86400));
  EXPECT_EQ(responder_.Answer(Ask())->this_update, now_ + Seconds(5 * 86400));
  clock_.Advance(Seconds(30));
  clock_.Leap(Seconds(-5 * 86400));
  EXPECT_EQ(StatusOf(Ask()), OCSP_RESPONSE_STATUS_SUCCESSFUL);
  EXPECT_EQ(responder_.Answer(Ask())->this_update, now_ + Seconds(30)) << "not that of the future";
}

TEST_F(ResponderTest, EvictRemovesEveryAnswerForTheSerial) {
  const IssuerHashes sha1 = HashIssuer(issuer_.certificate, OcspHash::kSha1);
  const IssuerHashes sha256 = HashIssuer(issuer_.certificate, OcspHash::kSha256);
  std::vector<Bytes> requests;
  for (const bool null_parameters : {true, false}) {
    for (const auto& [hash, hashes] :
         {std::pair(OcspHash::kSha1, sha1), std::pair(OcspHash::kSha256, sha256)}) {
      Bytes request = EncodeCertId(hash, null_parameters, hashes, serial_);
      for (int i = 0; i < 4; ++i) {
        request.insert(request.begin(), {0x30, static_cast<uint8_t>(request.size())});
      }
      requests.push_back(std::move(request));
    }
  }
  for (const auto& request : requests) {
    ASSERT_TRUE(responder_.Answer(request)->successful);
    ASSERT_NE(responder_.Cached(request), nullptr);
  }
  store_.Add(issuer_.info.id, other_, now_ + Seconds(60));
  const auto neighbour = responder_.Answer(AskFor({other_}));
  Revoke();
  responder_.Evict(issuer_.info.id, serial_);
  for (const auto& request : requests) {
    EXPECT_EQ(responder_.Cached(request), nullptr);
    EXPECT_EQ(Read(request).statuses, std::vector<int>{V_OCSP_CERTSTATUS_REVOKED});
  }
  EXPECT_EQ(responder_.Cached(AskFor({other_})), neighbour);
  responder_.EvictAll();
  EXPECT_EQ(responder_.Cached(AskFor({other_})), nullptr);
}

// The status is read, then revoked and evicted, and only then is the old status signed.
TEST_F(ResponderTest, AnAnswerFromBeforeAnEvictionNeverEntersTheCache) {
  const Bytes request = Ask();
  store_.SetAfterStatusOf([this] {
    store_.SetAfterStatusOf({});
    Revoke();
    responder_.Evict(issuer_.info.id, serial_);
  });
  const auto overtaken = responder_.Answer(request);
  EXPECT_EQ(fakes::ReadOcsp(overtaken->der, request, issuer_.certificate, now_).statuses,
            std::vector<int>{V_OCSP_CERTSTATUS_GOOD})
      << "it was asked before the revocation";
  EXPECT_EQ(responder_.Cached(request), nullptr);
  EXPECT_EQ(Read(request).statuses, std::vector<int>{V_OCSP_CERTSTATUS_REVOKED});
}

// Whoever asks after the eviction must not be given the answer of the overtaken flight.
TEST_F(ResponderTest, ALaterCallerDoesNotJoinAFlightFromBeforeTheEviction) {
  const Bytes request = Ask();
  std::promise<void> has_read, may_go_on;
  store_.SetAfterStatusOf([&] {
    has_read.set_value();
    may_go_on.get_future().wait();
  });
  std::thread slow([&] { responder_.Answer(request); });
  has_read.get_future().wait();
  store_.SetAfterStatusOf({});
  Revoke();
  responder_.Evict(issuer_.info.id, serial_);
  EXPECT_EQ(Read(request).statuses, std::vector<int>{V_OCSP_CERTSTATUS_REVOKED});
  may_go_on.set_value();
  slow.join();
  EXPECT_EQ(Read(request).statuses, std::vector<int>{V_OCSP_CERTSTATUS_REVOKED});
  const auto cached = responder_.Cached(request);
  ASSERT_NE(cached, nullptr);
  EXPECT_EQ(fakes::ReadOcsp(cached->der, request, issuer_.certificate, now_).statuses,
            std::vector<int>{V_OCSP_CERTSTATUS_REVOKED});
}

TEST_F(ResponderTest, ConcurrentMissesAreSignedOnce) {
  const Bytes request = Ask();
  constexpr int kThreads = 8;
  std::promise<void> has_read, may_go_on;
  store_.SetAfterStatusOf([&] {
    has_read.set_value();  // a second reader would throw here
    may_go_on.get_future().wait();
  });
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  const auto ask = [&] { answered += responder_.Answer(request)->successful ? 1 : 0; };
  threads.emplace_back(ask);
  has_read.get_future().wait();
  for (int i = 1; i < kThreads; ++i) threads.emplace_back(ask);
  may_go_on.set_value();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(answered, kThreads);
  EXPECT_EQ(delegate_.signer->calls(), 1);
}

TEST_F(ResponderTest, WhileOneSignsAgainOthersGetTheLastAnswerWithoutWaiting) {
  const Bytes request = Ask();
  const auto first = responder_.Answer(request);
  clock_.Advance(schedule_.lifetime / 2);
  std::promise<void> has_read, may_go_on;
  store_.SetAfterStatusOf([&] {
    has_read.set_value();
    may_go_on.get_future().wait();
  });
  std::thread slow([&] { responder_.Answer(request); });
  has_read.get_future().wait();
  EXPECT_EQ(responder_.Answer(request), first);
  may_go_on.set_value();
  slow.join();
  EXPECT_NE(responder_.Cached(request), first);
}

TEST_F(ResponderTest, KeepsNoMoreThanTheLimitAndDropsTheLeastRecentlyUsed) {
  Responder small(store_, clock_, {schedule_.lifetime, 3});
  Serve(small, delegate_);
  std::vector<Bytes> requests;
  for (uint8_t i = 1; i <= 4; ++i) {
    const Serial serial = *Serial::FromBytes(Bytes{0x33, i});
    store_.Add(issuer_.info.id, serial, now_ + Seconds(60));
    requests.push_back(AskFor({serial}));
  }
  for (int i = 0; i < 3; ++i) small.Answer(requests[static_cast<size_t>(i)]);
  EXPECT_NE(small.Cached(requests[0]), nullptr);  // now the most recently used
  small.Answer(requests[3]);
  EXPECT_EQ(small.Cached(requests[1]), nullptr);
  EXPECT_NE(small.Cached(requests[0]), nullptr);
  EXPECT_NE(small.Cached(requests[2]), nullptr);
  EXPECT_NE(small.Cached(requests[3]), nullptr);
}

// Readers, a revoker and delegate renewals at once: after its eviction no serial is ever good.
TEST_F(ResponderTest, NoSerialIsGoodAfterItsEvictionWhateverHappensBeside) {
  constexpr uint8_t kSerials = 40;
  std::vector<Serial> serials;
  std::vector<Bytes> requests;
  std::array<std::atomic<bool>, kSerials> evicted{};
  for (uint8_t i = 0; i < kSerials; ++i) {
    serials.push_back(*Serial::FromBytes(Bytes{0x44, i}));
    store_.Add(issuer_.info.id, serials.back(), now_ + Seconds(60));
    requests.push_back(AskFor({serials.back()}));
  }
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (size_t i = 0; !stop; i = (i + 1) % kSerials) {
        const bool was_evicted = evicted[i];
        auto answer = responder_.Cached(requests[i]);
        if (!answer) answer = responder_.Answer(requests[i]);
        if (!answer->successful) continue;
        const auto reading = fakes::ReadOcsp(answer->der, requests[i], issuer_.certificate, now_);
        if (was_evicted && reading.statuses != std::vector<int>{V_OCSP_CERTSTATUS_REVOKED}) ++wrong;
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) {
      Serve(responder_, delegate_);
      std::this_thread::yield();
    }
  });
  for (size_t i = 0; i < kSerials; ++i) {
    responder_.Answer(requests[i]);
    ASSERT_TRUE(store_.Revoke(issuer_.info.id, serials[i], Reason::kSuperseded, now_).ok());
    responder_.Evict(issuer_.info.id, serials[i]);
    evicted[i] = true;
  }
  for (const auto& request : requests)
    EXPECT_EQ(Read(request).statuses, std::vector<int>{V_OCSP_CERTSTATUS_REVOKED});
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace agentca::ca
