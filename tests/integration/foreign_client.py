#!/usr/bin/env python3
"""foreign_client.py - a client written from protocol/PROTOCOL.md alone, with the standard library.

The proof that the page is complete: nothing here comes from the C sources. It checks itself
against the golden vectors, then says HELLO, PING and CATEGORY_LIST to a running server.

    foreign_client.py --vectors
    foreign_client.py HOST:PORT --ca CA.pem --cert CERT.pem --key KEY.pem [--role switch]

Prints `N passed, N failed`.
"""
import argparse
import collections
import json
import os
import socket
import ssl
import struct
import sys

HEADER = struct.Struct("<IHBBQIHH")  # size op ver flags id timeout/status block zero/credit
HELLO, PING, CATEGORY_LIST = 0x0001, 0x0004, 0x0022
ECHO, NOOP_COMMIT, CLOCK_ADVANCE = 0x0010, 0x0011, 0x0012
GOAWAY, ERROR = 0x0002, 0x0003
RESPONSE = 0x8000
MAGIC = 0x31474E495250495A
HELLO_REQUEST = struct.Struct("<QQQQHHIHB5x32s")
HELLO_REPLY = struct.Struct("<QQQIIIHHBBB5x32sHH")
PING_REPLY = struct.Struct("<QQQ")
CATEGORY_LIST_REQUEST = struct.Struct("<H")
CATEGORY_LIST_REPLY = struct.Struct("<HH")
CATEGORY_ROW = struct.Struct("<qIH??32s")
OP_RANGE = struct.Struct("<HBB")
ROLES = ["", "switch", "callcenter", "portal", "contractor", "payments", "admin", "auditor",
         "bench"]

Reply = collections.namedtuple("Reply", "op ver flags id status detail block credit body")


def padded(data):
    """Bytes with zeros up to a multiple of 8."""
    return data + bytes(-len(data) % 8)


def text_of(field):
    """A text field without the zeros that fill it up."""
    return field.rstrip(b"\0").decode("utf-8")


def encode(op, request_id, block=b"", tail=b"", timeout_us=500000):
    """One request frame: header, block and tail."""
    block, tail = padded(block), padded(tail)
    size = HEADER.size + len(block) + len(tail)
    return HEADER.pack(size, op, 1, 0, request_id, timeout_us, len(block), 0) + block + tail


def decode(frame):
    """One reply frame."""
    size, op, ver, flags, reply_id, verdict, block, credit = HEADER.unpack_from(frame)
    if size != len(frame) or not op & RESPONSE or block % 8 or block > size - HEADER.size:
        raise ValueError("not a reply frame")
    return Reply(op & ~RESPONSE, ver, flags, reply_id, verdict & 0xFFFF, verdict >> 16, block,
                 credit, frame[HEADER.size:])


def hello_request():
    """Protocol 1, nothing special, from this client."""
    return HELLO_REQUEST.pack(MAGIC, 0, 0, 0, 1, 1, 4096, 64, 4, b"my-switch 2.3")


def hello_reply(reply):
    """HELLO_OK as a dictionary; the tail holds the operations, then the peers."""
    row = HELLO_REPLY.unpack_from(reply.body)
    keys = ("features", "environment", "server_time_ms", "frame_bytes_max", "tenant", "contractor",
            "protocol", "credit", "role", "bench", "manual_clock", "build", "ops", "peers")
    hello = dict(zip(keys, row))
    tail = reply.body[reply.block:]
    ops_bytes = hello["ops"] * OP_RANGE.size
    hello["peers"] = tail[ops_bytes:ops_bytes + hello["peers"]].decode("ascii")
    hello["ops"] = list(OP_RANGE.iter_unpack(tail[:ops_bytes]))
    hello["build"] = text_of(hello["build"])
    return hello


def categories(reply):
    """The cursor, and (number, name, rate in cents, offered, everywhere) for each category."""
    cursor, count = CATEGORY_LIST_REPLY.unpack_from(reply.body)
    tail = reply.body[reply.block:]
    rows = []
    for index in range(count):
        rate, _, number, offered, everywhere, name = CATEGORY_ROW.unpack_from(
            tail, index * CATEGORY_ROW.size)
        rows.append((number, text_of(name), rate, offered, everywhere))
    return cursor, rows


class Connection:
    """Blocking, one request at a time."""

    def __init__(self, endpoint, ca, cert, key):
        host, _, port = endpoint.rpartition(":")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(ca)
        context.load_cert_chain(cert, key)
        context.set_alpn_protocols(["zipring/1"])
        plain = socket.create_connection((host, int(port)), timeout=10)
        self.tls = context.wrap_socket(plain, server_hostname=host)
        self.last_id = 0

    def alpn(self):
        """What both sides agreed on."""
        return self.tls.selected_alpn_protocol()

    def read(self, count):
        """Exactly so many bytes, or the end of the connection as an error."""
        data = b""
        while len(data) < count:
            more = self.tls.recv(count - len(data))
            if not more:
                raise ConnectionError("the server closed the connection")
            data += more
        return data

    def reply(self):
        """The next frame."""
        head = self.read(4)
        (size,) = struct.unpack("<I", head)
        if size % 8 or not HEADER.size <= size <= 16384:
            raise ValueError("not a frame")
        return decode(head + self.read(size - 4))

    def call(self, op, block=b"", tail=b""):
        """Send, and wait for the reply; pushes are passed over, ERROR is one."""
        self.last_id += 1
        self.tls.sendall(encode(op, self.last_id, block, tail))
        while True:
            reply = self.reply()
            if reply.op == ERROR:
                raise ConnectionError("ERROR, status 0x%04X" % reply.status)
            if reply.op != GOAWAY:
                break
        if reply.op != op or reply.id != self.last_id:
            raise ValueError("a reply to something else")
        return reply


