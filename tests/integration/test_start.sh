#!/usr/bin/env bash
# test_start.sh - how zipringd starts, refuses to start, drains and reloads.
#
#   ZIPRING_BIN  folder of the programs (default: $BUILD, else build/release)
#
# A refusal ends with 2 (usage) or 3 (not fit), 71 where the storage is damaged, and one line on
# stderr says what is wrong and what to do. No sleeps, no fixed ports; servers end by their pid.
set -u
cd "$(dirname "$0")/../.." || exit 1
bin=${ZIPRING_BIN:-${BUILD:-$PWD/build/release}}
work=$(mktemp -d)
server_pid=
other_pid=
passed=0
failed=0

finish() {
    for pid in $server_pid $other_pid; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$work"
}
trap finish EXIT
unset ZIPRING_URI ZIPRING_CERT ZIPRING_KEY ZIPRING_CA ZIPRING_DEV XDG_CONFIG_HOME
export HOME=$work

check() { # what, expected, found
    if [ "$2" == "$3" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n  expected: %s\n  found:    %s\n' "$1" "$2" "$3"
    fi
}

says() { # what, extended regular expression, text
    if grep -Eq -- "$2" <<<"$3"; then
        passed=$((passed + 1))
    else
        check "$1" "(matches) $2" "$3"
    fi
}

# refuses WHAT CODE REGEX ARGUMENT...: zipringd ends with CODE and a line on stderr that says so.
# Whatever went wrong, it must not serve: ten seconds are the bound.
refuses() {
    local what=$1 code=$2 regex=$3 found
    shift 3
    timeout 10 "$bin/zipringd" "$@" >"$work/out" 2>"$work/err"
    found=$?
    err=$(<"$work/err")
    check "$what: exit code" "$code" "$found"
    says "$what: says what to do" "$regex" "$err"
    check "$what: nothing on stdout" "" "$(<"$work/out")"
}

# start PIDVAR ARGUMENT...: a server in the background; $address when it is there.
start() {
    local -n pid_of=$1
    shift
    rm -f "$work/ready"
    mkfifo "$work/ready"
    "$bin/zipringd" "$@" --ready-fd=3 3>"$work/ready" 2>"$work/log" &
    pid_of=$!
    address=
    read -r address <"$work/ready"
    says "it serves" '^127\.0\.0\.1:[0-9]+$' "$address"
}

# stop PIDVAR CODE: SIGTERM by pid, and the exit code.
stop() {
    local -n pid_of=$1
    kill -TERM "$pid_of"
    wait "$pid_of"
    check "it ends well" "$2" "$?"
    pid_of=
}

# ---- a PKI and a database ------------------------------------------------------------------------

pki=$work/pki
"$bin/zipring" dev --dir "$pki" --pki-only >"$work/out" 2>&1
check "a PKI" 0 "$?"
"$bin/zipringd" init --data "$work/data" --admin-cert "$pki/admin.pem" 2>"$work/err"
check "init" 0 "$?"
says "init says how to go on" 'do="zipringd serve data=' "$(<"$work/err")"
cp -r "$work/data" "$work/spare"

keys=("cert=$pki/server.pem" "key=$pki/server.key" "ca=$pki/ca.pem")
small=(contractors_max=1024 ringing_calls_max=1024 connected_calls_max=1024 map_gib=1)
serve=(serve "data=$work/data" "${keys[@]}" "${small[@]}" listen=127.0.0.1:0)

# ---- usage ---------------------------------------------------------------------------------------

refuses "unknown command" 2 'do="serve, init or replay"' nosuch
refuses "unknown option" 2 'unrecognized option' serve --nosuch
refuses "no name=value" 2 'want a command .* or name=value' serve nonsense
refuses "init without arguments" 2 'zipringd init --data DIR --admin-cert FILE' init
refuses "replay without arguments" 2 'zipringd replay --data DIR --into NEWDIR' replay

# ---- settings ------------------------------------------------------------------------------------

refuses "unknown setting" 2 'unknown setting lisen: did you mean listen\?' serve lisen=x
printf '# ours\nlisten = 127.0.0.1:0\n\nconections_max = 5\n' >"$work/typo.conf"
refuses "unknown setting in a file" 2 \
    'typo\.conf:4: unknown setting conections_max: did you mean connections_max\?' \
    serve --config "$work/typo.conf"
printf 'credit = 64\nbatch_max = 9999\n' >"$work/range.conf"
refuses "out of range, in a file" 2 \
    'range\.conf:2: batch_max=9999: want a whole number from 1 to 4096' \
    serve --config "$work/range.conf"
refuses "below the range" 2 'frame_bytes_max=100: want a whole number from 4096 to 16384' \
    serve frame_bytes_max=100
refuses "no number" 2 'credit=many: want a whole number from 1 to 4096' serve credit=many
refuses "a negative number" 2 'credit=-1: want a whole number from 1 to 4096' serve credit=-1
refuses "a number with a unit" 2 'map_gib=1G: want a whole number' serve map_gib=1G
refuses "neither yes nor no" 2 'bench=maybe: want yes or no' serve bench=maybe
refuses "a clock that is none" 3 'clock=sun: want real or manual' "${serve[@]}" clock=sun
refuses "a missing config file" 2 'nosuch\.conf: cannot be read' serve --config "$work/nosuch.conf"
printf 'listen\n' >"$work/nonsense.conf"
refuses "a line without =" 2 'nonsense\.conf:1: want name = value' \
    serve --config "$work/nonsense.conf"
refuses "nothing set" 3 'data is not set: give it in the file or as data=' serve
refuses "no certificate set" 3 'cert is not set' serve "data=$work/data"
refuses "credit above its maximum" 3 'credit is above credit_max' "${serve[@]}" credit=512
"$bin/zipringd" "${serve[@]}" --check-config 2>"$work/err"
check "--check-config of good ones" 0 "$?"
"$bin/zipringd" serve --print-config >"$work/all.conf"
"$bin/zipringd" serve --config "$work/all.conf" --check-config 2>"$work/err"
check "what --print-config prints is read again" 3 "$?" # data is still to be set.
says "what --print-config prints is read again" 'data is not set' "$(<"$work/err")"

# ---- files ---------------------------------------------------------------------------------------

refuses "no such certificate" 3 'tls_load_failed step=certificate.*nosuch' "${serve[@]}" \
    "cert=$work/nosuch.pem"
refuses "no such CA" 3 'tls_load_failed step=clients_ca.*nosuch' "${serve[@]}" "ca=$work/nosuch.pem"
refuses "another one's key" 3 'tls_load_failed step=key' "${serve[@]}" "key=$pki/switch.key"
# Nobody is kept from reading a file here, being root: a key that is no key.
head -c 100 "$pki/server.key" >"$work/torn.key"
refuses "a key that cannot be read" 3 'tls_load_failed step=key.*torn\.key' "${serve[@]}" \
    "key=$work/torn.key"
if [ "$(id -u)" -ne 0 ]; then
    cp "$pki/server.key" "$work/secret.key"
    chmod 000 "$work/secret.key"
    refuses "a key of mode 000" 3 'tls_load_failed step=key' "${serve[@]}" "key=$work/secret.key"
fi

# ---- addresses -----------------------------------------------------------------------------------

refuses "an address that is none" 3 'listen.*somewhere' "${serve[@]}" listen=somewhere
refuses "a name instead of an address" 3 'localhost:1' "${serve[@]}" listen=localhost:1
refuses "an address that is not here" 3 '192\.0\.2\.1:7464' "${serve[@]}" listen=192.0.2.1:7464

# ---- databases -----------------------------------------------------------------------------------

with() { echo "data=$work/$1"; }
refuses "no folder" 3 'zipringd init --data' "${serve[@]}" "$(with nosuch)"
mkdir "$work/empty"
refuses "no database" 3 'no database here; make one with .zipringd init' "${serve[@]}" \
    "$(with empty)"
refuses "init where there is one" 3 'init wants an empty folder' init --data "$work/data" \
    --admin-cert "$pki/admin.pem"
mkdir "$work/full"
echo keep >"$work/full/family-photo"
refuses "init in a folder with other things" 3 'init wants an empty folder' init \
    --data "$work/full" --admin-cert "$pki/admin.pem"
check "and it left them alone" "family-photo" "$(ls "$work/full")"
refuses "init without a certificate" 3 'no certificate in PEM there' init --data "$work/new" \
    --admin-cert "$pki/server.key"
check "and it made nothing" "" "$(find "$work" -maxdepth 1 -name new)"
mkdir "$work/foreign"
head -c 65536 /dev/urandom >"$work/foreign/zipring.mdb"
before=$(sha256sum <"$work/foreign/zipring.mdb")
refuses "garbage" 3 'is it a Zipring database' "${serve[@]}" "$(with foreign)"
check "garbage is not touched" "$before" "$(sha256sum <"$work/foreign/zipring.mdb")"
mkdir "$work/nothing"
: >"$work/nothing/zipring.mdb"
refuses "an empty file" 3 'do="' "${serve[@]}" "$(with nothing)"

# One bit in each row that says whose database it is: the rows carry checksums. (A whole database
# of a newer schema is in tests/unit/test_store.c.)
magic=$(LC_ALL=C grep -abo ZIPNRIG1 "$work/spare/zipring.mdb" | cut -d: -f1)
says "the identity row is found" '^[0-9]+$' "$magic"
mkdir "$work/bit"
cp "$work/spare/zipring.mdb" "$work/bit/zipring.mdb"
for place in $magic; do
    printf 'X' | dd of="$work/bit/zipring.mdb" bs=1 seek="$place" conv=notrunc status=none
done
refuses "a damaged identity" 71 'row_corrupt table=meta do="restore a backup"' "${serve[@]}" \
    "$(with bit)"

# Cut: it may be noticed in several ways, but it is.
bytes=$(stat -c %s "$work/spare/zipring.mdb")
for part in 1 2 3; do
    mkdir "$work/cut$part"
    head -c $((bytes * part / 4)) "$work/spare/zipring.mdb" >"$work/cut$part/zipring.mdb"
    timeout 10 "$bin/zipringd" "${serve[@]}" "$(with cut$part)" 2>"$work/err"
    says "cut to $part/4: refused" '^(3|71)$' "$?"
    says "cut to $part/4: says what to do" 'do="' "$(<"$work/err")"
done

# ---- two at once ---------------------------------------------------------------------------------

start server_pid "${serve[@]}"
refuses "a second server on the folder" 3 'another zipringd serves it: stop that one' "${serve[@]}"
refuses "the port in use" 3 "$address" "${serve[@]}" "$(with spare)" "listen=$address"

# ---- reload --------------------------------------------------------------------------------------

cli() { # ARGUMENT...: as ADMIN.
    "$bin/zipring" --uri "zipring://$address" --cert "$pki/admin.pem" --key-file "$pki/admin.key" \
        --ca "$pki/ca.pem" "$@"
}
serial_shown() { # Of the certificate that a new connection sees.
    openssl s_client -connect "$address" -alpn zipring/1 -cert "$pki/admin.pem" \
        -key "$pki/admin.key" </dev/null 2>/dev/null | openssl x509 -noout -serial
}
cli ping >"$work/out" 2>&1
check "a client is served" 0 "$?"
old=$(serial_shown)
check "the certificate shown" "$(openssl x509 -in "$pki/server.pem" -noout -serial)" "$old"
# A second PKI has another server certificate of another CA: clients of the old one still come in.
"$bin/zipring" dev --dir "$work/renewed" --pki-only >"$work/out" 2>&1

# reload REGEX: SIGHUP, and wait for the line that it makes in the log.
reload() {
    local seen
    seen=$(wc -l <"$work/log")
    mkfifo "$work/line"
    (
        tail -n +$((seen + 1)) -F --pid="$server_pid" "$work/log" 2>/dev/null &
        echo $! >"$work/tail.pid"
        wait
    ) |
        grep -m 1 -E "$1" >"$work/line" &
    kill -HUP "$server_pid"
    found=
    read -r -t 10 found <"$work/line"
    kill "$(<"$work/tail.pid")" 2>/dev/null
    rm -f "$work/line"
    says "SIGHUP: logged" "$1" "$found"
}
cp "$pki/server.key" "$work/old.key"
cp "$pki/server.pem" "$work/old.pem"
cp "$work/torn.key" "$pki/server.key"
reload 'event=tls_load_failed'
check "a reload that fails keeps the old certificate" "$old" "$(serial_shown)"
cp "$work/renewed/server.key" "$pki/server.key"
cp "$work/renewed/server.pem" "$pki/server.pem"
reload 'event=tls_reloaded'
check "a new connection sees the renewed one" \
    "$(openssl x509 -in "$work/renewed/server.pem" -noout -serial)" "$(serial_shown)"
cp "$work/old.key" "$pki/server.key"
cp "$work/old.pem" "$pki/server.pem"
reload 'event=tls_reloaded'
check "and the old one again" "$old" "$(serial_shown)"

# ---- drain ---------------------------------------------------------------------------------------

# A client that is connected when SIGTERM comes: what it is told until the server hangs up.
cat >"$work/watch.py" <<'PY'
import os, signal, socket, ssl, struct, sys
address, pid, pki = sys.argv[1:]
host, port = address.split(':')
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.load_verify_locations(f'{pki}/ca.pem')
context.load_cert_chain(f'{pki}/admin.pem', f'{pki}/admin.key')
context.set_alpn_protocols(['zipring/1'])
stream = context.wrap_socket(socket.create_connection((host, int(port)), 10))
body = struct.pack('<QQQQHHIHB5x32s', 0x31474E495250495A, 0, 0, 0, 1, 1, 0, 0, 4, b'watch')
stream.sendall(struct.pack('<IHBBQIHH', 24 + len(body), 1, 1, 0, 1, 0, len(body), 0) + body)
heard = b''
def frames():
    global heard
    while True:
        while len(heard) >= 24 and len(heard) >= struct.unpack_from('<I', heard)[0]:
            size, op = struct.unpack_from('<IH', heard)
            yield op, heard[:size]
            heard = heard[size:]
        more = stream.recv(65536)
        if not more:
            return
        heard += more
for op, frame in frames():
    if op == 0x8001:
        print('HELLO_OK')
        os.kill(int(pid), signal.SIGTERM)
    elif op == 0x8002:
        last_id, drain_ms, reason = struct.unpack_from('<QIB', frame, 24)
        print(f'GOAWAY last_id={last_id} drain_ms={drain_ms} reason={reason}')
    else:
        print(f'op {op:#x}')
print('closed')
PY
stop server_pid 0
start server_pid "${serve[@]}" drain_ms=300
out=$(timeout 20 python3 "$work/watch.py" "$address" "$server_pid" "$pki" 2>&1)
check "SIGTERM: GOAWAY, then the end" \
    "HELLO_OK GOAWAY last_id=1 drain_ms=300 reason=1 closed" "$(xargs <<<"$out")"
wait "$server_pid"
check "SIGTERM: exit code" 0 "$?"
says "it says goodbye" 'event=stopped status="ok"' "$(<"$work/log")"
start server_pid "${serve[@]}"
check "it starts again with its data" 0 "$(cli ping >/dev/null 2>&1; echo $?)"
kill -INT "$server_pid" 2>/dev/null
wait "$server_pid"
check "SIGINT ends it as well" 0 "$?"
server_pid=

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
