/*
 * test_net.h - for test_net.c and test_net_limits.c: a worker on a loopback port, and raw
 * OpenSSL clients that can misbehave.
 *
 * Each test opens a worker with limits of its own, lets clients at it, and waits for what the
 * worker must do on the socket itself: a frame, an end of stream. Where only a counter shows
 * it, wait_for() yields until it does. Nothing sleeps.
 */
#ifndef ZR_TEST_NET_H
#define ZR_TEST_NET_H

#include "protocol/bytes.h"
#include "protocol/check.h"
#include "protocol/message.h"
#include "protocol/status.h"
#include "server/base/log.h"
#include "server/net/net.h"
#include "tests/lib/test.h"
#include "tests/unit/test_pki.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OP_ECHO = 0x0010, OP_BIG = 0x0100, OP_DEFER = 0x0101, OP_REFUSE = 0x0102 };
enum { BIG_BYTES = 8192, POSTS_MAX = 4096, PATH_BYTES = 160, WAIT_S = 20, CLOSED = 0 };

/* ---- certificates, made for this run ---------------------------------------------------- */

static struct {
    char folder[PATH_BYTES];
    char ca[PATH_BYTES + 16];
    char certificate[PATH_BYTES + 16];
    char key[PATH_BYTES + 16];
    struct issued authority;
    struct issued server;
    struct issued client;
    SSL_CTX *client_context;
} pki;

static inline int
pki_setup(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    test_make_dir(pki.folder, sizeof pki.folder);
    (void)snprintf(pki.ca, sizeof pki.ca, "%s/ca.pem", pki.folder);
    (void)snprintf(pki.certificate, sizeof pki.certificate, "%s/cert.pem", pki.folder);
    (void)snprintf(pki.key, sizeof pki.key, "%s/key.pem", pki.folder);
    pki.authority = issue(NULL, EVP_EC_gen("P-256"), NULL, NULL);
    pki.server = issue(&pki.authority, EVP_EC_gen("P-256"), "serverAuth", NULL);
    pki.client = issue(&pki.authority, EVP_EC_gen("P-256"), "clientAuth", NULL);
    write_pem(pki.ca, pki.authority.certificate, NULL);
    write_pem(pki.certificate, pki.server.certificate, NULL);
    write_pem(pki.key, NULL, pki.server.key);
    pki.client_context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate(pki.client_context, pki.client.certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(pki.client_context, pki.client.key), 1);
    assert_int_equal(
        SSL_CTX_set_alpn_protos(pki.client_context, (const unsigned char *)"\x09zipring/1", 10), 0);
    return 0;
}

static inline int
pki_teardown(void **state)
{
    (void)state;
    SSL_CTX_free(pki.client_context);
    issued_free(&pki.authority);
    issued_free(&pki.server);
    issued_free(&pki.client);
    test_remove_dir(pki.folder);
    return 0;
}

/* ---- the application above net ---------------------------------------------------------- */

/* A deferred request, then its posted reply. `lock` guards what two threads touch. */
struct post {
    struct conn_ref conn;
    uint64_t id;
};

static struct {
    struct net *net;
    struct net_config config;
    struct net_port port;
    pthread_t worker;
    enum status result;
    uint16_t credit;
    pthread_mutex_t lock;
    struct post asked[POSTS_MAX]; /* Deferred. */
    uint32_t asked_count;
    struct post done[POSTS_MAX]; /* Answered by another thread, to be taken by the worker. */
    uint32_t done_count;
    uint64_t ahead[FRAMES_AHEAD_MAX]; /* Ids of frames that were told of and are still to come. */
    uint32_t ahead_count;
    uint32_t ahead_told; /* All that ever were. */
    bool revoked;
} app = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline void
encode_reply(uint8_t *bytes, uint16_t op, uint64_t id, uint32_t size, uint16_t status)
{
    const struct zr_header header = {
        .size = size, .op = op | ZR_OP_RESPONSE, .version = 1, .id = id, .status = status};

    memset(bytes, 0x5A, size);
    zr_header_encode(bytes, &header);
}

