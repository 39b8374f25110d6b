/*
 * stats.h - counters of one worker, written by it and read by anyone.
 *
 * One writer means that no addition has to be a locked instruction: it is a relaxed load
 * and a relaxed store, which compile to plain ones. A reader may see counters of different
 * moments; it never sees half a number.
 */
#ifndef ZR_STATS_H
#define ZR_STATS_H

#include <stdatomic.h>
#include <stdint.h>

enum net_stat {
#define STAT(name, text) NET_##name,
#include "server/net/stats.def"
#undef STAT
    NET_STATS_COUNT,
};

/* A copy of the counters, indexed by enum net_stat, and three levels. */
struct net_stats {
    uint64_t value[NET_STATS_COUNT];
    uint32_t connections; /* Slots in use now. */
    uint32_t handshakes;  /* Of these, handshakes that are not done. */
    uint32_t ready;       /* Of these, sessions past HELLO. */
};

struct counters {
    _Atomic uint64_t value[NET_STATS_COUNT];
    _Atomic uint32_t connections;
    _Atomic uint32_t handshakes;
    _Atomic uint32_t ready;
};

/* "accepted": the name of a counter, for metrics and logs. */
const char *net_stat_name(enum net_stat stat);

/* Copy the counters; any thread. */
void counters_read(struct net_stats *out, const struct counters *counters);

/* Add to a counter; the owning worker only. */
static inline void
counters_add(struct counters *counters, enum net_stat stat, uint64_t amount)
{
    _Atomic uint64_t *const value = &counters->value[stat];

    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

/* Move a level up or down; the owning worker only. */
static inline void
counters_move(_Atomic uint32_t *level, int32_t by)
{
    const uint32_t now = atomic_load_explicit(level, memory_order_relaxed);

    atomic_store_explicit(level, now + (uint32_t)by, memory_order_relaxed);
}

static inline uint32_t
counters_level(const _Atomic uint32_t *level)
{
    return atomic_load_explicit(level, memory_order_relaxed);
}

#endif
