/*
 * arena.c - see arena.h.
 */
#include "server/base/arena.h"

#include "protocol/check.h"
#include "server/base/log.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void
arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

void *
arena_take(struct arena *arena, size_t bytes, const char *what)
{
    void *block;

    CHECK(!arena->sealed);
    CHECK(arena->items_count < ARENA_ITEMS_MAX);
    CHECK(bytes > 0);

    block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                 -1, 0);
    if (block == MAP_FAILED) {
        log_line(LOG_LEVEL_ERROR, "no_memory",
                 "what=\"%s\" bytes=%zu do=\"lower the limits in the configuration\"", what, bytes);
        _exit(EXIT_FAILURE);
    }
    arena->items[arena->items_count] = (struct arena_item){what, bytes};
    arena->blocks[arena->items_count] = block;
    arena->items_count++;
    return block;
}

void
arena_seal(struct arena *arena)
{
    size_t sum = 0;

    CHECK(!arena->sealed);
    for (unsigned i = 0; i < arena->items_count; i++) {
        sum += arena->items[i].bytes;
        log_line(LOG_LEVEL_INFO, "memory", "bytes=%zu for=\"%s\"", arena->items[i].bytes,
                 arena->items[i].what);
    }
    log_line(LOG_LEVEL_INFO, "memory_sealed", "bytes_reserved=%zu", sum);
    arena->sealed = true;
}

void
arena_deinit(struct arena *arena)
{
    for (unsigned i = 0; i < arena->items_count; i++) {
        CHECK(munmap(arena->blocks[i], arena->items[i].bytes) == 0);
    }
    *arena = (struct arena){0};
}
