// RSA moduli that give themselves away.
#pragma once

#include <openssl/bn.h>

#include <string_view>

namespace agentca::ca {

// Why this odd modulus must not be trusted, or empty. Looks for small prime factors, the
// fingerprint of ROCA (CVE-2017-15361) and primes so close that Fermat's method finds them at once
// (CVE-2022-26320). About 0.2 ms for 2048 bits.
std::string_view WeaknessOf(const BIGNUM* modulus);

}  // namespace agentca::ca
