/*
 * hostile.h - a TLS connection to a server under test that says whatever bytes a test likes.
 *
 * The client library would refuse to send what these tests are about. Reads wait at most ten
 * seconds: a server that neither answers nor closes fails the test. Inline, like cases.h.
 */
#ifndef ZR_TEST_HOSTILE_H
#define ZR_TEST_HOSTILE_H

#include "protocol/check.h"
#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { RAW_WAIT_S = 10, RAW_BYTES = 2 * ZR_FRAME_BYTES_LIMIT };

#define RAW_MAGIC UINT64_C(0x31474E495250495A)

struct raw {
    SSL *ssl;
    int fd;
    uint64_t id;             /* Of the last request. */
    size_t count;            /* Bytes in `bytes`. */
    size_t used;             /* Of them, the frame that was read last. */
    struct zr_header header; /* Of that frame, which stands at `bytes`. */
    struct zr_hello_reply hello;
    uint8_t bytes[RAW_BYTES];
};

/* ---- TLS ------------------------------------------------------------------------------------ */

/* Keys and rules of a client with that certificate; SSL_CTX_free() it. */
static inline SSL_CTX *
raw_context(const struct server *server, const char *name)
{
    static const unsigned char alpn[] = "\x09zipring/1";
    const struct zr_options files = server_options(server, name);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    CHECK(context != NULL);
    CHECK(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1);
    CHECK(SSL_CTX_use_certificate_chain_file(context, files.cert_file) == 1);
    CHECK(SSL_CTX_use_PrivateKey_file(context, files.key_file, SSL_FILETYPE_PEM) == 1);
    CHECK(SSL_CTX_load_verify_file(context, files.ca_file) == 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    CHECK(SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1) == 0);
    return context;
}

/* A socket that is connected, its reads bounded. */
static inline int
raw_socket(const struct server *server)
{
    const struct timeval wait = {.tv_sec = RAW_WAIT_S};
    const int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    address.sin_port = htons((uint16_t)strtoul(strrchr(server->address, ':') + 1, NULL, 10));
    CHECK(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0);
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
    return fd;
}

/* Connected and shaken hands; HELLO was not said. */
static inline void
raw_open(struct raw *raw, const struct server *server, SSL_CTX *context)
{
    memset(raw, 0, offsetof(struct raw, bytes));
    raw->fd = raw_socket(server);
    raw->ssl = SSL_new(context);
    CHECK(raw->ssl != NULL);
    CHECK(SSL_set_fd(raw->ssl, raw->fd) == 1);
    CHECK(SSL_connect(raw->ssl) == 1);
}

