#!/usr/bin/env bash
# tidy.sh - the rules of style that no compiler knows. Prints `file:line: rule`, exits 1 on any.
#
# Include direction (architecture.md "Who may include whom"), each arrow "may include":
#
#   handlers -> commit -> store -> domain -> base -> protocol      server/main.c -> all of server
#   net -> base -> protocol        client -> protocol              bench -> client (micro: server)
#   tests -> all
#
# <liburing.h> only in net/loop, OpenSSL only in net/tls, base/mac, client/tls and client/cli/pki,
# <lmdb.h> only in store/. Includes are rooted, a .c includes its own header first, guards are
# ZR_..._<FILE>_H. Functions: 60 lines, 5 parameters (unless a library dictates them, said by a
# NOLINT of readability-function-size). Files: 600 lines, 100 columns (a .def is a
# table: exempt from both). No tabs, no unfinished-work markers, no banned calls.
#
# It reads the text, not the grammar: a function is a name at column 0 and a `{` at column 0,
# which .clang-format guarantees. `tidy.sh DIR` judges another tree, for its own test.
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2
export LC_ALL=C

mapfile -t files < <(find protocol server client bench tests -type f \
    -regex '.*\.\([ch]\|def\|sh\|py\)' 2>/dev/null | sort)
if [ "${#files[@]}" -eq 0 ]; then
    echo "tidy.sh: nothing to judge here" >&2
    exit 2
fi

# What may be included. Tests may take in a .c, to reach its static functions.
headers=$(printf '%s\n' "${files[@]}" | grep -E '\.(h|def|c)$')

awk -v headers="$headers" '
function complain(line, rule) {
    printf "%s:%d: %s\n", FILENAME, line, rule
    complaints++
}

