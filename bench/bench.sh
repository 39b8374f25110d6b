#!/usr/bin/env bash
# bench.sh - what `make bench` runs: the ratios that performance.md sets targets for.
#
# The server is pinned to core 0 and the generator to core 1. ECHO (the null server: same path,
# reply of ROUTE's size, no lookup) and ROUTE (a query) are measured in turn, ROUNDS times, so
# that what the machine does meanwhile meets both; then whole calls, whose CONNECTs are durable
# before they are answered. Figures are medians; what decides is the ratio inside one round.
#
#   ROUNDS=5 WARMUP=2s DURATION=8s     how often and how long
#   OUTPUT=build/bench.json            the summary; the reports of the runs lie beside it
set -u
# shellcheck source=bench/server.sh
. "$(dirname "$0")/server.sh"

rounds=${ROUNDS:-5}
warmup=${WARMUP:-2s}
duration=${DURATION:-8s}
output=${OUTPUT:-$BUILD/../bench.json}
reports=$(dirname "$output")/bench-runs
slots=(--zips "$zips" --slots covered --seed 1)
pin=()
pin_server=()
if [ "$(nproc)" -gt 1 ] && command -v taskset >/dev/null; then
    pin=(taskset -c 1)
    pin_server=(taskset -c 0)
else
    echo "note: one core only, or no taskset: server and generator share what there is" >&2
fi

# measure NAME ROUND OPTION...: one closed-loop run, its report in NAME.ROUND.json.
measure() {
    local name=$1 round=$2

    shift 2
    echo "round $round of $rounds: $name" >&2
    "${pin[@]}" "$bench" run --closed --warmup "$warmup" --duration "$duration" --interval 0 \
        --server-pid "$server_pid" --json "$reports/$name.$round.json" "$@" \
        >"$reports/$name.$round.txt" || {
        cat "$reports/$name.$round.txt" >&2
        server_explain
        exit 1
    }
}

mkdir -p "$reports" && rm -f "$reports"/*.json "$reports"/*.txt
server_start "${pin_server[@]}" -- --bench || exit 1
server_import_zips || exit 1
# Wallets that last and phones that are never busy: this must not turn into a benchmark of refusals.
"${pin[@]}" "$bench" demo --setup-only --zips "$zips" --topup 2000000000 \
    --concurrency 1000 >"$reports/setup.txt" || {
    server_explain
    exit 1
}

for ((round = 1; round <= rounds; round++)); do
    for depth in 1 16; do
        measure "echo-64x$depth" "$round" --op echo -c 64 -P "$depth"
        measure "route-64x$depth" "$round" --op route -c 64 -P "$depth" "${slots[@]}"
    done
done
# Calls that only ring: the server remembers a million of them, so one short round must do.
long="$warmup $duration"
warmup=200ms duration=${HOLD_DURATION:-500ms}
for depth in 1 16; do
    measure "hold-64x$depth" 1 --op route --hold 1 -c 64 -P "$depth" "${slots[@]}"
done
read -r warmup duration <<<"$long"
for ((round = 1; round <= rounds; round++)); do
    measure connect-64x1 "$round" --op connect -c 64 -P 1 "${slots[@]}"
done
server_stop

decision=()
if [ -x "$BUILD/bench-decision" ]; then
    echo "decision, in process" >&2
    if "${pin[@]}" "$BUILD/bench-decision" >"$reports/decision.txt"; then
        decision=(--decision "$reports/decision.txt")
    else
        echo "note: bench-decision failed; it is left out" >&2
    fi
fi
"$bench" summary "${decision[@]}" --output "$output" "$reports" | tee "$reports/summary.txt"
exit "${PIPESTATUS[0]}"
