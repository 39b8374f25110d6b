/*
 * calls.c - see calls.h.
 */
#include "server/handlers/calls.h"

#include "protocol/check.h"

#include <string.h>
#include <xxhash.h>

enum {
    BUCKETS = 4096,
    BUCKET_MS = 100,
    /* A call that rings, or may ring again, may get a new lease: one that talks, and one whose
     * caller was said to have gone, for it is answered all the same if he has not. */
    LOOK_AGAIN_MS = 5000,
};

struct calls {
    struct remembered_call *pool;
    struct hot *hot;
    uint32_t *chains;     /* By tenant and call id. */
    uint32_t *ref_chains; /* By call_ref. */
    uint32_t chains_mask; /* Of both. */
    uint32_t free;
    uint32_t count;
    uint64_t secret;
    uint64_t ticked;         /* Last bucket number that was looked at. */
    uint32_t wheel[BUCKETS]; /* Index + 1 of each bucket's first call. */
};

struct calls *
calls_open(struct arena *arena, struct hot *hot, uint32_t calls_max)
{
    struct calls *calls = arena_take(arena, sizeof *calls, "calls: head of the ringing calls");
    uint32_t chains = 1;

    CHECK(calls_max > 0);
    while (chains < calls_max) {
        chains *= 2;
    }
    calls->pool = arena_take(arena, (size_t)calls_max * sizeof *calls->pool,
                             "calls: calls that ring (ringing_calls_max)");
    calls->chains = arena_take(arena, (size_t)chains * sizeof *calls->chains, "calls: hash chains");
    calls->ref_chains =
        arena_take(arena, (size_t)chains * sizeof *calls->ref_chains, "calls: hash chains");
    calls->chains_mask = chains - 1;
    calls->hot = hot;
    random_fill(&calls->secret, sizeof calls->secret);
    /* Slots are linked into the free list as they are first needed: pages stay untouched. */
    calls->free = 1;
    calls->pool[calls_max - 1].chain = UINT32_MAX;
    return calls;
}

uint32_t
calls_count(const struct calls *calls)
{
    return calls->count;
}

static uint32_t *
chain_of(struct calls *calls, uint32_t tenant, const struct zr_id *call_id)
{
    const XXH64_hash_t hash =
        XXH3_64bits_withSeed(call_id->bytes, sizeof call_id->bytes, calls->secret ^ tenant);

    return &calls->chains[hash & calls->chains_mask];
}

struct remembered_call *
calls_find(struct calls *calls, uint32_t tenant, const struct zr_id *call_id)
{
    uint32_t at = *chain_of(calls, tenant, call_id);

    while (at != 0) {
        struct remembered_call *call = &calls->pool[at - 1];

        if (call->tenant == tenant && memcmp(&call->call_id, call_id, sizeof *call_id) == 0) {
            return call;
        }
        at = call->chain;
    }
    return NULL;
}

static uint32_t *
ref_chain_of(struct calls *calls, const struct zr_id *call_ref)
{
    const XXH64_hash_t hash =
        XXH3_64bits_withSeed(call_ref->bytes, sizeof call_ref->bytes, calls->secret);

    return &calls->ref_chains[hash & calls->chains_mask];
}

struct remembered_call *
calls_find_ref(struct calls *calls, const struct zr_id *call_ref)
{
    uint32_t at = *ref_chain_of(calls, call_ref);

    while (at != 0) {
        struct remembered_call *call = &calls->pool[at - 1];

        if (memcmp(&call->call_ref, call_ref, sizeof *call_ref) == 0) {
            return call;
        }
        at = call->ref_chain;
    }
    return NULL;
}

static void
name_remove(struct calls *calls, struct remembered_call *call)
{
    const uint32_t at = (uint32_t)(call - calls->pool) + 1;
    uint32_t *link = ref_chain_of(calls, &call->call_ref);

    while (*link != at) {
        CHECK(*link != 0);
        link = &calls->pool[*link - 1].ref_chain;
    }
    *link = call->ref_chain;
    call->named = false;
}

void
calls_name(struct calls *calls, struct remembered_call *call, const struct zr_id *call_ref)
{
    uint32_t *chain = ref_chain_of(calls, call_ref);

    if (call->named && memcmp(&call->call_ref, call_ref, sizeof *call_ref) == 0) {
        return;
    }
    if (call->named) {
        name_remove(calls, call);
    }
    call->call_ref = *call_ref;
    call->named = true;
    call->ref_chain = *chain;
    *chain = (uint32_t)(call - calls->pool) + 1;
}

/* Take a slot. A zero link in a free slot means "the slot behind me was never used yet". */
static uint32_t
slot_take(struct calls *calls)
{
    const uint32_t at = calls->free;

    if (at == UINT32_MAX) {
        return 0;
    }
    calls->free = calls->pool[at - 1].chain == 0 ? at + 1 : calls->pool[at - 1].chain;
    calls->count++;
    return at;
}

