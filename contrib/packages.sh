# Sourced by quickstart and check: Debian packages, and how they are installed.
# shellcheck shell=bash disable=SC2034

build_packages=(g++ make cmake ninja-build pkg-config ccache libssl-dev libboost-dev
  libboost-program-options-dev libcpp-httplib-dev rapidjson-dev libpqxx-dev libsqlite3-dev libp11-dev
  libp11-kit-dev libc-ares-dev libcbor-dev libidn2-dev libspdlog-dev libtss2-dev)
quickstart_packages=(softhsm2 certbot pebble jose python3 openssl curl ca-certificates)
case $(. /etc/os-release && echo "${VERSION_ID:-}") in
  12) clang=14 ;;
  *) clang=19 ;;  # Debian 13
esac
test_packages=(git libgtest-dev libbenchmark-dev "clang-$clang" "libclang-rt-$clang-dev"
  "llvm-$clang" python3-pytest python3-pytest-timeout python3-pytest-xdist python3-cryptography
  python3-requests lego dehydrated uacme gnutls-bin nginx-light libnginx-mod-stream libnss3-tools
  opensc sqlite3 shellcheck mandoc strace proot jq swtpm tpm2-tools python3-pip python3-setuptools
  python3-wheel tpm2-openssl postgresql haproxy faketime)
# Where Node.js came from elsewhere it brings its npm, and Debian's would not go beside it.
command -v npm >/dev/null || test_packages+=(nodejs npm)

is_installed() {
  [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_packages PACKAGE...: those that are missing; nothing to do needs no rights and no network.
install_packages() {
  local missing=() package root=() log status=0
  for package; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "apt needs root: run this with sudo" >&2; return 1; }
    root=(sudo)
  fi
  log=$(mktemp)
  {
    "${root[@]}" apt-get update -q && postgresql_without_cluster &&
      "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        "${missing[@]}"
  } >"$log" 2>&1 </dev/null || status=$?
  [ "$status" -eq 0 ] || { tail -n 40 "$log" >&2; echo "apt failed" >&2; }
  rm -f "$log"
  # Debian starts a server as soon as it is installed; the tests start their own on loopback.
  for package in nginx-light haproxy; do
    if [ -d /run/systemd/system ] && [[ " ${missing[*]} " = *" $package "* ]]; then
      "${root[@]}" systemctl disable --quiet --now "${package%-light}"
    fi
  done
  return "$status"
}

# Debian makes and starts a database cluster with postgresql, unless its settings, which come with
# postgresql-common, say otherwise by then. Where those are installed they are somebody's already.
postgresql_without_cluster() {
  [[ " ${missing[*]} " = *" postgresql "* ]] && ! is_installed postgresql-common || return 0
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    postgresql-common &&
    "${root[@]}" sed -i 's/^#\? *create_main_cluster *=.*/create_main_cluster = false/' \
      /etc/postgresql-common/createcluster.conf
}
