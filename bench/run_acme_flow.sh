#!/usr/bin/env bash
# Certificates per second and server CPU per certificate of agentca and of Debian's pebble, in one
# run on one machine: SQLite durable and SoftHSM2 signing against memory only. Loopback alone.
#   bench/run_acme_flow.sh [--build DIR] [--seconds N] [--clients N]
. "$(dirname "$0")/common.sh"

build=build/release seconds=15 clients=16
set_options build seconds clients -- "$@"
agentca=$build/acme/agentca flow=$build/bench/acme_flow
pebble_clients=4  # pebble 2.4.0 deadlocks above

read -r dns management http01 alpn acme http pebble pebble_management < <(free_ports 8)
pebble-challtestsrv -dns01 "127.0.0.1:$dns" -management "127.0.0.1:$management" -http01 "" \
  -https01 "" -tlsalpn01 "" -defaultIPv6 "" -defaultIPv4 127.0.0.1 \
  > "$work/challtestsrv.log" 2>&1 &
pids+=($!)

"$agentca" init --dir "$work/ca" --trust-domain bench.test > "$work/init.log" 2>&1
"$agentca" serve --dir "$work/ca" --acme-listen "127.0.0.1:$acme" --http-listen "127.0.0.1:$http" \
  --admin-listen none \
  --external-url "https://127.0.0.1:$acme" --dns-resolver "127.0.0.1:$dns" \
  --http01-port "$http01" --tls-alpn01-port "$alpn" --validation-allow 127.0.0.0/8 \
  --log-level warning > "$work/serve.log" 2>&1 &
serve=$!
pids+=("$serve")
await_url "https://127.0.0.1:$acme/directory" --cacert "$work/ca/ca/root.pem"

echo "== agentca, $clients clients"
"$flow" --directory "https://127.0.0.1:$acme/directory" --ca-file "$work/ca/ca/root.pem" \
  --clients "$clients" --seconds "$seconds" --http01-port "$http01" --server-pid "$serve" || true
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
