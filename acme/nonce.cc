#include "acme/nonce.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <vector>

#include "ca/base/bytes.h"

namespace agentca::acme {
namespace {

constexpr size_t kCounterOctets = 8;
constexpr size_t kMacOctets = 16;
constexpr size_t kWordBits = 64;

using Tag = std::array<uint8_t, kMacOctets>;
using Text = std::array<uint8_t, kCounterOctets + kMacOctets>;

struct MacContextFree {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using MacContext = std::unique_ptr<EVP_MAC_CTX, MacContextFree>;

// A keyed context that each use copies: hashing the key once saves two of four blocks.
MacContext MakeKeyed(Random& random) {
  std::array<uint8_t, 32> octets{};
  random.Fill(octets);
  const Secret key(Bytes(octets.begin(), octets.end()));
  octets.fill(0);

  EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  MacContext context(EVP_MAC_CTX_new(hmac));
  EVP_MAC_free(hmac);  // the context holds its own reference
  std::string digest = "SHA256";
  const std::array<OSSL_PARAM, 2> parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  const bool ready = context && EVP_MAC_init(context.get(), key.view().data(), key.view().size(),
                                             parameters.data()) == 1;
  if (!ready) std::abort();  // without HMAC-SHA-256 there is no safe way on
  return context;
}

std::array<uint8_t, kCounterOctets> BigEndian(uint64_t counter) {
  std::array<uint8_t, kCounterOctets> octets{};
  for (size_t i = 0; i < octets.size(); ++i) {
    octets[i] = static_cast<uint8_t>(counter >> (8 * (kCounterOctets - 1 - i)));
  }
  return octets;
}

}  // namespace

class Nonces::State {
 public:
  State(Random& random, size_t window)
      : keyed_(MakeKeyed(random)), window_(window), spent_(window / kWordBits) {}

  std::string Issue() {
    const uint64_t counter = next_.fetch_add(1);
    // The bit's last owner is a window older: from fetch_add on, Spend refuses that one.
    WordOf(counter).fetch_and(~MaskOf(counter));
    const auto octets = BigEndian(counter);
    const Tag tag = MacOf(octets);
    Text text{};
    std::copy(octets.begin(), octets.end(), text.begin());
    std::copy(tag.begin(), tag.end(), text.begin() + kCounterOctets);
    return ToBase64Url(text);
  }

  // True for the one caller that may use this nonce.
  bool Spend(ByteView text) {
    if (text.size() != kCounterOctets + kMacOctets) return false;
    if (!ConstantTimeEqual(MacOf(text.first(kCounterOctets)), text.last(kMacOctets))) return false;
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

  Tag MacOf(ByteView counter) const {
    const MacContext context(EVP_MAC_CTX_dup(keyed_.get()));
    std::array<uint8_t, EVP_MAX_MD_SIZE> full{};
    size_t size = 0;
    const bool done = context &&
                      EVP_MAC_update(context.get(), counter.data(), counter.size()) == 1 &&
                      EVP_MAC_final(context.get(), full.data(), &size, full.size()) == 1;
    if (!done || size < kMacOctets) std::abort();
    Tag tag{};
    std::copy_n(full.begin(), kMacOctets, tag.begin());
    return tag;
  }

  const MacContext keyed_;
  const uint64_t window_;
  std::atomic<uint64_t> next_{0};
  std::vector<std::atomic<uint64_t>> spent_;  // one bit a counter, modulo window_
};

Nonces::Nonces(Random& random, size_t window) : state_(std::make_unique<State>(random, window)) {}
Nonces::~Nonces() = default;

std::string Nonces::Issue() { return state_->Issue(); }

Status Nonces::Spend(std::string_view nonce) {
  const auto octets = FromBase64Url(nonce);
  if (!octets.ok() || !state_->Spend(*octets)) {
    return Error{Code::kBadNonce, "nonce is unknown, spent or too old"};
  }
  return {};
}

}  // namespace agentca::acme
