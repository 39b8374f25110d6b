#!/usr/bin/env bash
# demo.sh - what `make demo` runs: a server, all ZIPs, a network of contractors, a surge of calls.
#
# Everything lives in a temporary folder and goes with it (KEEP=1 leaves it there). Options are
# those of `zipring-bench demo`: bench/demo.sh --rate 5k/s --duration 60s. The last line is one
# JSON object; exit 0 only if every invariant holds.
set -u
# shellcheck source=bench/server.sh
. "$(dirname "$0")/server.sh"

echo "server: a throw-away CA and data folder, on loopback" >&2
server_start -- || exit 1
echo "ZIPs: importing $(basename "$zips")" >&2
server_import_zips || exit 1
"$bench" demo --dev "$ZIPRING_DEV" --zips "$zips" "$@"
code=$?
[ $code -eq 0 ] || server_explain
exit $code