/* Worker only, as on_frame is. */
static inline void
on_frames_ahead(void *context, const uint8_t *const *frames, size_t frames_count)
{
    struct zr_header header;

    (void)context;
    CHECK(frames_count > 1);
    CHECK(frames_count <= FRAMES_AHEAD_MAX);
    for (size_t i = 0; i < frames_count; i++) {
        zr_header_decode(&header, frames[i]);
        app.ahead[frames_count - 1 - i] = header.id;
    }
    app.ahead_count = (uint32_t)frames_count;
    app.ahead_told += (uint32_t)frames_count;
}

static inline enum frame_verdict
on_frame(void *context, const struct request *request, struct zr_builder *reply)
{
    const uint16_t op = request->header.op;
    const uint32_t size = op == OP_BIG ? (uint32_t)BIG_BYTES : request->header.size;

    (void)context;
    if (app.ahead_count > 0) { /* They come in the order in which they were told of. */
        CHECK(app.ahead[--app.ahead_count] == request->header.id);
    }
    if (op == ZR_OP_HELLO) {
        request->session->ready = true;
        request->session->credit = app.credit;
        request->session->frame_bytes_max = ZR_FRAME_BYTES_DEFAULT;
    }
    if (op == OP_DEFER) {
        (void)pthread_mutex_lock(&app.lock);
        app.asked[app.asked_count++] = (struct post){request->conn, request->header.id};
        (void)pthread_mutex_unlock(&app.lock);
        return FRAME_DEFERRED;
    }
    encode_reply(zr_builder_reserve(reply, size), op, request->header.id, size,
                 op == OP_REFUSE ? ZR_STATUS_UNAUTHENTICATED : ZR_STATUS_OK);
    return op == OP_REFUSE ? FRAME_CLOSE : FRAME_REPLIED;
}

static inline void
on_turn_begin(void *context, uint64_t now_ns)
{
    uint8_t frame[ZR_HEADER_BYTES];

    (void)context;
    (void)now_ns;
    (void)pthread_mutex_lock(&app.lock);
    for (uint32_t i = 0; i < app.done_count; i++) {
        encode_reply(frame, OP_DEFER, app.done[i].id, sizeof frame, ZR_STATUS_OK);
        app.port.reply(app.port.context, app.done[i].conn, frame, sizeof frame);
    }
    app.done_count = 0;
    (void)pthread_mutex_unlock(&app.lock);
}

static inline void
on_turn_end(void *context)
{
    (void)context;
}

static inline bool
on_session_check(void *context, struct session *session)
{
    bool revoked;

    (void)context;
    CHECK(session->ready);
    (void)pthread_mutex_lock(&app.lock);
    revoked = app.revoked;
    (void)pthread_mutex_unlock(&app.lock);
    return !revoked;
}

/* Answer everything that was deferred: this thread plays the committer. */
static inline void
release_deferred(void)
{
    (void)pthread_mutex_lock(&app.lock);
    memcpy(app.done, app.asked, app.asked_count * sizeof app.done[0]);
    app.done_count = app.asked_count;
    app.asked_count = 0;
    (void)pthread_mutex_unlock(&app.lock);
    app.port.wake(app.port.context);
}

static inline void *
worker_main(void *argument)
{
    (void)argument;
    app.result = net_run(app.net);
    return NULL;
}

static inline struct net_config *
config_fresh(void)
{
    net_config_defaults(&app.config);
    app.config.listen = "127.0.0.1:0";
    app.config.tls = (struct net_tls_files){pki.certificate, pki.key, pki.ca};
    app.config.accepts_per_s = 0;
    app.config.prefix_accepts_per_s = 0;
    app.config.connections_max = 64;
    app.config.buffers_count = 64;
    app.credit = 64;
    app.asked_count = 0;
    app.done_count = 0;
    app.ahead_count = 0;
    app.ahead_told = 0;
    app.revoked = false;
    return &app.config;
}

/* What the network calls. */
static inline struct request_port
port_up(void)
{
    return (struct request_port){
        .on_frame = on_frame,
        .on_frames_ahead = on_frames_ahead,
        .on_turn_begin = on_turn_begin,
        .on_turn_end = on_turn_end,
        .on_session_check = on_session_check,
    };
}

static inline void
net_up(void)
{
    const struct request_port port = port_up();

    assert_int_equal(net_open(&app.net, &app.config, &port), STATUS_OK);
    app.port = net_port(app.net);
    assert_int_equal(pthread_create(&app.worker, NULL, worker_main, NULL), 0);
}

