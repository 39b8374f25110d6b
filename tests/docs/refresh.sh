#!/usr/bin/env bash
# refresh.sh TOOLS - write again what is made from protocol/*.def and committed: the generated
# sections of PROTOCOL.md, the vectors, and the fuzz seeds. Called by `make docs`.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=$1
document=protocol/PROTOCOL.md
section_file=$(mktemp)
trap 'rm -f "$section_file" "$document.new"' EXIT

for section in $("$tools/describe"); do
    "$tools/describe" "$section" >"$section_file"
    from="<!-- generated: $section -->"
    awk -v from="$from" -v to="<!-- end: $section -->" -v file="$section_file" '
        $0 == to { inside = 0 }
        !inside { print }
        $0 == from {
            inside = found = 1
            while ((getline line < file) > 0) print line
        }
        END { exit !found || inside }
    ' "$document" >"$document.new" || { echo "$document has no section $section" >&2; exit 1; }
    cat "$document.new" >"$document"
done

"$tools/vectors" >protocol/vectors/messages.json
corpus=tests/fuzz/corpus
rm -rf "$corpus/fuzz_message" "$corpus/fuzz_stream"
mkdir -p "$corpus/fuzz_message" "$corpus/fuzz_stream"
"$tools/vectors" "$corpus/fuzz_message"
cat "$corpus"/fuzz_message/*-request >"$corpus/fuzz_stream/requests"
cat "$corpus"/fuzz_message/*-reply "$corpus"/fuzz_message/*-push >"$corpus/fuzz_stream/replies"
