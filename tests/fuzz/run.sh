#!/usr/bin/env bash
# run.sh SECONDS FOLDER [TARGET...] - run the fuzz targets of FOLDER (build/fuzz-clang/fuzz), each
# SECONDS long, from the committed corpus tests/fuzz/corpus/<target>.
#
# What is found new stays in FOLDER/corpus/<target> and is used by the next run; an input that
# breaks a target is kept as FOLDER/<target>.crash-*, and the run fails.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=$1
folder=$2
shift 2
[ "$#" -gt 0 ] || set -- "$folder"/fuzz_*
export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

passed=0
failed=0
for target in "$@"; do
    name=$(basename "$target")
    [ -x "$target" ] && [[ "$name" == fuzz_* && "$name" != *.* ]] || continue
    mkdir -p "$folder/corpus/$name"
    log="$folder/$name.log"
    if "$target" "$folder/corpus/$name" "tests/fuzz/corpus/$name" -max_total_time="$seconds" \
        -timeout=10 -rss_limit_mb=1024 -max_len=16384 -print_final_stats=1 \
        -artifact_prefix="$folder/$name." >"$log" 2>&1; then
        passed=$((passed + 1))
        executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "ok    $name: ${executions:-?} inputs in $seconds s"
    else
        failed=$((failed + 1))
        tail -n 40 "$log"
        echo "FAIL  $name: see $log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
