#!/bin/sh
# Makes the certificate chains and signatures in chains/ with the openssl command (3.0 or later). The
# keys are thrown away: run it again and everything differs but what the tests look at.
set -eu
cd "$(dirname "$0")"
out=$PWD/chains
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

key() { # NAME genpkey-arguments…
  name=$1
  shift
  openssl genpkey -out "$name.key" "$@" 2>/dev/null
}
p256='-algorithm EC -pkeyopt ec_paramgen_curve:P-256'

# certificate NAME ISSUER SUBJECT DAYS EXTENSIONS [x509-arguments…]; its own issuer: a root
certificate() {
  name=$1 issuer=$2 subject=$3 days=$4
  printf '%s\n' "$5" >ext.cnf
  shift 5
  openssl req -new -config /dev/null -key "$name.key" -subj "$subject" -out req.pem
  if [ "$name" = "$issuer" ]; then
    openssl x509 -req -in req.pem -signkey "$name.key" -days "$days" -extfile ext.cnf -out "$name.pem" "$@"
  else
    openssl x509 -req -in req.pem -CA "$issuer.pem" -CAkey "$issuer.key" -CAcreateserial \
      -days "$days" -extfile ext.cnf -out "$name.pem" "$@"
  fi 2>/dev/null
  openssl x509 -in "$name.pem" -outform DER -out "$out/$name.der"
}
ca='basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign'
leaf='basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
subjectAltName = DNS:helper.prod.example.test, URI:spiffe://example.test/t/prod/a/helper, email:o@example.test'
client="$leaf
extendedKeyUsage = clientAuth, serverAuth"
agent='/O=prod/OU=cluster-1/CN=helper/serialNumber=0042'

# ---- CAs -----------------------------------------------------------------------------------------
# shellcheck disable=SC2086
for name in root issuing stranger limited; do key $name $p256; done
certificate root root '/CN=Root' 36500 "$ca"
certificate issuing root '/O=Example/CN=Issuing' 36500 "$ca"
certificate stranger stranger '/CN=Root' 36500 "$ca"
certificate limited root '/CN=Limited' 36500 "$ca
nameConstraints = critical, permitted;DNS:dev.example.test"
cat root.pem >"$out/roots.pem"
cat issuing.pem >"$out/issuing.pem"

# ---- Leaves --------------------------------------------------------------------------------------
key p256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256
key p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
key ed25519 -algorithm ED25519
key rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
for name in p256 p384 ed25519 rsa; do certificate $name issuing "$agent" 36000 "$client"; done
# shellcheck disable=SC2086
for name in server no_san short foreign bounded sha1 leaf_issued multi; do key $name $p256; done
certificate server issuing "$agent" 36000 "$leaf
extendedKeyUsage = serverAuth"
certificate no_san issuing '/CN=plain' 36000 'basicConstraints = CA:FALSE'
certificate short issuing "$agent" 30 "$client"
certificate foreign stranger "$agent" 36000 "$client"
certificate bounded limited "$agent" 36000 "$client"
certificate sha1 issuing "$agent" 36000 "$client" -sha1
certificate leaf_issued p256 "$agent" 36000 "$client"
certificate multi issuing '/O=a/O=b/CN=x' 36000 "$leaf"

# ---- Evidence ------------------------------------------------------------------------------------
# "agent-attest-01", NUL, N, K: N as in make_tokens.sh, K of the key of p256.
printf 'token.%s' 0123456789012345678901234567890123456789012 | openssl dgst -sha256 -binary >N
openssl pkey -in p256.key -pubout -outform DER -out "$out/p256.spki"
openssl dgst -sha256 -binary <"$out/p256.spki" >K
openssl pkey -in p384.key -pubout -outform DER | openssl dgst -sha256 -binary >K.other
printf 'stale' | openssl dgst -sha256 -binary >N.stale
message() { printf 'agent-attest-01\000' && cat "$@"; }
sign() { # FILE KEY message-parts…
  file=$1 signer=$2
  shift 2
  message "$@" >signed
  case $signer in
    ed25519) openssl pkeyutl -sign -rawin -inkey "$signer.key" -in signed -out "$out/$file.sig" ;;
    p384) openssl dgst -sha384 -sign "$signer.key" -out "$out/$file.sig" signed ;;
    *) openssl dgst -sha256 -sign "$signer.key" -out "$out/$file.sig" signed ;;
  esac
}
for name in p256 p384 ed25519 rsa issuing server no_san short foreign bounded sha1 leaf_issued multi; do
  sign $name $name N K
done
sign p256_unbound p256 N
sign p256_other_key p256 N K.other
sign p256_stale p256 N.stale K
cat N K >signed
openssl dgst -sha256 -sign p256.key -out "$out/p256_no_context.sig" signed

# ---- Seeds for fuzzing: the bodies of drops ------------------------------------------------------
corpus=$out/../../fuzz/corpus/evidence_statement
mkdir -p "$corpus"
b64url() { basenc --base64url --wrap=0 "$1" | tr -d '='; }
for name in p256 p384 ed25519 rsa bounded; do
  printf '{"fmt":"x5c","evidence":"%s","chain":["%s","%s"],"spki":"%s"}' "$(b64url "$out/$name.sig")" \
    "$(b64url "$out/$name.der")" "$(b64url "$out/issuing.der")" "$(b64url "$out/p256.spki")" \
    >"$corpus/$name"
done
printf '{"fmt":"x5c","evidence":"%s","chain":["%s","%s"]}' "$(b64url "$out/p256_unbound.sig")" \
  "$(b64url "$out/p256.der")" "$(b64url "$out/issuing.der")" >"$corpus/unbound"
printf '{"fmt":"jwt","evidence":"YQ","spki":"%s","pop":"%s"}' "$(b64url "$out/p256.spki")" \
  "$(b64url "$out/p256.sig")" >"$corpus/pop"