class Tally:
    """Counts, and says which check failed."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what, holds):
        """One fact."""
        self.passed += bool(holds)
        self.failed += not holds
        if not holds:
            print("FAILED: " + what)

    def end(self):
        """The line that tests/run.sh reads."""
        print("%d passed, %d failed" % (self.passed, self.failed))
        return 1 if self.failed or not self.passed else 0


def judge_vectors(tally):
    """What this client writes and reads is what the golden frames say."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    with open(os.path.join(folder, "protocol", "vectors", "messages.json")) as file:
        every = json.load(file)
    # Versions ascend: of each message the newest one stays.
    vectors = {(v["name"], v["direction"]): v for v in every}

    def frame(name, direction):
        return bytes.fromhex(vectors[name, direction]["hex"])

    tally.check("HELLO request", encode(HELLO, HELLO, hello_request()) == frame("HELLO", "request"))
    tally.check("PING request", encode(PING, PING) == frame("PING", "request"))
    tally.check("CATEGORY_LIST request",
                encode(CATEGORY_LIST, CATEGORY_LIST, CATEGORY_LIST_REQUEST.pack(0)) ==
                frame("CATEGORY_LIST", "request"))
    hello = hello_reply(decode(frame("HELLO", "reply")))
    tally.check("HELLO reply", hello["tenant"] == 3 and hello["role"] == 1 and
                hello["build"] == "zipringd 1.0.0" and hello["peers"] == "b.example.net:7464" and
                hello["ops"] == [(0x60, 1, 1), (0x61, 1, 1)])
    ping = PING_REPLY.unpack_from(decode(frame("PING", "reply")).body)
    tally.check("PING reply", ping == (1735689600250, 3600000, 1234))
    fields = vectors["CATEGORY_LIST", "reply"]["fields"]
    cursor, rows = categories(decode(frame("CATEGORY_LIST", "reply")))
    tally.check("CATEGORY_LIST reply", cursor == fields["next"] and rows == [
        (c["category"], c["name"], int(c["rate_cents"]), c["offered"], c["everywhere"])
        for c in fields["categories"]])
    for vector in every:
        data = bytes.fromhex(vector["hex"])
        size, op, ver, _, _, _, block, _ = HEADER.unpack_from(data)
        tally.check("header of %s %s" % (vector["name"], vector["direction"]),
                    size == len(data) and size % 8 == 0 and block % 8 == 0 and
                    op == vector["op"] | (0 if vector["direction"] == "request" else RESPONSE) and
                    ver == vector["version"])


def judge_server(tally, options):
    """HELLO, PING, CATEGORY_LIST against a server."""
    connection = Connection(options.endpoint, options.ca, options.cert, options.key)
    tally.check("ALPN", connection.alpn() == "zipring/1")
    reply = connection.call(HELLO, hello_request())
    tally.check("HELLO is OK", reply.status == 0)
    if reply.status != 0:
        print("HELLO: status 0x%04X" % reply.status)
        return
    hello = hello_reply(reply)
    tally.check("protocol 1", hello["protocol"] == 1)
    tally.check("role", options.role is None or ROLES[hello["role"]] == options.role)
    tally.check("frame size", 4096 <= hello["frame_bytes_max"] <= 16384)
    tally.check("credit", hello["credit"] >= 1 and reply.credit >= 1)
    taken = {op for op, _, _ in hello["ops"]}
    tally.check("operations", {HELLO, PING, CATEGORY_LIST} <= taken)
    tally.check("operations of benches", ({ECHO, NOOP_COMMIT} <= taken) == hello["bench"] and
                (CLOCK_ADVANCE in taken) == (hello["bench"] and hello["manual_clock"]))
    reply = connection.call(PING)
    tally.check("PING is OK", reply.status == 0)
    time_ms, _, _ = PING_REPLY.unpack_from(reply.body)
    tally.check("the clock does not go back", time_ms >= hello["server_time_ms"])
    cursor, seen = 0, []
    while True:
        reply = connection.call(CATEGORY_LIST, CATEGORY_LIST_REQUEST.pack(cursor))
        tally.check("CATEGORY_LIST is OK", reply.status == 0)
        cursor, rows = categories(reply)
        seen += rows
        if cursor == 0 or reply.status != 0:
            break
    numbers = [row[0] for row in seen]
    tally.check("categories ascend", numbers == sorted(set(numbers)))
    reply = connection.call(0x7F01)
    tally.check("grease is UNKNOWN_OP", reply.status == 0x1001 and reply.block == 0)
    for number, name, rate, _, _ in seen:
        print("category %d %s %d" % (number, name, rate))


def main():
    """See the top of the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint", nargs="?")
    parser.add_argument("--vectors", action="store_true")
    parser.add_argument("--role")
    for name in ("ca", "cert", "key"):
        parser.add_argument("--" + name)
    options = parser.parse_args()
    tally = Tally()
    if options.vectors or options.endpoint is None:
        judge_vectors(tally)
    if options.endpoint is not None:
        judge_server(tally, options)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
