# server.sh - sourced by demo.sh and bench.sh: a throw-away server in a folder of its own.
#
# It sets `folder` (removed at the end), `server_pid` (zipringd itself) and stops what it
# started, by process id, however the script ends. BUILD names the folder of the programs.
# shellcheck shell=bash

BUILD=${BUILD:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../build/release" && pwd)}
# shellcheck disable=SC2034
bench=$BUILD/zipring-bench
zips=${ZIPS:-$(cd "$(dirname "${BASH_SOURCE[0]}")/data" && pwd)/zips.csv.gz}
folder=
dev_pid=
server_pid=

server_stop() {
    if [ -n "$dev_pid" ]; then
        kill "$dev_pid" 2>/dev/null
        wait "$dev_pid" 2>/dev/null
        dev_pid=
    fi
}

server_cleanup() {
    server_stop
    [ -n "$folder" ] && [ -z "${KEEP:-}" ] && rm -rf "$folder"
    folder=
}

# server_start [PREFIX... --] OPTION...: PREFIX runs it (taskset -c 0), OPTIONs go to `zipring dev`.
server_start() {
    local prefix=() tries=0

    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        prefix+=("$1")
        shift
    done
    [ "${1:-}" = -- ] && shift
    folder=$(mktemp -d "${TMPDIR:-/tmp}/zipring-bench.XXXXXX") || return 1
    trap server_cleanup EXIT
    : >"$folder/dev.json"
    trap 'exit 130' INT TERM
    "${prefix[@]}" "$BUILD/zipring" --json dev --dir "$folder/dev" "$@" \
        >"$folder/dev.json" 2>"$folder/dev.log" &
    dev_pid=$!
    until server_pid=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$folder/dev.json") &&
        [ -n "$server_pid" ]; do
        tries=$((tries + 1))
        if [ $tries -gt 600 ] || ! kill -0 "$dev_pid" 2>/dev/null; then
            echo "the server did not start:" >&2
            tail -20 "$folder/dev.log" >&2
            return 1
        fi
        sleep 0.05
    done
    export ZIPRING_DEV=$folder/dev
    unset ZIPRING_URI ZIPRING_CERT ZIPRING_KEY ZIPRING_CA
}

# The ZIP table, through the CLI as an administrator would.
server_import_zips() {
    "$BUILD/zipring" import zips "$zips" >"$folder/import.log" 2>&1 || {
        echo "the ZIP table was not imported:" >&2
        tail -20 "$folder/import.log" >&2
        return 1
    }
}

# When something failed: what the server said last.
server_explain() {
    echo "the server's last lines:" >&2
    tail -20 "$folder/dev.log" >&2
}
