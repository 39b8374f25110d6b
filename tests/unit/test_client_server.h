/*
 * test_client_server.h - for test_client_io.c: certificates, and a small server on a thread.
 *
 * It answers every request with zeroes, and misbehaves when told to. What it shares with the
 * test is atomic.
 */
#ifndef ZR_TEST_CLIENT_SERVER_H
#define ZR_TEST_CLIENT_SERVER_H

#include "client/include/zipring.h"
#include "protocol/check.h"
#include "tests/lib/test.h"
#include "tests/unit/test_pki.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PEERS_MAX = 8, PATH_BYTES = 128, BYTES_MAX = 65536, LONG_MS = 20000, REPLY_BYTES = 16384 };

/* ---- certificates ---------------------------------------------------------------------------- */

static struct {
    char folder[64];
    char ca[PATH_BYTES];
    char other_ca[PATH_BYTES];
    char certificate[PATH_BYTES];
    char key[PATH_BYTES];
    struct issued authority, other, server, stranger, client;
} pki;

static inline int
pki_setup(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_DFL); /* A send of the client's that raised it would end us. */
    test_make_dir(pki.folder, sizeof pki.folder);
    (void)snprintf(pki.ca, sizeof pki.ca, "%s/ca.pem", pki.folder);
    (void)snprintf(pki.other_ca, sizeof pki.other_ca, "%s/other.pem", pki.folder);
    (void)snprintf(pki.certificate, sizeof pki.certificate, "%s/cert.pem", pki.folder);
    (void)snprintf(pki.key, sizeof pki.key, "%s/key.pem", pki.folder);
    pki.authority = issue(NULL, EVP_EC_gen("P-256"), NULL, NULL);
    pki.other = issue(NULL, EVP_EC_gen("P-256"), NULL, NULL);
    pki.server =
        issue(&pki.authority, EVP_EC_gen("P-256"), "serverAuth", "IP:127.0.0.1,DNS:localhost");
    pki.stranger = issue(&pki.authority, EVP_EC_gen("P-256"), "serverAuth", "DNS:example.com");
    pki.client = issue(&pki.authority, EVP_EC_gen("P-256"), "clientAuth", "URI:zipring:switch");
    write_pem(pki.ca, pki.authority.certificate, NULL);
    write_pem(pki.other_ca, pki.other.certificate, NULL);
    write_pem(pki.certificate, pki.client.certificate, NULL);
    write_pem(pki.key, NULL, pki.client.key);
    return 0;
}

static inline int
pki_teardown(void **state)
{
    (void)state;
    issued_free(&pki.authority);
    issued_free(&pki.other);
    issued_free(&pki.server);
    issued_free(&pki.stranger);
    issued_free(&pki.client);
    test_remove_dir(pki.folder);
    return 0;
}

/* ---- the server ------------------------------------------------------------------------------ */

struct peer {
    int fd; /* -1 = free. */
    SSL *ssl;
    size_t bytes_count;
    uint8_t bytes[BYTES_MAX];
    unsigned requests;
};

static struct server {
    pthread_t thread;
    SSL_CTX *context;
    int fd;
    uint16_t port;
    struct peer peers[PEERS_MAX];
    /* How it behaves; set while it runs. */
    atomic_uint hello_status;
    atomic_uint hang_up; /* This many connections are closed at their first request. */
    atomic_uint go_away; /* This many get GOAWAY before the answer to their first request. */
    atomic_bool mute;    /* Answers HELLO only. */
    /* What it saw. */
    atomic_uint requests;
    atomic_uint reads;
    atomic_uint connections;
    atomic_bool stop;
} server;

static inline bool
take_one(atomic_uint *count)
{
    unsigned had = atomic_load(count);

    return had > 0 && atomic_compare_exchange_strong(count, &had, had - 1);
}

static inline void
peer_close(struct peer *peer)
{
    SSL_free(peer->ssl);
    (void)close(peer->fd);
    peer->fd = -1;
    peer->ssl = NULL;
}

/* The frame of a reply to `request`; HELLO says what HELLO_OK must. */
static inline void
reply_put(struct zr_builder *builder, const struct zr_header *request)
{
    static const union zr_any_message zero;
    const struct zr_hello_reply hello = {.server_time_ms = 1700000000000,
                                         .frame_bytes_max = ZR_FRAME_BYTES_LIMIT,
                                         .protocol = 1,
                                         .credit = 4096,
                                         .role = ZR_ROLE_SWITCH};
    const struct zr_operation *const operation = zr_operation_find(request->op);
    struct zr_header header = {.op = request->op | ZR_OP_RESPONSE,
                               .version = request->version,
                               .id = request->id,
                               .credit = 4096};

    if (request->op == ZR_OP_HELLO) {
        header.status = (uint16_t)atomic_load(&server.hello_status);
        zr_message_encode(builder, &header, &zr_hello_reply_shape,
                          header.status == 0 ? &hello : NULL);
    } else {
        zr_message_encode(builder, &header, operation->reply, &zero);
    }
}

static inline void
goaway_put(struct zr_builder *builder, uint64_t last_id)
{
    const struct zr_goaway goaway = {
        .last_id = last_id, .drain_ms = LONG_MS, .reason = ZR_GOAWAY_DRAINING};
    const struct zr_header header = {.op = ZR_OP_GOAWAY | ZR_OP_RESPONSE, .version = 1};

    zr_goaway_encode(builder, &header, &goaway);
}

