#!/usr/bin/env bash
# foreign_client.sh - a client in another language, written from PROTOCOL.md alone, agrees with
# ours on every golden vector and talks to a real server, in each role that needs no setting up.
set -u
cd "$(dirname "$0")/../.." || exit 1
bin=${BUILD:-$PWD/build/release}
client=tests/integration/foreign_client.py
work=$(mktemp -d)
server_pid=
passed=0
failed=0

finish() {
    if [ -n "$server_pid" ]; then
        kill "$server_pid" 2>/dev/null
        wait "$server_pid" 2>/dev/null
    fi
    rm -rf "$work"
}
trap finish EXIT

judge() { # ARGUMENT...: run the client, add what it counted
    local told
    told=$(python3 "$client" "$@" 2>&1)
    if [[ "${told##*$'\n'}" =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
    else
        failed=$((failed + 1))
    fi
    [ "$failed" -eq 0 ] || printf '%s\n' "$told"
}

judge --vectors

mkfifo "$work/ready"
"$bin/zipring" dev --dir "$work/dev" --ready-fd 3 3>"$work/ready" >"$work/log" 2>&1 &
server_pid=$!
endpoint=
read -r -t 30 endpoint <"$work/ready"
if [ -z "$endpoint" ]; then
    cat "$work/log"
    failed=$((failed + 1))
else
    for role in switch callcenter portal payments admin auditor; do
        judge "$endpoint" --role "$role" --ca "$work/dev/ca.pem" \
            --cert "$work/dev/$role.pem" --key "$work/dev/$role.key"
    done
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