# What a file may include, as a regular expression over rooted paths.
function may_include(path) {
    if (path ~ /^protocol\//) return "^protocol/"
    if (path ~ /^server\/base\//) return "^(server/base|protocol)/"
    if (path ~ /^server\/net\//) return "^(server/(net|base)|protocol)/"
    if (path ~ /^server\/domain\//) return "^(server/(domain|base)|protocol)/"
    if (path ~ /^server\/store\//) return "^(server/(store|domain|base)|protocol)/"
    if (path ~ /^server\/commit\//) return "^(server/(commit|store|domain|base)|protocol)/"
    if (path ~ /^server\/handlers\//) {
        return "^(server/(handlers|commit|store|domain|base)|protocol)/"
    }
    if (path ~ /^server\/[^\/]*$/) return "^(server|protocol)/"
    if (path ~ /^client\//) return "^(client|protocol)/"
    if (path ~ /^bench\/micro\//) return "^(bench|client|protocol|server)/"
    if (path ~ /^bench\//) return "^(bench|client|protocol)/"
    return "."
}

function judge_rooted(name, path) {
    if (!(path in exists) || (path ~ /\.c$/ && FILENAME !~ /^tests\//)) {
        complain(FNR, "include is not rooted: \"" name "\"")
    } else if (path !~ may) {
        complain(FNR, "include against the direction: " path)
    }
}

function judge_include(text,   name) {
    name = text
    if (text ~ /^#[ \t]*include[ \t]*"/) {
        sub(/^#[ \t]*include[ \t]*"/, "", name)
        sub(/".*/, "", name)
        includes++
        own = FILENAME
        sub(/\.c$/, ".h", own)
        if (includes == 1 && own != FILENAME && own in exists && name != own) {
            complain(FNR, "own header must be the first include: " own)
        }
        judge_rooted(name, name)
        return
    }
    sub(/^#[ \t]*include[ \t]*</, "", name)
    sub(/>.*/, "", name)
    if (name == "zipring.h") judge_rooted(name, "client/include/zipring.h")
    if (FILENAME ~ /^tests\//) return
    if (name ~ /^(liburing|linux\/io_uring)/ && FILENAME !~ /^server\/net\/loop[a-z_]*\.[ch]$/) {
        complain(FNR, "only server/net/loop may include <" name ">")
    }
    if (name ~ /^openssl\// && FILENAME !~ /^(server\/net|client)\/tls[a-z_]*\.[ch]$/ &&
        FILENAME !~ /^(server\/base\/mac|client\/cli\/pki)[a-z_]*\.[ch]$/) {
        complain(FNR, "only net/tls, base/mac, client/tls, client/cli/pki may include <" name ">")
    }
    if (name == "lmdb.h" && FILENAME !~ /^server\/store\//) {
        complain(FNR, "only server/store/ may include <lmdb.h>")
    }
}

# Parameters of "name(a, b, void (*c)(int, int))": commas at depth 1, plus one.
function parameters(text,   at, depth, count, letter) {
    count = 1
    for (at = index(text, "("); at <= length(text); at++) {
        letter = substr(text, at, 1)
        if (letter == "(") depth++
        if (letter == ")" && --depth == 0) return count
        if (letter == "," && depth == 1) count++
    }
    return count
}

function judge_function_end(   lines) {
    lines = FNR - function_line + 1
    if (lines > 60) {
        complain(function_line, "function of " lines " lines, at most 60: " function_name)
    }
    lines = parameters(signature)
    if (lines > 5 && !dictated) {
        complain(function_line, "function of " lines " parameters, at most 5: " function_name)
    }
}

function judge_function(text) {
    if (in_body) {
        if (text ~ /^}/) {
            in_body = 0
            judge_function_end()
        }
        return
    }
    if (text ~ /NOLINT.*readability-function-size/) excused = 1
    if (text ~ /^[a-zA-Z_][a-zA-Z0-9_]*\(/) {
        function_line = FNR
        dictated = excused || text ~ /NOLINT.*readability-function-size/
        excused = 0
        function_name = text
        sub(/\(.*/, "", function_name)
        signature = ""
    }
    if (text ~ /^{/ && function_line > 0) {
        in_body = 1
        return
    }
    if (text ~ /;[ \t]*$/) function_line = 0
    signature = signature text
}

function judge_guard(   stem) {
    stem = FILENAME
    sub(/.*\//, "", stem)
    sub(/\.h$/, "", stem)
    stem = toupper(stem)
    gsub(/[^A-Z0-9]/, "_", stem)
    if (guard == "") {
        complain(1, "no include guard")
    } else if (guard !~ ("^ZR_([A-Z0-9]+_)*" stem "_H$") && guard != "ZIPRING_H") {
        complain(guard_line, "guard must be ZR_" stem "_H: " guard)
    } else if (guard in guards) {
        complain(guard_line, "guard is already that of " guards[guard] ": " guard)
    }
    guards[guard] = FILENAME
}

# Calls are looked for in code: string literals and comments of one line are taken out first.
function judge_calls(text) {
    gsub(/"([^"\\]|\\.)*"/, "\"\"", text)
    gsub(/\/\*.*\*\//, "", text)
    sub(/\/\/.*/, "", text)
    if (text ~ /^[ \t]*\/?\*/) return
    if (match(text, banned)) {
        complain(FNR, "banned call: " substr(text, RSTART, RLENGTH))
    }
}

function finish_file() {
    if (last_file == "") return
    FILENAME_next = FILENAME
    FILENAME = last_file
    if (!is_table && last_line > 600) {
        complain(last_line, "file of " last_line " lines, at most 600")
    }
    if (last_file ~ /\.h$/) judge_guard()
    FILENAME = FILENAME_next
}

BEGIN {
    banned = "strcpy|strcat|sprintf|gets|system|alloca|atoi|rand|strtok|localtime"
    banned = "(^|[^a-zA-Z0-9_.>])(" banned ")[ \t]*\\("
    marker = "(^|[^A-Za-z0-9_])(TODO|FIXME|XXX)([^A-Za-z0-9_]|$)"
    count = split(headers, list, "\n")
    for (i = 1; i <= count; i++) exists[list[i]] = 1
}

FNR == 1 {
    finish_file()
    last_file = FILENAME
    is_table = FILENAME ~ /\.def$/
    is_c = FILENAME ~ /\.[ch]$/
    may = may_include(FILENAME)
    includes = 0
    in_body = 0
    function_line = 0
    guard = ""
}

{ last_line = FNR }

/\t/ { complain(FNR, "tab") }
!is_table && length($0) > 100 {
    # Bytes are counted; a line of UTF-8 gets the benefit of its continuation bytes.
    wide = $0
    gsub(/[\200-\277]/, "", wide)
    if (length(wide) > 100) complain(FNR, "line of " length(wide) " columns, at most 100")
}
FILENAME != "tests/tidy.sh" && $0 ~ marker { complain(FNR, "unfinished-work marker") }
FILENAME ~ /^server\// && /MDB_(NOSYNC|NOMETASYNC|MAPASYNC|WRITEMAP)/ {
    complain(FNR, "an LMDB flag that breaks durability")
}

is_c {
    if ($0 ~ /^#[ \t]*include/) judge_include($0)
    if (guard == "" && $0 ~ /^#ifndef /) { guard = $2; guard_line = FNR }
    judge_function($0)
    if (FILENAME ~ /^(server|protocol)\// || FILENAME ~ /^client\/[^\/]*$/) judge_calls($0)
}

END {
    finish_file()
    exit complaints > 0
}
' "${files[@]}"
