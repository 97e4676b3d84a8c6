#include "ca/weak_rsa.h"

#include <array>
#include <cstdint>

#include "ca/openssl.h"

namespace agentca::ca {
namespace {

constexpr uint32_t kTrialLimit = 2048;
constexpr int kFermatRounds = 100;

constexpr bool IsPrime(uint32_t n) {
  for (uint32_t d = 2; d * d <= n; ++d)
    if (n % d == 0) return false;
  return n >= 2;
}

bool HasSmallFactor(const BIGNUM* modulus) {
  static constexpr auto kPrime = [] {
    std::array<bool, kTrialLimit> prime{};
    for (uint32_t n = 0; n < kTrialLimit; ++n) prime[n] = IsPrime(n);
    return prime;
  }();
  for (uint32_t p = 3; p < kTrialLimit; ++p)
    if (kPrime[p] && BN_mod_word(modulus, p) == 0) return true;
  return false;
}

// Nemec et al., "The Return of Coppersmith's Attack" (CCS 2017): the primes of the faulty library
// are k·M + (65537^a mod M) with M the product of the first primes, so that the modulus is a power
// of 65537 modulo each of those. A sound modulus has this shape once in about 2^154.
bool HasRocaFingerprint(const BIGNUM* modulus) {
  constexpr uint32_t kLastPrime = 167;
  for (uint32_t p = 3; p <= kLastPrime; ++p) {
    if (!IsPrime(p)) continue;
    const auto residue = static_cast<uint32_t>(BN_mod_word(modulus, p));
    uint32_t power = 1;
    do {
      if (power == residue) break;
      power = power * (65537 % p) % p;
    } while (power != 1);
    if (power != residue) return false;
  }
  return true;
}

// root = floor(√n), by Newton's method from above: the sequence falls until it is there.
bool SquareRoot(BIGNUM* root, const BIGNUM* n, BN_CTX* context) {
  const openssl::BignumPtr next(BN_new());
  BN_zero(root);
  if (!next || BN_set_bit(root, (BN_num_bits(n) + 1) / 2) != 1) return false;
  for (;;) {
    const bool stepped = BN_div(next.get(), nullptr, n, root, context) == 1 &&
                         BN_add(next.get(), next.get(), root) == 1 &&
                         BN_rshift1(next.get(), next.get()) == 1;
    if (!stepped) return false;
    if (BN_cmp(next.get(), root) >= 0) return true;
    BN_swap(root, next.get());
  }
}

// Bit r is set when r is a square modulo `modulus` ≤ 64.
constexpr uint64_t SquaresModulo(uint32_t modulus) {
  uint64_t squares = 0;
  for (uint32_t x = 0; x < modulus; ++x) squares |= uint64_t{1} << (x * x % modulus);
  return squares;
}

bool IsSquare(const BIGNUM* n, BN_CTX* context) {
  if (BN_is_zero(n)) return true;  // the modulus is p²
  // One number in about 200 passes this sieve: few need the root.
  for (const uint32_t modulus : {64U, 63U, 61U, 59U, 53U, 47U})
    if (((SquaresModulo(modulus) >> BN_mod_word(n, modulus)) & 1) == 0) return false;
  const openssl::BignumPtr root(BN_new()), square(BN_new());
  return root && square && SquareRoot(root.get(), n, context) &&
         BN_sqr(square.get(), root.get(), context) == 1 && BN_cmp(square.get(), n) == 0;
}

// n = a² − b² = (a − b)(a + b): with p near q, b is small and `a` starts just above √n.
bool HasClosePrimes(const BIGNUM* modulus) {
  const openssl::BignumContextPtr context(BN_CTX_new());
  const openssl::BignumPtr a(BN_new()), difference(BN_new());
  if (!context || !a || !difference || !SquareRoot(a.get(), modulus, context.get())) return true;
  for (int round = 0; round <= kFermatRounds; ++round) {
    const bool computed = BN_sqr(difference.get(), a.get(), context.get()) == 1 &&
                          BN_sub(difference.get(), difference.get(), modulus) == 1;
    if (!computed) return true;
    if (!BN_is_negative(difference.get()) && IsSquare(difference.get(), context.get())) return true;
    if (BN_add_word(a.get(), 1) != 1) return true;
  }
  return false;
}

}  // namespace

std::string_view WeaknessOf(const BIGNUM* modulus) {
  if (HasSmallFactor(modulus)) return "RSA modulus has a small factor";
  if (HasRocaFingerprint(modulus)) return "RSA modulus comes from a faulty generator (ROCA)";
  if (HasClosePrimes(modulus)) return "RSA modulus is a product of close primes";
  return {};
}

}  // namespace agentca::ca
