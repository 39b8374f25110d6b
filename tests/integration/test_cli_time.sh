#!/usr/bin/env bash
# test_cli_time.sh - what time brings, by the command line: hours, caps, titles that open, offers,
# waitlists, the map, events, decisions explained, disputes, money posted by hand, keys.
#
#   ZIPRING_BIN  folder of the programs (default: $BUILD, else build/release)
#
# The server has a manual clock: time is moved, never waited for. It is stopped by its pid.
# shellcheck source=tests/lib/cli.sh
. "$(dirname "$0")/../lib/cli.sh"

# ---- usage -----------------------------------------------------------------------------------

for hours in 'mon 08:00' 'mon 08:10-09:00' '08:00-17:00' 'mon-xyz 08:00-17:00' 'mon 25:00-26:00' \
    'mon 08:00-08:00' 'mon 08:00-17:00,' 'mon08:00-17:00'; do
    run 2 contractor hours 1 --hours "$hours"
    matches "hours \"$hours\": what they should be" "expected days and quarter hours" "$err"
done
run 2 contractor hours 1 --always --closed
for exception in 2027-07-04 2027-02-30=closed 2027-07-04=17:00-08:00 tomorrow=open; do
    run 2 contractor hours 1 --exception "$exception"
done
run 2 contractor hours 1 --vacation 2027-08-14..2027-08-01
run 2 contractor caps 1 --cap week:calls=1
matches "a cap: what it should be" "expected WINDOW:MEASURE=N" "$err"
run 2 contractor caps 1 --cap month:spend=500.00 # Money is a whole number of cents.
run 2 contractor filters 1 --allow-tenant 1 --deny-tenant 2
run 2 contractor filters 1 --attestation D
run 2 wallet topup-result 1 --ok
run 2 wallet topup-result 1 --ok --failed --ref x
run 2 map --zip3 77
run 2 map --zip 77002 --zip3 770
run 2 map --lens both
run 2 watch --types NOTHING
matches "an event that is none: said" "no such event" "$err"
run 2 watch --ack
run 2 watch --map --name x
run 2 explain
run 0 --dry-run offer decline 7
check "dry run: an offer's answer" \
    '{"op":"OFFER_REPLY","op_id":null,"offer_id":"7","accept":false}' "$out"
run 0 --dry-run release 7 --at period-end
has when PERIOD_END

# ---- a network: two categories, three contractors ----------------------------------------------

dev=$work/net
dev_start
eval "$("$bin/zipring" dev --dir "$dev" --print-env)"
cat >"$work/zips.csv" <<ZIPS
zip,city,state,timezone
77002,Houston,TX,America/Chicago
77003,Houston,TX,America/Chicago
77004,Houston,TX,America/Chicago
90210,Beverly Hills,CA,America/Los_Angeles
ZIPS
run 0 import zips "$work/zips.csv"
run 0 category add plumbing --rate-cents 2000
run 0 category add hvac --rate-cents 3000 --zip 77002,77003
for number in 1 2 3; do
    run 0 contractor add --name "Shop $number" --office-zip 77002 --size MULTI \
        --phone "+1713555010$number,+1713555020$number"
    run 0 contractor status $number approved
    run 0 wallet topup $number --amount-cents 10000 --ref "first-$number"
done
run 0 claim --contractor 1 --category plumbing --zip 77002,77003
run 0 claim --contractor 2 --category plumbing --zip 77002 --accept-backup

# reasons CONTRACTOR: why it is passed over now, by a query for 77002.
reasons() {
    out=$("$bin/zipring" --json route --query --explain --zip 77002 --category plumbing \
        --caller "${caller:-+17135550100}" --attestation "${attestation:-unknown}" 2>/dev/null)
    grep -o "{\"contractor\":$1,\"reasons\":\[[^]]*\]" <<<"$out" | grep -o '\[.*' | tr -d '[]"'
}

# ---- hours -----------------------------------------------------------------------------------

