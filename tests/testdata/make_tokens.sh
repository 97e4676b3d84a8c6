#!/bin/sh
# Makes the tokens and statements in attest/ with Debian's jose command (JWTs as Kubernetes has them,
# JWT-SVIDs, statements), openssl (digests) and PyJWT (tokens as GitHub Actions has them, EdDSA). The
# private keys are thrown away: run it again and everything differs but what the tests look at.
# Needs jose, jq, openssl, python3-jwt and python3-cryptography of Debian 12 or later.
# Time stands still at 1800000000. Seeds for tests/fuzz are a part of them.
# shellcheck disable=SC2016  # jq has its own $
set -eu
cd "$(dirname "$0")"
out=$PWD/attest
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

now=1800000000
challenge=https://ca.test/acme/challenge/AUTHZ/agent-attest-01
thumbprint=0123456789012345678901234567890123456789012
b64url() { basenc --base64url --wrap=0 | tr -d '='; }

# ---- What evidence is bound to -------------------------------------------------------------------
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out agent.key 2>/dev/null
openssl pkey -in agent.key -pubout -outform DER -out "$out/agent.spki"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.key 2>/dev/null
openssl pkey -in other.key -pubout -outform DER -out other.spki
printf 'token.%s' "$thumbprint" | openssl dgst -sha256 -binary >N
openssl dgst -sha256 -binary <"$out/agent.spki" >K
openssl dgst -sha256 -binary <other.spki >other.K
nonce=$(b64url <N)
fresh="$challenge#$nonce"
bound="$challenge#$(cat N K | openssl dgst -sha256 -binary | b64url)"
bound_to_other="$challenge#$(cat N other.K | openssl dgst -sha256 -binary | b64url)"
stale="$challenge#$(printf stale | openssl dgst -sha256 -binary | b64url)"

# ---- Keys ----------------------------------------------------------------------------------------
for alg in ES256 ES384 RS256; do
  jose jwk gen -i "{\"alg\":\"$alg\",\"kid\":\"$alg\"}" -o "$alg.jwk"
done
jose jwk gen -i '{"alg":"ES256","kid":"ES256"}' -o stranger.jwk
jose jwk gen -i '{"alg":"ES512","kid":"ES512"}' -o ES512.jwk
jose jwk gen -i '{"alg":"HS256","kid":"HS256"}' -o HS256.jwk
jq -s '{keys: .}' ES256.jwk ES384.jwk RS256.jwk ES512.jwk | jose jwk pub -s -i - -o "$out/issuer.jwks"
# What a verifier that mixes up keys and algorithms would take for an HMAC key.
jose jwk pub -i RS256.jwk -o confused.pub
printf '{"kty":"oct","alg":"HS256","k":"%s"}' "$(b64url <confused.pub)" >confused.jwk

# sign NAME KEY HEADER CLAIMS: the alg in HEADER is that of KEY unless given there.
sign() {
  printf %s "$4" >claims
  jose jws sig -I claims -k "$2.jwk" -s "{\"protected\":$3}" -c -o "$out/$1.jwt"
}

# ---- JWTs of Kubernetes --------------------------------------------------------------------------
# kubernetes AUDIENCE-JSON [jq program]
kubernetes() {
  jq -cn --argjson aud "$1" --argjson now "$now" '{
    aud: $aud, exp: ($now + 3600), iat: ($now - 10), nbf: ($now - 10),
    iss: "https://kubernetes.default.svc.cluster.local",
    jti: "0e4b9c5e-6d4f-4a67-9e3a-1c3f2b6d8a11",
    "kubernetes.io": {namespace: "prod", node: {name: "node-7", uid: "62a3"},
      pod: {name: "helper-5d4f", uid: "98c1"}, serviceaccount: {name: "helper", uid: "14ee"}},
    sub: "system:serviceaccount:prod:helper"} | '"${2:-.}"
}
for alg in ES256 ES384 RS256; do
  sign "jwt_fresh_$alg" "$alg" "{\"alg\":\"$alg\",\"kid\":\"$alg\"}" "$(kubernetes "[\"$fresh\"]")"
  sign "jwt_bound_$alg" "$alg" "{\"alg\":\"$alg\",\"kid\":\"$alg\",\"typ\":\"JWT\"}" \
    "$(kubernetes "[\"$bound\"]")"
