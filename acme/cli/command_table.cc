#include "acme/cli/options.h"

namespace agentca::cli {
namespace {

using enum Command;

constexpr CommandInfo kCommands[] = {
    {kInit, "init", "", "create a certificate authority in a new directory", Reads::kDirectory},
    {kJoin, "join", "", "make the directory of a further node from that of another",
     Reads::kDirectory},
    {kServe, "serve", "", "serve ACME, OCSP and CRLs in the foreground", Reads::kConf},
    {kSigner, "signer", "", "hold the keys and sign; started by serve", Reads::kConf},
    {kCertList, "cert list", "", "list certificates, newest first", Reads::kConf},
    {kCertShow, "cert show", "SERIAL", "show one certificate in words and PEM", Reads::kConf},
    {kCertRevoke, "cert revoke", "SERIAL", "revoke one certificate", Reads::kConf},
    {kStatus, "status", "", "say what serves and what expires when", Reads::kConf},
    {kAuditVerify, "audit verify", "", "check the audit and key-usage logs", Reads::kConf},
    {kAgentAdd, "agent add", "TENANT/NAME", "register an agent", Reads::kAdminApi},
    {kAgentList, "agent list", "", "list agents by tenant and name", Reads::kAdminApi},
    {kAgentShow, "agent show", "TENANT/NAME", "show an agent, its proofs, history, certificates",
     Reads::kAdminApi},
    {kAgentChange, "agent change", "TENANT/NAME", "change what is registered of an agent",
     Reads::kAdminApi},
    {kAgentSuspend, "agent suspend", "TENANT/NAME", "stop an agent for the time being",
     Reads::kAdminApi},
    {kAgentResume, "agent resume", "TENANT/NAME", "let a suspended agent go on", Reads::kAdminApi},
    {kAgentRetire, "agent retire", "TENANT/NAME", "stop an agent for good", Reads::kAdminApi},
    {kAgentRevoke, "agent revoke", "TENANT/NAME", "revoke all certificates of an agent",
     Reads::kAdminApi},
    {kRuleAdd, "rule add", "NAME", "add or replace an admission rule", Reads::kAdminApi},
    {kRuleList, "rule list", "", "list admission rules", Reads::kAdminApi},
    {kRuleRemove, "rule remove", "NAME", "remove an admission rule", Reads::kAdminApi},
    {kEvidenceAdd, "evidence add", "NAME", "add or replace a source of evidence", Reads::kAdminApi},
    {kEvidenceList, "evidence list", "", "list sources of evidence", Reads::kAdminApi},
    {kEvidenceRemove, "evidence remove", "NAME", "remove a source of evidence", Reads::kAdminApi},
    {kApprovalList, "approval list", "", "list orders that wait for a human", Reads::kAdminApi},
    {kApprovalGrant, "approval grant", "ORDER", "let an order be issued", Reads::kAdminApi},
    {kApprovalDeny, "approval deny", "ORDER", "refuse an order", Reads::kAdminApi},
    {kAdminAdd, "admin add", "NAME", "make a certificate for an administrator", Reads::kAdminApi},
    {kDbMigrate, "db migrate", "", "bring the database to this program's schema", Reads::kConf},
    {kDbCheck, "db check", "", "look for damage in the database", Reads::kConf},
    {kDbPrune, "db prune", "", "delete what has been over for long enough", Reads::kConf},
    {kDbExport, "db export", "", "write the whole database to a file", Reads::kConf},
    {kDbImport, "db import", "", "fill an empty database from such a file", Reads::kConf},
    {kDbReconcile, "db reconcile", "", "mend a database that came back from a back-up",
     Reads::kConf},
    {kAttest, "attest", "[HOOK-ARGUMENT ...]", "prove an agent to its CA; a hook for ACME clients",
     Reads::kOwnFile},
};

}  // namespace

std::span<const CommandInfo> CommandTable() { return kCommands; }

}  // namespace agentca::cli
