/*
 * decisions.c - see decisions.h.
 */
#include "server/commit/decisions.h"

#include <stddef.h>
#include <string.h>

enum { KEY_BYTES = sizeof(struct zr_id) + 2 };

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
key_of(uint8_t key[KEY_BYTES], const struct decision_row *row)
{
    memcpy(key, row->call_ref.bytes, sizeof row->call_ref);
    key[sizeof row->call_ref] = row->revision;
    key[sizeof row->call_ref + 1] = row->attempt;
}

static void
decision_put(struct store_view *view, const struct decision_row *row)
{
    uint8_t key[KEY_BYTES];

    key_of(key, row);
    store_put(view, TABLE_DECISION, key, sizeof key,
              (struct store_value){(const uint8_t *)row, row_bytes(row)});
}

void
decision_carry(struct store_view *view, const struct ticket *ticket)
{
    struct decision_row row = {
        .call_ref = ticket->call_ref,
        .call_id = ticket->call_id,
        .time_ms = ticket->issued_ms,
        .snapshot_seq = ticket->snapshot_seq,
        .policy_version = ticket->policy_version,
        .tenant = ticket->tenant,
        .zip = ticket->zip,
        .category = ticket->category,
        .status = ZR_STATUS_OK,
        .revision = ticket->revision,
        .attempt = ticket->attempt,
        .flags = DECISION_JUDGED_CUT, /* Who was passed over stood in the record alone. */
        .judged_count = ticket->candidates_count,
        .candidates_count = ticket->candidates_count,
    };
    struct store_value stored;
    uint8_t key[KEY_BYTES];

    key_of(key, &row);
    if (store_get(view, TABLE_DECISION, key, sizeof key, &stored)) {
        return;
    }
    for (uint8_t i = 0; i < ticket->candidates_count; i++) {
        const struct ticket_candidate *candidate = &ticket->candidates[i];

        row.candidates[i] = i;
        row.judged[i] = (struct decision_judged){.contractor = candidate->contractor,
                                                 .rate_cents = candidate->rate_cents,
                                                 .rank = candidate->rank};
    }
    decision_put(view, &row);
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
