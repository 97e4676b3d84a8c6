#!/bin/bash
# Makes tpm/: what a TPM (swtpm) signed, by tpm2-tools 5.4 and, where extraData of a certification is
# to be chosen, by tpm2-pytss. Run it by hand; its output is checked in.
# Needs swtpm, tpm2-tools, openssl, and a PYTHON that has tpm2-pytss (PyPI).
set -euo pipefail
out=$(cd "$(dirname "$0")" && pwd)/tpm
python=${PYTHON:-python3}
work=$(mktemp -d)
state=$work/state
mkdir -p "$state" "$out"
swtpm socket --tpm2 --tpmstate "dir=$state" --flags not-need-init,startup-clear \
  --server "type=unixio,path=$work/tpm" --ctrl "type=unixio,path=$work/tpm.ctrl" 2>/dev/null &
swtpm_pid=$!
trap 'kill "$swtpm_pid" 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do [ -S "$work/tpm" ] && break; sleep 0.05; done
export TPM2TOOLS_TCTI="swtpm:path=$work/tpm" TSS2_LOG=all+ERROR
cd "$work"

tpm() {  # swtpm has no resource manager: what a tool leaves loaded goes
  local tool=$1
  shift
  "tpm2_$tool" "$@" >/dev/null
  tpm2_flushcontext -t
}

# The challenge: N, the certificate's key and SHA-256(N ‖ K).
printf 'agentca tpm fixtures' | openssl dgst -sha256 -binary >nonce
tpm createprimary -C o -G ecc -c srk.ctx
resident='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
new_key() {  # NAME ALGORITHM ATTRIBUTES
  tpm create -C srk.ctx -G "$2" -u "$1.pub" -r "$1.priv" -a "$3"
  tpm load -C srk.ctx -u "$1.pub" -r "$1.priv" -c "$1.ctx"
  tpm readpublic -c "$1.ctx" -f der -o "$1.spki"
}
new_key key ecc "$resident"
new_key rsakey rsa2048 "$resident"
new_key otherkey ecc "$resident"
openssl ecparam -genkey -name prime256v1 -noout -out imported.pem
tpm import -C srk.ctx -G ecc -i imported.pem -u imported.pub -r imported.priv
tpm load -C srk.ctx -u imported.pub -r imported.priv -c imported.ctx
tpm readpublic -c imported.ctx -f der -o imported.spki

bound() {  # KEY: SHA-256(N ‖ K)
  { cat nonce; openssl dgst -sha256 -binary "$1.spki"; } | openssl dgst -sha256 -binary
}
hex() { xxd -p -c 256; }

# Attestation keys, and one that is not restricted.
tpm createek -c ek.ctx -G ecc -u ek.pub
new_ak() {  # NAME ALGORITHM SCHEME
  tpm createak -C ek.ctx -c "$1.ctx" -G "$2" -g sha256 -s "$3" -u "$1.pub"
  tpm readpublic -c "$1.ctx" -f pem -o "$1.pem"
}
new_ak ak ecc ecdsa
new_ak rsaak rsa rsassa
new_key unrestricted ecc "$resident"
tpm readpublic -c unrestricted.ctx -f pem -o unrestricted.pem

pcrs=sha256:0,7,16
tpm pcrextend 16:sha256="$(printf model | openssl dgst -sha256 -r | cut -d' ' -f1)"
quote() {  # NAME AK EXTRADATA-FILE [SELECTION]
  tpm quote -c "$2.ctx" -l "${4:-$pcrs}" -q "$(hex <"$3")" -m "$1.attest" -s "$1.sig"
}
bound key >bound.digest
bound rsakey >rsabound.digest
bound imported >importedbound.digest
printf 'agentca tpm fixtures, another challenge' | openssl dgst -sha256 -binary >other
quote quote ak nonce
quote quote_bound ak bound.digest
quote quote_importedbound ak importedbound.digest
quote quote_stale ak other
quote quote_rsa rsaak rsabound.digest
quote quote_unrestricted unrestricted nonce
quote quote_sha1 ak nonce sha1:0
quote quote_two_banks ak nonce sha256:0,7+sha384:1
tpm2_pcrread -Q -o values sha256:0,7,16
for i in 0 1 2; do
  tail -c "+$((32 * i + 1))" values | head -c 32 >"pcr_sha256_$((i == 0 ? 0 : i == 1 ? 7 : 16))"