run 0 --json contractor hours 1
has hours always
has version 0
has timezone America/Chicago
hours='mon-fri 08:00-12:00,13:00-17:00,sat 22:00-24:00,sun 00:00-02:00'
run 0 --json contractor hours 1 --hours 'mon-fri 08:00-12:00,13:00-17:00' --hours 'sat 22:00-02:00'
has version 1
run 0 --json contractor hours 1
has hours "$hours"
run 0 contractor hours 1 --hours "$hours" # What is shown can be given back.
run 0 --json contractor schedule 1
has hours "$hours"
has version 2
run 0 contractor hours 1 --exception 2027-07-04=closed --exception 2027-07-03=08:00-12:00 \
    --vacation 2027-08-01..2027-08-14 --timezone America/New_York
run 0 contractor hours 1 --add --exception 2027-07-03=open
run 0 --json contractor hours 1
has hours "$hours"
spans='\{"day":"2027-07-03","open_quarter":"00:00","close_quarter":"24:00"\},'
spans+='\{"day":"2027-07-04","open_quarter":"00:00","close_quarter":"00:00"\}'
matches "hours: exceptions are dates and clock times" "\"exceptions\":\[$spans\]" "$out"
matches "hours: vacations are dates" \
    '"vacations":\[\{"first_day":"2027-08-01","last_day":"2027-08-14"\}\]' "$out"
run 0 contractor hours 1
matches "hours, for people" "mon-fri 08:00-12:00,13:00-17:00" "$out"
run 0 contractor hours 1 --closed --exception none --vacation none
check "closed: not rung" OUT_OF_HOURS "$(reasons 1)"
run 0 --json contractor show 1
matches "closed: a condition with its deadline" '"unavailable_deadline_ms":[1-9]' "$out"
run 1 contractor hours 1 --always --expected-version 1
run 0 contractor hours 1 --always
check "always: rung" "" "$(reasons 1)"
run 0 --json --dry-run contractor hours 1 --vacation 2027-08-01
has op SCHEDULE_PUT
has first_day 2027-08-01
has last_day 2027-08-01
run 2 contractor hours 1 --timezone Mars/Olympus
run 0 contractor hours 1 --unavailable-until 2199-01-01
check "unavailable until: not rung" VACATION "$(reasons 1)"
run 0 contractor hours 1 --unavailable-until 0
check "that is over" "" "$(reasons 1)"

# ---- caps, destinations, filters, callers that nobody wants ------------------------------------

run 0 contractor caps 1 --cap day:calls=0,month:spend=50000 --spacing-s 5
run 0 --json contractor caps 1
has spacing_s 5
matches "caps by name, with what is used" \
    '\{"limit":0,"used":0,"window":"DAY","measure":"CALLS"\}' "$out"
check "cap 0" CAP_REACHED "$(reasons 1)"
run 0 contractor caps 1 --add --cap day:calls=9
run 0 --json contractor caps 1
check "caps: one changed, the other kept" "9 50000" \
    "$(grep -o '"limit":[0-9]*' <<<"$out" | cut -d: -f2 | xargs)"
run 0 contractor caps 1 --cap none --spacing-s 0
run 0 --json contractor caps 1
matches "caps: none" '"caps":\[\]' "$out"
has rings_30d 0
has answered_30d 0

run 0 contractor dest 1 --down +17135550101
run 0 --json route --query --zip 77002 --category plumbing --caller +17135550100
has phone +17135550201
run 2 contractor dest 1 --down +17135559999
run 0 contractor dest 1 --mode sms --down none
run 0 --json contractor dest 1
matches "modes by name" '"modes":\["SMS"\]' "$out"
check "a live call is no text message" MODE_UNSUPPORTED "$(reasons 1)"
run 0 contractor dest 1 --mode phone,app

run 0 contractor filters 1 --block +17135550177 --deny-tenant 1,7 --attestation B --no-duplicates
run 0 --json contractor filters 1
has attestation_min B
has no_duplicates true
matches "filters: callers" '"blocked":\["\+17135550177"\]' "$out"
check "every filter that fails" CALLER_BLOCKED,PARTNER_NOT_ALLOWED,ATTESTATION \
    "$(caller=+17135550177 attestation=C reasons 1)"
run 0 contractor filters 1 --block none --deny-tenant none --attestation any --duplicates
check "no filter is left" "" "$(caller=+17135550177 attestation=C reasons 1)"