done
header='{"alg":"ES256","kid":"ES256"}'
sign jwt_fixed ES256 "$header" "$(kubernetes '["agentca"]')"
sign jwt_fixed_old ES256 "$header" "$(kubernetes '["agentca"]' '.iat -= 300')"
sign jwt_fixed_no_jti ES256 "$header" "$(kubernetes '["agentca"]' 'del(.jti)')"
sign jwt_fixed_no_iat ES256 "$header" "$(kubernetes '["agentca"]' 'del(.iat)')"
sign jwt_two_audiences ES256 "$header" "$(kubernetes "[\"agentca\",\"$fresh\"]")"
sign jwt_no_jti ES256 "$header" "$(kubernetes "[\"$fresh\"]" 'del(.jti)')"
sign jwt_fraction ES256 "$header" "$(kubernetes "[\"$fresh\"]" '.iat += 0.25 | .exp += 0.5')"
sign jwt_stale ES256 "$header" "$(kubernetes "[\"$stale\"]")"
sign jwt_bound_to_other ES256 "$header" "$(kubernetes "[\"$bound_to_other\"]")"
sign jwt_other_challenge ES256 "$header" "$(kubernetes '["https://ca.test/acme/challenge/OLD/x#y"]')"
sign jwt_no_nonce ES256 "$header" "$(kubernetes "[\"$challenge\"]")"
sign jwt_prefix ES256 "$header" "$(kubernetes "[\"${fresh}x\"]")"
sign jwt_foreign ES256 "$header" "$(kubernetes '["https://kubernetes.default.svc"]')"
sign jwt_issuer ES256 "$header" "$(kubernetes "[\"$fresh\"]" '.iss += "/"')"
sign jwt_no_issuer ES256 "$header" "$(kubernetes "[\"$fresh\"]" 'del(.iss)')"
sign jwt_expired ES256 "$header" "$(kubernetes "[\"$fresh\"]" '.exp -= 3660')"
sign jwt_just_expired ES256 "$header" "$(kubernetes "[\"$fresh\"]" '.exp -= 3659')"
sign jwt_no_expiry ES256 "$header" "$(kubernetes "[\"$fresh\"]" 'del(.exp)')"
sign jwt_text_expiry ES256 "$header" "$(kubernetes "[\"$fresh\"]" '.exp |= tostring')"
sign jwt_future ES256 "$header" "$(kubernetes "[\"$fresh\"]" '.iat += 71')"
sign jwt_not_before ES256 "$header" "$(kubernetes "[\"$fresh\"]" '.nbf += 71')"
sign jwt_no_audience ES256 "$header" "$(kubernetes '[]')"
sign jwt_collision ES256 "$header" "$(kubernetes "[\"$fresh\"]" '."kubernetes.io/namespace" = "dev"')"
sign jwt_stranger stranger "$header" "$(kubernetes "[\"$fresh\"]")"
sign jwt_unknown_kid ES256 '{"alg":"ES256","kid":"rotated"}' "$(kubernetes "[\"$fresh\"]")"
sign jwt_no_kid ES256 '{"alg":"ES256"}' "$(kubernetes "[\"$fresh\"]")"
sign jwt_kid_of_other ES256 '{"alg":"ES256","kid":"RS256"}' "$(kubernetes "[\"$fresh\"]")"
sign jwt_HS256 HS256 '{"alg":"HS256","kid":"ES256"}' "$(kubernetes "[\"$fresh\"]")"
sign jwt_confused confused '{"alg":"HS256","kid":"RS256"}' "$(kubernetes "[\"$fresh\"]")"
sign jwt_ES512 ES512 '{"alg":"ES512","kid":"ES512"}' "$(kubernetes "[\"$fresh\"]")"
jq 'del(.alg)' RS256.jwk >RSA.jwk  # the same key, for whatever algorithm
sign jwt_PS256 RSA '{"alg":"PS256","kid":"RS256"}' "$(kubernetes "[\"$fresh\"]")"
# A header that brings the stranger's key, in each way that RFC 7515 knows.
public=$(jose jwk pub -i stranger.jwk -o -)
sign jwt_own_jwk stranger "{\"alg\":\"ES256\",\"kid\":\"ES256\",\"jwk\":$public}" "$(kubernetes "[\"$fresh\"]")"
sign jwt_own_jku stranger '{"alg":"ES256","kid":"ES256","jku":"https://evil.test/"}' "$(kubernetes "[\"$fresh\"]")"
sign jwt_own_x5u stranger '{"alg":"ES256","kid":"ES256","x5u":"https://evil.test/"}' "$(kubernetes "[\"$fresh\"]")"
sign jwt_own_x5c stranger '{"alg":"ES256","kid":"ES256","x5c":["MAA="]}' "$(kubernetes "[\"$fresh\"]")"
sign jwt_crit ES256 '{"alg":"ES256","kid":"ES256","crit":["exp"],"exp":1}' "$(kubernetes "[\"$fresh\"]")"
sign jwt_b64 ES256 '{"alg":"ES256","kid":"ES256","b64":true}' "$(kubernetes "[\"$fresh\"]")"
sign jwt_array ES256 "$header" '[1,2,3]'
sign jwt_text ES256 "$header" 'not JSON'
sign jwt_duplicate ES256 "$header" "$(kubernetes "[\"$fresh\"]" | sed 's/^{/{"sub":"system:admin",/')"
sign jwt_deep ES256 "$header" "$(kubernetes "[\"$fresh\"]" '.x = (reduce range(20) as $i (1; [.]))')"
sign jwt_many_claims ES256 "$header" "$(kubernetes "[\"$fresh\"]" '.x = [range(1100)]')"

