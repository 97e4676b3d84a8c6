#!/usr/bin/env bash
# OCSP responses per second of agentca (cached; GET and POST) beside nginx serving 500 static bytes,
# in one run, with the same load generator. Loopback alone.
#   bench/run_ocsp.sh [--build DIR] [--seconds N] [--connections N]
. "$(dirname "$0")/common.sh"

build=build/release seconds=5 connections=8
set_options build seconds connections -- "$@"
agentca=$build/acme/agentca load=$build/bench/ocsp
read -r acme http static < <(free_ports 3)

"$agentca" init --dir "$work/ca" --trust-domain bench.test > "$work/init.log" 2>&1
"$agentca" serve --dir "$work/ca" --acme-listen "127.0.0.1:$acme" --http-listen "127.0.0.1:$http" \
  --admin-listen none \
  --external-url "https://127.0.0.1:$acme" --log-level warning > "$work/serve.log" 2>&1 &
serve=$!
pids+=("$serve")
await_url "http://127.0.0.1:$http/readyz"
openssl ocsp -issuer "$work/ca/ca/issuing.pem" -cert "$work/ca/tls/chain.pem" -no_nonce \
  -reqout "$work/request.der" > /dev/null 2>&1
target=/ocsp/$(base64 -w0 "$work/request.der" | sed 's/+/%2B/g; s#/#%2F#g; s/=/%3D/g')

mkdir "$work/www"
head -c 500 /dev/zero > "$work/www/static"
cat > "$work/nginx.conf" <<CONF
worker_processes 1; daemon off; pid $work/nginx.pid; error_log $work/nginx.log;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 100000000; client_body_temp_path $work/body;
  fastcgi_temp_path $work/fastcgi; proxy_temp_path $work/proxy; scgi_temp_path $work/scgi;
  uwsgi_temp_path $work/uwsgi; open_file_cache max=10;
  server { listen 127.0.0.1:$static; root $work/www; } }
CONF
nginx -p "$work" -c "$work/nginx.conf" &
nginx=$!
pids+=("$nginx")
await_url "http://127.0.0.1:$static/static"

run() {
  printf '%-28s ' "$1"; shift
  "$load" --connections "$connections" --seconds "$seconds" "$@"
}
run "agentca OCSP GET" --port "$http" --path "$target" --server-pid "$serve"
run "agentca OCSP POST" --port "$http" --path /ocsp --post "$work/request.der" --server-pid "$serve"
run "nginx, 500 static bytes" --port "$static" --path /static --server-pid "$nginx"
