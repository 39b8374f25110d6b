/*
 * units.c - see units.h. A chained hash set whose members also stand in a list, oldest first; one
 * list for each ttl.
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
    uint32_t ttl; /* enum unit_ttl */
};

struct unit_list {
    uint32_t oldest;
    uint32_t newest;
};

struct units {
    struct unit *pool;
    uint32_t *chains;
    uint32_t chains_mask;
    uint32_t units_max;
    uint32_t used; /* Of the pool, ever: pages behind it stay untouched. */
    uint32_t free;
    struct unit_list lists[UNIT_TTLS];
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

uint64_t
units_expiry_ms(enum unit_ttl ttl, uint64_t seen_ms)
{
    return seen_ms + (ttl == UNIT_TTL_SHORT ? UNIT_TTL_SHORT_MS : UNIT_TTL_LONG_MS);
}

/* At the newest end of its list. */
static void
list_append(struct units *units, uint32_t at)
{
    struct unit *unit = &units->pool[at - 1];
    struct unit_list *list = &units->lists[unit->ttl];

    unit->older = list->newest;
    unit->newer = 0;
    if (list->newest != 0) {
        units->pool[list->newest - 1].newer = at;
    } else {
        list->oldest = at;
    }
    list->newest = at;
}

static void
list_remove(struct units *units, uint32_t at)
{
    const struct unit *unit = &units->pool[at - 1];
    struct unit_list *list = &units->lists[unit->ttl];

    if (unit->older != 0) {
        units->pool[unit->older - 1].newer = unit->newer;
    } else {
        list->oldest = unit->newer;
    }
    if (unit->newer != 0) {
        units->pool[unit->newer - 1].older = unit->older;
    } else {
        list->newest = unit->older;
    }
}

bool
units_add(struct units *units, const struct zr_id *call_ref, uint32_t contractor, enum unit_ttl ttl,
          uint64_t seen_ms)
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
    units->pool[at - 1] = (struct unit){
        .call_ref = *call_ref,
        .expires_ms = units_expiry_ms(ttl, seen_ms),
        .contractor = contractor,
        .ttl = ttl,
    };
    *link = at;
    list_append(units, at);
    return true;
}

void
units_seen(struct units *units, const struct zr_id *call_ref, uint32_t contractor, uint64_t seen_ms)
{
    const uint32_t at = *link_find(units, call_ref, contractor);
    struct unit *unit;

    if (at == 0) {
        return;
    }
    unit = &units->pool[at - 1];
    unit->expires_ms = units_expiry_ms(unit->ttl, seen_ms);
    list_remove(units, at);
    list_append(units, at);
}

bool
units_remove(struct units *units, const struct zr_id *call_ref, uint32_t contractor)
{
    uint32_t *link = link_find(units, call_ref, contractor);
    const uint32_t at = *link;

    if (at == 0) {
        return false;
    }
    *link = units->pool[at - 1].next;
    list_remove(units, at);
    units->pool[at - 1].next = units->free;
    units->free = at;
    return true;
}

uint32_t
units_expire(struct units *units, uint64_t now_ms)
{
    for (int ttl = 0; ttl < UNIT_TTLS; ttl++) {
        const uint32_t at = units->lists[ttl].oldest;

        if (at != 0 && units->pool[at - 1].expires_ms <= now_ms) {
            const struct zr_id call_ref = units->pool[at - 1].call_ref;
            const uint32_t contractor = units->pool[at - 1].contractor;

            CHECK(units_remove(units, &call_ref, contractor));
            return contractor;
        }
    }
    return 0;
}

/* ---- order ----------------------------------------------------------------------------------- */

/* Two runs, linked by `newer`, into one; equals keep their order. */
static uint32_t
runs_merge(struct unit *pool, uint32_t left, uint32_t right)
{
    uint32_t first = 0;
    uint32_t *link = &first;

    while (left != 0 && right != 0) {
        uint32_t *from = pool[right - 1].expires_ms < pool[left - 1].expires_ms ? &right : &left;

        *link = *from;
        link = &pool[*from - 1].newer;
        *from = *link;
    }
    *link = left != 0 ? left : right;
    return first;
}

/* Merge sort: run i holds 2^i members or none, so every member is merged log n times. */
static uint32_t
list_sorted(struct unit *pool, uint32_t oldest)
{
    uint32_t runs[32] = {0};
    uint32_t all = 0;

    while (oldest != 0) {
        uint32_t run = oldest;
        size_t i = 0;

        oldest = pool[run - 1].newer;
        pool[run - 1].newer = 0;
        for (; runs[i] != 0; i++) {
            run = runs_merge(pool, runs[i], run);
            runs[i] = 0;
        }
        runs[i] = run;
    }
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        all = runs_merge(pool, runs[i], all);
    }
    return all;
}

void
units_sort(struct units *units)
{
    for (int ttl = 0; ttl < UNIT_TTLS; ttl++) {
        uint32_t at = list_sorted(units->pool, units->lists[ttl].oldest);

        units->lists[ttl] = (struct unit_list){0};
        while (at != 0) {
            const uint32_t newer = units->pool[at - 1].newer;

            list_append(units, at);
            at = newer;
        }
    }
}
