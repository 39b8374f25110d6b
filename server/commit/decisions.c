/*
 * decisions.c - see decisions.h.
 */
#include "server/commit/decisions.h"

#include "protocol/check.h"

#include <stddef.h>
#include <string.h>

void
decision_ring_init(struct decision_ring *ring, struct arena *arena, uint32_t rows_max)
{
    uint32_t capacity = 1;

    while (capacity < rows_max) {
        capacity *= 2;
    }
    ring->rows = arena_take(arena, (size_t)capacity * sizeof *ring->rows,
                            "decisions: records waiting for the committer (decisions_max)");
    ring->mask = capacity - 1;
    atomic_init(&ring->pushed, 0);
    atomic_init(&ring->taken, 0);
    atomic_init(&ring->lost, 0);
}

void
decision_record(struct decision_row *row, const struct cascade_decision *decision)
{
    const uint8_t kept =
        decision->judged_count < DECISION_JUDGED_MAX ? decision->judged_count : DECISION_JUDGED_MAX;

    row->judged_count = kept;
    row->flags = 0;
    row->flags |= cascade_skips_primary(decision) ? DECISION_SKIPPED_PRIMARY : 0;
    row->flags |= kept < decision->judged_count ? DECISION_JUDGED_CUT : 0;
    for (uint8_t i = 0; i < kept; i++) {
        row->judged[i] = (struct decision_judged){
            .contractor = decision->judged[i].contractor,
            .reasons = decision->judged[i].reasons,
            .rate_cents = decision->judged[i].rate_cents,
            .rank = decision->judged[i].rank,
        };
    }
    row->candidates_count = decision->candidates_count;
    memcpy(row->candidates, decision->candidates, sizeof row->candidates);
}

/* What was not judged is neither copied nor stored. */
static size_t
row_bytes(const struct decision_row *row)
{
    return offsetof(struct decision_row, judged) + row->judged_count * sizeof row->judged[0];
}

void
decision_push(struct decision_ring *ring, const struct decision_row *row)
{
    const uint32_t pushed = atomic_load_explicit(&ring->pushed, memory_order_relaxed);
    const uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);

    if (pushed - taken > ring->mask) {
        (void)atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
        return;
    }
    memcpy(&ring->rows[pushed & ring->mask], row, row_bytes(row));
    /* Release pairs with the acquire in decision_drain: the record is whole before it is there. */
    atomic_store_explicit(&ring->pushed, pushed + 1, memory_order_release);
}

uint32_t
decision_count(const struct decision_ring *ring)
{
    return atomic_load_explicit(&ring->pushed, memory_order_acquire) -
           atomic_load_explicit(&ring->taken, memory_order_acquire);
}

static void
decision_put(struct store_view *view, const struct decision_row *row)
{
    uint8_t key[sizeof row->call_ref + 2];

    memcpy(key, row->call_ref.bytes, sizeof row->call_ref);
    key[sizeof row->call_ref] = row->revision;
    key[sizeof row->call_ref + 1] = row->attempt;
    store_put(view, TABLE_DECISION, key, sizeof key,
              (struct store_value){(const uint8_t *)row, row_bytes(row)});
}

uint32_t
decision_drain(const struct decision_ring *ring, struct store_view *view)
{
    const uint32_t pushed = atomic_load_explicit(&ring->pushed, memory_order_acquire);
    const uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    uint32_t drained = 0;

    while (taken + drained != pushed) {
        decision_put(view, &ring->rows[(taken + drained) & ring->mask]);
        drained++;
    }
    return drained;
}

void
decision_forget(struct decision_ring *ring, uint32_t rows_count)
{
    const uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);

    CHECK(rows_count <= decision_count(ring));
    /* Release pairs with the acquire in decision_push: the slots were read before reuse. */
    atomic_store_explicit(&ring->taken, taken + rows_count, memory_order_release);
}
