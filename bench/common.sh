# Sourced by the run_*.sh scripts: options, a working directory, servers that end with the script.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# set_options NAME... -- ARGUMENT...: each variable NAME takes the value of --NAME VALUE, if given.
set_options() {
  local known=' '
  while [ "$1" != -- ]; do
    known+="--$1 "
    shift
  done
  shift
  while [ $# -gt 0 ]; do
    if [[ $known != *" $1 "* || $# -lt 2 ]]; then
      echo "$(basename "$0"): unknown option or no value: $1 (known:$known)" >&2
      exit 2
    fi
    printf -v "${1#--}" %s "$2"
    shift 2
  done
}

work=$(mktemp -d)
chmod 755 "$work"
pids=()
cleanup() {
  [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

free_ports() {  # COUNT
  python3 - "$1" <<'PY'
import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in sockets))
PY
}

await_url() {  # URL [CURL-ARGUMENT...]
  local deadline=$((SECONDS + 30))
  until curl -sf -o /dev/null "$@"; do
    [ $SECONDS -lt $deadline ] || { echo "no answer from $1" >&2; return 1; }
  done
}
