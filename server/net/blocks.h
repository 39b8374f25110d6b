/*
 * blocks.h - the worker's pool of 36 KiB blocks.
 *
 * Whatever a connection holds only sometimes, a frame cut in two, replies not yet sealed,
 * records not yet sent, lives in a block that it takes and gives back, so that an idle
 * connection holds none. The pool is one mapping made at start; pages that were never
 * touched cost nothing, and the last block given is the next one taken, so that a busy
 * worker stays inside a few hot ones.
 */
#ifndef ZR_BLOCKS_H
#define ZR_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two sealed records of 16 KiB and their overhead, in whole pages. */
enum { BLOCK_BYTES = 36 * 1024 };

#define BLOCK_NONE UINT32_MAX

struct blocks {
    uint8_t *bytes; /* count x BLOCK_BYTES. */
    uint32_t *free; /* A stack of the numbers of free blocks. */
    bool *taken;    /* Per block: proves that it comes back once. */
    uint32_t count;
    uint32_t free_count;
};

/* False when the system has no memory; *blocks is then untouched. */
bool blocks_init(struct blocks *blocks, uint32_t count);

void blocks_deinit(struct blocks *blocks);

size_t blocks_memory_bytes(const struct blocks *blocks);

/* The number of a free block, or BLOCK_NONE. */
uint32_t blocks_take(struct blocks *blocks);

void blocks_give(struct blocks *blocks, uint32_t block);

/* Its BLOCK_BYTES bytes. */
uint8_t *blocks_bytes(const struct blocks *blocks, uint32_t block);

#endif
