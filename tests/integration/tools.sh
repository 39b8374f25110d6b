#!/usr/bin/env bash
# tools.sh - the judges themselves are judged: tidy.sh finds each rule's offender and nothing in a
# clean tree, run.sh counts what programs say and what they do not.
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

check() { # what, expected, found
    if [ "$2" == "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n  expected: %s\n  found:    %s\n' "$1" "$2" "$3"
    fi
}

# tidy RULE FILE TEXT: a tree of this one file breaks exactly this rule, once.
tidy() {
    local tree=$work/tree
    rm -rf "$tree"
    mkdir -p "$tree/$(dirname "$2")" "$tree/server/"{base,domain,store,commit,net,handlers}
    mkdir -p "$tree/"{protocol,client}
    local folder guard
    for folder in server/{base,domain,store,commit,net,handlers} protocol client; do
        guard=$(tr a-z/ A-Z_ <<<"ZR_${folder}_X_H")
        printf '#ifndef %s\n#define %s\n#endif\n' "$guard" "$guard" >"$tree/$folder/x.h"
    done
    printf '%b' "$3" >"$tree/$2"
    check "tidy: $2: ${1:-clean}" "$1" \
        "$("$root/tests/tidy.sh" "$tree" | sed 's/^[^ ]* //; s/:.*//')"
}

tidy "" server/domain/a.c '#include "server/base/x.h"\n#include "protocol/x.h"\n'
tidy "" server/handlers/a.c '#include "server/commit/x.h"\n#include "server/store/x.h"\n'
tidy "" server/main.c '#include "server/net/x.h"\n#include "server/handlers/x.h"\n'
tidy "" tests/unit/a.c '#include "server/net/x.h"\n#include <lmdb.h>\n'
tidy "" server/net/loop_ring.c '#include <liburing.h>\n'
tidy "" server/net/tls_context.c '#include <openssl/ssl.h>\n'
tidy "" server/store/a.c '#include <lmdb.h>\n'
for pair in protocol/a.c:server/base protocol/b.c:client server/base/a.c:server/domain \
    server/domain/a.c:server/store server/store/a.c:server/commit \
    server/commit/a.c:server/handlers server/handlers/a.c:server/net \
    server/net/a.c:server/domain server/net/b.c:server/handlers \
    client/a.c:server/base bench/a.c:server/base; do
    tidy "include against the direction" "${pair%:*}" "#include \"${pair#*:}/x.h\"\n"
done
tidy "include is not rooted" server/base/a.c '#include "x.h"\n'
tidy "own header must be the first include" server/base/x.c \
    '#include "protocol/x.h"\n#include "server/base/x.h"\n'
tidy "only server/net/loop may include <liburing.h>" server/net/conn.c '#include <liburing.h>\n'
tidy "only net/tls, base/mac, client/tls, client/cli/pki may include <openssl/ssl.h>" \
    server/net/conn.c '#include <openssl/ssl.h>\n'
tidy "only server/store/ may include <lmdb.h>" server/commit/a.c '#include <lmdb.h>\n'
tidy "tab" server/base/a.c 'int a;\t\n'
tidy "line of 101 columns, at most 100" server/base/a.c "$(printf '/%.0s' {1..101})\n"
tidy "file of 601 lines, at most 600" server/base/a.c "$(printf 'x%.0s\\n' {1..601})"
tidy "function of 61 lines, at most 60" server/base/a.c \
    "int\nf(void)\n{\n$(printf ' x;%.0s\\n' {1..58})}\n"
tidy "" server/base/a.c "int\nf(void)\n{\n$(printf ' x;%.0s\\n' {1..57})}\n"
tidy "function of 6 parameters, at most 5" server/base/a.c \
    'int\nf(int a, int b, int (*c)(int, int),\n  int d, int e, int f)\n{\n}\n'
tidy "" server/base/a.c 'int\nf(int a, int b, int (*c)(int, int),\n  int d, int e)\n{\n}\n'
tidy "guard must be ZR_A_H" server/base/a.h '#ifndef ZR_B_H\n#define ZR_B_H\n#endif\n'
tidy "no include guard" server/base/a.h 'int a;\n'
tidy "unfinished-work marker" server/base/a.c "/* TO""DO: later */\n"
tidy "banned call" server/base/a.c 'int a = atoi(b);\n'
tidy "" server/base/a.c 'int a = my_atoi(b); /* not atoi() */ char *c = "atoi(1)";\n'
tidy "an LMDB flag that breaks durability" server/store/a.c 'int a = MDB_NOSYNC;\n'

# run EXPECTED-LAST-LINE SCRIPT...: programs that print or do these things.
run() {
    local expected=$1 programs=() script
    shift
    for script in "$@"; do
        programs+=("$work/program${#programs[@]}")
        printf '#!/bin/bash\n%b\n' "$script" >"${programs[-1]}"
        chmod +x "${programs[-1]}"
    done
    check "run: $*" "$expected" "$(tests/run.sh -t 1 "${programs[@]}" | tail -n 1)"
}

run "3 passed, 0 failed" "echo '[  PASSED  ] 3 test(s).'"
run "3 passed, 2 failed" \
    "echo '[  PASSED  ] 3 test(s).'; echo '[  FAILED  ] 2 test(s), listed below:'; exit 2"
run "7 passed, 1 failed" "echo '7 passed, 1 failed'; exit 1"
run "1 passed, 0 failed" "true"
run "0 passed, 1 failed" "false"
run "5 passed, 1 failed" "echo '5 passed, 0 failed'; exit 3"
run "0 passed, 1 failed" "sleep 5"
run "9 passed, 0 failed" "echo '4 passed, 0 failed'" "echo '5 passed, 0 failed'"
run "0 passed, 1 failed" "kill -9 \$\$"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
