/*
 * stats.c - see stats.h.
 */
#include "server/net/stats.h"

#include "protocol/check.h"

#include <stddef.h>

const char *
net_stat_name(enum net_stat stat)
{
    static const char *const names[NET_STATS_COUNT] = {
#define STAT(name, text) [NET_##name] = (text),
#include "server/net/stats.def"
#undef STAT
    };

    CHECK(stat < NET_STATS_COUNT);
    return names[stat];
}

void
counters_read(struct net_stats *out, const struct counters *counters)
{
    CHECK(out != NULL);
    CHECK(counters != NULL);

    for (uint32_t i = 0; i < NET_STATS_COUNT; i++) {
        out->value[i] = atomic_load_explicit(&counters->value[i], memory_order_relaxed);
    }
    out->connections = counters_level(&counters->connections);
    out->handshakes = counters_level(&counters->handshakes);
    out->ready = counters_level(&counters->ready);
}
