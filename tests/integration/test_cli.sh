#!/usr/bin/env bash
# test_cli.sh - the command line as scripts meet it: exit codes, JSON fields, errors of an import,
# and one whole story on a server of its own: territory, contractors, claims, calls, money, audit.
#
#   ZIPRING_BIN  folder of the programs (default: $BUILD, else build/release)
#
# The server has a manual clock: time is moved, never waited for. It is stopped by its pid.
# shellcheck source=tests/lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"
fixtures=tests/integration/fixtures

# ---- usage -----------------------------------------------------------------------------------

run 2
matches "no command: said" "a command is missing" "$err"
run 2 nosuch
matches "an unknown command: said" 'no command "nosuch"' "$err"
run 2 contractor nosuch
run 2 route
matches "a missing option: named" "--zip .* is missing" "$err"
run 2 route --zip 7702 --category 1 --caller +17135550100
matches "a bad ZIP: named with what it should be" "--zip 7702: expected a ZIP of five digits" "$err"
run 2 route --zip 77002 --category 1 --caller 555-0100
run 2 end --call x --talk-ms 1s
run 2 next --ticket AAAA --index 0 --outcome vanished
matches "a bad name: the names that are right" "NO_ANSWER BUSY DECLINED" "$err"
run 2 ping --key nonsense-for-ping --nosuch
run 2 wallet topup 1 --amount-cents 2500 --amount-cents 2600 --ref a
matches "an option given twice: said" "given twice" "$err"
run 2 pause
run 2 policy put --zip 77002 --ring-timeout-s 20
run 2 principal revoke
run 2 clock advance 72
run 2 ping
matches "no server named: what to do" "ZIPRING_URI" "$err"

help() { # ARGUMENT...: glibc's argp leaks two bytes when it prints help; its leak is not ours.
    ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" run 0 "$@" --help
    matches "help of: $*" "Usage: zipring" "$out"
}
help
listed=$(sed -n '/^Commands/,/^Exit/p' <<<"$out" | grep -v '^  [a-z]\|^Commands\|^Exit\|^$')
check "help: every command on a line of its own" "" "$listed"
check "help: no line past 79 columns" "" "$(grep '.\{80\}' <<<"$out")"
matches "help: the exit codes, whole" "3 not executed or no connection" "$out"
run 0 --version

