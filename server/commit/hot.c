/*
 * hot.c - see hot.h.
 */
#include "server/commit/hot.h"

#include "protocol/check.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { HOT_ENTRY_BYTES = 64 };

struct hot_entry {
    alignas(HOT_ENTRY_BYTES) atomic_flag lock;
    uint8_t status;
    bool paused;
    uint16_t max_concurrency;
    uint16_t units;
    uint16_t leases;
    uint64_t licence_expires_ms;
    uint64_t phone;
    int64_t available_cents;
    int64_t leased_cents;
    int64_t rate_max_cents;
};
_Static_assert(sizeof(struct hot_entry) == HOT_ENTRY_BYTES, "one cache line");

struct hot {
    struct hot_entry *entries;
    uint32_t contractors_max;
    _Atomic uint64_t leases_count; /* For statistics: relaxed. */
};

struct hot *
hot_open(struct arena *arena, uint32_t contractors_max)
{
    struct hot *hot = arena_take(arena, sizeof *hot, "hot: head of the contractor array");

    CHECK(contractors_max > 0);
    hot->entries = arena_take(arena, (size_t)contractors_max * sizeof *hot->entries,
                              "hot: one line per contractor (contractors_max)");
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
        .paused = entry->paused,
    };
}

void
hot_look(struct hot *hot, uint32_t contractor, struct eligibility_contractor *known)
{
    struct hot_entry *entry = entry_lock(hot, contractor);

    entry_read(entry, known);
    entry_unlock(entry);
}

bool
hot_lease_take(struct hot *hot, uint32_t contractor, const struct eligibility_call *call,
               uint32_t *reasons)
{
    struct hot_entry *entry = entry_lock(hot, contractor);
    struct eligibility_contractor known;

    entry_read(entry, &known);
    *reasons = eligibility_judge(&known, call);
    if (*reasons == 0) {
        CHECK(entry->leases < UINT16_MAX);
        entry->leases++;
        entry->leased_cents += call->rate_cents;
    }
    entry_unlock(entry);
    if (*reasons == 0) {
        (void)atomic_fetch_add_explicit(&hot->leases_count, 1, memory_order_relaxed);
    }
    return *reasons == 0;
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

void
hot_rows_of(struct eligibility_contractor *rows, const struct contractor_row *contractor,
            const struct wallet_row *wallet)
{
    *rows = (struct eligibility_contractor){
        .licence_expires_ms = contractor->licence_expires_ms,
        .phone = contractor->phones_count > 0 ? contractor->phones[0] : 0,
        .available_cents = wallet->main_cents + wallet->credit_cents - wallet->held_cents,
        .rate_max_cents = wallet->rate_max_cents,
        .max_concurrency = contractor->max_concurrency,
        .status = contractor->status,
        .paused = contractor->paused != 0,
    };
}

void
hot_publish(struct hot *hot, const struct hot_change *change)
{
    struct hot_entry *entry = entry_lock(hot, change->contractor);

    if (change->with_rows) {
        entry->licence_expires_ms = change->rows.licence_expires_ms;
        entry->phone = change->rows.phone;
        entry->available_cents = change->rows.available_cents;
        entry->rate_max_cents = change->rows.rate_max_cents;
        entry->max_concurrency = change->rows.max_concurrency;
        entry->status = change->rows.status;
        entry->paused = change->rows.paused;
    }
    CHECK(entry->units + change->units >= 0);
    CHECK(entry->units + change->units <= UINT16_MAX);
    entry->units = (uint16_t)(entry->units + change->units);
    entry_lease_give(hot, entry, change->leases, change->lease_cents);
    entry_unlock(entry);
}
