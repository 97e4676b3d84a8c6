#include "acme/cli/options.h"

namespace agentca::cli {
namespace {

using enum Command;
using enum Arity;
using enum Group;

constexpr Commands kAgentOne = kAgentSuspend | kAgentResume | kAgentRetire | kAgentRevoke;
constexpr Commands kAgentEnd = kAgentSuspend | kAgentRetire | kAgentRevoke;
constexpr Commands kDecide = kApprovalGrant | kApprovalDeny;
constexpr Commands kRules = kRuleAdd | kRuleList | kRuleRemove;
constexpr Commands kSources = kEvidenceAdd | kEvidenceList | kEvidenceRemove;
// Clients of the admin API.
constexpr Commands kClients = kAgentAdd | kAgentList | kAgentShow | kAgentChange | kAgentOne |
                              kRules | kSources | kApprovalList | kDecide | kAdminAdd;
constexpr Commands kRegister = kAgentAdd | kAgentChange;
constexpr Commands kDescribe = kRegister | kRuleAdd;
// The store as a whole.
constexpr Commands kDb =
    kDbMigrate | kDbCheck | kDbPrune | kDbExport | kDbImport | kDbReconcile;
constexpr Commands kWithDirectory = kInit | kJoin | kServe | kSigner | kCertList | kCertShow |
                                    kCertRevoke | kStatus | kAuditVerify | kClients | kDb;
constexpr Commands kAll = kWithDirectory | kAttest;
constexpr Commands kOnlyAttest = static_cast<Commands>(kAttest);
constexpr Commands kOnlyInit = static_cast<Commands>(kInit);
// What `serve` takes, `init` takes too and writes to agentca.conf.
constexpr Commands kBoth = kInit | kServe;
constexpr Commands kOwnOfNode = kBoth | kJoin;  // what each node has of its own
constexpr Commands kConfOnly = 0;
constexpr Commands kJson =
    kCertList | kCertShow | kCertRevoke | kStatus | kAuditVerify | kClients | kAttest | kDb;
constexpr Commands kPruning = kBoth | kDbPrune;

constexpr Option kOptions[] = {
    {"help", "", "", kFlag, kGeneral, kAll, false, "Show the options of the command and exit."},
    {"dir", "DIR", "", kOne, kGeneral, kWithDirectory, false,
     "Directory of the certificate authority. Required, except with admin-url."},
    {"log-level", "LEVEL", "info", kOne, kGeneral, kWithDirectory, true,
     "Least severe messages to log: debug, info, warning or error."},
    {"role", "ROLE", "", kOne, kGeneral, kOwnOfNode | kSigner | kAdminAdd, true,
     "Of a server, what it does: acme, ocsp and admin, or some of them with commas between; all "
     "unless given. Of an administrator: auditor looks, operator also handles agents and approvals, "
     "admin also rules, sources of evidence and administrators; required."},
    {"from", "DIR", "", kOne, kGeneral, static_cast<Commands>(kJoin), false,
     "Directory of another node of the authority. Required."},
    {"json", "", "", kFlag, kGeneral, kJson, false, "Write JSON instead of words."},
    {"name", "DNS-NAME", "", kOne, kGeneral, static_cast<Commands>(kCertList), false,
     "Only certificates with exactly this DNS name."},
    {"valid", "", "", kFlag, kGeneral, static_cast<Commands>(kCertList), false,
     "Only certificates that are neither revoked nor expired."},
    {"limit", "COUNT", "100", kOne, kGeneral, kCertList | kAgentList | kApprovalList, false,
     "List at most this many."},
    {"reason", "REASON", "unspecified", kOne, kGeneral, kCertRevoke | kAgentOne | kDecide, false,
     "Why. Of a certificate, a reason of RFC 5280 by name: keyCompromise, affiliationChanged, "
     "superseded, cessationOfOperation or privilegeWithdrawn; of an agent or an order, in words."},

    {"trust-domain", "NAME", "", kOne, kIdentity, kOnlyInit, true,
     "Trust domain that this authority stands for, a DNS name. Required by init."},
    {"agents-zone", "ZONE", "", kOne, kIdentity, kOnlyInit, true,
     "DNS zone under which agents are named; agents.TRUST-DOMAIN unless given."},
    {"organization", "TEXT", "", kOne, kIdentity, kOnlyInit, true,
     "Organization in the subjects of the CA certificates; the trust domain unless given."},
    {"dns-name", "NAME", "", kMany, kIdentity, kOwnOfNode, true,
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
    {"signer-socket", "FILE", "", kOne, kKeys, kOwnOfNode, true,
     "Unix socket of a signer that runs as a service of its own. Unless given, serve starts it."},
    {"signer-threads", "COUNT", "4", kOne, kKeys, kConfOnly, true,
     "Threads that sign, in the signer."},
    {"signer-deadline", "DURATION", "5s", kOne, kKeys, kBoth, true,
     "Longest wait for one signature; then the signer is killed and started again."},

    {"storage", "URI", "sqlite:db/agentca.sqlite", kOne, kStorage,
     kInit | kServe | kCertList | kCertShow | kCertRevoke | kStatus | kDb, true,
     "Database: sqlite:FILE; postgresql://USER@HOST/DATABASE, for several nodes; or memory: for "
     "trials, which forgets everything at exit."},
    {"storage-connections", "COUNT", "24", kOne, kStorage, kBoth, true,
     "Most connections of this node to PostgreSQL, 4 to 1000. Those of all nodes, and some for the "
     "command line, must fit into its max_connections."},
    {"retention-orders", "DURATION", "30d", kOne, kStorage, kPruning, true,
     "How long orders, their authorizations and approvals are kept after they expired; 0s for "
     "ever."},
    {"retention-grants", "DURATION", "30d", kOne, kStorage, kPruning, true,
     "How long grants are kept after they expired, unless an account lives that was made with one; "
     "0s for ever."},
    {"retention-certificates", "DURATION", "90d", kOne, kStorage, kPruning, true,
     "How long certificates are kept after they expired; 0s for ever. Never for less time than "
     "revocation lists name them, or than their order is kept."},
    {"retention-attestations", "DURATION", "400d", kOne, kStorage, kPruning, true,
     "How long it is remembered which evidence was used, and what it proved; 0s for ever. Evidence "
     "that is valid for longer could be used again."},
    {"dry-run", "", "", kFlag, kStorage, kDbMigrate | kDbPrune | kDbReconcile, false,
     "Say what would be done, and change nothing."},
    {"in", "FILE", "", kOne, kStorage, static_cast<Commands>(kDbImport), false,
     "What db export wrote. Required."},
    {"usage-log", "FILE", "", kMany, kStorage, static_cast<Commands>(kDbReconcile), false,
     "Key-usage log of another node. May be given several times."},
    {"audit-log", "FILE", "", kMany, kStorage, static_cast<Commands>(kDbReconcile), false,
     "Audit log of another node. May be given several times."},
    {"crl", "FILE", "", kMany, kStorage, static_cast<Commands>(kDbReconcile), false,
     "Revocation list, in DER, that any node published. May be given several times."},

    {"acme-listen", "ADDR:PORT", "127.0.0.1:14000", kOne, kServing, kOwnOfNode, true,
     "Address of the ACME server (HTTPS). Port 0 picks a free one."},
    {"http-listen", "ADDR:PORT", "127.0.0.1:14080", kOne, kServing, kOwnOfNode, true,
     "Address of the plain HTTP server: OCSP, CRLs, CA certificates, health."},
    {"admin-listen", "ADDR:PORT", "127.0.0.1:14443", kOne, kServing, kOwnOfNode, true,
     "Address of the admin API (HTTPS with client certificates), or none."},
    {"proxy-protocol-from", "CIDR", "", kMany, kServing, kBoth, true,
     "Load balancers: their connections must begin with a PROXY header, version 1 or 2, which says "
     "who the client is. CIDR ROLE[,ROLE], as one argument, is for the listeners of these roles "
     "alone."},
    {"external-url", "URL", "", kOne, kServing, kBoth, true,
     "Base of every ACME URL as clients see it; made from the first dns-name, or localhost, and "
     "the port of acme-listen unless given."},
    {"terms-of-service", "URL", "", kOne, kServing, kBoth, true,
     "Terms that a client must agree to."},
    {"website", "URL", "", kOne, kServing, kBoth, true,
     "Web site about this authority, shown in the directory."},
    {"drain-delay", "DURATION", "0s", kOne, kServing, kBoth, true,
     "Time between SIGTERM, when readyz begins to fail, and the end of accepting connections: what a "
     "load balancer needs to notice."},
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

    {"config", "FILE", "", kOne, kEvidence, kOnlyAttest, false,
     "File with KEY = VALUE lines, the keys being options of this command: what a hook cannot be "
     "given as an argument. The command line comes first."},
    {"server", "URL", "", kOne, kEvidence, kOnlyAttest, false,
     "ACME server of the CA, as its clients know it: https://ca.example.com:14000/directory. "
     "Required."},
    {"agent", "DNS-NAME", "", kOne, kEvidence, kOnlyAttest, false,
     "Agent to prove, when no ACME client says it."},
    {"txt", "VALUE", "", kOne, kEvidence, kOnlyAttest, false,
     "TXT value of the dns-01 challenge to answer, with --agent."},
    {"grant", "", "", kFlag, kEvidence, kOnlyAttest, false,
     "Prove the agent before it has an account; print a key id and an HMAC key for External "
     "Account Binding, good for one account."},
    {"print", "", "", kFlag, kEvidence, kOnlyAttest, false,
     "Print the response to the challenge, made for --audience and --txt, instead of bringing it to "
     "the CA: for plugins that post it themselves."},
    {"audience", "URL", "", kOne, kEvidence, kOnlyAttest, false,
     "URL of the challenge, for print."},
    {"token-file", "FILE", "", kOne, kEvidence, kOnlyAttest, false,
     "The evidence is the token in this file, read anew each time."},
    {"token-command", "WORD", "", kMany, kEvidence, kOnlyAttest, false,
     "The evidence is the token that this program prints; it finds the audience that the token "
     "must have in AGENTCA_AUDIENCE."},
    {"evidence-format", "NAME", "jwt", kOne, kEvidence, kOnlyAttest, false,
     "Format of the token of token-file or token-command: jwt, jwt-svid or eat."},
    {"from-kubernetes", "", "", kFlag, kEvidence, kOnlyAttest, false,
     "The evidence is a token that the Kubernetes API makes for the pod's service account."},
    {"service-account-dir", "DIR", "/var/run/secrets/kubernetes.io/serviceaccount", kOne, kEvidence,
     kOnlyAttest, false, "Where the pod's service account is mounted."},
    {"from-github", "", "", kFlag, kEvidence, kOnlyAttest, false,
     "The evidence is the OIDC token of a GitHub Actions job."},
    {"from-gcp", "", "", kFlag, kEvidence, kOnlyAttest, false,
     "The evidence is the identity token of a Google Cloud instance."},
    {"gcp-metadata", "URL", "http://metadata.google.internal", kOne, kEvidence, kOnlyAttest, false,
     "Metadata server for from-gcp."},
    {"from-spiffe", "", "", kFlag, kEvidence, kOnlyAttest, false,
     "The evidence is a JWT-SVID of the SPIFFE Workload API."},
    {"spiffe-command", "WORD", "", kMany, kEvidence, kOnlyAttest, false,
     "Program that fetches the JWT-SVID; it gets -audience AUDIENCE -output json. Unless given, "
     "spire-agent api fetch jwt."},
    {"statement", "FILE", "", kOne, kEvidence, kOnlyAttest, false,
     "The evidence is a statement: the claims in this JSON file, with a nonce, signed by "
     "attester-key."},
    {"attester-chain", "FILE", "", kOne, kEvidence, kOnlyAttest, false,
     "The evidence is a signature by attester-key, whose certificate is the first in this PEM "
     "file; the others lead to a root that the CA trusts."},
    {"attester-key", "FILE", "", kOne, kEvidence, kOnlyAttest, false,
     "Private key in PEM, for statement and attester-chain."},
    {"attester-key-id", "TEXT", "", kOne, kEvidence, kOnlyAttest, false,
     "Key id (kid) of attester-key in the CA's list of keys."},
    {"tpm-ak", "OBJECT", "", kOne, kEvidence, kOnlyAttest, false,
     "The evidence is a quote of a TPM 2.0, by tpm2-tools: its attestation key, a handle or a "
     "context file. TPM2TOOLS_TCTI says how the TPM is reached."},
    {"tpm-pcrs", "BANK:PCRS", "sha256:0,1,2,3,4,5,6,7", kOne, kEvidence, kOnlyAttest, false,
     "PCRs to quote, ascending."},
    {"tpm-chain", "FILE", "", kOne, kEvidence, kOnlyAttest, false,
     "Certificates of the attestation key, in PEM, leaf first. Without it the CA knows the key."},
    {"tpm-key", "OBJECT", "", kOne, kEvidence, kOnlyAttest, false,
     "The certificate's key in the TPM: it is certified by the attestation key, which makes the "
     "evidence of level 4."},
    {"certificate-key", "FILE", "", kOne, kEvidence, kOnlyAttest, false,
     "Private key in PEM that the certificate will be for: the evidence is bound to it. Classes "
     "that demand level 3 or 4 need it."},
    {"deadline", "DURATION", "60s", kOne, kEvidence, kOnlyAttest, false,
     "Longest time of the whole run."},

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

    {"sponsor", "TEXT", "", kOne, kAgents, kDescribe, false,
     "Who answers for the agent: a human or a team. Required when it is added."},
    {"purpose", "TEXT", "", kOne, kAgents, kDescribe, false, "What the agent is for."},
    {"deployment", "TEXT", "", kOne, kAgents, kDescribe, false, "Where the agent runs."},
    {"access", "DEGREE", "", kOne, kAgents, kDescribe, false,
     "How much the agent can reach: low, medium or high; low unless given."},
    {"decision", "DEGREE", "", kOne, kAgents, kDescribe, false,
     "How far the agent decides by itself, likewise."},
    {"risk", "DEGREE", "", kOne, kAgents, kDescribe, false,
     "How bad its mistakes can be, likewise."},
    {"lifespan", "LIFESPAN", "", kOne, kAgents, kDescribe, false,
     "How long one instance lives: ephemeral, session or persistent; ephemeral unless given."},
    {"scope", "SCOPE", "", kMany, kAgents, kDescribe, false,
     "What the agent may do, for those who read its certificate. May be given several times."},
    {"evidence", "RULE", "", kMany, kAgents, kRegister, false,
     "One way to prove the agent, as one argument: SOURCE CLAIM=PATTERN ... with all claims to "
     "hold. A pattern is a value, or the start of one and a final *. May be given several times; "
     "any one suffices."},
    {"component", "DIGEST", "", kMany, kAgents, kRegister, false,
     "What the agent is made of, declared: KIND=sha256:HEX, where KIND is model, image, config, "
     "prompt or tools. May be given several times."},
    {"parent", "SPIFFE-ID", "", kOne, kAgents, kRegister, false,
     "Agent that delegates to this one."},
    {"max-depth", "COUNT", "", kOne, kAgents, kRegister, false, "How many delegations may follow."},
    {"agent-profile", "NAME", "", kOne, kAgents, kRegister, false,
     "Row of the policy beside the classes: annual-hsm."},
    {"file", "FILE", "", kOne, kAgents, kDescribe | kEvidenceAdd, false,
     "JSON to start from, as the admin API takes it; - is standard input. Options change it."},
    {"tenant", "TENANT", "", kOne, kAgents, kAgentList | kEvidenceAdd, false,
     "Only agents of this tenant; of a source of evidence, the tenant that it may speak for."},
    {"status", "STATUS", "", kOne, kAgents, static_cast<Commands>(kAgentList), false,
     "Only agents that are active, suspended or retired."},
    {"keep-certificates", "", "", kFlag, kAgents, kAgentSuspend | kAgentRetire, false,
     "Leave live certificates as they are; they are revoked otherwise."},
    {"revocation-reason", "REASON", "", kOne, kAgents, kAgentEnd, false,
     "Reason of RFC 5280 in revocation lists. Unless given, privilegeWithdrawn for suspend, "
     "cessationOfOperation for retire, none for revoke."},
    {"source", "NAME", "", kOne, kAgents, static_cast<Commands>(kRuleAdd), false,
     "Source whose evidence admits agents. Required."},
    {"claim", "CLAIM=PATTERN", "", kMany, kAgents, kRuleAdd | kEvidenceAdd, false,
     "Claim that all evidence must hold: PCR values, issuers, audiences. A final * stands for any "
     "rest. May be given several times."},
    {"tenant-template", "TEXT", "", kOne, kAgents, static_cast<Commands>(kRuleAdd), false,
     "Tenant of an admitted agent; {CLAIM} stands for the value of a claim. Required."},
    {"agent-template", "TEXT", "", kOne, kAgents, static_cast<Commands>(kRuleAdd), false,
     "Name of an admitted agent, likewise. Required."},
    {"format", "FORMAT", "", kOne, kAgents, static_cast<Commands>(kEvidenceAdd), false,
     "Format of the evidence: jwt, jwt-svid, x5c, statement, eat or tpm. Required."},
    {"issuer", "TEXT", "", kOne, kAgents, static_cast<Commands>(kEvidenceAdd), false,
     "Issuer as tokens name it; of jwt-svid the SPIFFE trust domain."},
    {"jwks", "FILE|URL", "", kOne, kAgents, static_cast<Commands>(kEvidenceAdd), false,
     "Keys of the issuer, a JWK Set: a file, whose content is kept, or an https URL."},
    {"jwks-ca", "FILE", "", kOne, kAgents, static_cast<Commands>(kEvidenceAdd), false,
     "CA certificates, in PEM, that the server of the URL must chain to."},
    {"roots", "FILE", "", kOne, kAgents, static_cast<Commands>(kEvidenceAdd), false,
     "Trust anchors, in PEM, for evidence that carries a certificate chain."},
    {"fixed-audience", "TEXT", "", kOne, kAgents, static_cast<Commands>(kEvidenceAdd), false,
     "Audience of tokens that cannot be asked for: bearer evidence, level 1."},
    {"max-level", "LEVEL", "", kOne, kAgents, static_cast<Commands>(kEvidenceAdd), false,
     "Evidence from here counts for no more than this, 1 to 4; 4 unless given."},
    {"all", "", "", kFlag, kAgents, static_cast<Commands>(kApprovalList), false,
     "Decided orders as well."},
    {"csr", "FILE", "", kOne, kAgents, static_cast<Commands>(kAdminAdd), false,
     "Certificate request, in PEM. Unless given, a key is made: NAME.key."},
    {"out", "PATH", "", kOne, kAgents, kAdminAdd | kDbExport, false,
     "Of admin add, the directory for NAME.pem and NAME.key; the working directory unless given. Of "
     "db export, the file to write, which must not be there yet; required."},

    {"admin-url", "URL", "", kOne, kClient, kClients, false,
     "Base of the admin API, https://ca.example.com:14443. Unless given, that of the server that "
     "runs on DIR."},
    {"admin-cert", "FILE", "", kOne, kClient, kClients, false,
     "Certificate of the administrator, in PEM; DIR/admin/admin.pem unless given."},
    {"admin-key", "FILE", "", kOne, kClient, kClients, false,
     "Its private key; DIR/admin/admin.key unless given."},
    {"ca-file", "FILE", "", kOne, kClient, kClients | kAttest, false,
     "Root certificate of the CA, in PEM. Unless given, DIR/ca/root.pem; for attest, those of the "
     "system."},
};

}  // namespace

std::span<const Option> OptionTable() { return kOptions; }

}  // namespace agentca::cli
