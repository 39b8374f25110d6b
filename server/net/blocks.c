/*
 * blocks.c - see blocks.h.
 */
#include "server/net/blocks.h"

#include "protocol/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BLOCK_DEAD_FILL = 0xDB };

bool
blocks_init(struct blocks *blocks, uint32_t count)
{
    struct blocks made = {.count = count, .free_count = count};
    void *memory;

    CHECK(blocks != NULL);
    CHECK(count > 0);
    CHECK(count < BLOCK_NONE);

    memory = mmap(NULL, (size_t)count * BLOCK_BYTES, PROT_READ | PROT_WRITE,
                  MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    made.bytes = memory;
    made.free = calloc(count, sizeof *made.free);
    made.taken = calloc(count, sizeof *made.taken);
    if (made.free == NULL || made.taken == NULL) {
        blocks_deinit(&made);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        made.free[i] = count - 1 - i; /* Block 0 is taken first. */
    }
    *blocks = made;
    return true;
}

void
blocks_deinit(struct blocks *blocks)
{
    CHECK(blocks != NULL);

    if (blocks->bytes != NULL) {
        (void)munmap(blocks->bytes, (size_t)blocks->count * BLOCK_BYTES);
    }
    free(blocks->free);
    free(blocks->taken);
    *blocks = (struct blocks){0};
}

size_t
blocks_memory_bytes(const struct blocks *blocks)
{
    return (size_t)blocks->count * (BLOCK_BYTES + sizeof *blocks->free + sizeof *blocks->taken);
}

uint32_t
blocks_take(struct blocks *blocks)
{
    uint32_t block;

    if (blocks->free_count == 0) {
        return BLOCK_NONE;
    }
    blocks->free_count--;
    block = blocks->free[blocks->free_count];
    CHECK(block < blocks->count);
    CHECK(!blocks->taken[block]);
    blocks->taken[block] = true;
    return block;
}

void
blocks_give(struct blocks *blocks, uint32_t block)
{
    CHECK(block < blocks->count);
    CHECK(blocks->taken[block]);
    CHECK(blocks->free_count < blocks->count);

#ifdef ZR_CHECK_SLOW
    memset(blocks_bytes(blocks, block), BLOCK_DEAD_FILL, BLOCK_BYTES);
#endif
    blocks->taken[block] = false;
    blocks->free[blocks->free_count] = block;
    blocks->free_count++;
}

uint8_t *
blocks_bytes(const struct blocks *blocks, uint32_t block)
{
    CHECK(block < blocks->count);
    CHECK(blocks->taken[block]);
    return blocks->bytes + (size_t)block * BLOCK_BYTES;
}
