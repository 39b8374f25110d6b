/*
 * raw.h - a TLS connection to the server that sends what no client library would.
 *
 * Every read has a bound of 10 s of wall time, so that a server that hangs fails the test instead
 * of stopping it. Inline, like unit/test_pki.h: not every test that links tests/lib needs OpenSSL.
 */
#ifndef ZR_TEST_RAW_H
#define ZR_TEST_RAW_H

#include "tests/lib/server.h"
#include "tests/lib/test.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct raw {
    int fd;
    SSL_CTX *context;
    SSL *ssl;
    uint64_t id;          /* Of the last request sent. */
    uint8_t frame[16384]; /* The last frame received. */
    struct zr_header header;
};

/* What differs from a proper client; all zero is a proper one. */
struct raw_options {
    bool no_certificate;
    bool no_alpn;
    const char *alpn;        /* Another protocol. */
    int version_max;         /* Highest TLS version, 0 = 1.3. */
    const char *certificate; /* Path without .pem and .key, instead of the folder's. */
    SSL_SESSION *session;    /* To resume. */
};

static inline int
raw_socket(const struct server *server)
{
    const struct timeval bound = {.tv_sec = 10};
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    char *colon;
    const int no_delay = 1; /* Or each small write waits for a delayed ACK. */
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(host, sizeof host, "%s", server->address);
    colon = strrchr(host, ':');
    assert_non_null(colon);
    *colon = '\0';
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    assert_int_equal(inet_pton(AF_INET, host, &address.sin_addr), 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay), 0);
    return fd;
}

static inline void
raw_close(struct raw *raw)
{
    if (raw->ssl != NULL) {
        SSL_free(raw->ssl);
        SSL_CTX_free(raw->context);
        (void)close(raw->fd);
    }
    ERR_clear_error();
    memset(raw, 0, sizeof *raw);
}

static inline void
raw_use_certificate(SSL_CTX *context, const struct server *server, const char *name,
                    const struct raw_options *options)
{
    char stem[SERVER_PATH_MAX];
    char path[SERVER_PATH_MAX + 8];

    if (options->no_certificate) {
        return;
    }
    if (options->certificate != NULL) {
        (void)snprintf(stem, sizeof stem, "%s", options->certificate);
    } else {
        server_path(stem, server, name);
    }
    (void)snprintf(path, sizeof path, "%s.pem", stem);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(context, path), 1);
    (void)snprintf(path, sizeof path, "%s.key", stem);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM), 1);
}

/* TCP and the client's half of the handshake. False: it already failed; close it all the same. */
static inline bool
raw_open(struct raw *raw, const struct server *server, const char *name,
         const struct raw_options *options)
{
    static const struct raw_options proper;
    uint8_t alpn[64] = "\x09zipring/1";
    unsigned alpn_bytes = 10;

    options = options != NULL ? options : &proper;
    memset(raw, 0, sizeof *raw);
    raw->context = SSL_CTX_new(TLS_client_method());
    assert_non_null(raw->context);
    if (options->version_max != 0) {
        assert_int_equal(SSL_CTX_set_max_proto_version(raw->context, options->version_max), 1);
    }
    raw_use_certificate(raw->context, server, name, options);
    raw->ssl = SSL_new(raw->context);
    assert_non_null(raw->ssl);
    if (options->alpn != NULL) {
        alpn[0] = (uint8_t)strlen(options->alpn);
        memcpy(alpn + 1, options->alpn, alpn[0]);
        alpn_bytes = alpn[0] + 1u;
    }
    if (!options->no_alpn) {
        assert_int_equal(SSL_set_alpn_protos(raw->ssl, alpn, alpn_bytes), 0);
    }
    if (options->session != NULL) {
        assert_int_equal(SSL_set_session(raw->ssl, options->session), 1);
    }
    raw->fd = raw_socket(server);
    assert_int_equal(SSL_set_fd(raw->ssl, raw->fd), 1);
    return SSL_connect(raw->ssl) == 1;
}

/* Exactly this many bytes; false at the end of the stream, or on any error. */
static inline bool
raw_read(struct raw *raw, uint8_t *bytes, size_t bytes_count)
{
    while (bytes_count > 0) {
        const int got = SSL_read(raw->ssl, bytes, (int)bytes_count);

        if (got <= 0) {
            return false;
        }
        bytes += got;
        bytes_count -= (size_t)got;
    }
    return true;
}

/* The next frame into raw->frame and raw->header; false when the connection ended. */
static inline bool
raw_receive(struct raw *raw)
{
    if (!raw_read(raw, raw->frame, ZR_HEADER_BYTES)) {
        return false;
    }
    zr_header_decode(&raw->header, raw->frame);
    assert_in_range(raw->header.size, ZR_HEADER_BYTES, sizeof raw->frame);
    return raw_read(raw, raw->frame + ZR_HEADER_BYTES, raw->header.size - ZR_HEADER_BYTES);
}

static inline bool
raw_send(struct raw *raw, const void *bytes, size_t bytes_count)
{
    return SSL_write(raw->ssl, bytes, (int)bytes_count) == (int)bytes_count;
}

/* Encode a request under the next id. Returns its length. */
static inline size_t
raw_encode(struct raw *raw, uint8_t *frame, uint16_t op, const void *message, uint32_t timeout_us)
{
    const struct zr_operation *operation = zr_operation_find(op);
    const struct zr_header header = {
        .op = op, .version = operation->version, .id = ++raw->id, .timeout_us = timeout_us};
    struct zr_builder builder;

    zr_builder_init(&builder, frame, ZR_FRAME_BYTES_LIMIT);
    zr_message_encode(&builder, &header, operation->request, message);
    assert_false(builder.failed);
    return builder.length;
}

/* Send a request and read its answer. The status; -1 when the connection ended. */
static inline int
raw_ask(struct raw *raw, uint16_t op, const void *message, uint32_t timeout_us)
{
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    const size_t length = raw_encode(raw, frame, op, message, timeout_us);

    if (!raw_send(raw, frame, length) || !raw_receive(raw)) {
        return -1;
    }
    return raw->header.status;
}

/* HELLO as a proper client says it. The status; -1 when the connection ended instead. */
static inline int
raw_hello(struct raw *raw)
{
    const struct zr_hello_request hello = {.magic = UINT64_C(0x31474E495250495A),
                                           .protocol_min = 1,
                                           .protocol_max = 1,
                                           .frame_bytes_max = 16384,
                                           .credit = 256,
                                           .client_kind = ZR_CLIENT_OTHER,
                                           .build = "raw"};

    return raw_ask(raw, ZR_OP_HELLO, &hello, 0);
}

/* Connected, and HELLO is OK. */
static inline void
raw_open_ready(struct raw *raw, const struct server *server, const char *name)
{
    assert_true(raw_open(raw, server, name, NULL));
    assert_int_equal(raw_hello(raw), 0);
}

/* True when the server is rid of us: nothing comes but frames, an alert and the end. */
static inline bool
raw_is_closed(struct raw *raw)
{
    while (raw_receive(raw)) {
        /* An ERROR frame may precede the end. */
    }
    return SSL_get_error(raw->ssl, 0) != SSL_ERROR_WANT_READ;
}

#endif
