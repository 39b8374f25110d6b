/*
 * hot.c - see hot.h.
 */
#include "server/commit/hot.h"

#include "protocol/check.h"
#include "server/domain/usage.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

enum hot_flag {
    HOT_PAUSED = 1,
    HOT_DEST_DOWN = 2,
    HOT_NO_DUPLICATES = 4,
    HOT_RING_COUNTS = 8,
};

/* Three cache lines; the digest's two are looked at only when `profile` says that there is one. */
struct hot_entry {
    alignas(ELIGIBILITY_LINE_BYTES) atomic_flag lock;
    uint8_t status;
    uint8_t flags; /* enum hot_flag */
    uint8_t modes;
    uint32_t units; /* No limit of his: a CONNECT by a valid ticket asks for none. */
    uint16_t max_concurrency;
    uint16_t leases;
    uint16_t rings;  /* That count, and are not in the usage row yet. */
    uint8_t profile; /* enum contractor_profile bits. */
    uint64_t licence_expires_ms;
    uint64_t phone;
    int64_t available_cents;
    int64_t leased_cents;
    int64_t rate_max_cents;
    uint64_t last_ring_ms;
    struct eligibility_digest digest;
};
_Static_assert(offsetof(struct hot_entry, digest) == ELIGIBILITY_LINE_BYTES &&
                   sizeof(struct hot_entry) == (size_t)3 * ELIGIBILITY_LINE_BYTES,
               "three cache lines");

struct hot {
    struct hot_entry *entries;
    struct eligibility_profile *profiles; /* By the same number; under the entry's lock. */
    uint32_t contractors_max;
    _Atomic uint64_t leases_count; /* For statistics: relaxed. */
};

struct hot *
hot_open(struct arena *arena, uint32_t contractors_max)
{
    struct hot *hot = arena_take(arena, sizeof *hot, "hot: head of the contractor array");

    CHECK(contractors_max > 0);
    hot->entries = arena_take(arena, (size_t)contractors_max * sizeof *hot->entries,
                              "hot: three lines per contractor (contractors_max)");
    hot->profiles = arena_take(arena, (size_t)contractors_max * sizeof *hot->profiles,
                               "hot: profiles, touched for those who have one");
    hot->contractors_max = contractors_max;
    /* As in cascades.c. */
    (void)madvise(hot->entries, (size_t)contractors_max * sizeof *hot->entries, MADV_HUGEPAGE);
    return hot;
}

uint32_t
hot_contractors_max(const struct hot *hot)
{
    return hot->contractors_max;
}

uint64_t
hot_leases_count(const struct hot *hot)
{
    return atomic_load_explicit(&hot->leases_count, memory_order_relaxed);
}

/* Acquire pairs with the release in entry_unlock: what the last holder wrote is seen. */
static struct hot_entry *
entry_lock(struct hot *hot, uint32_t contractor)
{
    struct hot_entry *entry = &hot->entries[contractor];

    CHECK(contractor < hot->contractors_max);
    while (atomic_flag_test_and_set_explicit(&entry->lock, memory_order_acquire)) {
        /* Held for nanoseconds by the one other thread: not worth a wait. */
    }
    return entry;
}

static void
entry_unlock(struct hot_entry *entry)
{
    atomic_flag_clear_explicit(&entry->lock, memory_order_release);
}

static void
entry_read(const struct hot_entry *entry, struct eligibility_contractor *known)
{
    *known = (struct eligibility_contractor){
        .licence_expires_ms = entry->licence_expires_ms,
        .phone = entry->phone,
        .available_cents = entry->available_cents,
        .leased_cents = entry->leased_cents,
        .rate_max_cents = entry->rate_max_cents,
        .units = entry->units,
        .leases = entry->leases,
        .max_concurrency = entry->max_concurrency,
        .status = entry->status,
        .modes = entry->modes,
        .paused = (entry->flags & HOT_PAUSED) != 0,
        .dest_down = (entry->flags & HOT_DEST_DOWN) != 0,
        .no_duplicates = (entry->flags & HOT_NO_DUPLICATES) != 0,
    };
}

