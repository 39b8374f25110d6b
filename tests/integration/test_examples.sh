#!/usr/bin/env bash
# test_examples.sh - client/examples as a reader meets them: each compiles against the installed
# header without a warning, is short, and does on a real server what its first lines promise.
#
#   ZIPRING_BIN  folder of the programs and of libzipring.a (default: $BUILD, else build/release)
#
# The server has a manual clock and is stopped by its pid.
set -u
cd "$(dirname "$0")/../.." || exit 1
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
unset ZIPRING_URI ZIPRING_CERT ZIPRING_KEY ZIPRING_CA ZIPRING_DEV XDG_CONFIG_HOME
export HOME=$work/home
mkdir -p "$HOME"

check() { # what, expected, found
    if [ "$2" == "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n  expected: %s\n  found:    %s\n' "$1" "$2" "$3"
    fi
}

# Sanitized libraries want their runtime in the program too.
flags=()
case ${bin##*/} in
san*) flags=(-fsanitize=address,undefined) ;;
tsan*) flags=(-fsanitize=thread) ;;
cover*) flags=(-fprofile-instr-generate) ;;
esac
compiler=gcc
case ${bin##*/} in *-clang*) compiler=clang ;; esac

for source in client/examples/*.c; do
    name=$(basename "$source" .c)
    "$compiler" -std=c11 -Wall -Wextra -Werror -Wpedantic "${flags[@]}" -Iclient/include -I. \
        "$source" "$bin/libzipring.a" -lssl -lcrypto -o "$work/$name" 2>"$work/err"
    check "$name compiles without a warning" "0 " "$? $(<"$work/err")"
    check "$name is at most 60 lines" 1 "$(($(wc -l <"$source") <= 60))"
done

# ---- a server and a cascade of two -----------------------------------------------------------

dev=$work/net
mkfifo "$work/ready"
"$bin/zipring" dev --dir "$dev" --bench --clock manual --ready-fd 3 3>"$work/ready" \
    >"$work/dev.out" 2>"$work/dev.err" &
server_pid=$!
if ! read -r address <"$work/ready"; then
    cat "$work/dev.out" "$work/dev.err"
    echo "$passed passed, $((failed + 1)) failed"
    exit 1
fi
export ZIPRING_DEV=$dev

do_it() { # ARGUMENT...: a command that must work.
    "$bin/zipring" "$@" >"$work/out" 2>&1
    check "zipring $*" 0 "$?"
}
do_it import zips tests/integration/fixtures/zips_good.csv
do_it category add plumbing --rate-cents 2000
do_it policy put --duration-check flag # The examples do not wait out the talk that they report.
for number in 1 2; do
    do_it contractor add --name "Plumber $number" --phone "+1713555000$number" --office-zip 77002
    do_it contractor status "$number" approved
    do_it wallet topup --contractor "$number" --amount-cents 10000 --ref "payment-$number"
    do_it claim --contractor "$number" --category plumbing --zip 77002 --accept-backup
done

export ZIPRING_URI=zipring://$address
export ZIPRING_CERT=$dev/switch.pem ZIPRING_KEY=$dev/switch.key ZIPRING_CA=$dev/ca.pem

# cascade CODE...: what the example prints, one line after the other.
cascade() {
    "$work/cascade" 77002 1 "$@" 2>&1 | tr '\n' ';'
}
check "cascade.c: the backup answers and pays his rate" \
    "ring   +17135550001: 480;ring   +17135550002: 200;bridge contractor 2;done   OK, 1400 cents;" \
    "$(cascade 480 200)"
check "cascade.c: declined, busy, nobody left (E37)" \
    "ring   +17135550001: 603;ring   +17135550002: 486;done   EXHAUSTED, 0 cents;" \
    "$(cascade 603 486)"
check "cascade.c: a category that is not there" "done   NOT_OFFERED, 0 cents;" \
    "$("$work/cascade" 77002 99 2>&1 | tr '\n' ';')"

check "route.c: every step is done" 3 \
    "$("$work/route" 77002 1 | grep -Ec '^(route|connect|end) +0:')"
check "surge.c: all of them are routed" "routed 500 refused 0 failed 0" \
    "$("$work/surge" 77002 1 500)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