run 0 suppress add +17135550166
run 1 --json route --zip 77002 --category plumbing --caller +17135550166
has status BLOCKED
run 0 --json suppress add +17135550166
has duplicate true
run 0 suppress remove +17135550166
run 0 route --query --zip 77002 --category plumbing --caller +17135550166

run 0 policy put --cooldown-misses 3 --cooldown-s 600 --dispute-days 20 --attestation-min C
run 0 --json policy get
has cooldown_misses 3
has cooldown_s 600
has dispute_days 20
has attestation_min C
run 1 --json route --zip 77002 --category plumbing --caller +17135550100
has status BLOCKED
run 0 policy put --cooldown-misses 0 --attestation-min any
run 0 --json policy get
has attestation_min null
has dispute_days 20

# ---- a title opens: offer, waitlist, reservation -----------------------------------------------

run 0 policy put --max-positions 2
run 1 --json waitlist join --contractor 3 --zip 77003 --category plumbing
has status HAS_ROOM
run 0 --json waitlist join --contractor 3 --zip 77002 --category plumbing
has place 1
has deadline_ms 0
run 0 --json slot --zip 77002 --category plumbing
has waiting 1
has title_state HELD
matches "slot: no offer" '"offer":null' "$out"
claim_of_primary=$(field claim_id)

run 0 --json watch --timeout-ms 1 # From now on: nothing yet.
check "watch: nothing came" "" "$out"
run 0 --json ping
before=$(field commit_seq)

run 0 --json release "$claim_of_primary"
run 0 --json slot --zip 77002 --category plumbing
has title_state OFFERED
matches "slot: the offer" '"offer":\{"offer_id":"[0-9]+","seq":[0-9]+,"deadline_ms":[0-9]+\}' "$out"
offer=$(field offer_id)
backup=$(field claim_id)
run 0 --json claim show "$backup"
has offer_id "$offer"
has rank 2
run 1 --json offer accept 999
has status NOT_FOUND
run 0 --json offer accept "$offer"
has state ACCEPTED
has title PRIMARY
has rank 1
run 1 --json offer decline "$offer"
has status OFFER_CLOSED
run 0 --json slot --zip 77002 --category plumbing
has title_state HELD
has reserved true
run 1 --json claim --contractor 1 --category plumbing --zip 77002 --accept-backup
matches "a reserved position is not the public's" SLOT_FULL "$out"
run 0 --json claim --contractor 3 --category plumbing --zip 77002 --accept-backup --lapse
has rank 2
lapsing=$(field claim_id)
run 0 --json claim show "$lapsing"
has state LAPSING
matches "conditions by name" '"conditions":\["LAPSING"\]' "$out"
matches "a lapsing claim ends" '"period_end_ms":[1-9]' "$out"
run 0 --json claim show "$backup"
has title PRIMARY
run 0 --json release "$backup" --at period-end
has state LAPSING
run 0 --json pause "$backup"
run 0 --json claim show "$backup"
matches "conditions beside each other" '"conditions":\["PAUSED","LAPSING"\]' "$out"
run 0 resume "$backup"
run 0 --json waitlist join --contractor 1 --zip 77002 --category plumbing
has place 1
run 0 --json waitlist join --contractor 1 --zip 77002 --category plumbing
has duplicate true
run 0 --json waitlist leave --contractor 1 --zip 77002 --category plumbing
has place 0

# ---- the map ---------------------------------------------------------------------------------

run 0 --json map --zip 77002,77003,77004
check "map: colours of the titles" "YELLOW YELLOW GREEN" \
    "$(grep -o '"colour_primary":"[A-Z]*"' <<<"$out" | cut -d'"' -f4 | xargs)"
matches "map: categories by name" \
    '"offered":\["plumbing","hvac"\],"taken":\["plumbing"\],"full":\["plumbing"\]' "$out"