/* What the profile has against the call; its digest is made anew when it holds no longer. */
static uint32_t
entry_judge_profile(struct hot_entry *entry, const struct eligibility_profile *profile,
                    const struct eligibility_call *call)
{
    const struct eligibility_load load = {
        .last_ring_ms = entry->last_ring_ms,
        .leased_cents = entry->leased_cents,
        .leases = entry->leases,
        .rings = entry->rings,
    };

    if (call->now_ms >= entry->digest.until_ms) {
        eligibility_digest_make(&entry->digest, profile, call->now_ms);
    }
    return eligibility_judge_profile(&entry->digest, profile, &load, call);
}

static void
entry_read_for(struct hot *hot, struct hot_entry *entry, const struct eligibility_call *call,
               struct eligibility_contractor *known)
{
    entry_read(entry, known);
    if (entry->profile != 0) {
        known->profile_reasons =
            entry_judge_profile(entry, &hot->profiles[entry - hot->entries], call);
    }
}

void
hot_look(struct hot *hot, uint32_t contractor, struct eligibility_contractor *known)
{
    struct hot_entry *entry = entry_lock(hot, contractor);

    entry_read(entry, known);
    entry_unlock(entry);
}

void
hot_prefetch(const struct hot *hot, const struct slot_row *slot)
{
    for (uint16_t i = 0; i < slot->claims_count; i++) {
        const struct hot_entry *entry = &hot->entries[slot->claims[i].contractor];

        CHECK(slot->claims[i].contractor < hot->contractors_max);
        __builtin_prefetch(entry, 1);
        __builtin_prefetch(&entry->digest, 0);
        __builtin_prefetch(&entry->digest.lists, 0);
    }
}

void
hot_look_for(struct hot *hot, uint32_t contractor, const struct eligibility_call *call,
             struct eligibility_contractor *known)
{
    struct hot_entry *entry = entry_lock(hot, contractor);

    entry_read_for(hot, entry, call, known);
    entry_unlock(entry);
}

enum hot_lease
hot_lease_take(struct hot *hot, uint32_t contractor, const struct eligibility_call *call,
               uint32_t *reasons)
{
    struct hot_entry *entry = entry_lock(hot, contractor);
    enum hot_lease lease = HOT_LEASE_REFUSED;
    struct eligibility_contractor known;

    entry_read_for(hot, entry, call, &known);
    *reasons = eligibility_judge(&known, call);
    if (*reasons == 0) {
        CHECK(entry->leases < UINT16_MAX);
        entry->leases++;
        entry->leased_cents += call->rate_cents;
        lease = HOT_LEASE_TAKEN;
        if ((entry->flags & HOT_RING_COUNTS) != 0 && entry->rings < UINT16_MAX) {
            entry->rings++;
            entry->last_ring_ms = call->now_ms;
            lease = HOT_LEASE_COUNTED;
        }
    }
    entry_unlock(entry);
    if (lease != HOT_LEASE_REFUSED) {
        (void)atomic_fetch_add_explicit(&hot->leases_count, 1, memory_order_relaxed);
    }
    return lease;
}

void
hot_ring_lose(struct hot *hot, uint32_t contractor)
{
    struct hot_entry *entry = entry_lock(hot, contractor);

    CHECK(entry->rings > 0);
    entry->rings--;
    entry_unlock(entry);
}

static void
entry_lease_give(struct hot *hot, struct hot_entry *entry, uint32_t leases, int64_t cents)
{
    CHECK(entry->leases >= leases);
    CHECK(entry->leased_cents >= cents);
    entry->leases = (uint16_t)(entry->leases - leases);
    entry->leased_cents -= cents;
    (void)atomic_fetch_sub_explicit(&hot->leases_count, leases, memory_order_relaxed);
}

