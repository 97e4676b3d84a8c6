#!/bin/sh
# Makes certificates of agents in identity/ with the openssl command (3.0 or later), sound and not:
# what the readers of contrib/identity and `agentca cert show` are held to. The keys are thrown away.
# NAME.json beside a certificate says what must be read from it; the bad_* must be refused.
set -eu
cd "$(dirname "$0")"
out=$PWD/identity
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

arc=1.3.6.1.4.1.32473.1
spiffe=spiffe://example.test/t/acme/a/planner
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
  -days 36500 -subj '/O=Example/CN=Example Issuing CA' 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout leaf.key -out leaf.csr \
  -subj '/O=acme/OU=prod/CN=planner/serialNumber=0011223344556677' 2>/dev/null

# issue FILE SAN EXTENSIONS: EXTENSIONS are lines of a section, and more sections.
issue() {
  printf '%s\n' 'basicConstraints = critical, CA:FALSE' 'keyUsage = critical, digitalSignature' \
    'extendedKeyUsage = clientAuth, serverAuth' "subjectAltName = $2" "$3" >ext.cnf
  openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -days 36500 -extfile ext.cnf \
    -out "$out/$1.pem" 2>err.txt || { cat err.txt >&2; exit 1; }
}

names="DNS:planner.acme.agents.example.test, URI:$spiffe"