run 0 --json map --zip3 770
check "map: by prefix" 3 "$(grep -o '"zip":' <<<"$out" | wc -l)"
run 0 --json map
matches "map: the country" '"colours":\{"GREEN":2,"YELLOW":2,"RED":0\}' "$out"
run 0 --json map --category plumbing
matches "map: the country, one category" '"colours":\{"GREEN":2,"YELLOW":0,"RED":2\}' "$out"
run 0 --json map --category plumbing --lens any
matches "map: by positions" '"lens":"ANY","colours":\{"GREEN":3,"YELLOW":0,"RED":1\}' "$out"
run 0 map --zip 77002,77004
matches "map, for people" "77002 +YELLOW +1 of 2.*77004 +GREEN +0 of 1" "${out//$'\n'/ }"
run 1 --json map --zip 00501
has status UNKNOWN_ZIP
run 0 --json map --zip 77004
map_version=$(field version)
run 0 --json claim --contractor 1 --category plumbing --zip 77004
run 0 --json watch --map --from "$map_version" --count 1 --timeout-ms 20000
has zip 77004
has taken true
has category plumbing

# ---- events ------------------------------------------------------------------------------------

# events OPTION...: the types that come, in order.
events() {
    run 0 --json watch --timeout-ms 20000 "$@"
    types=$(grep -o '"type":"[A-Z_]*"' <<<"$out" | cut -d'"' -f4 | xargs)
}
events --from 0 --contractor 2 --types slot_opened,OFFER_MADE,OFFER_ACCEPTED,RANK_CHANGED --count 4
check "events: an opening" "SLOT_OPENED OFFER_MADE OFFER_ACCEPTED RANK_CHANGED" "$types"
has commit_seq "$((before + 1))"
events --from 0 --contractor 3 --types WAITLIST_OPEN --count 1
matches "events: a deadline" '"deadline_ms":[1-9]' "$out"
run 0 --json watch --from 0 --count 3 --timeout-ms 20000
check "watch ends by itself" 3 "$(wc -l <<<"$out")"
second=$(sed -n 2p <<<"$out" | grep -o '"event_seq":[0-9]*' | cut -d: -f2)
run 0 --json watch --name desk --ack --count 2 --timeout-ms 20000
run 0 --json watch --name desk --count 1 --timeout-ms 20000 # Goes on behind what was acknowledged.
after=$(field event_seq)
check "acknowledged: not again" 1 "$((after > second))"
# That one was not acknowledged: at least once.
run 0 --json watch --name desk --count 1 --timeout-ms 20000
has event_seq "$after"
run 1 --json watch --from 999999
has status CURSOR_TOO_OLD
run 3 --json watch --count 1 --timeout-ms 1
matches "not all that was asked for came" "0 of 1 came" "$err"
run 0 watch --from 0 --count 1
matches "watch, for people" "type=CLAIMED" "$out"
run 0 --json --as switch watch --from 0 --timeout-ms 200
check "a switch hears nothing of titles" "" "$out"

# ---- a call: explained, declined, disputed -----------------------------------------------------

run 0 pause "$backup"
run 0 --json route --zip 77002 --category plumbing --caller +17135550100 --call-id call-1
has contractor 3
call_ref=$(field call_ref)
ticket=$(field ticket)
run 0 --json decline "$call_ref" --contractor 3
run 0 --json decline "$call_ref" --contractor 3
has duplicate true
events --as switch --from 0 --types CALL_DECLINED --count 1
matches "the switch is told" "\"call_ref\":\"$call_ref\"" "$out"
has code_name DECLINED
run 1 --json next --ticket "$ticket" --index 0 --outcome declined
has status EXHAUSTED
run 0 resume "$backup"
run 0 --json explain --id call-1
check "explain: every decision" 2 "$(wc -l <<<"$out")"
check "explain: how each ended" "OK EXHAUSTED" \
    "$(grep -o '"outcome":"[A-Z]*"' <<<"$out" | cut -d'"' -f4 | xargs)"
matches "explain: reasons by name" '"contractor":2,"reasons":\["PAUSED"\]' "$out"
matches "explain: as it was, though it is resumed" '"contractor":3,"reasons":\["ALREADY_TRIED"\]' \
    "$out"
run 0 explain --ref "$call_ref"
matches "explain, for people" "ALREADY_TRIED" "$out"
run 1 --json explain --id nosuch
has status NOT_FOUND

