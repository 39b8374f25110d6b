#!/usr/bin/env bash
# cli.sh - for tests of the command line: run it, look at what it printed, and keep a dev server.
#
# Sourced, not run. It sets $bin (the programs), $work (a folder of its own) and a HOME without
# settings, ends the server by its pid at exit, and counts $passed and $failed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
bin=${ZIPRING_BIN:-${BUILD:-$PWD/build/release}}
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

# Nothing of the caller's own settings may reach the tests.
unset ZIPRING_URI ZIPRING_CERT ZIPRING_KEY ZIPRING_CA ZIPRING_DEV XDG_CONFIG_HOME
export HOME=$work/home
mkdir -p "$HOME"

check() { # what, expected, found
    if [ "$2" == "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n  expected: %s\n  found:    %s\n' "$1" "$2" "$3"
        [ -z "${out:-}${err:-}" ] || printf '  stdout:   %s\n  stderr:   %s\n' "${out:-}" "${err:-}"
    fi
}

matches() { # what, extended regular expression, text
    if [[ "$3" =~ $2 ]]; then
        passed=$((passed + 1))
    else
        check "$1" "(matches) $2" "$3"
    fi
}

# run CODE ARGUMENT...: the command ends with CODE; $out and $err hold what it printed.
run() {
    local expected=$1 code
    shift
    out=$("$bin/zipring" "$@" 2>"$work/stderr")
    code=$?
    err=$(<"$work/stderr")
    check "exit of: zipring $*" "$expected" "$code"
    if [ "$code" -ne 0 ] && [ -z "$err" ]; then
        check "a refusal speaks: zipring $*" "something on stderr" "nothing"
    fi
}

# field NAME: its first value in $out, strings without their quotes.
field() {
    grep -o "\"$1\":\(\"[^\"]*\"\|[-a-z0-9.]*\)" <<<"$out" | head -n 1 |
        sed 's/^"[^"]*"://; s/^"\(.*\)"$/\1/'
}

has() { # NAME VALUE: the first value of a field of $out
    check "field $1 in $out" "$2" "$(field "$1")"
}

# dev_start: the dev server in the background; returns when everything in it is ready.
dev_start() { # OPTION...
    rm -f "$work/ready"
    mkfifo "$work/ready"
    "$bin/zipring" dev --dir "$work/net" --bench --clock manual --ready-fd 3 "$@" \
        3>"$work/ready" >"$work/dev.out" 2>"$work/dev.err" &
    server_pid=$!
    if ! read -r address <"$work/ready"; then
        wait "$server_pid"
        echo "FAILED: the dev server ended with $?:"
        cat "$work/dev.out" "$work/dev.err"
        server_pid=
        failed=$((failed + 1))
        echo "$passed passed, $failed failed"
        exit 1
    fi
}

# dev_stop: it drains and ends with its server's code.
dev_stop() {
    kill -TERM "$server_pid"
    wait "$server_pid"
    check "dev ends with its server's code" 0 $?
    server_pid=
}
