/*
 * decisions.c - see decisions.h.
 */
#include "server/commit/decisions.h"

#include <stddef.h>
#include <string.h>

void
decision_ring_init(struct decision_ring *ring, struct arena *arena, uint32_t rows_max)
{
    const uint32_t places = backlog_init(&ring->backlog, rows_max);

    ring->rows = arena_take(arena, (size_t)places * sizeof *ring->rows,
                            "decisions: records waiting for the committer (decisions_max)");
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
    uint32_t place;

    if (backlog_reserve(&ring->backlog, &place)) {
        memcpy(&ring->rows[place], row, row_bytes(row));
        backlog_push(&ring->backlog);
    }
}

uint32_t
decision_count(const struct decision_ring *ring)
{
    return backlog_count(&ring->backlog);
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
    const uint32_t waiting = decision_count(ring);

    for (uint32_t i = 0; i < waiting; i++) {
        decision_put(view, &ring->rows[backlog_place(&ring->backlog, i)]);
    }
    return waiting;
}

void
decision_forget(struct decision_ring *ring, uint32_t rows_count)
{
    backlog_forget(&ring->backlog, rows_count);
}
