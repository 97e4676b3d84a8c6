#include "acme/shared_nonces.h"

#include <algorithm>
#include <array>

namespace agentca::acme {
namespace {

constexpr size_t kValueOctets = std::tuple_size_v<SpentNonce>;
constexpr size_t kEpochOctets = sizeof(NonceEpoch);
constexpr size_t kSignedOctets = kValueOctets + kEpochOctets;

using Text = std::array<uint8_t, kSignedOctets + NonceMac::kOctets>;

void PutBigEndian(uint64_t number, std::span<uint8_t> out) {
  for (size_t i = out.size(); i-- > 0; number >>= 8) out[i] = static_cast<uint8_t>(number);
}

NonceEpoch EpochOf(ByteView octets) {
  NonceEpoch epoch = 0;
  for (const uint8_t octet : octets) epoch = epoch << 8 | octet;
  return epoch;
}

}  // namespace

std::string SharedNonces::Issue(Time now) {
  Text text{};
  const std::span<uint8_t> octets(text);
  PutBigEndian(static_cast<uint64_t>(now.time_since_epoch().count()), octets.first(kMintedOctets));
  random_.Fill(octets.subspan(kMintedOctets, kValueOctets - kMintedOctets));
  PutBigEndian(ledger_->epoch(), octets.subspan(kValueOctets, kEpochOctets));
  const NonceMac::Tag tag = mac_.Of(octets.first(kSignedOctets));
  std::copy(tag.begin(), tag.end(), octets.subspan(kSignedOctets).begin());
  return ToBase64Url(text);
}

Status SharedNonces::Spend(std::string_view nonce, Time now) {
  const auto octets = FromBase64Url(nonce);
  if (!octets.ok() || octets->size() != std::tuple_size_v<Text>) return BadNonce();
  const ByteView text(*octets);
  if (!mac_.Matches(text.first(kSignedOctets), text.subspan(kSignedOctets))) return BadNonce();

  SpentNonce value{};
  std::copy_n(text.begin(), kValueOctets, value.begin());
  const Time minted = MintedAt(value);
  if (now - minted > lifetime_ || minted - now > kMaxAhead) return BadNonce();

  // The epoch as last seen says nothing here: the store may have begun another, which the node that
  // minted this nonce knew already.
  AGENTCA_ASSIGN(const bool mine,
                 ledger_->Spend(value, EpochOf(text.subspan(kValueOctets, kEpochOctets))));
  if (!mine) return BadNonce();
  return {};
}

}  // namespace agentca::acme
