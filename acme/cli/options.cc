#include "acme/cli/options.h"

#include <algorithm>
#include <cassert>

namespace agentca::cli {
namespace {

using enum Command;
using enum Arity;
using enum Group;

constexpr Commands kAll =
    kInit | kServe | kSigner | kCertList | kCertShow | kCertRevoke | kStatus | kAuditVerify;
constexpr Commands kOnlyInit = static_cast<Commands>(kInit);
// What `serve` takes, `init` takes too and writes to agentca.conf.
constexpr Commands kBoth = kInit | kServe;
constexpr Commands kConfOnly = 0;
constexpr Commands kJson = kCertList | kCertShow | kCertRevoke | kStatus | kAuditVerify;

constexpr CommandInfo kCommands[] = {
    {kInit, "init", "", "create a certificate authority in a new directory", false},
    {kServe, "serve", "", "serve ACME, OCSP and CRLs in the foreground", true},
    {kSigner, "signer", "", "hold the keys and sign; started by serve", true},
    {kCertList, "cert list", "", "list certificates, newest first", true},
    {kCertShow, "cert show", "SERIAL", "show one certificate in words and PEM", true},
    {kCertRevoke, "cert revoke", "SERIAL", "revoke one certificate", true},
    {kStatus, "status", "", "say what serves and what expires when", true},
    {kAuditVerify, "audit verify", "", "check the audit and key-usage logs", true},
};

constexpr Option kOptions[] = {
    {"help", "", "", kFlag, kGeneral, kAll, false, "Show the options of the command and exit."},
    {"dir", "DIR", "", kOne, kGeneral, kAll, false,
     "Directory of the certificate authority. Required."},
    {"log-level", "LEVEL", "info", kOne, kGeneral, kAll, true,
     "Least severe messages to log: debug, info, warning or error."},
    {"json", "", "", kFlag, kGeneral, kJson, false, "Write JSON instead of words."},
    {"name", "DNS-NAME", "", kOne, kGeneral, static_cast<Commands>(kCertList), false,
     "Only certificates with exactly this DNS name."},
    {"valid", "", "", kFlag, kGeneral, static_cast<Commands>(kCertList), false,
     "Only certificates that are neither revoked nor expired."},
    {"limit", "COUNT", "100", kOne, kGeneral, static_cast<Commands>(kCertList), false,
     "List at most this many."},
    {"reason", "REASON", "unspecified", kOne, kGeneral, static_cast<Commands>(kCertRevoke), false,
     "Reason of RFC 5280, by name: keyCompromise, affiliationChanged, superseded, "
     "cessationOfOperation or privilegeWithdrawn."},

    {"trust-domain", "NAME", "", kOne, kIdentity, kOnlyInit, true,
     "Trust domain that this authority stands for, a DNS name. Required by init."},
    {"agents-zone", "ZONE", "", kOne, kIdentity, kOnlyInit, true,
     "DNS zone under which agents are named; agents.TRUST-DOMAIN unless given."},
    {"organization", "TEXT", "", kOne, kIdentity, kOnlyInit, true,
     "Organization in the subjects of the CA certificates; the trust domain unless given."},
    {"dns-name", "NAME", "", kMany, kIdentity, kBoth, true,
     "DNS name of this server, for its own TLS certificate. May be given several times."},
    {"http-external-url", "URL", "", kOne, kIdentity, kOnlyInit, true,
     "Base of the OCSP, CRL and issuer URLs in certificates; made from the first dns-name, or "
     "127.0.0.1, and the port of http-listen unless given."},
    {"name-constraint", "SUFFIX", "", kMany, kIdentity, kOnlyInit, false,
     "Limit the issuing CA to DNS names under this suffix. May be given several times."},

    {"key-type", "TYPE", "p256", kOne, kKeys, kOnlyInit, false,
     "Type of the CA keys: p256, p384 or rsa3072."},
    {"pkcs11-module", "FILE", "", kOne, kKeys, kOnlyInit, true,
     "PKCS#11 module that holds the keys. Unless given, init creates a SoftHSM2 token."},
    {"token-label", "LABEL", "", kOne, kKeys, kOnlyInit, true,
     "Label of the token. Required with pkcs11-module."},
    {"token-serial", "SERIAL", "", kOne, kKeys, kOnlyInit, true,
     "Serial number of the token, when several carry the label."},
    {"pin-file", "FILE", "", kOne, kKeys, kOnlyInit, true,
     "File whose first line is the user PIN; readable by its owner only. Required with "
     "pkcs11-module."},
    {"softhsm2-conf", "FILE", "", kOne, kKeys, kConfOnly, true,
     "Configuration file of SoftHSM2, set as SOFTHSM2_CONF in the signer alone."},
    {"signer-key", "ROW", "", kMany, kKeys, kConfOnly, true,
     "One row of the key table: NAME PURPOSE[,PURPOSE] URI CERTIFICATE-FILE. The signer refuses "
     "what is not of a purpose of the key."},
    {"signer-socket", "FILE", "", kOne, kKeys, kBoth, true,
     "Unix socket of a signer that runs as a service of its own. Unless given, serve starts it."},
    {"signer-threads", "COUNT", "4", kOne, kKeys, kConfOnly, true,
     "Threads that sign, in the signer."},
    {"signer-deadline", "DURATION", "5s", kOne, kKeys, kBoth, true,
     "Longest wait for one signature; then the signer is killed and started again."},

    {"storage", "URI", "sqlite:db/agentca.sqlite", kOne, kStorage,
     kInit | kServe | kCertList | kCertShow | kCertRevoke | kStatus, true,
     "Database: sqlite:FILE, or memory: for trials, which forgets everything at exit."},

    {"acme-listen", "ADDR:PORT", "127.0.0.1:14000", kOne, kServing, kBoth, true,
     "Address of the ACME server (HTTPS). Port 0 picks a free one."},
    {"http-listen", "ADDR:PORT", "127.0.0.1:14080", kOne, kServing, kBoth, true,
     "Address of the plain HTTP server: OCSP, CRLs, CA certificates, health."},
    {"external-url", "URL", "", kOne, kServing, kBoth, true,
     "Base of every ACME URL as clients see it; made from the first dns-name, or localhost, and "
     "the port of acme-listen unless given."},
    {"terms-of-service", "URL", "", kOne, kServing, kBoth, true,
     "Terms that a client must agree to."},
    {"website", "URL", "", kOne, kServing, kBoth, true,
     "Web site about this authority, shown in the directory."},
    {"drain-deadline", "DURATION", "10s", kOne, kServing, kBoth, true,
     "Longest time to finish requests after SIGTERM."},

    {"profile", "NAME", "server", kOne, kIssuance, kBoth, true,
     "Profile of certificates ordered through ACME: DIR/profiles/NAME.json."},
    {"agents-profile", "NAME", "agent", kOne, kIssuance, kBoth, true,
     "Profile of agents' certificates: DIR/profiles/NAME.json, and NAME-annual-hsm.json for agents "
     "of the profile annual-hsm."},
    {"agent-arc", "OID", "1.3.6.1.4.1.32473.1", kOne, kIssuance, kBoth, true,
     "Arc of object identifiers of your own: the AgentIdentity extension is OID.1, the policy of "
     "evidence level N is OID.2.N. The default is of the arc for examples."},
    {"require-grant", "BOOL", "no", kOne, kIssuance, kBoth, true,
     "New accounts need an external account binding, which agents get for their evidence."},
    {"allow-names", "SUFFIX", "", kMany, kIssuance, kBoth, true,
     "Only certify names equal to or under this suffix. Unless given, every name that validates."},
    {"allow-ip-identifiers", "BOOL", "", kOne, kIssuance, kBoth, true,
     "Whether IP addresses may be certified: yes or no. Unless given, yes without allow-names and "
     "no with it."},
    {"max-identifiers", "COUNT", "100", kOne, kIssuance, kBoth, true, "Most names in one order."},
    {"order-lifetime", "DURATION", "1d", kOne, kIssuance, kBoth, true,
     "How long an order waits to be finalized."},
    {"authorization-lifetime", "DURATION", "1d", kOne, kIssuance, kBoth, true,
     "How long an authorization stays usable."},
    {"serial-prefix", "NUMBER", "1", kOne, kIssuance, kBoth, true,
     "First octet of serial numbers, 1 to 127: tells installations apart."},

    {"challenge", "TYPE", "", kMany, kValidation, kBoth, true,
     "Challenge to offer: http-01, dns-01 or tls-alpn-01. Unless given, all three."},
    {"dns-resolver", "ADDR:PORT", "", kOne, kValidation, kBoth, true,
     "DNS server for validation. Unless given, those of /etc/resolv.conf."},
    {"http01-port", "PORT", "80", kOne, kValidation, kBoth, true, "Port of http-01 validation."},
    {"tls-alpn01-port", "PORT", "443", kOne, kValidation, kBoth, true,
     "Port of tls-alpn-01 validation."},
    {"validation-allow", "CIDR", "", kMany, kValidation, kBoth, true,
     "Addresses that validation may reach, whatever validation-deny says."},
    {"validation-deny", "CIDR", "", kMany, kValidation, kBoth, true,
     "More addresses that validation never reaches, beside loopback, link-local, metadata, "
     "unspecified and multicast addresses."},
    {"validation-timeout", "DURATION", "10s", kOne, kValidation, kBoth, true,
     "Longest time of one try, redirects and look-ups included."},
    {"validation-attempts", "COUNT", "3", kOne, kValidation, kBoth, true,
     "Tries before a validation fails for a cause that can pass."},
    {"validation-threads", "COUNT", "64", kOne, kValidation, kBoth, true,
     "Validations at the same time; a quarter of them may be of one account."},

    {"crl-lifetime", "DURATION", "1d", kOne, kPublication, kBoth, true,
     "From thisUpdate to nextUpdate of a CRL."},
    {"crl-interval", "DURATION", "1h", kOne, kPublication, kBoth, true,
     "A new CRL is signed at least this often."},
    {"ocsp-lifetime", "DURATION", "12h", kOne, kPublication, kBoth, true,
     "From thisUpdate to nextUpdate of an OCSP response."},
    {"ocsp-cache", "COUNT", "200000", kOne, kPublication, kBoth, true,
     "OCSP responses kept in memory."},

    {"acme-threads", "COUNT", "32", kOne, kLimits, kBoth, true,
     "Threads that handle ACME requests."},
    {"http-threads", "COUNT", "8", kOne, kLimits, kBoth, true,
     "Threads that handle plain HTTP requests."},
    {"io-threads", "COUNT", "2", kOne, kLimits, kBoth, true,
     "Threads that serve the connections of the ACME server."},
    {"queue-limit", "COUNT", "4096", kOne, kLimits, kBoth, true,
     "Requests that wait for a thread; more are answered 503."},
    {"max-connections", "COUNT", "10000", kOne, kLimits, kBoth, true,
     "Open connections of each server."},
    {"max-header", "OCTETS", "16384", kOne, kLimits, kBoth, true,
     "Longest request line and header fields together."},
    {"max-body", "OCTETS", "131072", kOne, kLimits, kBoth, true, "Longest request body."},
    {"request-deadline", "DURATION", "10s", kOne, kLimits, kBoth, true,
     "Longest time to receive one request, the TLS handshake included."},
    {"idle-deadline", "DURATION", "60s", kOne, kLimits, kBoth, true,
     "Longest time that a kept-alive connection may be idle."},
    {"new-accounts-per-hour", "COUNT", "1000", kOne, kLimits, kBoth, true,
     "New accounts from one address in an hour; 0 for any number."},
    {"new-orders-per-hour", "COUNT", "100000", kOne, kLimits, kBoth, true,
     "Names in new orders of one account in an hour; 0 for any number."},
    {"evidence-per-address-per-hour", "COUNT", "20000", kOne, kLimits, kBoth, true,
     "Requests about evidence from one address in an hour, without an account; 0 for any number."},
    {"evidence-per-hour", "COUNT", "2000000", kOne, kLimits, kBoth, true,
     "Verifications of evidence that came without an account in an hour; 0 for any number."},
};

}  // namespace

std::span<const CommandInfo> CommandTable() { return kCommands; }

const CommandInfo& InfoOf(Command command) {
  const auto* found = std::find_if(std::begin(kCommands), std::end(kCommands),
                                   [&](const CommandInfo& row) { return row.command == command; });
  assert(found != std::end(kCommands));
  return *found;
}

std::string_view Heading(Group group) {
  switch (group) {
    case kGeneral:
      return "General";
    case kIdentity:
      return "Identity";
    case kKeys:
      return "Keys";
    case kStorage:
      return "Storage";
    case kServing:
      return "Serving";
    case kIssuance:
      return "Issuance";
    case kValidation:
      return "Validation";
    case kPublication:
      return "Publication";
    case kLimits:
      break;
  }
  return "Limits";
}

std::span<const Option> OptionTable() { return kOptions; }

const Option* FindOption(std::string_view name) {
  const auto* found = std::find_if(std::begin(kOptions), std::end(kOptions),
                                   [&](const Option& option) { return option.name == name; });
  return found == std::end(kOptions) ? nullptr : found;
}

}  // namespace agentca::cli
