#!/usr/bin/env bash
# run.sh - run test programs one after another and total what they say.
#
#   tests/run.sh [-t SECONDS] PROGRAM...
#
# A program is a cmocka binary ("[  PASSED  ] N test(s)."), or anything else that ends with
# "N passed, N failed"; one that prints neither counts as one test, by its exit code. A non-zero
# exit is a failure whatever was printed; so is a program that outlives its SECONDS (300), or
# its own bound, stated in its text as "run.sh: timeout N" (a binary keeps it as a constant).
# Programs start in the checkout with BUILD set to the build folder. The output of those that fail
# is printed.
set -u
cd "$(dirname "$0")/.." || exit 1

limit=300
while getopts t: option; do
    case $option in
    t) limit=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))

BUILD=${BUILD:-$PWD/build/release}
export BUILD
unset CMOCKA_MESSAGE_OUTPUT CMOCKA_XML_FILE CMOCKA_TEST_ABORT
output=$(mktemp)
trap 'rm -f "$output"' EXIT
passed_total=0
failed_total=0

bound_of() { # A program may state a longer or shorter bound than the default.
    local own
    own=$(grep -aom1 'run\.sh: timeout [0-9][0-9]*' "$1" 2>/dev/null | head -n 1)
    own=${own##* }
    echo "${own:-$limit}"
}

count() { # Prints "passed failed" as the output tells it; nothing when it tells nothing.
    awk '
        /^\[  PASSED  \] [0-9]+ test/ { cmocka = 1; passed += $4 }
        /^\[  FAILED  \] [0-9]+ test/ { cmocka = 1; failed += $4 }
        /^[0-9]+ passed, [0-9]+ failed/ { plain = 1; plain_passed = $1; plain_failed = $3 }
        END {
            if (cmocka) print passed + 0, failed + 0
            else if (plain) print plain_passed + 0, plain_failed + 0
        }' "$output"
}

for program in "$@"; do
    started=$(date +%s%N)
    bound=$(bound_of "$program")
    timeout --kill-after=10 "$bound" "$program" >"$output" 2>&1 </dev/null
    code=$?
    elapsed_ms=$((($(date +%s%N) - started) / 1000000))
    counted=$(count)
    if [ -n "$counted" ]; then
        passed=${counted% *}
        failed=${counted#* }
    else
        passed=$((code == 0))
        failed=0
    fi
    if [ "$code" -ne 0 ] && [ "$failed" -eq 0 ]; then
        failed=1
    fi
    passed_total=$((passed_total + passed))
    failed_total=$((failed_total + failed))
    if [ "$failed" -eq 0 ]; then
        printf 'ok    %-48s %5d tests %6d ms\n' "${program#"$PWD/"}" "$passed" "$elapsed_ms"
        continue
    fi
    reason="exit $code"
    if [ "$code" -eq 124 ] || [ "$code" -eq 137 ]; then
        reason="still running after $bound s"
    fi
    # Indented: a total of this program must not read like the total of all.
    sed 's/^/    /' "$output"
    printf 'FAIL  %-48s %5d failed %5d ms (%s)\n' \
        "${program#"$PWD/"}" "$failed" "$elapsed_ms" "$reason"
done

echo "$passed_total passed, $failed_total failed"
[ "$failed_total" -eq 0 ] && [ "$passed_total" -gt 0 ]