# ---- Sound ---------------------------------------------------------------------------------------
# OPTIONAL parts are all there in the first and none in the second.
full="[identity]
version = INTEGER:1
agent = UTF8:planner
tenant = UTF8:acme
sponsor = IMPLICIT:0, UTF8:Ada Lovelace
deployment = IMPLICIT:1, UTF8:prod
class = IMPLICIT:2, SEQUENCE:class
scopes = IMPLICIT:3, SEQUENCE:scopes
components = IMPLICIT:4, SEQUENCE:components
parent = IMPLICIT:5, FORMAT:ASCII, OCTETSTRING:spiffe://example.test/t/acme/a/boss
max_depth = IMPLICIT:6, INTEGER:200
attestation = IMPLICIT:7, SEQUENCE:attestation
[class]
access = ENUM:1
decision = ENUM:2
risk = ENUM:0
lifespan = ENUM:2
[scopes]
one = UTF8:tickets:read
two = FORMAT:UTF8, UTF8:größe
[components]
model = SEQUENCE:model
image = SEQUENCE:image
[model]
kind = ENUM:0
hash = OID:2.16.840.1.101.3.4.2.1
digest = FORMAT:HEX, OCTETSTRING:$(printf 'aa%.0s' $(seq 32))
basis = ENUM:0
[image]
kind = ENUM:1
hash = OID:2.16.840.1.101.3.4.2.2
digest = FORMAT:HEX, OCTETSTRING:$(printf 'bb%.0s' $(seq 48))
basis = ENUM:2
[attestation]
format = UTF8:tpm
level = INTEGER:4
verified = GENTIME:20270115080000Z
bound = BOOLEAN:TRUE
evidence = FORMAT:HEX, OCTETSTRING:$(printf '11%.0s' $(seq 32))"
issue agent "$names" "certificatePolicies = $arc.2.4
$arc.1 = ASN1:SEQUENCE:identity
$full"
cat >"$out/agent.json" <<'JSON'
{"agent":"planner","tenant":"acme","sponsor":"Ada Lovelace","deployment":"prod",
 "class":{"access":"medium","decision":"high","risk":"low","lifespan":"persistent"},
 "scopes":["tickets:read","größe"],
 "components":[
  {"kind":"model","hash_algorithm":"sha256",
   "digest":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","basis":"declared"},
  {"kind":"image","hash_algorithm":"sha384",
   "digest":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","basis":"attested"}],
 "parent":"spiffe://example.test/t/acme/a/boss","max_depth":200,
 "attestation":{"format":"tpm","level":4,"verified_at":"2027-01-15T08:00:00Z","key_bound":true,
  "evidence_hash":"1111111111111111111111111111111111111111111111111111111111111111"}}
JSON

minimal="[identity]
version = INTEGER:1
agent = UTF8:planner
tenant = UTF8:acme
class = IMPLICIT:2, SEQUENCE:class
attestation = IMPLICIT:7, SEQUENCE:attestation
[class]
access = ENUM:0
decision = ENUM:0
risk = ENUM:0
lifespan = ENUM:0
[attestation]
format = UTF8:jwt
level = INTEGER:2
verified = GENTIME:20270115080000Z
bound = BOOLEAN:FALSE
evidence = FORMAT:HEX, OCTETSTRING:$(printf '11%.0s' $(seq 32))"
issue minimal "$names" "certificatePolicies = $arc.2.2
$arc.1 = ASN1:SEQUENCE:identity
$minimal"
cat >"$out/minimal.json" <<'JSON'
{"agent":"planner","tenant":"acme",
 "class":{"access":"low","decision":"low","risk":"low","lifespan":"ephemeral"},
 "attestation":{"format":"jwt","level":2,"verified_at":"2027-01-15T08:00:00Z","key_bound":false,
  "evidence_hash":"1111111111111111111111111111111111111111111111111111111111111111"}}
JSON

# ---- No agent ------------------------------------------------------------------------------------
issue server 'DNS:www.example.test' ''

# ---- To be refused -------------------------------------------------------------------------------
# changed FILE FROM TO: the minimal identity with one line exchanged.
changed() {
  text=$(printf '%s\n' "$minimal" | sed "s/^$2\$/$3/")
  [ "$text" != "$minimal" ] || { echo "$1: nothing to change" >&2; exit 1; }
  issue "$1" "$names" "$arc.1 = ASN1:SEQUENCE:identity
$text"
}
# raw FILE HEX: these octets as the extension's value.
raw() { issue "$1" "$names" "$arc.1 = DER:$2"; }

printf '%s\n' 'asn1 = SEQUENCE:identity' "$minimal" >minimal.cnf
openssl asn1parse -genconf minimal.cnf -noout -out minimal.der
hex=$(od -An -v -tx1 minimal.der | tr -d ' \n')

changed bad_version 'version = .*' 'version = INTEGER:2'
changed bad_negative_version 'version = .*' 'version = INTEGER:-1'
changed bad_enumeration 'lifespan = .*' 'lifespan = ENUM:3'
changed bad_level 'level = .*' 'level = INTEGER:5'
changed bad_time 'verified = .*' 'verified = UTCTIME:270115080000Z'
changed bad_hash 'evidence = .*' 'evidence = FORMAT:HEX, OCTETSTRING:11'
changed bad_string_type 'agent = .*' 'agent = PRINTABLE:planner'
changed bad_no_tenant 'tenant = .*' ''
changed bad_order 'class = .*' 'later = IMPLICIT:1, UTF8:b\
sooner = IMPLICIT:0, UTF8:a\
class = IMPLICIT:2, SEQUENCE:class'
changed bad_unknown_member 'attestation = .*' 'attestation = IMPLICIT:7, SEQUENCE:attestation\
more = IMPLICIT:8, UTF8:x'
changed bad_empty_sponsor 'class = .*' 'sponsor = IMPLICIT:0, UTF8:\
class = IMPLICIT:2, SEQUENCE:class'
changed bad_utf8 'agent = .*' 'agent = IMPLICIT:12U, FORMAT:HEX, OCTETSTRING:ff'
raw bad_trailing "${hex}00"
raw bad_truncated "${hex%??}"
raw bad_long_length "3081${hex#30}"
raw bad_indefinite_length "3080${hex#????}0000"
raw bad_boolean "$(printf %s "$hex" | sed 's/010100/010101/')"
raw bad_empty 0500
raw bad_deep "$(printf '3080%.0s' $(seq 500))"
issue bad_critical "$names" "$arc.1 = critical, DER:$hex"
# openssl writes no extension twice: a second one is renamed afterwards, and the signature is void.
issue bad_twice "$names" "$arc.1 = DER:$hex
$arc.3 = DER:$hex"
openssl x509 -in "$out/bad_twice.pem" -outform DER | od -An -v -to1 | tr -d '\n' |
  sed 's/ 201 375 131 001 003/ 201 375 131 001 001/; s/ /\\0/g' >twice.octal
{
  echo '-----BEGIN CERTIFICATE-----'
  printf '%b' "$(cat twice.octal)" | openssl base64
  echo '-----END CERTIFICATE-----'
} >"$out/bad_twice.pem"
issue two_uris "$names, URI:spiffe://example.test/t/acme/a/other" "$arc.1 = DER:$hex"
