/*
 * ring.h - bounded queue of pointers between two threads.
 *
 * One producer, one consumer, no lock. Full is an answer, not a wait: the producer refuses its
 * peer (OVERLOADED), so that memory stays what it was at start. Head and tail stand on cache
 * lines of their own, or each push would take the line away from the other thread.
 */
#ifndef ZR_RING_H
#define ZR_RING_H

#include "server/base/arena.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { CACHE_LINE_BYTES = 64 };

/* Padded on purpose: see above. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct ring {
    void **items;
    uint32_t mask;                                     /* Capacity - 1, a power of two. */
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t pushed; /* Written by the producer. */
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t taken;  /* Written by the consumer. */
};

/* Take memory for at least `items_max` pointers from the arena. */
void ring_init(struct ring *ring, struct arena *arena, uint32_t items_max, const char *what);

/* Append; false when full. Producer only. */
bool ring_push(struct ring *ring, void *item);

/* Oldest item, or NULL when empty. Consumer only. */
void *ring_take(struct ring *ring);

/* Items now, as seen by either side. */
uint32_t ring_count(const struct ring *ring);

#endif
