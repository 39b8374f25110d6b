/*
 * tls.h - TLS 1.3 of the client: bytes in and bytes out, no sockets.
 *
 * The only file of the library that knows OpenSSL. What is received is put into `in`, what is to
 * be sent stands in `out`; both are fixed buffers, so a peer cannot make us grow, and one recv
 * or send moves many records.
 *
 * Accepted is one server: TLS 1.3, ALPN zipring/1, a chain to the network's own CA (no system
 * store), and, when its certificate names hosts, the host that was asked for. Nothing is resumed.
 */
#ifndef ZR_CLIENT_TLS_H
#define ZR_CLIENT_TLS_H

#include <openssl/ssl.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ZRC_TLS_PLAIN_MAX = 16384, /* Most that one record carries. */
    /* A record and what OpenSSL may say unasked: alerts, key updates. */
    ZRC_TLS_RECORD_ROOM = ZRC_TLS_PLAIN_MAX + 2048,
    ZRC_TLS_IN_BYTES = 65536,
    ZRC_TLS_OUT_BYTES = 65536,
    ZRC_TLS_TEXT_BYTES = 160,
};

/* A fixed buffer that is filled at `end` and emptied at `start`. */
struct zrc_fifo {
    uint8_t *bytes;
    size_t capacity;
    size_t start;
    size_t end;
};

/* Keys and rules, shared by all connections of a client. */
struct zrc_tls_context {
    SSL_CTX *ssl_context;
    BIO_METHOD *bio_method;
};

struct zrc_tls {
    SSL *ssl; /* NULL between connections. */
    struct zrc_fifo in;
    struct zrc_fifo out;
    bool established;
    char text[ZRC_TLS_TEXT_BYTES]; /* Why it FAILED, for people. */
};

enum zrc_tls_result {
    ZRC_TLS_DONE,
    ZRC_TLS_MORE,   /* It needs bytes of the peer. */
    ZRC_TLS_CLOSED, /* close_notify. */
    ZRC_TLS_FAILED, /* text says why. */
};

struct zrc_tls_files {
    const char *certificate;
    const char *key;
    const char *ca;
};

/* Load PEM files. False: text says which and why. */
bool zrc_tls_context_open(struct zrc_tls_context *context, char *text, size_t text_bytes,
                          const struct zrc_tls_files *files);

/* Also for a zeroed struct. */
void zrc_tls_context_close(struct zrc_tls_context *context);

/* Take the buffers. False when memory is short; *tls is then zero. */
bool zrc_tls_init(struct zrc_tls *tls);

/* Stop, and give the buffers back. Also for a zeroed struct. */
void zrc_tls_deinit(struct zrc_tls *tls);

/* A new connection to `host`, a name or an address. False when OpenSSL has no memory. */
bool zrc_tls_start(struct zrc_tls *tls, const struct zrc_tls_context *context, char *host);

/* Forget the connection; says nothing to the peer. */
void zrc_tls_stop(struct zrc_tls *tls);

/* Go on with the handshake; DONE once the server is known to be the one that was asked for. */
enum zrc_tls_result zrc_tls_handshake(struct zrc_tls *tls, const char *host);

/* Open records into `plain`; DONE sets *opened > 0. */
enum zrc_tls_result zrc_tls_open(struct zrc_tls *tls, size_t *opened, uint8_t *plain,
                                 size_t plain_capacity);

/* There is room in `out` for a whole record. Makes it, where that only takes moving bytes. */
bool zrc_tls_has_room(struct zrc_tls *tls);

/* Seal up to ZRC_TLS_PLAIN_MAX bytes as one record. Only when zrc_tls_has_room(). */
enum zrc_tls_result zrc_tls_seal(struct zrc_tls *tls, const uint8_t *plain, size_t plain_count);

/* Say close_notify, when there is still someone to say it to. */
void zrc_tls_finish(struct zrc_tls *tls);

/* Bytes in the buffer. */
size_t zrc_fifo_count(const struct zrc_fifo *fifo);

/* Move what is there to the front, so that the room is in one piece. Returns the room. */
size_t zrc_fifo_compact(struct zrc_fifo *fifo);

#endif
