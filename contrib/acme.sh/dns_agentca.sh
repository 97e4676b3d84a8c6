#!/usr/bin/env sh
# shellcheck disable=SC2034
# dnsapi file for acme.sh: `acme.sh --issue --dns dns_agentca --dnssleep 1 -d agent.tenant.zone`.
# It publishes no record: the CA itself counts the TXT value as published once evidence was verified.
# Put it into ~/.acme.sh/dnsapi/. Settings, saved by acme.sh at the first run:
#   AGENTCA_ATTEST_CONF  options of `agentca attest` (default /etc/agentca/attest.conf)
#   AGENTCA              the program (default: agentca in PATH)
dns_agentca_info='agentca, a private certificate authority for AI agents
Options:
 AGENTCA_ATTEST_CONF File with the options of agentca attest
 AGENTCA Path of the program
'

dns_agentca_add() {
  _agentca_settings || return 1
  if ! _agentca_said=$("$AGENTCA" attest --config "$AGENTCA_ATTEST_CONF" -- add "$1" "$2" 2>&1); then
    _err "$_agentca_said"
    return 1
  fi
  _info "$_agentca_said"
}

dns_agentca_rm() {
  return 0
}

_agentca_settings() {
  AGENTCA_ATTEST_CONF="${AGENTCA_ATTEST_CONF:-$(_readaccountconf_mutable AGENTCA_ATTEST_CONF)}"
  AGENTCA_ATTEST_CONF="${AGENTCA_ATTEST_CONF:-/etc/agentca/attest.conf}"
  AGENTCA="${AGENTCA:-$(_readaccountconf_mutable AGENTCA)}"
  AGENTCA="${AGENTCA:-agentca}"
  if [ ! -r "$AGENTCA_ATTEST_CONF" ]; then
    _err "cannot read $AGENTCA_ATTEST_CONF: set AGENTCA_ATTEST_CONF"
    return 1
  fi
  _saveaccountconf_mutable AGENTCA_ATTEST_CONF "$AGENTCA_ATTEST_CONF"
  _saveaccountconf_mutable AGENTCA "$AGENTCA"
}