static inline bool
peer_send(struct peer *peer, const uint8_t *bytes, size_t bytes_count)
{
    for (size_t sent = 0; sent < bytes_count;) {
        size_t part = 0;

        if (SSL_write_ex(peer->ssl, bytes + sent, bytes_count - sent, &part) != 1 &&
            SSL_get_error(peer->ssl, 0) != SSL_ERROR_WANT_WRITE) {
            return false;
        }
        sent += part;
    }
    return true;
}

enum verdict { ANSWER, IGNORE, LEAVE, HANG_UP };

/* What becomes of a request, by what the test has asked for. */
static inline enum verdict
request_judge(struct peer *peer, const struct zr_header *header)
{
    if (header->op == ZR_OP_HELLO) {
        return ANSWER;
    }
    atomic_fetch_add(&server.requests, 1);
    if (peer->requests++ == 0) {
        if (take_one(&server.hang_up)) {
            return HANG_UP;
        }
        if (take_one(&server.go_away)) {
            return LEAVE;
        }
    }
    return atomic_load(&server.mute) ? IGNORE : ANSWER;
}

/* Answer what is whole. False: hang up. */
static inline bool
peer_answer(struct peer *peer)
{
    static uint8_t out[4 * BYTES_MAX];
    enum verdict verdict = ANSWER;
    struct zr_builder builder;
    struct zr_header header;
    size_t at = 0;

    zr_builder_init(&builder, out, sizeof out);
    while (verdict != LEAVE && zr_frame_cut(&header, peer->bytes + at, peer->bytes_count - at,
                                            ZR_FRAME_BYTES_LIMIT) == ZR_CUT_FRAME) {
        at += header.size;
        verdict = request_judge(peer, &header);
        if (verdict == HANG_UP) {
            return false;
        }
        if (verdict == LEAVE) {
            goaway_put(&builder, header.id);
            at = peer->bytes_count; /* Those behind it are not executed. */
        }
        if (verdict != IGNORE) {
            reply_put(&builder, &header);
        }
    }
    memmove(peer->bytes, peer->bytes + at, peer->bytes_count - at);
    peer->bytes_count -= at;
    return peer_send(peer, out, builder.length);
}

static inline bool
peer_step(struct peer *peer)
{
    size_t got = 0;

    for (;;) {
        ERR_clear_error();
        if (SSL_read_ex(peer->ssl, peer->bytes + peer->bytes_count, BYTES_MAX - peer->bytes_count,
                        &got) != 1) {
            return SSL_get_error(peer->ssl, 0) == SSL_ERROR_WANT_READ;
        }
        atomic_fetch_add(&server.reads, 1);
        peer->bytes_count += got;
        if (!peer_answer(peer)) {
            return false;
        }
    }
}

static inline void
server_accept(void)
{
    const int fd = accept4(server.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    for (size_t i = 0; fd >= 0 && i < PEERS_MAX; i++) {
        struct peer *const peer = &server.peers[i];

        if (peer->fd < 0) {
            *peer = (struct peer){.fd = fd, .ssl = SSL_new(server.context)};
            (void)SSL_set_fd(peer->ssl, fd);
            SSL_set_accept_state(peer->ssl);
            atomic_fetch_add(&server.connections, 1);
            return;
        }
    }
    (void)close(fd);
}

static inline void
server_step(const struct pollfd *fds)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (fds[i].revents != 0 && !peer_step(&server.peers[i])) {
            peer_close(&server.peers[i]);
        }
    }
}

static inline void *
server_run(void *argument)
{
    sigset_t pipe;

    (void)argument;
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, NULL); /* Its own sends; the client's are not here. */
    while (!atomic_load(&server.stop)) {
        struct pollfd fds[PEERS_MAX + 1] = {{.fd = server.fd, .events = POLLIN}};

        for (size_t i = 0; i < PEERS_MAX; i++) {
            fds[i + 1] = (struct pollfd){.fd = server.peers[i].fd, .events = POLLIN};
        }
        (void)poll(fds, PEERS_MAX + 1, 20);
        server_step(fds + 1);
        if (fds[0].revents != 0) {
            server_accept();
        }
    }
    return NULL;
}

static inline int
// NOLINTNEXTLINE(readability-function-size): the parameters are OpenSSL's.
alpn_choose(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
            const unsigned char *offered, unsigned offered_bytes, void *argument)
{
    (void)ssl;
    (void)argument;
    CHECK(offered_bytes == 10);
    *out = offered + 1;
    *out_bytes = 9;
    return SSL_TLSEXT_ERR_OK;
}

static inline void
server_start(const struct issued *identity)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_bytes = sizeof address;

    memset(&server, 0, sizeof server);
    for (size_t i = 0; i < PEERS_MAX; i++) {
        server.peers[i].fd = -1;
    }
    server.context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(server.context, identity->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server.context, identity->key), 1);
    assert_int_equal(SSL_CTX_load_verify_file(server.context, pki.ca), 1);
    SSL_CTX_set_verify(server.context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_alpn_select_cb(server.context, alpn_choose, NULL);
    assert_int_equal(SSL_CTX_set_num_tickets(server.context, 0), 1);
    SSL_CTX_set_mode(server.context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    server.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server.fd, 8), 0);
    assert_int_equal(getsockname(server.fd, (struct sockaddr *)&address, &address_bytes), 0);
    server.port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server.thread, NULL, server_run, NULL), 0);
}

static inline void
server_stop(void)
{
    atomic_store(&server.stop, true);
    assert_int_equal(pthread_join(server.thread, NULL), 0);
    for (size_t i = 0; i < PEERS_MAX; i++) {
        if (server.peers[i].fd >= 0) {
            peer_close(&server.peers[i]);
        }
    }
    (void)close(server.fd);
    SSL_CTX_free(server.context);
}

#endif
