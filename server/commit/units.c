/*
 * units.c - see units.h. A chained hash set over a ring of members in order of expiry.
 *
 * A member that is taken out early leaves a hole in the ring, which passes when its time comes.
 */
#include "server/commit/units.h"

#include "protocol/check.h"
#include "server/base/mac.h"

#include <string.h>
#include <xxhash.h>

struct unit {
    struct zr_id call_ref;
    uint64_t expires_ms;
    uint32_t contractor; /* 0: a hole. */
    uint32_t next;       /* In its chain: index + 1, 0 = end. */
};

struct units {
    struct unit *ring;
    uint32_t *chains;
    uint32_t mask; /* Of both: members_max is a power of two. */
    uint64_t first;
    uint64_t end;
    uint64_t secret;
};

struct units *
units_open(struct arena *arena, uint32_t units_max)
{
    struct units *units = arena_take(arena, sizeof *units, "units: head of the connected calls");
    uint32_t capacity = 1;

    while (capacity < units_max) {
        capacity *= 2;
    }
    units->ring = arena_take(arena, (size_t)capacity * sizeof *units->ring,
                             "units: connected calls (connected_calls_max)");
    units->chains =
        arena_take(arena, (size_t)capacity * sizeof *units->chains, "units: hash chains");
    units->mask = capacity - 1;
    random_fill(&units->secret, sizeof units->secret);
    return units;
}

static uint32_t *
chain_of(const struct units *units, const struct zr_id *call_ref, uint32_t contractor)
{
    const XXH64_hash_t hash =
        XXH3_64bits_withSeed(call_ref->bytes, sizeof call_ref->bytes, units->secret ^ contractor);

    return &units->chains[hash & units->mask];
}

/* The link that points at the member, or at nothing. */
static uint32_t *
link_find(const struct units *units, const struct zr_id *call_ref, uint32_t contractor)
{
    uint32_t *link = chain_of(units, call_ref, contractor);

    while (*link != 0) {
        struct unit *unit = &units->ring[*link - 1];

        if (unit->contractor == contractor &&
            memcmp(&unit->call_ref, call_ref, sizeof *call_ref) == 0) {
            break;
        }
        link = &unit->next;
    }
    return link;
}

bool
units_add(struct units *units, const struct zr_id *call_ref, uint32_t contractor,
          uint64_t expires_ms)
{
    const uint32_t at = (uint32_t)units->end & units->mask;
    uint32_t *link = link_find(units, call_ref, contractor);

    CHECK(contractor != 0);
    if (*link != 0 || units->end - units->first > units->mask) {
        return false;
    }
    units->ring[at] = (struct unit){*call_ref, expires_ms, contractor, 0};
    *link = at + 1;
    units->end++;
    return true;
}

bool
units_remove(struct units *units, const struct zr_id *call_ref, uint32_t contractor)
{
    uint32_t *link = link_find(units, call_ref, contractor);
    struct unit *unit;

    if (*link == 0) {
        return false;
    }
    unit = &units->ring[*link - 1];
    *link = unit->next;
    unit->contractor = 0;
    unit->next = 0;
    return true;
}

uint32_t
units_expire(struct units *units, uint64_t now_ms)
{
    while (units->first != units->end) {
        struct unit *unit = &units->ring[(uint32_t)units->first & units->mask];
        const uint32_t contractor = unit->contractor;

        if (contractor != 0 && unit->expires_ms > now_ms) {
            return 0;
        }
        if (contractor != 0) {
            CHECK(units_remove(units, &unit->call_ref, contractor));
        }
        units->first++;
        if (contractor != 0) {
            return contractor;
        }
    }
    return 0;
}