static inline void
net_down(uint32_t drain_ms)
{
    struct net_stats stats;

    net_drain(app.net, drain_ms);
    assert_int_equal(pthread_join(app.worker, NULL), 0);
    assert_int_equal(app.result, STATUS_OK);
    net_stats(app.net, &stats);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.value[NET_CQ_OVERFLOWS], 0);
    net_close(app.net);
}

static inline uint64_t
stat_of(enum net_stat stat)
{
    struct net_stats stats;

    net_stats(app.net, &stats);
    return stats.value[stat];
}

/* Yield until the counter is there; a worker that never gets there fails the test. */
static inline void
wait_for(enum net_stat stat, uint64_t value)
{
    const time_t end = time(NULL) + WAIT_S;

    while (stat_of(stat) < value) {
        if (time(NULL) > end) {
            fail_msg("%s is %lu, not %lu", net_stat_name(stat), (unsigned long)stat_of(stat),
                     (unsigned long)value);
        }
        (void)sched_yield();
    }
}

/* ---- clients ---------------------------------------------------------------------------- */

struct client {
    int fd;
    SSL *ssl;
    uint64_t id; /* Of the last request. */
    struct zr_header header;
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
};

static inline int
tcp_connect(void)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = WAIT_S};
    const int small = 16 * 1024;
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(net_listen_port(app.net)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* The peer must hang up without having said anything. */
static inline void
expect_hang_up(int fd)
{
    uint8_t byte;

    assert_true(recv(fd, &byte, 1, 0) <= 0);
    (void)close(fd);
}

static inline void
client_open(struct client *client)
{
    ERR_clear_error();
    client->id = 0;
    client->fd = tcp_connect();
    client->ssl = SSL_new(pki.client_context);
    assert_int_equal(SSL_set_fd(client->ssl, client->fd), 1);
    assert_int_equal(SSL_connect(client->ssl), 1);
}

static inline void
client_close(struct client *client)
{
    SSL_free(client->ssl);
    (void)close(client->fd);
}

static inline void
client_write(struct client *client, const uint8_t *bytes, size_t count)
{
    assert_int_equal(SSL_write(client->ssl, bytes, (int)count), (int)count);
}

static inline void
encode_request(struct client *client, uint8_t *bytes, uint16_t op, uint32_t size)
{
    const struct zr_header header = {.size = size, .op = op, .version = 1, .id = ++client->id};

    memset(bytes, 0, size);
    zr_header_encode(bytes, &header);
}

static inline void
client_ask(struct client *client, uint16_t op, uint32_t size)
{
    uint8_t bytes[ZR_FRAME_BYTES_LIMIT];

    encode_request(client, bytes, op, size);
    client_write(client, bytes, size);
}

/* One frame; CLOSED at close_notify. Anything else, a cut stream too, fails the test. */
static inline uint16_t
client_hear(struct client *client)
{
    size_t have = 0;
    size_t want = ZR_HEADER_BYTES;

    while (have < want) {
        const int count = SSL_read(client->ssl, client->frame + have, (int)(want - have));

        if (count <= 0) {
            assert_int_equal(SSL_get_error(client->ssl, count), SSL_ERROR_ZERO_RETURN);
            assert_int_equal(have, 0);
            return CLOSED;
        }
        have += (size_t)count;
        if (have == ZR_HEADER_BYTES) {
            want = zr_load_u32(client->frame);
            assert_true(want <= ZR_FRAME_BYTES_LIMIT);
        }
    }
    zr_header_decode(&client->header, client->frame);
    return client->header.op;
}

static inline void
expect_reply(struct client *client, uint16_t op, uint64_t id)
{
    assert_int_equal(client_hear(client), op | ZR_OP_RESPONSE);
    assert_int_equal(client->header.id, id);
}

/* ERROR with that status, then the end. */
static inline void
expect_error(struct client *client, uint16_t status)
{
    assert_int_equal(client_hear(client), ZR_OP_ERROR | ZR_OP_RESPONSE);
    assert_int_equal(client->header.status, status);
    assert_int_equal(client->header.size, ZR_HEADER_BYTES);
    assert_int_equal(client_hear(client), CLOSED);
}

static inline void
client_ready(struct client *client)
{
    client_open(client);
    client_ask(client, ZR_OP_HELLO, 64);
    expect_reply(client, ZR_OP_HELLO, 1);
    assert_int_equal(client->header.credit, app.credit);
}

static struct client one;

#endif
