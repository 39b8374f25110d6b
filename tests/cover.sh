#!/usr/bin/env bash
# cover.sh - branch coverage of protocol/ and server/domain/ by every test but crash and fuzz.
#
#   tests/cover.sh BUILD_DIR PERCENT     (called by `make cover`)
#
# Runs the tests of BUILD_DIR and the servers that they start, merges their profiles, prints one
# line a file, and fails when a test does or when the branches of either folder are covered by less
# than PERCENT. Uncovered ones:
# llvm-cov show -show-branches=count, or BUILD_DIR/cover/html with COVER_HTML=1.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
gate=$2
tool() { command -v "$1-14" || command -v "$1"; }
profdata=$(tool llvm-profdata) && cov=$(tool llvm-cov) || { echo "llvm-14 is missing"; exit 1; }

shopt -s nullglob
programs=()
for program in "$build"/tests/{unit,model,sim,integration}/*; do
    [ -f "$program" ] && [ -x "$program" ] && programs+=("$program")
done
scripts=(tests/integration/*.sh tests/model/*.sh tests/sim/*.sh)
rm -rf "$build/cover"
mkdir -p "$build/cover"
missed=0
LLVM_PROFILE_FILE="$PWD/$build/cover/%p.profraw" BUILD="$PWD/$build" \
    tests/run.sh "${programs[@]}" "${scripts[@]}" || missed=1
"$profdata" merge -sparse "$build"/cover/*.profraw -o "$build/cover/all.profdata" || exit 1

objects=()
for program in "${programs[@]:1}" "$build/zipringd"; do
    objects+=(-object "$program")
done
if [ -n "${COVER_HTML:-}" ]; then
    "$cov" show "${programs[0]}" "${objects[@]}" -instr-profile="$build/cover/all.profdata" \
        -format=html -show-branches=count -output-dir="$build/cover/html" protocol server/domain
fi

# Branches that no execution can take (a switch over a constant after inlining, the second half
# of a CHECK) are not told apart from missed ones: hence a gate below 100.
"$cov" export "${programs[0]}" "${objects[@]}" -instr-profile="$build/cover/all.profdata" \
    -summary-only protocol server/domain >"$build/cover/summary.json" || exit 1
python3 - "$build/cover/summary.json" "$gate" "$PWD" <<'PYTHON'
import json
import sys

path, gate, root = sys.argv[1], float(sys.argv[2]), sys.argv[3] + "/"
folders = {}
for file in json.load(open(path))["data"][0]["files"]:
    name = file["filename"].replace(root, "")
    branches = file["summary"]["branches"]
    lines = file["summary"]["lines"]
    folder = "protocol" if name.startswith("protocol/") else "server/domain"
    total = folders.setdefault(folder, [0, 0])
    total[0] += branches["covered"]
    total[1] += branches["count"]
    print("%-32s branches %4d of %4d  %6.2f %%   lines %6.2f %%" % (
        name, branches["covered"], branches["count"], branches["percent"], lines["percent"]))
missed = 0
for folder, (covered, count) in sorted(folders.items()):
    percent = 100.0 * covered / count if count else 100.0
    missed += percent < gate
    print("%-32s branches %4d of %4d  %6.2f %%   gate %g %%" % (
        folder, covered, count, percent, gate))
sys.exit(missed > 0)
PYTHON
exit $((missed || $?))
