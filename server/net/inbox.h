/*
 * inbox.h - received bytes of one connection that are still in the loop's buffers.
 *
 * Nothing is copied: the inbox is a chain through the numbers of the buffers, and the bytes
 * go from the buffer into OpenSSL. Only when a second piece fits behind the first in the same
 * buffer are they moved together, so that a peer who sends byte by byte while it is paused
 * holds one buffer and not hundreds.
 */
#ifndef ZR_INBOX_H
#define ZR_INBOX_H

#include "server/net/loop.h"

#include <stdbool.h>
#include <stdint.h>

/* Per receive buffer, for all inboxes of a worker: a buffer is in one inbox at most. */
struct inbox_link {
    uint8_t *bytes;
    uint32_t length;
    uint16_t next; /* LOOP_BUFFER_NONE at the end. */
};

struct inbox_links {
    struct inbox_link *of; /* Indexed by buffer. */
    uint32_t buffer_bytes;
};

struct inbox {
    uint16_t head;
    uint16_t tail;
    uint16_t count; /* Buffers held, the one that was lent included. */
    bool lent;      /* The head's bytes were handed out; they are not added to. */
};

void inbox_init(struct inbox *inbox);

/* Keep a LOOP_RECV event's bytes; the buffer may be given back at once. */
void inbox_put(struct inbox *inbox, struct inbox_links *links, struct loop *loop,
               const struct loop_event *event);

/* Give back the buffer lent last and lend the next one's bytes. False: none is left. */
bool inbox_next(struct inbox *inbox, struct inbox_links *links, struct loop *loop,
                struct inbox_link *lent);

/* Give everything back. */
void inbox_clear(struct inbox *inbox, struct inbox_links *links, struct loop *loop);

#endif