done
tpm2_pcrread -Q -o pcr_sha384_1 sha384:1

# Stock certification (its extraData is 00ff55aa), and one with extraData of our own.
certify() {  # NAME KEY AK
  tpm certify -c "$2.ctx" -C "$3.ctx" -g sha256 -o "$1.attest" -s "$1.sig"
}
certify certify_stock key ak
certify certify_otherkey otherkey ak
certify certify_imported imported ak
handle=0
for name in key rsakey ak rsaak; do
  handle=$((handle + 1))
  tpm evictcontrol -C o -c "$name.ctx" "0x8100000$handle"
  printf '0x8100000%s' "$handle" >"$name.handle"
done
certify_with() {  # NAME KEY AK EXTRADATA-FILE
  "$python" - "$TPM2TOOLS_TCTI" "$(cat "$2.handle")" "$(cat "$3.handle")" "$4" "$1" <<'EOF'
import sys
from tpm2_pytss import ESAPI, TCTILdr, TPM2_ALG, TPM2B_DATA, TPMT_SIG_SCHEME
tcti, key, ak, extra, name = sys.argv[1:]
with ESAPI(TCTILdr(*tcti.split(":", 1))) as esapi:
    attest, signature = esapi.certify(
        esapi.tr_from_tpmpublic(int(key, 16)), esapi.tr_from_tpmpublic(int(ak, 16)),
        TPM2B_DATA(open(extra, "rb").read()), TPMT_SIG_SCHEME(scheme=TPM2_ALG.NULL))
    open(name + ".attest", "wb").write(bytes(attest))
    open(name + ".sig", "wb").write(signature.marshal())
EOF
  tpm2_flushcontext -t
}
certify_with certify_nonce key ak nonce
certify_with certify_bound key ak bound.digest
certify_with certify_stale key ak other
certify_with certify_rsa rsakey rsaak rsabound.digest

# Certificates of the attestation keys, by openssl: subject empty, SAN critical.
new_root() {  # NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -days 36500 \
    -subj "/O=$1" -addext keyUsage=critical,keyCertSign -out "$1.pem" 2>/dev/null
  openssl x509 -in "$1.pem" -outform der -out "$1.der"
}
new_root root
new_root otherroot
openssl req -new -key root.key -subj / -out empty.csr 2>/dev/null
new_certificate() {  # NAME PUBLIC-KEY ROOT EXTENDED-KEY-USAGE
  cat >"$1.ext" <<EOF
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=$4
subjectAltName=critical,dirName:tpm
[tpm]
1.2.23.133.2.1=id:00001014
2.2.23.133.2.2=swtpm
3.2.23.133.2.3=id:20191023
EOF
  openssl x509 -req -in empty.csr -force_pubkey "$2.pem" -CA "$3.pem" -CAkey "$3.key" -days 36000 \
    -extfile "$1.ext" -outform der -out "$1.der" 2>/dev/null
}
new_certificate ak ak root 2.23.133.8.3
new_certificate ak_critical_eku ak root critical,2.23.133.8.3
new_certificate ak_otherroot ak otherroot 2.23.133.8.3
new_certificate ak_no_aik ak root clientAuth
new_certificate rsaak rsaak root 2.23.133.8.3
new_certificate unrestricted unrestricted root 2.23.133.8.3

rm -f "$out"/*
cp ak.pub rsaak.pub unrestricted.pub key.pub rsakey.pub imported.pub otherkey.pub ./*.spki ./*.attest \
  ./*.sig ./*.der pcr_* nonce "$out"
chmod 644 "$out"/*
