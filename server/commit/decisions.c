/*
 * decisions.c - see decisions.h.
 */
#include "server/commit/decisions.h"

#include "protocol/check.h"

#include <stddef.h>
#include <string.h>

enum { HEAD_BYTES = offsetof(struct decision_row, judged) };

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
    return HEAD_BYTES + row->judged_count * sizeof row->judged[0];
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

bool
decision_was_lost(const struct decision_ring *ring)
{
    return atomic_load_explicit(&ring->backlog.lost, memory_order_relaxed) > 0;
}

/* Of the decision of its attempt that has `again` others before it. */
static size_t
key_of(uint8_t key[DECISION_KEY_BYTES_MAX], const struct decision_row *row, uint8_t again)
{
    memcpy(key, row->call_ref.bytes, sizeof row->call_ref);
    key[sizeof row->call_ref] = row->revision;
    key[sizeof row->call_ref + 1] = row->attempt;
    key[DECISION_KEY_BYTES] = again;
    return again == 0 ? DECISION_KEY_BYTES : DECISION_KEY_BYTES_MAX;
}

bool
decision_key_is_sound(struct store_value key)
{
    return key.bytes_count == DECISION_KEY_BYTES || key.bytes_count == DECISION_KEY_BYTES_MAX;
}

size_t
decision_key_behind(uint8_t key[DECISION_KEY_BYTES_MAX + 1], struct store_value found)
{
    CHECK(decision_key_is_sound(found));
    memcpy(key, found.bytes, found.bytes_count);
    key[found.bytes_count] = 0; /* Nothing sorts between the two. */
    return found.bytes_count + 1;
}

/* What was answered was decided: a record is never replaced by that of a later answer. */
static void
decision_put(struct store_view *view, const struct decision_row *row)
{
    const struct store_value value = {(const uint8_t *)row, row_bytes(row)};
    uint8_t key[DECISION_KEY_BYTES_MAX];
    size_t key_bytes;

    for (unsigned again = 0; again < DECISION_AGAIN_MAX; again++) {
        key_bytes = key_of(key, row, (uint8_t)again);
        if (store_add(view, TABLE_DECISION, key, key_bytes, value)) {
            return;
        }
    }
    key_bytes = key_of(key, row, DECISION_AGAIN_MAX);
    store_put(view, TABLE_DECISION, key, key_bytes, value);
}

/* Is it there, whole or carried? Of one attempt it is the one that saw that state at that time. */
static bool
is_stored(struct store_view *view, const struct decision_row *row)
{
    for (unsigned again = 0; again <= DECISION_AGAIN_MAX; again++) {
        uint8_t key[DECISION_KEY_BYTES_MAX];
        const size_t key_bytes = key_of(key, row, (uint8_t)again);
        struct decision_row stored;
        struct store_value value;

        if (!store_get(view, TABLE_DECISION, key, key_bytes, &value) ||
            value.bytes_count < HEAD_BYTES) {
            return false;
        }
        memcpy(&stored, value.bytes, HEAD_BYTES);
        if (stored.time_ms == row->time_ms && stored.snapshot_seq == row->snapshot_seq) {
            return true;
        }
    }
    return false;
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

    if (is_stored(view, &row)) {
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
decision_drain(const struct decision_ring *ring, struct store_view *view, uint32_t drained)
{
    const uint32_t waiting = decision_count(ring);

    for (uint32_t i = drained; i < waiting; i++) {
        decision_put(view, &ring->rows[backlog_place(&ring->backlog, i)]);
    }
    return waiting;
}

void
decision_forget(struct decision_ring *ring, uint32_t rows_count)
{
    backlog_forget(&ring->backlog, rows_count);
}
