/*
 * arena.h - the server's memory: taken once at start, then sealed.
 *
 * Every pool, queue and table is carved from it with a name, so that the sum can be printed as
 * a commented bill at start (architecture.md "Memory"). There is no give-back: what lives here
 * lives as long as the server. Pages are zero and cost nothing until they are touched.
 */
#ifndef ZR_ARENA_H
#define ZR_ARENA_H

#include <stdbool.h>
#include <stddef.h>

enum { ARENA_ITEMS_MAX = 96 };

struct arena_item {
    const char *what; /* Literal. */
    size_t bytes;
};

struct arena {
    struct arena_item items[ARENA_ITEMS_MAX];
    void *blocks[ARENA_ITEMS_MAX];
    unsigned items_count;
    bool sealed;
};

void arena_init(struct arena *arena);

/* Zeroed memory, page-aligned. Not there, or after the seal: the program stops. */
void *arena_take(struct arena *arena, size_t bytes, const char *what);

/* From here on a take is a bug. Logs the bill. */
void arena_seal(struct arena *arena);

/* Give everything back. */
void arena_deinit(struct arena *arena);

#endif
