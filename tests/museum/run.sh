#!/usr/bin/env bash
# run.sh - the bug museum: plant each bug of tests/museum/*.patch in a copy of the tree, and see
# that the suite finds it (`make museum`).
#
#   tests/museum/run.sh [NUMBER...]       only those, e.g. `run.sh 03 17`; all without
#
# The one idea: a test that nothing can break proves nothing. An exhibit NN-name.patch is text that
# says which bug it is and which rule it breaks, a line
#
#   # expect: PROGRAM...        tests relative to the build folder; one of them at least must fail
#
# and a small unified diff. To add one: change a line or two in a copy of the tree, and put
# `git diff` under such a head. Fit it to code that moves: a patch that no longer applies, does not
# compile, or whose tests fail without it, is a failure here, and said so.
#
# Works in a temporary folder with copies of the tree as it is and of build/release, so that an
# exhibit costs one compile and one link; needs no network, and removes what it made. Each program
# may take LIMIT seconds; one that hangs found its bug, too.
set -u
cd "$(dirname "$0")/../.." || exit 1
LIMIT=${MUSEUM_LIMIT:-30}
BUILD_LIMIT=600
built=build/release
unset MAKEFLAGS MFLAGS MAKELEVEL CMOCKA_MESSAGE_OUTPUT CMOCKA_XML_FILE CMOCKA_TEST_ABORT

copy=$(mktemp -d "${TMPDIR:-/tmp}/zipring-museum.XXXXXX") || exit 1
child=
# shellcheck disable=SC2317 # Called by the trap.
leave() {
    [ -n "$child" ] && kill -- "-$child" 2>/dev/null
    rm -rf "$copy"
}
trap leave EXIT
trap 'exit 130' INT TERM

# ---- the copy ------------------------------------------------------------------------------------

copy_tree() { # cp -a keeps times: make builds again only what a patch changes.
    mkdir -p "$copy/tree/$built" "$copy/saved"
    git ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do
            [ ! -e "$file" ] || printf '%s\0' "$file"
        done | xargs -0 cp -a --parents -t "$copy/tree"
    [ ! -d "$built" ] || cp -a "$built" "$copy/tree/build/"
}

# Runs in the copy with a bound, in a group of its own: what a test started goes with it.
bounded() { # bounded SECONDS COMMAND...
    local seconds=$1 code
    shift
    (cd "$copy/tree" && exec setsid timeout --kill-after=5 "$seconds" "$@") \
        >"$copy/output" 2>&1 </dev/null &
    child=$!
    wait "$child" 2>/dev/null # Or bash says how it died.
    code=$?
    kill -KILL -- "-$child" 2>/dev/null
    child=
    return "$code"
}

# What make must bring about before PROGRAMs can run: themselves, and the server for those that
# start one. A script is there already.
build() {
    local targets=() program
    for program in "$@"; do
        case $program in
        tests/unit/*) ;;
        *) targets+=("$built/zipringd" "$built/zipring") ;;
        esac
        case $program in
        tests/crash/*) targets+=("${preloads[@]}") ;;
        esac
        case $program in
        *.sh | *.py) ;;
        *) targets+=("$built/$program") ;;
        esac
    done
    bounded "$BUILD_LIMIT" make -s -j2 MODE=release CC=gcc "${targets[@]}"
}

run() { # The exit code of one test program.
    local path=$copy/tree/$built/$1
    case $1 in
    *.sh | *.py) path=$copy/tree/$1 ;;
    esac
    bounded "$LIMIT" env BUILD="$copy/tree/$built" "$path"
}

# ---- one exhibit ---------------------------------------------------------------------------------

expected_of() {
    sed -n 's/^# expect: *//p' "$1"
}

files_of() {
    sed -n 's|^+++ b/\([^[:space:]]*\).*|\1|p' "$1"
}

# git apply -C1: one line of context on each side will do where the code around has moved.
plant() {
    local file
    for file in $(files_of "$1"); do
        [ -e "$copy/tree/$file" ] || return 1
        cp -a --parents -t "$copy/saved" "$file"
    done
    bounded 30 env GIT_CEILING_DIRECTORIES="$copy" git apply -C1 --whitespace=nowarn "$1"
}

# Restored files are newer than what was built from them: the next make builds them again.
take_out() {
    local file
    for file in $(files_of "$1"); do
        cp "$copy/saved/$file" "$copy/tree/$file"
    done
}

say_failed() { # say_failed NAME WHY: with the end of what was printed.
    tail -n 8 "$copy/output" | sed 's/^/    /'
    echo "$1: $2"
    failed=$((failed + 1))
}

exhibit() {
    local patch=$1 name program code
    local programs=()
    name=$(basename "$patch" .patch)
    name="${name%%-*} ${name#*-}"
    : >"$copy/output"
    for program in $(expected_of "$patch"); do
        [ -n "${broken[$program]:-}" ] || programs+=("$program")
    done
    if [ "${#programs[@]}" -eq 0 ]; then
        say_failed "$name" "NOT JUDGED: expects nothing that passes without it"
    elif ! plant "$copy/tree/$patch"; then
        say_failed "$name" "DOES NOT APPLY any more: fit the patch to the code"
    elif ! build "${programs[@]}"; then
        say_failed "$name" "DOES NOT COMPILE"
    else
        for program in "${programs[@]}"; do
            run "$program"
            code=$?
            if [ "$code" -ne 0 ]; then
                grep -q 'FAILED' "$copy/output" || [ "$code" -lt 124 ] ||
                    program+=" (it broke off: exit $code)"
                echo "$name: found by $program"
                passed=$((passed + 1))
                take_out "$patch"
                return
            fi
        done
        say_failed "$name" "NOT FOUND by ${programs[*]}"
    fi
    take_out "$patch"
}

# ---- the tour ------------------------------------------------------------------------------------

shopt -s nullglob
patches=()
for number in "${@:-}"; do
    patches+=(tests/museum/"${number:+$number-}"*.patch)
done
[ "${#patches[@]}" -gt 0 ] || { echo "no such exhibit: $*"; exit 2; }
mapfile -t patches < <(printf '%s\n' "${patches[@]}" | sort -V)
preloads=(tests/crash/preload/*.c)
preloads=("${preloads[@]/%.c/.so}")
preloads=("${preloads[@]/#/$built/}")
declare -A broken=()
passed=0
failed=0

copy_tree
mapfile -t all < <(for patch in "${patches[@]}"; do expected_of "$patch"; done |
    tr -s ' ' '\n' | sort -u)
if ! build "${all[@]}"; then
    tail -n 20 "$copy/output"
    echo "the tree does not build as it is"
    exit 1
fi
for program in "${all[@]}"; do
    if ! run "$program"; then
        tail -n 20 "$copy/output" | sed 's/^/    /'
        echo "$program fails without any bug: it can find none"
        broken[$program]=1
    fi
done
for patch in "${patches[@]}"; do
    exhibit "$patch"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