static inline void
raw_close(struct raw *raw)
{
    SSL_free(raw->ssl);
    (void)close(raw->fd);
    ERR_clear_error();
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* False when the server has hung up already. */
static inline bool
raw_write(struct raw *raw, const void *bytes, size_t bytes_count)
{
    return SSL_write(raw->ssl, bytes, (int)bytes_count) == (int)bytes_count;
}

/* Read on. False at the end of the stream, however it came; silence fails the test. */
static inline bool
raw_fill(struct raw *raw)
{
    const int room = (int)(sizeof raw->bytes - raw->count);
    int got;

    ERR_clear_error();
    errno = 0;
    CHECK(room > 0);
    got = SSL_read(raw->ssl, raw->bytes + raw->count, room);
    if (got > 0) {
        raw->count += (size_t)got;
        return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        fail_msg("the server neither answered nor closed for %d s", RAW_WAIT_S);
    }
    return false;
}

/* The next whole frame, at raw->bytes; false when the server closed instead. */
static inline bool
raw_read(struct raw *raw)
{
    memmove(raw->bytes, raw->bytes + raw->used, raw->count - raw->used);
    raw->count -= raw->used;
    raw->used = 0;
    for (;;) {
        const enum zr_cut cut =
            zr_frame_cut(&raw->header, raw->bytes, raw->count, ZR_FRAME_BYTES_LIMIT);

        assert_int_not_equal(cut, ZR_CUT_BAD); /* The server speaks frames, whatever it hears. */
        if (cut == ZR_CUT_FRAME) {
            raw->used = raw->header.size;
            return true;
        }
        if (!raw_fill(raw)) {
            assert_int_equal(raw->count, 0); /* Nor does it stop inside of one. */
            return false;
        }
    }
}

/* ---- requests ------------------------------------------------------------------------------- */

/* A frame of `op` with the next id. Returns its bytes. */
static inline size_t
raw_encode(struct raw *raw, uint8_t frame[ZR_FRAME_BYTES_LIMIT], uint16_t op, const void *message)
{
    const struct zr_operation *operation = zr_operation_find(op);
    struct zr_header header = {.op = op, .id = ++raw->id};
    struct zr_builder builder;

    CHECK(operation != NULL);
    header.version = operation->version;
    zr_builder_init(&builder, frame, ZR_FRAME_BYTES_LIMIT);
    zr_message_encode(&builder, &header, operation->request, message);
    CHECK(!builder.failed);
    return builder.length;
}

/* Read what answers the last request. Returns its status. */
static inline uint16_t
raw_answer(struct raw *raw, uint16_t op)
{
    assert_true(raw_read(raw));
    assert_int_equal(raw->header.op, op | ZR_OP_RESPONSE);
    assert_int_equal(raw->header.id, raw->id);
    assert_non_null(zr_status_code_name(raw->header.status));
    return raw->header.status;
}

/* Ask, and wait for the answer. Returns its status; the frame stands at raw->bytes. */
static inline uint16_t
raw_ask(struct raw *raw, uint16_t op, const void *message)
{
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    const size_t bytes = raw_encode(raw, frame, op, message);

    assert_true(raw_write(raw, frame, bytes));
    return raw_answer(raw, op);
}

static inline struct zr_hello_request
raw_hello_request(void)
{
    return (struct zr_hello_request){.magic = RAW_MAGIC,
                                     .protocol_min = 1,
                                     .protocol_max = 1,
                                     .frame_bytes_max = ZR_FRAME_BYTES_LIMIT,
                                     .client_kind = ZR_CLIENT_OTHER,
                                     .build = "raw"};
}

/* Say HELLO. Returns its status; raw->hello is set when it is OK. */
static inline uint16_t
raw_hello(struct raw *raw)
{
    const struct zr_hello_request request = raw_hello_request();
    const uint16_t status = raw_ask(raw, ZR_OP_HELLO, &request);
    uint16_t invalid_at;

    if (status == ZR_STATUS_OK) {
        CHECK(zr_hello_reply_decode(&raw->hello, &invalid_at, &raw->header, raw->bytes) ==
              ZR_DECODE_OK);
    }
    return status;
}

/* A connection with an open session. */
static inline void
raw_open_ready(struct raw *raw, const struct server *server, SSL_CTX *context)
{
    raw_open(raw, server, context);
    assert_int_equal(raw_hello(raw), ZR_STATUS_OK);
}

/* The last frame is an ERROR with this status, and then the connection ends. */
static inline void
raw_expect_error(struct raw *raw, uint16_t status)
{
    assert_true(raw_read(raw));
    assert_int_equal(raw->header.op, ZR_OP_ERROR | ZR_OP_RESPONSE);
    assert_int_equal(raw->header.status, status);
    assert_false(raw_read(raw));
}

/* Give a KEYED request a fresh key in the server's time: a UUIDv7, its op_id comes first. */
static inline void
raw_stamp(const struct raw *raw, const struct zr_operation *operation, void *request,
          uint64_t *random)
{
    const uint64_t unix_ms = raw->hello.server_time_ms;
    struct zr_id key;

    if (operation->kind != ZR_OP_KIND_KEYED) {
        return;
    }
    for (size_t i = 0; i < sizeof key.bytes; i++) {
        const uint64_t byte = i < 6 ? unix_ms >> (40 - 8 * i) : test_random(random);

        key.bytes[i] = (uint8_t)byte;
    }
    key.bytes[6] = (uint8_t)(0x70 | (key.bytes[6] & 0x0F));
    key.bytes[8] = (uint8_t)(0x80 | (key.bytes[8] & 0x3F));
    assert_string_equal(operation->request->fields[0].name, "op_id");
    memcpy((uint8_t *)request + operation->request->fields[0].offset, &key, sizeof key);
}

#endif