void
hot_lease_give(struct hot *hot, uint32_t contractor, int64_t rate_cents)
{
    struct hot_entry *entry = entry_lock(hot, contractor);

    entry_lease_give(hot, entry, 1, rate_cents);
    entry_unlock(entry);
}

/* The first own destination that is in order, 0 = none is (R50). */
static uint64_t
phone_of(const struct contractor_row *contractor)
{
    for (uint8_t i = 0; i < contractor->phones_count; i++) {
        if ((contractor->phones_down & 1u << i) == 0) {
            return contractor->phones[i];
        }
    }
    return 0;
}

void
hot_rows_of(struct eligibility_contractor *rows, const struct contractor_row *contractor,
            const struct wallet_row *wallet)
{
    *rows = (struct eligibility_contractor){
        .licence_expires_ms = contractor->licence_expires_ms,
        .phone = phone_of(contractor),
        .available_cents = wallet->main_cents + wallet->credit_cents - wallet->held_cents,
        .rate_max_cents = wallet->rate_max_cents,
        .max_concurrency = contractor->max_concurrency,
        .status = contractor->status,
        .modes = contractor->modes,
        .paused = contractor->paused != 0,
    };
    rows->dest_down = rows->phone == 0 && contractor->phones_count > 0;
}

static void
entry_set_rows(struct hot_entry *entry, const struct eligibility_contractor *rows)
{
    entry->licence_expires_ms = rows->licence_expires_ms;
    entry->phone = rows->phone;
    entry->available_cents = rows->available_cents;
    entry->rate_max_cents = rows->rate_max_cents;
    entry->max_concurrency = rows->max_concurrency;
    entry->status = rows->status;
    entry->modes = rows->modes;
    entry->flags = (uint8_t)(entry->flags & ~(HOT_PAUSED | HOT_DEST_DOWN));
    entry->flags |= rows->paused ? HOT_PAUSED : 0;
    entry->flags |= rows->dest_down ? HOT_DEST_DOWN : 0;
}

static void
entry_set_profile(struct hot_entry *entry, struct eligibility_profile *profile,
                  const struct eligibility_profile *rows)
{
    const bool ring =
        usage_ring_matters((rows->bits & PROFILE_CAPS) != 0 ? &rows->caps : NULL, entry->modes);
    const bool no_duplicates =
        (rows->bits & PROFILE_FILTERS) != 0 && rows->filters.no_duplicates != 0;

    entry->profile = rows->bits;
    entry->flags = (uint8_t)(entry->flags & ~(HOT_NO_DUPLICATES | HOT_RING_COUNTS));
    entry->flags |= no_duplicates ? HOT_NO_DUPLICATES : 0;
    entry->flags |= ring ? HOT_RING_COUNTS : 0;
    if (rows->bits != 0) {
        *profile = *rows;
        entry->digest.until_ms = 0; /* To be made anew. */
        if (rows->usage.last_ring_ms > entry->last_ring_ms) {
            entry->last_ring_ms = rows->usage.last_ring_ms;
        }
    }
}

void
hot_publish(struct hot *hot, const struct hot_change *change)
{
    struct hot_entry *entry = entry_lock(hot, change->contractor);
    const int64_t units = (int64_t)entry->units + change->units;

    if (change->with_rows) {
        entry_set_rows(entry, &change->rows);
    }
    if (change->with_profile) {
        entry_set_profile(entry, &hot->profiles[change->contractor], &change->profile);
    }
    CHECK(units >= 0);
    CHECK(units <= UINT32_MAX);
    CHECK(entry->rings >= change->rings);
    entry->units = (uint32_t)units;
    entry->rings = (uint16_t)(entry->rings - change->rings);
    entry_lease_give(hot, entry, change->leases, change->lease_cents);
    entry_unlock(entry);
}