static void
wheel_put(struct calls *calls, uint32_t at, uint64_t due_ms)
{
    uint64_t bucket = due_ms / BUCKET_MS + 1;

    if (bucket <= calls->ticked) {
        bucket = calls->ticked + 1;
    } else if (bucket > calls->ticked + BUCKETS - 1) {
        bucket = calls->ticked + BUCKETS - 1; /* Looked at too early, and put again. */
    }
    calls->pool[at - 1].later = calls->wheel[bucket % BUCKETS];
    calls->wheel[bucket % BUCKETS] = at;
}

struct remembered_call *
calls_add(struct calls *calls, uint32_t tenant, const struct zr_id *call_id, uint64_t now_ms)
{
    uint32_t *chain = chain_of(calls, tenant, call_id);
    struct remembered_call *call;
    uint32_t at;

    CHECK(calls_find(calls, tenant, call_id) == NULL);
    at = slot_take(calls);
    if (at == 0) {
        return NULL;
    }
    call = &calls->pool[at - 1];
    *call = (struct remembered_call){.call_id = *call_id, .tenant = tenant, .chain = *chain};
    call->expires_ms = now_ms;
    *chain = at;
    /* Looked at in the next bucket; what ROUTE sets meanwhile decides when again. */
    wheel_put(calls, at, now_ms);
    return call;
}

static void
calls_remove(struct calls *calls, uint32_t at)
{
    struct remembered_call *call = &calls->pool[at - 1];
    uint32_t *link = chain_of(calls, call->tenant, &call->call_id);

    if (call->named) {
        name_remove(calls, call);
    }
    while (*link != at) {
        CHECK(*link != 0);
        link = &calls->pool[*link - 1].chain;
    }
    *link = call->chain;
    call->chain = calls->free;
    calls->free = at;
    CHECK(calls->count > 0);
    calls->count--;
}

void
calls_set_lease(struct calls *calls, struct remembered_call *call, uint32_t contractor,
                int64_t rate_cents, uint64_t expires_ms)
{
    if (call->lease_contractor != 0) {
        hot_lease_give(calls->hot, call->lease_contractor, call->lease_cents);
    }
    call->lease_contractor = contractor;
    call->lease_cents = rate_cents;
    call->lease_expires_ms = expires_ms;
}

void
calls_hand_over_lease(struct remembered_call *call, uint32_t *contractor, int64_t *rate_cents)
{
    *contractor = call->lease_contractor;
    *rate_cents = call->lease_cents;
    call->lease_contractor = 0;
    call->lease_cents = 0;
}

void
calls_take_back_lease(struct calls *calls, struct remembered_call *call, const struct job *job,
                      uint64_t now_ms)
{
    CHECK(job->lease_contractor != 0);
    if (call == NULL || call->lease_contractor != 0 || now_ms >= call->lease_expires_ms) {
        hot_lease_give(calls->hot, job->lease_contractor, job->lease_cents);
        return;
    }
    call->lease_contractor = job->lease_contractor;
    call->lease_cents = job->lease_cents;
}

static void
call_look_at(struct calls *calls, uint32_t at, uint64_t now_ms)
{
    struct remembered_call *call = &calls->pool[at - 1];
    uint64_t due_ms = call->expires_ms + CALL_FORGET_AFTER_MS;

    if (call->lease_contractor != 0 && now_ms >= call->lease_expires_ms) {
        calls_set_lease(calls, call, 0, 0, 0);
    }
    if (now_ms >= due_ms) {
        calls_set_lease(calls, call, 0, 0, 0);
        calls_remove(calls, at);
        return;
    }
    /* Also of a lease that a job holds just now: it may come back. */
    if (call->lease_expires_ms > now_ms && call->lease_expires_ms < due_ms) {
        due_ms = call->lease_expires_ms;
    }
    if (call->state != REMEMBERED_ENDED && due_ms > now_ms + LOOK_AGAIN_MS) {
        due_ms = now_ms + LOOK_AGAIN_MS;
    }
    wheel_put(calls, at, due_ms);
}

void
calls_tick(struct calls *calls, uint64_t now_ms)
{
    const uint64_t now = now_ms / BUCKET_MS;
    uint64_t from = calls->ticked + 1;

    if (now <= calls->ticked) {
        return;
    }
    /* After a jump of the clock one lap sees every bucket. */
    if (now - calls->ticked > BUCKETS) {
        from = now - BUCKETS + 1;
    }
    for (uint64_t bucket = from; bucket <= now; bucket++) {
        uint32_t at = calls->wheel[bucket % BUCKETS];

        calls->wheel[bucket % BUCKETS] = 0;
        calls->ticked = bucket;
        while (at != 0) {
            const uint32_t later = calls->pool[at - 1].later;

            call_look_at(calls, at, now_ms);
            at = later;
        }
    }
}
