/*
 * link.h - one connection: a non-blocking socket, TLS over it, and plain bytes at the other end.
 *
 *     DOWN --connect--> CONNECTING --> HANDSHAKING --> UP
 *      ^                    |              |            |
 *      +------close---------+-----close----+----close---+
 *
 * It does not know what the bytes mean, nor when to try again. It never waits: each call does
 * what can be done now. Sends go out without SIGPIPE; after one failed, the receiving side is
 * still read to its end, because what the server said last explains why it hung up.
 */
#ifndef ZR_CLIENT_LINK_H
#define ZR_CLIENT_LINK_H

#include "client/include/zipring.h"
#include "client/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    ZRC_LINK_PLAIN_BYTES = 32768, /* A frame that is not whole yet, and a record behind it. */
    ZRC_LINK_HOST_BYTES = 256,
    ZRC_LINK_UNACKED_MS = 10000, /* Sent bytes that stay unacknowledged this long end it. */
};

enum zrc_link_state {
    ZRC_LINK_DOWN,
    ZRC_LINK_CONNECTING,
    ZRC_LINK_HANDSHAKING,
    ZRC_LINK_UP,
};

enum zrc_link_result {
    ZRC_LINK_OK,      /* Done. */
    ZRC_LINK_BLOCKED, /* Nothing more can be done before the socket says so. */
    ZRC_LINK_LOST,    /* The connection is over: link->failure says why. */
};

struct zrc_link_failure {
    int result; /* ZR_ETLS, ZR_EDISCONNECTED or ZR_EPROTO. */
    int system_errno;
    const char *text; /* Static, or tls.text: valid until the next connect. */
};

struct zrc_address {
    struct sockaddr_storage socket_address;
    socklen_t bytes;
};

struct zrc_link {
    int fd; /* -1 = DOWN. */
    enum zrc_link_state state;
    bool send_failed; /* Nothing is sent any more; what is still there is received. */
    struct zrc_tls tls;
    struct zrc_fifo plain; /* Received and decrypted, not yet taken. */
    char host[ZRC_LINK_HOST_BYTES];
    struct zrc_link_failure failure;
    uint64_t bytes_in;
    uint64_t bytes_out;
};

/* Take the buffers. False when memory is short; *link is then DOWN and empty. */
bool zrc_link_init(struct zrc_link *link);

/* Close, and give the buffers back. */
void zrc_link_deinit(struct zrc_link *link);

/* Start to connect. Only when DOWN. OK or LOST. */
enum zrc_link_result zrc_link_connect(struct zrc_link *link, const struct zrc_tls_context *context,
                                      const struct zrc_address *address, const char *host);

/* Go on until UP (OK). BLOCKED, or LOST. */
enum zrc_link_result zrc_link_establish(struct zrc_link *link);

/* Receive once. OK: there may be more at once. BLOCKED: no more now. Bytes may be there in each. */
enum zrc_link_result zrc_link_receive(struct zrc_link *link);

/* Decrypt into `plain`. OK: bytes were added. BLOCKED: none left. LOST. */
enum zrc_link_result zrc_link_open(struct zrc_link *link);

/* Room for a record to be sealed. */
bool zrc_link_has_room(struct zrc_link *link);

/* Seal bytes; they go out with the next flush. Only when zrc_link_has_room(). OK or LOST. */
enum zrc_link_result zrc_link_seal(struct zrc_link *link, const uint8_t *plain, size_t plain_count);

/* Send what is sealed. OK: all of it. BLOCKED: the socket is full. */
enum zrc_link_result zrc_link_flush(struct zrc_link *link);

/* Sealed bytes wait for the socket, or the connect is under way: wake on writable. */
bool zrc_link_wants_writable(const struct zrc_link *link);

/* Say goodbye when there is someone to say it to (a forked child has not), close the socket. */
void zrc_link_close(struct zrc_link *link, bool say_goodbye);

#endif
