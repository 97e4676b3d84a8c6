#!/bin/sh
# Makes the certificate signing requests in csr/ with the openssl command (3.0 or later). The keys
# are thrown away: run it again and everything differs but what the tests look at.
set -eu
cd "$(dirname "$0")"
out=$PWD/csr
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

key() { # NAME genpkey-arguments…
  name=$1
  shift
  openssl genpkey -quiet -out "$name.key" "$@" 2>/dev/null || openssl genpkey -out "$name.key" "$@"
}

# request FILE KEY SUBJECT EXTENSIONS [req-arguments…]: EXTENSIONS is the body of a section, or "".
request() {
  file=$1 key=$2 subject=$3 extensions=$4
  shift 4
  {
    printf '[req]\ndistinguished_name = dn\nprompt = no\n'
    printf 'attributes = attributes\n'
    [ -z "$extensions" ] || printf 'req_extensions = ext\n'
    printf '[dn]\n[attributes]\n%s\n[ext]\n%s\n' "${attributes:-}" "$extensions"
  } >req.cnf
  openssl req -new -config req.cnf -key "$key.key" -subj "$subject" -outform DER \
    -out "$out/$file.der" "$@"
}

key p256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256
key p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
key p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521
key p224 -algorithm EC -pkeyopt ec_paramgen_curve:P-224
key explicit -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit
key ed25519 -algorithm ED25519
key rsa2048 -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key rsa1024 -algorithm RSA -pkeyopt rsa_keygen_bits:1024
key rsa_e3 -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3
key rsapss -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048
openssl ec -in p256.key -conv_form compressed -out compressed.key 2>/dev/null

san='subjectAltName = DNS:a.example.test'

# ---- What stock clients send ---------------------------------------------------------------------
request good_p256 p256 / 'subjectAltName = DNS:b.example.test, DNS:a.example.test'
request good_p384_sha256 p384 / "$san" -sha256
request good_p384_sha384 p384 / "$san" -sha384
request good_ed25519 ed25519 / "$san"
request good_rsa2048 rsa2048 / "$san"
request good_cn_only p256 /CN=A.Example.Test ''
request good_cn_and_san p256 /O=Somebody/CN=a.example.test "$san"
request good_ip p256 /CN=192.0.2.7 'subjectAltName = IP:192.0.2.7, IP:2001:db8::1'
request good_wildcard p256 / 'subjectAltName = DNS:*.example.test, DNS:example.test'
request good_a_label p256 / 'subjectAltName = DNS:xn--bcher-kva.example.test'
attributes='challengePassword = correct horse' request good_challenge_password p256 / "$san"
request good_no_names p256 / ''
# Asks for what is never copied.
request good_ca_true p256 /CN=a.example.test "$san
basicConstraints = critical, CA:TRUE, pathlen:3
keyUsage = critical, keyCertSign, cRLSign
extendedKeyUsage = anyExtendedKeyUsage
nameConstraints = permitted;DNS:test
tlsfeature = status_request"

# ---- Names that are not issued -------------------------------------------------------------------
request bad_san_email p256 / "$san, email:root@example.test"
request bad_san_uri p256 / "$san, URI:spiffe://example.test/admin"
request bad_san_rid p256 / "$san, RID:1.2.3.4"
request bad_san_othername p256 / "$san, otherName:1.3.6.1.4.1.311.20.2.3;UTF8:root@example.test"
request bad_san_dirname p256 / "$san, dirName:dir
[dir]
CN = a.example.test"
request bad_san_ip_mask p256 / '2.5.29.17 = DER:30:0a:87:08:c0:00:02:07:ff:ff:ff:ff'
request bad_san_nul p256 / '2.5.29.17 = DER:30:0a:82:08:61:2e:62:00:2e:63:2e:64'
request bad_san_empty_name p256 / '2.5.29.17 = DER:30:02:82:00'
request bad_san_unreadable p256 / '2.5.29.17 = DER:30:7f:82:01:61'
request bad_san_trailing_dot p256 / 'subjectAltName = DNS:a.example.test.'
request bad_san_underscore p256 / 'subjectAltName = DNS:a_b.example.test'
request bad_san_space p256 / 'subjectAltName = DNS:a b.example.test'
request bad_san_inner_wildcard p256 / 'subjectAltName = DNS:a.*.example.test'
request bad_san_bad_a_label p256 / 'subjectAltName = DNS:xn--0.example.test'
request bad_cn_text p256 '/CN=My Web Server' "$san"
request bad_cn_u_label p256 '/CN=bücher.example.test' "$san" -utf8

# ---- Form ----------------------------------------------------------------------------------------
request bad_duplicate_extension p256 / "$san
2.5.29.17 = DER:30:10:82:0e:62:2e:65:78:61:6d:70:6c:65:2e:74:65:73:74"
cp "$out/good_p256.der" "$out/bad_trailing_octet.der"
printf '\000' >>"$out/bad_trailing_octet.der"
head -c -20 "$out/good_p256.der" >"$out/bad_truncated.der"
head -c -2 "$out/good_ed25519.der" >"$out/bad_signature.der"
printf '\252\125' >>"$out/bad_signature.der"
{ # the outer length of good_ed25519 in one octet more than DER allows
  printf '\060\202\000'
  tail -c +3 "$out/good_ed25519.der"
} >"$out/bad_long_length.der"
printf 'not DER at all' >"$out/bad_text.der"
: >"$out/bad_empty.der"
names=$(seq 1 1700 | sed 's/.*/DNS:h&.a-name-to-fill-space.example.test/' | paste -sd,)
request bad_huge p256 / "subjectAltName = $names"
names=$(seq 1 1001 | sed 's/.*/DNS:h&.example.test/' | paste -sd,)
request bad_many_names p256 / "subjectAltName = $names"

# ---- Keys and signatures -------------------------------------------------------------------------
request bad_rsa1024 rsa1024 / "$san"
request bad_rsa_exponent_3 rsa_e3 / "$san"
request bad_rsapss_key rsapss / "$san"
request bad_p224 p224 / "$san"
request bad_p521 p521 / "$san"
request bad_explicit_curve explicit / "$san"
request bad_compressed_point compressed / "$san"
request bad_sha1 rsa2048 / "$san" -sha1
request bad_md5 rsa2048 / "$san" -md5
request bad_pss_signature rsa2048 / "$san" -sigopt rsa_padding_mode:pss
request bad_ecdsa_sha1 p256 / "$san" -sha1

# good_tpm.der was made by tpm2-openssl with a key in swtpm (make_tpm.sh): NULL parameters of ECDSA.
#   openssl req -new -provider tpm2 -provider default -key handle:… -addext "subjectAltName = …"
