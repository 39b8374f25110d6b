/*
 * units.c - see units.h. A chained hash set whose members also stand in a list, oldest first.
 *
 * A ring in order of expiry would need no links, but calls that ended early would leave holes in
 * it and keep their room for the whole ttl: at 600 calls a second a million members would be full
 * of calls that are over.
 */
#include "server/commit/units.h"

#include "protocol/check.h"
#include "server/base/mac.h"

#include <string.h>
#include <xxhash.h>

struct unit {
    struct zr_id call_ref;
    uint64_t expires_ms;
    uint32_t contractor;
    uint32_t next; /* In its chain or in the free list: index + 1, 0 = end. So are the others. */
    uint32_t older;
    uint32_t newer;
};

struct units {
    struct unit *pool;
    uint32_t *chains;
    uint32_t chains_mask;
    uint32_t units_max;
    uint32_t used; /* Of the pool, ever: pages behind it stay untouched. */
    uint32_t free;
    uint32_t oldest;
    uint32_t newest;
    uint64_t secret; /* Calls are named by what peers can see: chains must not be theirs. */
};

struct units *
units_open(struct arena *arena, uint32_t units_max)
{
    struct units *units = arena_take(arena, sizeof *units, "units: head of the connected calls");
    uint32_t chains = 1;

    CHECK(units_max > 0);
    while (chains < units_max) {
        chains *= 2;
    }
    units->pool = arena_take(arena, (size_t)units_max * sizeof *units->pool,
                             "units: connected calls (connected_calls_max)");
    units->chains = arena_take(arena, (size_t)chains * sizeof *units->chains, "units: hash chains");
    units->chains_mask = chains - 1;
    units->units_max = units_max;
    random_fill(&units->secret, sizeof units->secret);
    return units;
}

static uint32_t *
chain_of(const struct units *units, const struct zr_id *call_ref, uint32_t contractor)
{
    const XXH64_hash_t hash =
        XXH3_64bits_withSeed(call_ref->bytes, sizeof call_ref->bytes, units->secret ^ contractor);

    return &units->chains[hash & units->chains_mask];
}

/* The link that points at the member, or at nothing. */
static uint32_t *
link_find(const struct units *units, const struct zr_id *call_ref, uint32_t contractor)
{
    uint32_t *link = chain_of(units, call_ref, contractor);

    while (*link != 0) {
        struct unit *unit = &units->pool[*link - 1];

        if (unit->contractor == contractor &&
            memcmp(&unit->call_ref, call_ref, sizeof *call_ref) == 0) {
            break;
        }
        link = &unit->next;
    }
    return link;
}

/* A place in the pool, index + 1, or 0 when it is full. */
static uint32_t
place_take(struct units *units)
{
    const uint32_t at = units->free;

    if (at != 0) {
        units->free = units->pool[at - 1].next;
        return at;
    }
    return units->used < units->units_max ? ++units->used : 0;
}

bool
units_add(struct units *units, const struct zr_id *call_ref, uint32_t contractor,
          uint64_t expires_ms)
{
    uint32_t *link = link_find(units, call_ref, contractor);
    uint32_t at;

    CHECK(contractor != 0);
    if (*link != 0) {
        return false;
    }
    at = place_take(units);
    if (at == 0) {
        return false;
    }
    units->pool[at - 1] = (struct unit){*call_ref, expires_ms, contractor, 0, units->newest, 0};
    *link = at;
    if (units->newest != 0) {
        units->pool[units->newest - 1].newer = at;
    } else {
        units->oldest = at;
    }
    units->newest = at;
    return true;
}

bool
units_remove(struct units *units, const struct zr_id *call_ref, uint32_t contractor)
{
    uint32_t *link = link_find(units, call_ref, contractor);
    const uint32_t at = *link;
    struct unit *unit;

    if (at == 0) {
        return false;
    }
    unit = &units->pool[at - 1];
    *link = unit->next;
    if (unit->older != 0) {
        units->pool[unit->older - 1].newer = unit->newer;
    } else {
        units->oldest = unit->newer;
    }
    if (unit->newer != 0) {
        units->pool[unit->newer - 1].older = unit->older;
    } else {
        units->newest = unit->older;
    }
    unit->next = units->free;
    units->free = at;
    return true;
}

uint32_t
units_expire(struct units *units, uint64_t now_ms)
{
    const struct unit *oldest;
    uint32_t contractor;

    if (units->oldest == 0) {
        return 0;
    }
    oldest = &units->pool[units->oldest - 1];
    contractor = oldest->contractor;
    if (oldest->expires_ms > now_ms) {
        return 0;
    }
    CHECK(units_remove(units, &oldest->call_ref, contractor));
    return contractor;
}
