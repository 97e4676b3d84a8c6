#!/usr/bin/env bash
# Certificates per second and CPU per certificate on each store, all in one run on one machine:
# memory, SQLite, PostgreSQL with one and with two nodes; and, with --fill, what issuance and the
# look-up of a status cost among 10,000 and among COUNT certificates, and what a certificate takes on
# disk. Durable commits, SoftHSM2, names validated over http-01. PostgreSQL is started by
# tests/faults/postgres.py, with its CPU told apart. Loopback alone.
#   bench/run_stores.sh [--build DIR] [--seconds N] [--clients N] [--fill COUNT] [--keep DIR]
# --keep: what is filled in stays in DIR, an absolute path, for later runs; 10 million certificates
# take a quarter of an hour and 25 GB.
. "$(dirname "$0")/common.sh"

build=build/release seconds=15 clients=16 fill=0 keep=''
set_options build seconds clients fill keep -- "$@"
filled=${keep:-$work}
# Settings as an operator would choose them, not those of the tests, which are as small as they can be.
if [ -z "${AGENTCA_TEST_POSTGRES:-}" ]; then
  exec /usr/bin/python3 tests/faults/postgres.py run --set shared_buffers=1GB \
    --set max_wal_size=4GB ${keep:+"$keep/postgres"} -- bench/run_stores.sh "$@"
fi
agentca=$build/acme/agentca flow=$build/bench/acme_flow lookup=$build/bench/store_lookup
uri=$AGENTCA_TEST_POSTGRES
postmaster=$(psql -qAt -c "SELECT pg_read_file('postmaster.pid')" "$uri" | head -n 1)

read -r dns management http01 alpn < <(free_ports 4)
pebble-challtestsrv -dns01 "127.0.0.1:$dns" -management "127.0.0.1:$management" -http01 "" \
  -https01 "" -tlsalpn01 "" -defaultIPv6 "" -defaultIPv4 127.0.0.1 \
  > "$work/challtestsrv.log" 2>&1 &
pids+=($!)

# serve DIR [PORT]: a node that validates at PORT; its ACME port in acme and its pid in node.
serve() {
  local http admin validation=${2:-$http01}
  read -r acme http admin < <(free_ports 3)
  "$agentca" serve --dir "$1" --acme-listen "127.0.0.1:$acme" --http-listen "127.0.0.1:$http" \
    --admin-listen "127.0.0.1:$admin" --external-url "https://127.0.0.1:$acme" \
    --dns-resolver "127.0.0.1:$dns" --http01-port "$validation" --tls-alpn01-port "$alpn" \
    --validation-allow 127.0.0.0/8 --new-accounts-per-hour 0 --log-level warning \
    > "$1.log" 2>&1 &
  node=$!
  pids+=("$node")
  await_url "https://127.0.0.1:$acme/readyz" --cacert "$work/root.pem"
}
# load ACME-PORT CLIENTS HTTP01-PORT PID...: with the CPU of these processes.
load() {
  local port=$1 count=$2 responder=$3 pid arguments=()
  shift 3
  for pid; do arguments+=(--server-pid "$pid"); done
  "$flow" --directory "https://127.0.0.1:$port/directory" --ca-file "$work/root.pem" \
    --clients "$count" --seconds "$seconds" --http01-port "$responder" "${arguments[@]}" || true
}
stop() {
  kill "$@"
  wait "$@" || true
}
init() {  # DIR STORAGE
  "$agentca" init --dir "$1" --trust-domain bench.test --storage "$2" > "$work/init.log" 2>&1
  cp "$1/ca/root.pem" "$work/root.pem"
}

measure() {  # TITLE DIR
  serve "$2"
  echo "== $1, one node, $clients clients"
  load "$acme" "$clients" "$http01" "$node"
  stop "$node"
}

init "$work/memory" memory:
measure memory "$work/memory"
init "$work/sqlite" "sqlite:$work/sqlite.db"
measure SQLite "$work/sqlite"

psql -q -c 'DROP DATABASE IF EXISTS fresh' -c 'CREATE DATABASE fresh' "$uri"
init "$work/one" "${uri%/*}/fresh"
serve "$work/one"
echo "== PostgreSQL, one node, $clients clients; CPU of the node"
load "$acme" "$clients" "$http01" "$node"
first=$node first_port=$acme
"$agentca" join --dir "$work/two" --from "$work/one" --admin-listen none > /dev/null
serve "$work/two"
echo "== PostgreSQL, one node, $clients clients; CPU of node and PostgreSQL"
stop "$node"
load "$first_port" "$clients" "$http01" "$first" "$postmaster"
read -r second_http01 < <(free_ports 1)
serve "$work/two" "$second_http01"
echo "== PostgreSQL, two nodes, $((clients / 2)) clients each; CPU of each node"
load "$first_port" "$((clients / 2))" "$http01" "$first" > "$work/first.out" &
loading=$!
load "$acme" "$((clients / 2))" "$second_http01" "$node" > "$work/second.out"
wait "$loading"
cat "$work/first.out" "$work/second.out"
stop "$first" "$node"

# octets KIND WHERE: what the store takes on disk.
octets() {
  if [ "$1" = sqlite ]; then stat -c %s "$2"
  else psql -qAt -c 'SELECT pg_database_size(current_database())' "$2"; fi
}
# warm KIND WHERE: what the machine can keep of the store it has in memory, as after hours of work.
warm() {
  if [ "$1" = sqlite ]; then cat "$2" > /dev/null
  else
    psql -q -o /dev/null -c 'CREATE EXTENSION IF NOT EXISTS pg_prewarm' \
      -c "SELECT pg_prewarm(oid, 'read') FROM pg_class WHERE relkind IN ('r', 'i') AND relfilenode <> 0" "$2"
  fi
}
# grown KIND COUNT: issuance and look-ups among COUNT certificates of nobody.
grown() {
  local kind=$1 count=$2 dir=$filled/$1-$2 where storage before issuer
  if [ "$kind" = sqlite ]; then
    where=$dir.db storage=sqlite:$dir.db
  else
    where=${uri%/*}/filled_$count storage=$where
  fi
  if [ ! -e "$dir.octets" ]; then
    [ "$kind" = sqlite ] || psql -q -c "CREATE DATABASE filled_$count" "$uri"
    init "$dir" "$storage"
    before=$(octets "$kind" "$where")
    bench/fill_store "$kind" "$where" "$count"
    echo $((($(octets "$kind" "$where") - before) / count)) > "$dir.octets"
  fi
  cp "$dir/ca/root.pem" "$work/root.pem"
  # The server has another port than when it was filled.
  sed -i "s|^storage = .*|storage = $storage|" "$dir/agentca.conf"
  warm "$kind" "$where"
  echo "== $kind, $count certificates: $(cat "$dir.octets") octets each"
  if [ "$kind" = sqlite ]; then
    issuer=$(sqlite3 "$where" 'SELECT name FROM issuer ORDER BY id LIMIT 1')
  else
    issuer=$(psql -qAt -c 'SELECT name FROM issuer ORDER BY id LIMIT 1' "$where")
  fi
  "$lookup" --storage "$storage" --issuer "$issuer" --rows "$count" --seconds "$seconds" \
    --server-pid "$postmaster" --server-pid $$
  serve "$dir"
  load "$acme" "$clients" "$http01" "$node"
  stop "$node"
}
if [ "$fill" -gt 0 ]; then
  for kind in sqlite postgres; do
    grown "$kind" 10000
    grown "$kind" "$fill"
  done
fi
