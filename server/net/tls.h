/*
 * tls.h - TLS 1.3 with mutual authentication, bytes in and bytes out: no sockets, no clock.
 *
 * The only place, beside server/base/mac, that knows OpenSSL. A `struct tls` never sees a
 * descriptor: the caller lends it received bytes (tls_lend) and a place for bytes to send
 * (tls_room), then calls one of the four verbs, accept, open, seal, finish. After every verb,
 * also one that only reads, the caller looks at tls->out_length: a key update answers from
 * inside tls_open.
 *
 * What is refused, in the handshake: anything but TLS 1.3, another ALPN than `zipring/1` or
 * none, a client certificate that is missing, not under our own CA, deeper than two, without
 * clientAuth, not P-256 or Ed25519, or in a list above 8 KiB. There is no resumption, no ticket,
 * no early data and no renegotiation, so nothing outlives a connection.
 *
 * Bounds: what OpenSSL writes goes to the room that was lent and never to memory that grows.
 * When the room is too small the verb fails, it does not wait: callers lend TLS_ROOM_MIN
 * beyond what they seal.
 */
#ifndef ZR_TLS_H
#define ZR_TLS_H

#include "server/base/request.h"
#include "server/base/status.h"

#include <openssl/ssl.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_ALPN "zipring/1"

enum {
    TLS_RECORD_PLAIN_MAX = 16384,  /* Most that one record carries. */
    TLS_RECORD_OVERHEAD_MAX = 256, /* Its header, padding and tag; generous. */
    TLS_ROOM_MIN = 1024,           /* For what OpenSSL says unasked: alerts, key updates. */
    TLS_HANDSHAKE_OUT_MAX = 8192,  /* What we say before the peer has proved who it is. */
    TLS_HANDSHAKE_IN_MAX = 16384,  /* What we listen to until then. */
    TLS_CERTIFICATES_BYTES_MAX = 8192,
    TLS_CHAIN_DEPTH_MAX = 2,
};

/* What a verb came to. */
enum tls_result {
    TLS_DONE,   /* It did what it says. */
    TLS_MORE,   /* It needs bytes of the peer: lend what comes next. */
    TLS_CLOSED, /* The peer ended the stream with close_notify. */
    TLS_FAILED, /* The stream is over and not to be trusted. An alert may be in the room. */
};

/* What is looked up once. Outlives every context and connection made with it. */
struct tls_library {
    BIO_METHOD *bio_method;
    EVP_MD *sha256; /* Fetched once: a fetch per handshake costs a lock and a search. */
};

/* Keys and rules, shared by the connections made from it; freed with the last of them. */
struct tls_context {
    SSL_CTX *ssl_context;
    const struct tls_library *library;
};

/* One connection. Must not move in memory between tls_init and tls_deinit. */
struct tls {
    SSL *ssl;
    const uint8_t *in; /* Lent bytes not yet taken. */
    size_t in_count;
    uint8_t *out; /* Lent room. */
    size_t out_capacity;
    size_t out_length;    /* Bytes of it that are to be sent. */
    uint32_t key_updates; /* Seen from the peer so far. */
    bool established;     /* The handshake is done. */
    bool starved;         /* The last read of OpenSSL's found nothing lent. */
    bool failed;          /* Sticky: no verb does anything any more. */
};

/* False when OpenSSL has no memory. */
bool tls_library_open(struct tls_library *out);

/* After the last connection is gone. Also for a zeroed struct. */
void tls_library_close(struct tls_library *library);

/* Load PEM files, prove them with a handshake in memory. INVALID: the log says which and why. */
MUST_USE enum status tls_context_open(struct tls_context *out, const struct tls_library *library,
                                      const char *certificate, const char *key,
                                      const char *clients_ca);

/* Connections made from it live on. */
void tls_context_close(struct tls_context *context);

/* A server's end. False when OpenSSL has no memory. */
bool tls_init(struct tls *tls, const struct tls_context *context);

/* Frees what OpenSSL holds. Also for a zeroed struct. */
void tls_deinit(struct tls *tls);

/* Lend received bytes. Those lent before must all have been taken. */
void tls_lend(struct tls *tls, const uint8_t *bytes, size_t bytes_count);

/* Forget lent bytes, for good: nothing is opened after that. */
void tls_drop(struct tls *tls);

/* Lend room for bytes to send; out_length starts at 0. */
void tls_room(struct tls *tls, uint8_t *bytes, size_t capacity);

/* Go on with the handshake. */
enum tls_result tls_accept(struct tls *tls);

/*
 * Open at most one record into `plain`, *opened bytes. DONE with 0 bytes: a record that is
 * not for us, a key update, was taken; try again while tls_has_input().
 */
enum tls_result tls_open(struct tls *tls, uint8_t *plain, size_t plain_capacity, size_t *opened);

/* Seal bytes into as few records as they fit. DONE or FAILED. */
enum tls_result tls_seal(struct tls *tls, const uint8_t *plain, size_t plain_count);

/* Say close_notify, when there is still someone to say it to. */
void tls_finish(struct tls *tls);

/* Bytes are there that tls_open may make something of. */
bool tls_has_input(const struct tls *tls);

/* A record has begun and not ended. */
bool tls_has_partial(const struct tls *tls);

/* Free what OpenSSL keeps for this thread; the last thing that a worker does. */
void tls_thread_stop(void);

/* Why it failed, for a log line: OpenSSL's reason of the last failure on this thread. */
const char *tls_error(void);

/*
 * Who the peer is, after the handshake. False: its certificate has more than one URI SAN,
 * or one that does not fit or holds a NUL.
 */
bool tls_identify(const struct tls *tls, const struct tls_context *context,
                  struct peer_identity *peer);

#endif
