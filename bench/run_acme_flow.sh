#!/usr/bin/env bash
# Certificates per second and server CPU per certificate of agentca and of Debian's pebble, in one
# run on one machine: SQLite durable and SoftHSM2 signing against memory only. agentca twice: names
# validated over http-01, and agents attested by JWTs (agent-attest-01). Loopback alone.
#   bench/run_acme_flow.sh [--build DIR] [--seconds N] [--clients N]
. "$(dirname "$0")/common.sh"

build=build/release seconds=15 clients=16
set_options build seconds clients -- "$@"
agentca=$build/acme/agentca flow=$build/bench/acme_flow
pebble_clients=4  # pebble 2.4.0 deadlocks above

read -r dns management http01 alpn acme http admin pebble pebble_management < <(free_ports 9)
pebble-challtestsrv -dns01 "127.0.0.1:$dns" -management "127.0.0.1:$management" -http01 "" \
  -https01 "" -tlsalpn01 "" -defaultIPv6 "" -defaultIPv4 127.0.0.1 \
  > "$work/challtestsrv.log" 2>&1 &
pids+=($!)

"$agentca" init --dir "$work/ca" --trust-domain bench.test > "$work/init.log" 2>&1
"$agentca" serve --dir "$work/ca" --acme-listen "127.0.0.1:$acme" --http-listen "127.0.0.1:$http" \
  --admin-listen "127.0.0.1:$admin" \
  --external-url "https://127.0.0.1:$acme" --dns-resolver "127.0.0.1:$dns" \
  --http01-port "$http01" --tls-alpn01-port "$alpn" --validation-allow 127.0.0.0/8 \
  --log-level warning > "$work/serve.log" 2>&1 &
serve=$!
pids+=("$serve")
await_url "https://127.0.0.1:$acme/directory" --cacert "$work/ca/ca/root.pem"

echo "== agentca, $clients clients, http-01"
"$flow" --directory "https://127.0.0.1:$acme/directory" --ca-file "$work/ca/ca/root.pem" \
  --clients "$clients" --seconds "$seconds" --http01-port "$http01" --server-pid "$serve" || true

# The issuer's key as a JWK Set, and an agent for each client.
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/issuer.pem" 2> /dev/null
python3 - "$work/issuer.pem" > "$work/issuer.jwks" <<'PY'
import base64, json, subprocess, sys
der = subprocess.run(["openssl", "pkey", "-in", sys.argv[1], "-pubout", "-outform", "DER"],
                     check=True, capture_output=True).stdout
x, y = (base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (der[-64:-32], der[-32:]))
print(json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y}]}))
PY
"$agentca" evidence add bench --dir "$work/ca" --format jwt --issuer https://bench.test \
  --jwks "$work/issuer.jwks" > /dev/null
for client in $(seq 0 $((clients - 1))); do
  "$agentca" agent add "bench/robot-$client" --dir "$work/ca" --sponsor bench@bench.test \
    --risk medium --evidence "bench sub=robot-$client" > /dev/null
done
echo "== agentca, $clients clients, agent-attest-01 (jwt)"
"$flow" --directory "https://127.0.0.1:$acme/directory" --ca-file "$work/ca/ca/root.pem" \
  --clients "$clients" --seconds "$seconds" --http01-port "$http01" --server-pid "$serve" \
  --jwt-key "$work/issuer.pem" --zone bench.agents.bench.test || true
tail -n 5 "$work/serve.log"
kill "$serve"
wait "$serve" || true

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext "subjectAltName=IP:127.0.0.1" -keyout "$work/pebble.key" -out "$work/pebble.pem" 2> /dev/null
cat > "$work/pebble.json" <<JSON
{"pebble": {"listenAddress": "127.0.0.1:$pebble",
  "managementListenAddress": "127.0.0.1:$pebble_management",
  "certificate": "$work/pebble.pem", "privateKey": "$work/pebble.key",
  "httpPort": $http01, "tlsPort": $alpn, "ocspResponderURL": "",
  "externalAccountBindingRequired": false}}
JSON
PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 PEBBLE_AUTHZREUSE=0 \
  pebble -config "$work/pebble.json" -dnsserver "127.0.0.1:$dns" > /dev/null 2>&1 &
peer=$!
pids+=("$peer")
await_url "https://127.0.0.1:$pebble/dir" --cacert "$work/pebble.pem"
echo "== pebble (memory only), $pebble_clients clients"
"$flow" --directory "https://127.0.0.1:$pebble/dir" --ca-file "$work/pebble.pem" \
  --clients "$pebble_clients" --seconds "$seconds" --http01-port "$http01" --server-pid "$peer" || true
