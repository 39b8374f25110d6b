/*
 * outbox.h - sealed bytes of one connection that wait for the socket: a chain of blocks.
 *
 * Bytes are added at the tail, also behind bytes of the same block that are being sent, and
 * leave at the head, one block per send. An empty outbox holds no block.
 */
#ifndef ZR_OUTBOX_H
#define ZR_OUTBOX_H

#include "server/net/blocks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Per block, for all outboxes of a worker: a block is in one outbox at most. */
struct outbox_link {
    uint32_t next;   /* BLOCK_NONE at the end. */
    uint32_t length; /* Bytes filled. */
};

struct outbox_store {
    struct blocks *blocks;
    struct outbox_link *links; /* Indexed by block. */
};

struct outbox {
    uint32_t head;
    uint32_t tail;
    uint32_t head_sent; /* Bytes of the head that the socket has taken. */
    uint32_t bytes;     /* Waiting, over all blocks. */
};

void outbox_init(struct outbox *outbox);

/*
 * Room for at least `wanted` bytes behind the last one; *room says how much there is. NULL
 * when the pool is empty. Holds a block until outbox_commit says how much was used.
 */
uint8_t *outbox_room(struct outbox *outbox, struct outbox_store *store, size_t wanted,
                     size_t *room);

/* `used` bytes of the room are to be sent; 0 gives an empty block back. */
void outbox_commit(struct outbox *outbox, struct outbox_store *store, size_t used);

/* What to send next: the rest of the first block. Not to be called when empty. */
const uint8_t *outbox_front(const struct outbox *outbox, const struct outbox_store *store,
                            size_t *count);

/* The socket took so many. */
void outbox_consume(struct outbox *outbox, struct outbox_store *store, size_t count);

/* Drop everything. Nothing may be in flight. */
void outbox_clear(struct outbox *outbox, struct outbox_store *store);

#endif