if command -v scdoc >/dev/null; then
    for page in client/cli/*.scd client/man/*.scd server/*.scd bench/*.scd; do
        check "a man page: $page" "" "$(scdoc <"$page" 2>&1 >/dev/null)"
    done
fi

# Every command has its help, and says something there.
for command in "import zips" "category add" "category put" "category list" "contractor add" \
    "contractor show" "contractor list" "contractor status" claim release pause resume claims slot \
    route next connect qualify end call "wallet topup" "wallet show" "wallet ledger" "policy get" \
    "policy put" "principal add" "principal revoke" "clock advance" "admin ping" "admin stats" \
    "admin audit" "admin state-hash" ping dev "dev cert" "contractor hours" "contractor schedule" \
    "contractor caps" "contractor dest" "contractor filters" "claim show" "offer accept" \
    "offer decline" "waitlist join" "waitlist leave" keepalive explain decline "wallet autotopup" \
    "wallet topup-result" "wallet reverse" "wallet adjust" "dispute open" "dispute resolve" \
    "dispute show" map watch "suppress add" "suppress remove" "admin key-rotate"; do
    # shellcheck disable=SC2086 # Two words are two arguments.
    help $command
done

# ---- dry runs --------------------------------------------------------------------------------

run 0 --dry-run claim --contractor 7 --category plumbing,hvac --zip 00601,77003 --accept-backup
slots='{"zip":"00601","category":"plumbing"},{"zip":"77003","category":"plumbing"},'
slots+='{"zip":"00601","category":"hvac"},{"zip":"77003","category":"hvac"}'
expected='{"op":"CLAIM","op_id":null,"contractor":7,"accept_backup":true,"all_or_none":false,'
check "dry run: the request as JSON" "$expected\"slots\":[$slots],\"lapse\":false}" "$out"
run 0 route --dry-run --zip 77002 --category plumbing --caller +17135550100 --call-id abc
has call_id abc # Text is echoed; on the wire it is the first 16 bytes of its SHA-256.
run 0 route --dry-run --zip 77002 --category 3 --caller withheld
has caller null
has caller_kind WITHHELD
run 2 claim --dry-run --contractor 7 --category plumbing --zip 77002,77002
key=0190a5e4-0000-7000-8000-000000000001
run 0 contractor add --dry-run --key $key --name "Ace" --phone +17135550199 --office-zip 77002
has op_id $key
id_of_key=$(field contractor_id)
run 0 contractor add --dry-run --key $key --name "Ace" --phone +17135550199 --office-zip 77002
has contractor_id "$id_of_key" # The same key sends the same body.

# ---- import: what is wrong, and where --------------------------------------------------------

run 0 import zips $fixtures/zips_good.csv --dry-run
has rows_total 5
digest=$(field digest)
gzip -c $fixtures/zips_good.csv >"$work/good.csv.gz"
run 0 import zips "$work/good.csv.gz" --dry-run
has digest "$digest"
out=$("$bin/zipring" import zips - --dry-run <$fixtures/zips_good.csv)
has digest "$digest"
run 0 import zips $fixtures/zips_bom_crlf.csv --dry-run
has rows_total 2

run 2 import zips $fixtures/zips_bad.csv
file=$fixtures/zips_bad.csv
check "import: every bad row with its line and column" "\
$file:1:64: warning: unknown column \"mayor\" is passed over
$file:3:1: zip \"601\": a ZIP has five digits, leading zeros included
$file:4:15: state \"Texas\": a state is two capital letters
$file:6:7: city \"Two?lines\": not UTF-8, or a control character in it
$file:7:17: lat \"91.5\": a latitude is between -90 and 90
$file:8:18: county_fips \"482011\": a county code is at most five digits
$file:8:52: population \"many\": a population is a whole number
$file:8:57: density \"-1\": a density is a decimal number, not negative
$file:9:1: zip \"77002\": it is on line 2 already
$file:10:17: 3 fields, the first line names 10
$file:11:9: a quote where none may be: quote the whole field and double the quotes in it
$file:12:67: more fields than the 10 of the first line
zipring import zips: nothing was sent: fix the 11 errors and import again" "$err"
check "import: a refused file prints nothing on stdout" "" "$out"
run 2 import zips $fixtures/zips_no_zip.csv
matches "import: no column zip" "zips_no_zip.csv:1:1: the first line names no column" "$err"
run 2 import zips $fixtures/zips_open_quote.csv
matches "import: an open quote" "zips_open_quote.csv:2:7: the quote that opens here" "$err"
run 2 import zips $fixtures/zips_many_bad.csv
check "import: 20 errors are printed, the rest counted" "20" "$(grep -c ': zip "bad' <<<"$err")"
matches "import: 20 errors are printed, the rest counted" "and 5 more" "$err"
run 2 import zips "$work/nosuch.csv"
matches "import: a missing file" "No such file" "$err"
head -c 100 "$work/good.csv.gz" >"$work/cut.csv.gz"
run 2 import zips "$work/cut.csv.gz"
matches "import: a cut gzip file" "ends in the middle" "$err"
: >"$work/empty.csv"
run 2 import zips "$work/empty.csv"

# ---- a dev folder ----------------------------------------------------------------------------

dev=$work/net
run 0 dev --dir "$dev" --pki-only --json
has dir "$dev"
for role in switch callcenter portal contractor payments admin auditor bench; do
    check "$role: key is for its owner only" 600 "$(stat -c %a "$dev/$role.key")"
    check "$role: one URI SAN" "URI:urn:zipring:tenant:1:role:$role" \
        "$(openssl x509 -in "$dev/$role.pem" -noout -ext subjectAltName | sed -n '2s/^ *//p')"
    check "$role: EKU" "TLS Web Client Authentication" \
        "$(openssl x509 -in "$dev/$role.pem" -noout -ext extendedKeyUsage | sed -n '2s/^ *//p')"
done
check "server: SAN" "IP Address:127.0.0.1, DNS:localhost" \
    "$(openssl x509 -in "$dev/server.pem" -noout -ext subjectAltName | sed -n '2s/^ *//p')"
