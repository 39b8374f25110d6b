#!/usr/bin/env bash
# smoke.sh - every fuzz target for two seconds, as part of `make test`; nothing where clang is
# missing. run.sh: timeout 600
set -eu
cd "$(dirname "$0")/../.."
if ! command -v clang >/dev/null; then
    echo "clang is missing: not fuzzed"
    exit 0
fi
make -s -j2 MODE=fuzz CC=clang fuzzers >/dev/null
exec tests/fuzz/run.sh "${FUZZ_SECONDS:-2}" build/fuzz-clang/fuzz