# ---- JWT-SVIDs of SPIRE --------------------------------------------------------------------------
# svid AUDIENCE SUBJECT
svid() {
  jq -cn --arg aud "$1" --arg sub "$2" --argjson now "$now" \
    '{aud: [$aud], exp: ($now + 300), iat: $now, sub: $sub}'
}
id=spiffe://example.org/ns/prod/sa/helper
for alg in ES256 ES384 RS256; do
  sign "svid_bound_$alg" "$alg" "{\"alg\":\"$alg\",\"kid\":\"$alg\",\"typ\":\"JWT\"}" "$(svid "$bound" $id)"
done
typed='{"alg":"ES256","kid":"ES256","typ":"JWT"}'
sign svid_fresh ES256 "$typed" "$(svid "$fresh" $id)"
sign svid_foreign ES256 "$typed" "$(svid reports $id)"
sign svid_stale ES256 "$typed" "$(svid "$stale" $id)"
sign svid_domain ES256 "$typed" "$(svid "$fresh" spiffe://example.org.evil.test/a)"
sign svid_trust_domain_alone ES256 "$typed" "$(svid "$fresh" spiffe://example.org)"
sign svid_dots ES256 "$typed" "$(svid "$fresh" spiffe://example.org/a/../b)"
sign svid_no_uri ES256 "$typed" "$(svid "$fresh" helper)"
sign svid_upper_case ES256 "$typed" "$(svid "$fresh" SPIFFE://example.org/a)"
sign svid_typ ES256 '{"alg":"ES256","kid":"ES256","typ":"at+jwt"}' "$(svid "$fresh" $id)"
sign svid_header ES256 '{"alg":"ES256","kid":"ES256","colour":"red"}' "$(svid "$fresh" $id)"
sign svid_no_expiry ES256 "$typed" "$(svid "$fresh" $id | jq -c 'del(.exp)')"
sign svid_expired ES256 "$typed" "$(svid "$fresh" $id | jq -c '.exp -= 400')"
sign svid_stranger stranger "$typed" "$(svid "$fresh" $id)"

# ---- Statements ----------------------------------------------------------------------------------
# The certificate's key as a JWK, from the last 64 octets of its SPKI.
jwk_of() {
  printf '{"kty":"EC","crv":"P-256","x":"%s","y":"%s"}' \
    "$(tail -c 64 "$1" | head -c 32 | b64url)" "$(tail -c 32 "$1" | b64url)"
}
jwk_of "$out/agent.spki" >agent.pub
jwk_of other.spki >other.pub
jkt=$(jose jwk thp -i agent.pub -a S256)
other_jkt=$(jose jwk thp -i other.pub -a S256)
digest=$(printf 'an image' | sha256sum | cut -d' ' -f1)
weights=$(printf 'a model' | sha512sum | cut -d' ' -f1)
# statement [jq program]
statement() {
  jq -cn --arg nonce "$nonce" --arg jkt "$jkt" --arg other "$other_jkt" --arg digest "$digest" \
    --arg weights "$weights" --arg challenge "$challenge" --argjson now "$now" \
    --argjson jwk "$(cat agent.pub)" --argjson other_jwk "$(cat other.pub)" '{
    nonce: $nonce, cnf: {jkt: $jkt}, iat: $now, exp: ($now + 120), sub: "prod/helper",
    jti: "s-1", build: {pipeline: "release", attempt: 3},
    components: [{kind: "image", hashAlgorithm: "sha256", digest: $digest},
                 {kind: "model", hashAlgorithm: "sha512", digest: $weights}]} | '"${1:-.}"
}
stated='{"alg":"ES256","kid":"ES256","typ":"agent-statement+jwt"}'
for alg in ES256 ES384 RS256; do
  sign "statement_$alg" "$alg" "{\"alg\":\"$alg\",\"kid\":\"$alg\",\"typ\":\"agent-statement+jwt\"}" \
    "$(statement)"
