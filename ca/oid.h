// Object identifiers of the extensions this CA writes, and what an operator's must look like.
#pragma once

#include <string_view>

namespace agentca::ca {

// "1.3.6.1…": at least two arcs, no leading zeros, each below 2^62 (X.660).
bool IsOid(std::string_view text);

}  // namespace agentca::ca

namespace agentca::ca::oid {

// RFC 5280 §4.2.1
inline constexpr std::string_view kSubjectKeyIdentifier = "2.5.29.14";
inline constexpr std::string_view kKeyUsage = "2.5.29.15";
inline constexpr std::string_view kSubjectAltName = "2.5.29.17";
inline constexpr std::string_view kBasicConstraints = "2.5.29.19";
inline constexpr std::string_view kNameConstraints = "2.5.29.30";
inline constexpr std::string_view kCrlDistributionPoints = "2.5.29.31";
inline constexpr std::string_view kCertificatePolicies = "2.5.29.32";
inline constexpr std::string_view kAuthorityKeyIdentifier = "2.5.29.35";
inline constexpr std::string_view kExtendedKeyUsage = "2.5.29.37";
// RFC 5280 §4.2.2.1
inline constexpr std::string_view kAuthorityInfoAccess = "1.3.6.1.5.5.7.1.1";
inline constexpr std::string_view kAccessOcsp = "1.3.6.1.5.5.7.48.1";
inline constexpr std::string_view kAccessCaIssuers = "1.3.6.1.5.5.7.48.2";
// RFC 6960 §4.2.2.2.1
inline constexpr std::string_view kOcspNoCheck = "1.3.6.1.5.5.7.48.1.5";
// RFC 5280 §4.2.1.12
inline constexpr std::string_view kServerAuth = "1.3.6.1.5.5.7.3.1";
inline constexpr std::string_view kClientAuth = "1.3.6.1.5.5.7.3.2";
inline constexpr std::string_view kOcspSigning = "1.3.6.1.5.5.7.3.9";
inline constexpr std::string_view kAnyExtendedKeyUsage = "2.5.29.37.0";

}  // namespace agentca::ca::oid
