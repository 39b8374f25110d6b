/*
 * client.h - what a struct zr_client is made of, for the files that implement zipring.h.
 *
 *     zipring.h                                        cascade.c (a call, over zr_submit)
 *                     client.c (open, close, errors)   sync.c (blocking)   async.c (the loop)
 *                                        |
 *     struct zr_client       core        +        link          +     endpoints
 *                      protocol, slots      one connection        where to, when again
 *
 * One pass of async.c moves bytes between link and core, and runs callbacks. It is never
 * entered twice: what may not run inside a callback asks `running` first.
 */
#ifndef ZR_CLIENT_CLIENT_H
#define ZR_CLIENT_CLIENT_H

#include "client/core.h"
#include "client/endpoint.h"
#include "client/include/zipring.h"
#include "client/link.h"
#include "client/subscription.h"
#include "client/tls.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ZRC_RANDOM_POOL_BYTES = 512,
    ZRC_STAGE_BYTES = ZR_FRAME_BYTES_LIMIT, /* Frames that become one TLS record. */
};

struct zr_client {
    struct zrc_core core;
    struct zrc_link link;
    struct zrc_endpoints endpoints;
    struct zrc_tls_context tls_context;
    struct zr_error error;       /* The last one. */
    struct zr_cascade *cascades; /* Calls that have not ended: cascade.h. NULL = none. */
    struct zrc_subscription subscriptions[ZRC_PUSHES]; /* By enum zrc_push. */

    int epoll_fd; /* What the caller polls: timer_fd and the socket of the day stand in it. */
    int timer_fd;
    int final;             /* Not 0: this is all the client says any more. */
    bool running;          /* Inside a pass: a callback may be on the stack. */
    bool closing;          /* Nothing is accepted any more. */
    bool writable_watched; /* The socket is watched for room to send, not only for bytes. */
    bool ever_ready;
    bool ready_here;         /* HELLO_OK came on this connection. */
    uint64_t now_ns;         /* As of the last look at the clock in this pass. */
    uint64_t timer_ns;       /* What timer_fd is set to; UINT64_MAX = nothing. */
    uint64_t connect_at_ns;  /* While the link is DOWN. */
    uint64_t connect_end_ns; /* While it is not and HELLO_OK is awaited. */
    uint64_t connect_timeout_ns;
    uint64_t connects;
    uint64_t disconnects;

    uint8_t *alive; /* One page that reads 0 in a forked child. */
    uint32_t random_left;
    uint8_t random_pool[ZRC_RANDOM_POOL_BYTES];
    uint8_t stage[ZRC_STAGE_BYTES];
};

/* CLOCK_MONOTONIC, ns. */
uint64_t zrc_now_ns(void);

/* True in the process that opened the client, false in a child of its fork(). */
bool zrc_client_is_ours(const struct zr_client *client);

/* 64 random bits. */
uint64_t zrc_client_random(struct zr_client *client);

/* Keep an error for zr_client_last_error(); text may be NULL. */
void zrc_client_set_error(struct zr_client *client, int result, int system_errno, const char *text);

/* Accept a request without waking the caller's loop: the next pass is certain. */
int zrc_client_submit(struct zr_client *client, const struct zr_submission *submission);

/* Run the callbacks of requests that ended without a reply. Returns how many. */
int zrc_client_run_ended(struct zr_client *client);

/* The beginning of open, for async.c: epoll and timer. False: errno says why. */
bool zrc_client_watch(struct zr_client *client);

#endif