done
sign statement_jwk ES256 "$stated" "$(statement '.cnf = {jwk: $jwk}')"
sign statement_unbound ES256 "$stated" "$(statement 'del(.cnf)')"
sign statement_plain ES256 "$stated" "$(statement '{nonce, iat, exp}')"
sign statement_audience ES256 "$stated" "$(statement '.aud = $challenge')"
sign statement_issuer ES256 "$stated" "$(statement '.iss = "https://build.test"')"
sign statement_other_key ES256 "$stated" "$(statement '.cnf.jkt = $other')"
sign statement_other_jwk ES256 "$stated" "$(statement '.cnf = {jwk: $other_jwk}')"
sign statement_no_point ES256 "$stated" "$(statement '.cnf = {jwk: ($jwk | .x = .y)}')"
sign statement_two_keys ES256 "$stated" "$(statement '.cnf.jwk = $jwk')"
sign statement_x5t ES256 "$stated" "$(statement '.cnf = {"x5t#S256": "abc"}')"
sign statement_cnf_text ES256 "$stated" "$(statement '.cnf = $jkt')"
sign statement_stale ES256 "$stated" "$(statement '.nonce |= ("A" + .[1:])')"
sign statement_no_nonce ES256 "$stated" "$(statement 'del(.nonce)')"
sign statement_foreign ES256 "$stated" "$(statement '.aud = ["https://other.test/"]')"
sign statement_expired ES256 "$stated" "$(statement '.exp -= 180')"
sign statement_future ES256 "$stated" "$(statement '.iat += 61')"
sign statement_no_iat ES256 "$stated" "$(statement 'del(.iat)')"
sign statement_no_exp ES256 "$stated" "$(statement 'del(.exp)')"
sign statement_id_token ES256 "$typed" "$(statement)"
sign statement_untyped ES256 "$header" "$(statement)"
sign statement_stranger stranger "$stated" "$(statement)"
sign statement_short_digest ES256 "$stated" "$(statement '.components[0].digest |= .[2:]')"
sign statement_sha1 ES256 "$stated" "$(statement '.components[0].hashAlgorithm = "sha1"')"
sign statement_kind ES256 "$stated" "$(statement '.components[0].kind = "brain"')"
sign statement_components ES256 "$stated" "$(statement '.components = {}')"
sign statement_many ES256 "$stated" "$(statement '.components = [range(65) as $i | .components[0]]')"
sign statement_posing ES256 "$stated" "$(statement '.component = {image: "sha256:00"}')"

# ---- Tokens of GitHub Actions, and EdDSA ---------------------------------------------------------
# The system's own interpreter: PyJWT is Debian's (python3-jwt).
FRESH=$fresh BOUND=$bound OUT=$out NOW=$now /usr/bin/python3 - <<'PYTHON'
import json
import os

import jwt
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

out, now = os.environ["OUT"], int(os.environ["NOW"])
keys = {"RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "EdDSA": ed25519.Ed25519PrivateKey.generate()}
public = []
for alg, key in keys.items():
    kind = RSAAlgorithm if alg == "RS256" else OKPAlgorithm
    jwk = json.loads(kind.to_jwk(key.public_key()))
    public.append(jwk | {"kid": alg, "use": "sig"})
with open(f"{out}/github.jwks", "w") as file:
    json.dump({"keys": public}, file)
claims = {"iss": "https://token.actions.githubusercontent.com", "iat": now - 5, "nbf": now - 605,
          "exp": now + 295, "jti": "3f0c", "sub": "repo:octo-org/octo-repo:environment:prod",
          "repository": "octo-org/octo-repo", "ref": "refs/heads/main", "run_attempt": "1",
          "ref_protected": True, "repository_id": 74}
for alg, key in keys.items():
    for name in ("FRESH", "BOUND"):
        token = jwt.encode(claims | {"aud": os.environ[name]}, key, alg,
                           headers={"kid": alg, "x5t": "eSQ4R5xKwPcxRz7YVzXwKcwS7vE"})
        with open(f"{out}/github_{name.lower()}_{alg}.jwt", "w") as file:
            file.write(token)
svid = {"aud": os.environ["FRESH"], "exp": now + 300, "sub": "spiffe://example.org/helper"}
with open(f"{out}/svid_EdDSA.jwt", "w") as file:
    file.write(jwt.encode(svid, keys["EdDSA"], "EdDSA", headers={"kid": "EdDSA"}))
PYTHON

# ---- Seeds for fuzzing ---------------------------------------------------------------------------
corpus=$out/../../fuzz/corpus
mkdir -p "$corpus/jwt" "$corpus/key_set"
for name in jwt_fresh_ES256 jwt_fixed jwt_fraction jwt_two_audiences jwt_collision jwt_many_claims \
  jwt_own_jwk svid_fresh svid_dots statement_unbound statement_jwk statement_posing; do
  cp "$out/$name.jwt" "$corpus/jwt/$name"
done
cp "$out/issuer.jwks" "$corpus/key_set/issuer"
cp "$out/github.jwks" "$corpus/key_set/github"
printf '{"keys":[{"kty":"oct","k":"AAAA"}]}' >"$corpus/key_set/symmetric"