check "the CA signed them" "$dev/server.pem: OK" \
    "$(openssl verify -CAfile "$dev/ca.pem" "$dev/server.pem")"
before=$(cat "$dev"/*.pem | sha256sum)
run 0 dev --dir "$dev" --pki-only
check "what exists is kept" "$before" "$(cat "$dev"/*.pem | sha256sum)"
run 0 dev cert --dir "$dev" --role portal --tenant 2 --name other --json
other_hash=$(field key_hash)
openssl x509 -in "$dev/other.pem" -noout -pubkey | openssl pkey -pubin -outform DER >"$work/spki"
check "dev cert: its key hash is the SHA-256 of the public key" "$other_hash" \
    "$(sha256sum <"$work/spki" | cut -d' ' -f1)"
run 2 dev cert --dir "$dev" --role portal --name ../other
run 2 dev --dir "$dev" --print-env

# ---- a server --------------------------------------------------------------------------------

dev_start
matches "--ready-fd: where it serves" "^127\.0\.0\.1:[0-9]+$" "$address"
check "the file uri" "zipring://$address" "$(<"$dev/uri")"
matches "exports are printed" "export ZIPRING_DEV='$dev'" "$(<"$work/dev.out")"
eval "$("$bin/zipring" dev --dir "$dev" --print-env)"
check "print-env: the folder" "$dev" "$ZIPRING_DEV"
check "print-env: the URI" "zipring://$address" "$ZIPRING_URI"

run 0 ping --json
has status OK
has class done
has duplicate false
matches "ping: rtt" '"rtt_us":[0-9]+' "$out"
run 0 admin ping
run 0 --json admin stats
matches "stats" '"requests":[1-9][0-9]*' "$out"

# ---- who may, and how it ends ----------------------------------------------------------------

run 5 --as switch --json category add x --rate-cents 100
has status FORBIDDEN
has class denied
run 5 --as contractor --json ping # In the folder, but no principal: it needs a contractor.
has class denied
run 2 --as nobody ping
run 3 --json --timeout 300ms --uri zipring://127.0.0.1:1 ping
has class not_executed

# ---- territory -------------------------------------------------------------------------------

run 2 import zips $fixtures/zips_bad.csv
run 0 --json import zips bench/data/zips.csv.gz
has status OK
has zips 33787
has flipped true
matches "import: its place in the log" '"commit_seq":[1-9][0-9]*' "$out"
run 0 --json category add plumbing --rate-cents 2000
has category plumbing
run 1 --json category add plumbing --rate-cents 2000
has class refused
run 0 --json category add hvac --rate-cents 3000 --zip 77002,77003
run 0 --json category list
check "categories by name" '"category":"plumbing" "category":"hvac"' \
    "$(grep -o '"category":"[a-z]*"' <<<"$out" | xargs -d '\n')"
run 0 --json category put hvac --rate-cents 3500
run 0 --json category list
matches "category put: the new rate" '"rate_cents":3500' "$out"

# ---- contractors and money -------------------------------------------------------------------

run 0 --json contractor add --name "Ace, Plumbing" --phone +17135550199,+17135550198 \
    --office-zip 77002
ace=$(field contractor)
ace_id=$(field contractor_id)
matches "contractor add: its number" '^[1-9][0-9]*$' "$ace"
matches "contractor add: its id" '^[0-9a-f-]{36}$' "$ace_id"
run 0 --json contractor add --name "Best Pipes" --phone +17135550197 --office-zip 77003 --size MULTI
best=$(field contractor)
run 0 --json contractor show "$ace"
has contractor_status PENDING
has office_zip 77002
matches "phones are strings" '"phones":\["\+17135550199","\+17135550198"\]' "$out"
run 1 --json claim --contractor "$ace" --category plumbing --zip 77002
matches "claim: not approved yet" '"status":"NOT_APPROVED"' "${out#*results}"
run 0 contractor status "$ace" approved --licence-expires 2099-01-01
run 0 contractor status "$best" APPROVED
run 0 contractor status "$ace" approved # The licence stays what it was.
run 0 --json contractor show "$ace_id" # The UUID does as well.
has contractor "$ace"
has contractor_status APPROVED
has licence_expires_ms 4070908800000
run 0 --json contractor list
matches "contractor list" "\"contractor\":$best" "$out"
run 0 contractor list
matches "contractor list, for people" "Best Pipes" "$out"

run 1 --json wallet topup "$ace" --amount-cents 100 --ref small
has status MIN_AMOUNT
run 0 --json wallet topup "$ace" --amount-cents 10000 --ref pay-1
has posted_cents 10000
run 0 --json wallet topup "$ace" --amount-cents 10000 --ref pay-1
has duplicate true
run 1 --json wallet topup "$best" --amount-cents 10000 --ref pay-1
has status DUPLICATE_REF
run 0 wallet topup "$best" --amount-cents 10000 --ref pay-2

# ---- claims ----------------------------------------------------------------------------------

run 0 --json claim --contractor "$ace" --category plumbing --zip 77002,77003
check "claim: two primaries" "2" "$(grep -o '"title":"PRIMARY"' <<<"$out" | wc -l)"
has zip 77002
has category plumbing
has rank 1
has rate_cents 2000
claim_of_ace=$(field claim_id)
run 1 --json claim --contractor "$best" --category plumbing --zip 77002
has status SLOT_TAKEN
matches "claim: taken, per slot" '"status":"SLOT_TAKEN"' "${out#*results}"
matches "claim: a refused slot has no title" '"title":null' "$out"
run 1 --json claim --contractor "$best" --category plumbing --zip 77002,77005 --all-or-none
has class refused
matches "all or none: the other slot too" '"status":"ALL_OR_NONE"' "${out#*results}"
run 0 --json claim --contractor "$best" --category plumbing --zip 77002,77005
matches "best effort: one is refused" '"status":"SLOT_TAKEN"' "${out#*results}"
matches "best effort: the other is claimed" '"status":"OK","rank":1' "${out#*results}"
run 0 --json claim --contractor "$best" --category plumbing --zip 77002 --accept-backup
has rank 2
has title BACKUP
run 1 --json claim --contractor "$best" --category plumbing --zip 77002 --accept-backup
has status ALREADY_CLAIMED
run 0 --json slot --zip 77002 --category plumbing
matches "slot: claims and offer" '"claims":\[\{.*"offer":null' "$out"
has contractor "$ace"
has title PRIMARY
has state LIVE
run 0 --json claims "$ace"
has claim_id "$claim_of_ace"
run 0 --json claims
check "claims: everybody's" "4" "$(grep -o '"claim_id"' <<<"$out" | wc -l)"
run 0 claims "$ace"
matches "claims, for people" "77002.*plumbing.*PRIMARY" "$out"
# Longer than a page: followed to its end, a line of JSON per page, one table for people.
zips=$(gzip -dc bench/data/zips.csv.gz | awk -F, '$3 == "NY" && n++ < 64 { print $1 }' | paste -sd,)
run 0 --json claim --contractor "$best" --category plumbing --zip "$zips"
run 0 --json claims
check "claims: two pages" 2 "$(wc -l <<<"$out")"
check "claims: all of them" 68 "$(grep -o '"claim_id"' <<<"$out" | wc -l)"
run 0 claims
check "claims: one table" 69 "$(wc -l <<<"$out")"
run 2 claim --contractor "$best" --category plumbing,hvac --zip "$zips"
matches "more slots than a request holds" "more than 64 slots" "$err"
run 1 --json slot --zip 99999 --category plumbing
has status UNKNOWN_ZIP
run 1 --json slot --zip 77002 --category nosuch
has status NOT_FOUND
run 1 --json contractor show 00000000-0000-4000-8000-000000000000
has status NOT_FOUND

# ---- a dry run changes nothing ------------------------------------------------------------------

run 0 --json ping
seq=$(field commit_seq)
run 0 --dry-run wallet topup "$ace" --amount-cents 5000 --ref never
run 0 --dry-run release "$claim_of_ace"
run 0 --dry-run category put hvac --rate-cents 1
has expected_version 2
run 0 --json ping
has commit_seq "$seq"

# ---- calls -----------------------------------------------------------------------------------

route() { # CALL_ID ZIP OPTION...
    local call=$1 zip=$2
    shift 2
    run 0 --json route --zip "$zip" --category plumbing --caller +17135550100 --call-id "$call" "$@"
    ticket=$(field ticket)
}

route call-1 77002
has call_id call-1
matches "ticket: base64url without padding" '^[A-Za-z0-9_-]+$' "$ticket"
matches "route: how long talk has to be" '"qualify_ms":30000' "$out"
check "route: candidates" \
    "+17135550199 contractor:$ace rate_cents:2000 ring_timeout_s:30 index:0 rank:1 mode:0" \
    "$(grep -o '{"phone"[^}]*}' <<<"$out" | head -n 1 | tr -d '{}"' | tr , ' ' | cut -c7-)"
check "route: two of them" 2 "$(grep -o '{"phone"' <<<"$out" | wc -l)"
run 0 --json next --ticket "$ticket" --index 0 --outcome no_answer --ring-ms 30000 --call-id call-1
has call_id call-1
next_ticket=$(field ticket)
has contractor "$best"
matches "next: its index" '"index":1' "$out"
run 0 --json connect --ticket "$next_ticket" --index 1
has state CONNECTED
has contractor "$best"
has hold_cents 1400
run 0 --json wallet show "$best"
has posted_cents 10000
has held_cents 1400
has available_cents 8600
has funds_state OK
run 1 --json route --zip 77002 --category plumbing --caller +17135550100 --call-id call-1 \
    --address-confirmed --want 1 --campaign 3
has status CALL_CONNECTED
run 0 --json clock advance 42s
run 0 --json qualify --call call-1 --talk-ms 31000
has state QUALIFIED
run 0 --json end --call call-1 --talk-ms 42000 --who-hung-up caller
has call_id call-1
has state ENDED
has settlement CHARGED
has amount_cents 1400
has contractor "$best"
run 0 --json end --call call-1 --talk-ms 42000 --who-hung-up caller
has duplicate true
run 0 --json call --id call-1
has call_id call-1
has settlement CHARGED
call_ref=$(field call_ref)
run 0 --json call --ref "$call_ref"
has call_ref "$call_ref"
run 0 --json --as auditor call --id "$call_ref"
has call_ref "$call_ref"
run 0 --json wallet ledger "$best"
check "ledger: newest first" '"kind":"CHARGE" "kind":"TOPUP"' \
    "$(grep -o '"kind":"[A-Z]*"' <<<"$out" | xargs -d '\n')"
has amount_cents -1400
run 0 wallet ledger "$best"
matches "ledger, for people: dollars" '-\$14\.00' "$out"

route call-2 77002
run 0 --json end --call call-2
has state ABANDONED
run 1 --json end --call never-routed --talk-ms 1000
has class refused

run 1 --json route --zip 99999 --category plumbing --caller +17135550100
has status UNKNOWN_ZIP
matches "a refusal says what to do" "UNKNOWN_ZIP \(refused\)" "$err"
run 1 --json route --zip 10001 --category hvac --caller +17135550100
has status NOT_OFFERED
run 1 --json route --zip 77004 --category plumbing --caller withheld
has status NO_COVERAGE
matches "a call id is made when none is given" '"call_id":"[0-9a-f]{8}-[0-9a-f]{4}-4' "$out"
run 1 --json route --zip 77003,77004 --category plumbing --caller +17135550100
has status NEED_ADDRESS
run 2 --json route --zip 77002 --category plumbing --caller +17135550100 --want 9
has status INVALID_FIELD
has field want
matches "a bad field is named with its option" 'field "want" \(--want\)' "$err"
run 1 --json connect --ticket AAAA --index 0
has status BAD_TICKET
run 0 --json route --query --zip 77002 --category plumbing --caller +17135550100
run 1 --json connect --ticket "$(field ticket)" --index 0
has status BAD_TICKET

# ---- pause, explain, resume, release ---------------------------------------------------------

run 0 --json pause "$claim_of_ace" --reason holiday
has state PAUSED
has claim_id "$claim_of_ace"
route call-3 77002 --explain
matches "explain: who was passed over and why" \
    "\"skipped\":\[\{\"contractor\":$ace,\"reasons\":\[\"PAUSED\"\]\}" "$out"
run 0 --json resume "$claim_of_ace"
has state LIVE
run 0 --json pause --contractor "$ace"
run 1 --json route --zip 77003 --category plumbing --caller +17135550100 --explain
has status NO_COVERAGE
matches "no coverage: reasons" '"reasons":\["PAUSED"\]' "$out"
run 0 --json resume --contractor "$ace_id"
run 0 --json release "$claim_of_ace"
has state RELEASED
run 0 --json slot --zip 77002 --category plumbing
has contractor "$best"
has rank 2 # The title is offered to it (test_cli_time.sh).
has title_state OFFERED

# ---- keys, policy, principals ----------------------------------------------------------------

# A key far from the server's time was tried above; a fresh one is what the tool itself prints.
fresh() { # A UUIDv7 of the log clock, which is ahead of the wall clock by what was advanced.
    run 0 --json clock advance 0
    printf -v fresh_key '%012x' "$(field now_ms)"
    fresh_key="${fresh_key:0:8}-${fresh_key:8:4}-7000-8000-$(printf '%012x' $((RANDOM * RANDOM)))"
}
fresh
run 0 --json contractor add --key "$fresh_key" --name Third --phone +17135550196 --office-zip 77005
third=$(field contractor)
run 0 --json contractor add --key "$fresh_key" --name Third --phone +17135550196 --office-zip 77005
has duplicate true
has contractor "$third"
run 2 --json contractor add --key "$fresh_key" --name Fourth --phone +17135550196 --office-zip 77005
has status IDEMPOTENCY_MISMATCH
run 2 --json contractor add --key $key --name Old --phone +17135550195 --office-zip 77005
has status KEY_EXPIRED

run 0 --json policy get
has scope NETWORK
has ring_timeout_s 30
run 0 --json policy put --ring-timeout-s 20 --category plumbing
run 0 --json policy get --category plumbing
has scope CATEGORY
has ring_timeout_s 20
has qualify_ms 30000
run 0 --json policy get --category hvac
has ring_timeout_s 30
run 2 --json policy put --ring-timeout-s 99
run 2 policy put

run 5 --json --cert "$dev/other.pem" --key-file "$dev/other.key" ping
has class denied
run 0 --json principal add --role portal --tenant 2 --name other --cert "$dev/other.pem"
has key_hash "$other_hash"
run 1 --json principal add --role portal --tenant 2 --name other --key-hash "$other_hash"
has status VERSION_CONFLICT
run 0 --json --cert "$dev/other.pem" --key-file "$dev/other.key" contractor list
matches "another tenant sees none of ours" '"contractors":\[\]' "$out"
run 0 --json principal revoke --key-hash "$other_hash"
run 5 --json --cert "$dev/other.pem" --key-file "$dev/other.key" ping

# ---- the whole is sound, and survives a restart ----------------------------------------------

run 0 --json admin audit
has balanced true
has postings_sum_cents 0
has violations 0
matches "audit: accounts" '"accounts":[1-9][0-9]*' "$out"
run 0 --json --as auditor admin state-hash
matches "state hash" '^[0-9a-f]{64}$' "$(field hash)"
run 0 --json wallet show "$best"
posted=$(field posted_cents)

kill -TERM "$server_pid"
wait "$server_pid"
check "dev ends with its server's code" 0 $?
server_pid=
run 3 --timeout 300ms ping
dev_start
export ZIPRING_URI=zipring://$address
run 0 --json wallet show "$best"
has posted_cents "$posted"
run 0 --json admin audit
has balanced true
kill -INT "$server_pid"
wait "$server_pid"
check "dev ends with its server's code" 0 $?
server_pid=

# ---- outcome unknown: sent, and the answer lost ------------------------------------------------

mkfifo "$work/port"
python3 $fixtures/lost_answer.py "$dev" >"$work/port" 2>"$work/lost.err" &
server_pid=$!
read -r port <"$work/port"
run 4 --json --timeout 500ms --uri "zipring://127.0.0.1:$port" claim --contractor 1 --category 1 \
    --zip 77002
has status ZR_EUNKNOWN
has class unknown
matches "outcome unknown: the key to ask again with" '--key [0-9a-f]{8}-[0-9a-f]{4}-7' "$err"
kill "$server_pid"
wait "$server_pid" 2>/dev/null
server_pid=

# ---- a server that never serves ----------------------------------------------------------------

run 1 dev --dir "$dev" --server /bin/false # It ended with 1.

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
