/*
 * outbox.c - see outbox.h.
 */
#include "server/net/outbox.h"

#include "protocol/check.h"

void
outbox_init(struct outbox *outbox)
{
    CHECK(outbox != NULL);
    *outbox = (struct outbox){.head = BLOCK_NONE, .tail = BLOCK_NONE};
}

uint8_t *
outbox_room(struct outbox *outbox, struct outbox_store *store, size_t wanted, size_t *room)
{
    uint32_t block = outbox->tail;

    CHECK(wanted <= BLOCK_BYTES);
    CHECK(room != NULL);

    if (block == BLOCK_NONE || BLOCK_BYTES - store->links[block].length < wanted) {
        block = blocks_take(store->blocks);
        if (block == BLOCK_NONE) {
            return NULL;
        }
        store->links[block] = (struct outbox_link){.next = BLOCK_NONE};
        if (outbox->tail == BLOCK_NONE) {
            outbox->head = block;
            outbox->head_sent = 0;
        } else {
            store->links[outbox->tail].next = block;
        }
        outbox->tail = block;
    }
    *room = BLOCK_BYTES - store->links[block].length;
    return blocks_bytes(store->blocks, block) + store->links[block].length;
}

/* Give the head back; the next one, if any, becomes the head. */
static void
head_give(struct outbox *outbox, struct outbox_store *store)
{
    const uint32_t head = outbox->head;

    CHECK(head != BLOCK_NONE);
    outbox->head = store->links[head].next;
    outbox->head_sent = 0;
    if (outbox->head == BLOCK_NONE) {
        CHECK(outbox->tail == head);
        outbox->tail = BLOCK_NONE;
    }
    blocks_give(store->blocks, head);
}

void
outbox_commit(struct outbox *outbox, struct outbox_store *store, size_t used)
{
    struct outbox_link *const link = &store->links[outbox->tail];

    CHECK(outbox->tail != BLOCK_NONE);
    CHECK(used <= BLOCK_BYTES - link->length);

    link->length += (uint32_t)used;
    outbox->bytes += (uint32_t)used;
    if (outbox->bytes == 0) {
        head_give(outbox, store);
        CHECK(outbox->head == BLOCK_NONE);
    }
}

const uint8_t *
outbox_front(const struct outbox *outbox, const struct outbox_store *store, size_t *count)
{
    const struct outbox_link *const link = &store->links[outbox->head];

    CHECK(outbox->bytes > 0);
    CHECK(link->length > outbox->head_sent);

    *count = link->length - outbox->head_sent;
    return blocks_bytes(store->blocks, outbox->head) + outbox->head_sent;
}

void
outbox_consume(struct outbox *outbox, struct outbox_store *store, size_t count)
{
    const struct outbox_link *const link = &store->links[outbox->head];

    CHECK(count > 0);
    CHECK(count <= outbox->bytes);
    CHECK(count <= link->length - outbox->head_sent);

    outbox->head_sent += (uint32_t)count;
    outbox->bytes -= (uint32_t)count;
    if (outbox->head_sent < link->length) {
        return;
    }
    head_give(outbox, store);
    if (outbox->bytes == 0 && outbox->head != BLOCK_NONE) {
        head_give(outbox, store); /* A tail that was taken and not used. */
    }
}

void
outbox_clear(struct outbox *outbox, struct outbox_store *store)
{
    while (outbox->head != BLOCK_NONE) {
        head_give(outbox, store);
    }
    outbox->bytes = 0;
}
