# Sourced by the hooks: what they ask of pebble-challtestsrv's management API ($CHALLTESTSRV).
# shellcheck shell=sh

tell() {  # tell VERB JSON
  curl --silent --show-error --fail --noproxy '*' --data "$2" "$CHALLTESTSRV/$1" >/dev/null
}

# challenge put|remove TYPE NAME TOKEN VALUE; VALUE is the key authorization, or the TXT value.
challenge() {
  case "$1 $2" in
    "put http-01") tell add-http01 "{\"token\":\"$4\",\"content\":\"$5\"}" ;;
    "remove http-01") tell del-http01 "{\"token\":\"$4\"}" ;;
    "put dns-01") tell set-txt "{\"host\":\"_acme-challenge.$3.\",\"value\":\"$5\"}" ;;
    "remove dns-01") tell clear-txt "{\"host\":\"_acme-challenge.$3.\"}" ;;
    *) return 1 ;;
  esac
}