run 0 --json route --zip 77002 --category plumbing --caller +17135550101 --call-id call-2
call_ref=$(field call_ref)
run 0 connect --ticket "$(field ticket)" --index 0
run 0 clock advance 20s
run 0 --json keepalive --call call-2 --talk-ms 20000
has settlement OPEN
run 0 clock advance 22s
run 0 --json keepalive --call call-2 --talk-ms 42000
has settlement CHARGED
run 0 --json end --call call-2 --talk-ms 42000
has amount_cents 2000
events --from 0 --types CALL_SETTLED --count 1
has code_name CHARGED
has amount_cents 2000

run 0 --json dispute open "$call_ref" --contractor 2 --reason wrong-area --note "the next county"
has state OPEN
has charge_cents 2000
run 1 --json dispute open "$call_ref" --contractor 2 --reason spam
has status ALREADY_DISPUTED
has reason WRONG_AREA
run 1 --json dispute resolve "$call_ref" --contractor 2 --credit-cents 2001
has status AMOUNT
run 0 --json dispute resolve "$call_ref" --contractor 2 --credit-cents 500
has state CREDITED
run 0 --json dispute show "$call_ref" --contractor 2
has credited_cents 500
events --from 0 --types DISPUTE_OPENED,DISPUTE_RESOLVED --count 2
has code_name WRONG_AREA
run 0 --json wallet show 2
has posted_cents 8500

# ---- money by hand, and by itself --------------------------------------------------------------

run 0 --json dev cert --dir "$dev" --role admin --name second
run 0 principal add --role admin --tenant 1 --name second --cert "$dev/second.pem"
adjust=(wallet adjust --debit PROMO --credit CREDIT --amount-cents 700 --contractor 2)
adjust+=(--reason sorry)
run 0 --json "${adjust[@]}"
has state PENDING
adjust_id=$(field adjust_id)
run 1 --json "${adjust[@]}" --approves "$adjust_id"
has status SAME_PRINCIPAL
run 0 --json --cert "$dev/second.pem" --key-file "$dev/second.key" "${adjust[@]}" \
    --approves "$adjust_id"
has state POSTED
has adjust_id "$adjust_id"
run 0 --json wallet show 2
has credit_cents 700
has posted_cents 9200

run 0 --json wallet reverse 3 --amount-cents 10000 --ref first-3
has posted_cents 0
run 0 --json wallet reverse 3 --amount-cents 10000 --ref first-3
has duplicate true

run 0 --json wallet autotopup 3
has version 0
run 0 wallet autotopup 3 --threshold-cents 3000 --amount-cents 5000 --monthly-max-cents 20000 \
    --method card-1,card-2
run 0 --json wallet autotopup 3
has state PENDING
matches "autotopup: methods" '"methods":\["card-1","card-2"\]' "$out"
events --as payments --from 0 --types TOPUP_REQUESTED --count 1
attempt=$(field number)
has amount_cents 5000
run 0 --json wallet topup-result "$attempt" --failed --reason declined
run 0 --json wallet autotopup 3
has method 1
attempt=$(field attempt_id)
run 0 --json wallet topup-result "$attempt" --ok --ref auto-1
has posted_cents 5000
run 0 --json wallet topup-result "$attempt" --ok --ref auto-1
has duplicate true
run 0 wallet autotopup 3 --enabled no
run 0 --json wallet autotopup 3
has state DISABLED
has threshold_cents 3000

# ---- keys, and the whole ------------------------------------------------------------------------

run 0 --json route --zip 77002 --category plumbing --caller +17135550102 --call-id call-3
ticket=$(field ticket)
run 0 --json admin key-rotate
has retired_key_id null
run 0 --json admin key-rotate
has retired_key_id 1 # Two keys sign; the third one retired the first.
run 0 --json connect --ticket "$ticket" --index 0 # Of the key that was retired: good till it ends.
has state CONNECTED
run 0 --json end --call call-3 --talk-ms 1000
has settlement FREE_SHORT

run 0 --json admin audit
has violations 0
has balanced true
has decisions_skipped_primary 0
decisions=$(field decisions)
run 0 --json admin audit --from 2199-01-01
has decisions 0
run 0 --json admin audit --to 2199-01-01
has decisions "$decisions"
run 0 --json admin stats
matches "stats: events" '"events_sent":[1-9]' "$out"

dev_stop
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
