#include "acme/nonce.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

#include "acme/nonce_mac.h"
#include "ca/base/bytes.h"

namespace agentca::acme {
namespace {

constexpr size_t kCounterOctets = 8;
constexpr size_t kWordBits = 64;

using Text = std::array<uint8_t, kCounterOctets + NonceMac::kOctets>;

Secret NewKey(Random& random) {
  Bytes octets(NonceMac::kKeyOctets);
  random.Fill(octets);
  return Secret(std::move(octets));
}

std::array<uint8_t, kCounterOctets> BigEndian(uint64_t counter) {
  std::array<uint8_t, kCounterOctets> octets{};
  for (size_t i = 0; i < octets.size(); ++i) {
    octets[i] = static_cast<uint8_t>(counter >> (8 * (kCounterOctets - 1 - i)));
  }
  return octets;
}

}  // namespace

Error BadNonce() { return {Code::kBadNonce, "nonce is unknown, spent or too old"}; }

class LocalNonces::State {
 public:
  State(Random& random, size_t window)
      : mac_(NewKey(random)), window_(window), spent_(window / kWordBits) {}

  std::string Issue() {
    const uint64_t counter = next_.fetch_add(1);
    // The bit's last owner is a window older: from fetch_add on, Spend refuses that one.
    WordOf(counter).fetch_and(~MaskOf(counter));
    const auto octets = BigEndian(counter);
    const NonceMac::Tag tag = mac_.Of(octets);
    Text text{};
    std::copy(octets.begin(), octets.end(), text.begin());
    std::copy(tag.begin(), tag.end(), text.begin() + kCounterOctets);
    return ToBase64Url(text);
  }

  // True for the one caller that may use this nonce.
  bool Spend(ByteView text) {
    if (text.size() != std::tuple_size_v<Text>) return false;
    if (!mac_.Matches(text.first(kCounterOctets), text.last(NonceMac::kOctets))) return false;
    uint64_t counter = 0;
    for (const uint8_t octet : text.first(kCounterOctets)) counter = counter << 8 | octet;
    if (!InWindow(counter)) return false;
    const bool first = (WordOf(counter).fetch_or(MaskOf(counter)) & MaskOf(counter)) == 0;
    // Issue may have given the bit to a successor in between; then the second look refuses. (The
    // successor is refused as well; its client tries again with a fresh one.)
    return first && InWindow(counter);
  }

 private:
  bool InWindow(uint64_t counter) const {
    const uint64_t next = next_.load();
    return counter < next && next - counter <= window_;
  }
  std::atomic<uint64_t>& WordOf(uint64_t counter) { return spent_[counter % window_ / kWordBits]; }
  static uint64_t MaskOf(uint64_t counter) { return uint64_t{1} << (counter % kWordBits); }

  const NonceMac mac_;
  const uint64_t window_;
  std::atomic<uint64_t> next_{0};
  std::vector<std::atomic<uint64_t>> spent_;  // one bit a counter, modulo window_
};

LocalNonces::LocalNonces(Random& random, size_t window)
    : state_(std::make_unique<State>(random, window)) {}
LocalNonces::~LocalNonces() = default;

std::string LocalNonces::Issue(Time) { return state_->Issue(); }

Status LocalNonces::Spend(std::string_view nonce, Time) {
  const auto octets = FromBase64Url(nonce);
  if (!octets.ok() || !state_->Spend(*octets)) return BadNonce();
  return {};
}

}  // namespace agentca::acme
