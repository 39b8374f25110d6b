/*
 * state_time.c - timers, events and their cursors, ticket keys: rows that come in the order of
 * time. See domain/state.h.
 *
 * The hard part is that nobody may pay for timers when none is due: so the state remembers when
 * the next one is. A put can only bring it nearer, which is told from the row; a delete may take
 * it away, and then it is looked up again, once, when somebody asks.
 */
#include "protocol/check.h"
#include "server/store/state.h"

#include <endian.h>
#include <string.h>

/* ---- timers ---------------------------------------------------------------------------------- */

enum { TIMER_KEY_BYTES = 16 };

/* Due first, then the order in which they were set. */
static struct store_value
timer_key(uint8_t bytes[TIMER_KEY_BYTES], uint64_t due_ms, uint64_t seq)
{
    const uint64_t due_be = htobe64(due_ms);
    const uint64_t seq_be = htobe64(seq);

    memcpy(bytes, &due_be, sizeof due_be);
    memcpy(bytes + sizeof due_be, &seq_be, sizeof seq_be);
    return (struct store_value){bytes, TIMER_KEY_BYTES};
}

void
state_timer_put(struct state *state, uint64_t due_ms, uint64_t seq, const struct timer_row *row)
{
    uint8_t bytes[TIMER_KEY_BYTES];

    CHECK(due_ms < STATE_TIMER_NEVER);
    CHECK(seq != 0);
    state_bytes_put(state, TABLE_TIMER, timer_key(bytes, due_ms, seq), row, sizeof *row);
    if (state->timer_next_known && due_ms < state->timer_next_ms) {
        state->timer_next_ms = due_ms;
    }
}

void
state_timer_del(struct state *state, uint64_t due_ms, uint64_t seq)
{
    uint8_t bytes[TIMER_KEY_BYTES];

    state_bytes_del(state, TABLE_TIMER, timer_key(bytes, due_ms, seq));
    if (due_ms == state->timer_next_ms) {
        state->timer_next_known = false;
    }
}

bool
state_timer_next(struct state *state, uint64_t *due_ms, uint64_t *seq, struct timer_row *row)
{
    uint8_t bytes[TIMER_KEY_BYTES];
    struct store_value found;
    struct store_value value;
    uint64_t due_be;
    uint64_t seq_be;

    if (!store_seek(state->view, TABLE_TIMER, timer_key(bytes, *due_ms, *seq), &found, &value) ||
        found.bytes_count != sizeof bytes || !state_row_copy(state, &value, row, sizeof *row)) {
        return false;
    }
    memcpy(&due_be, found.bytes, sizeof due_be);
    memcpy(&seq_be, found.bytes + sizeof due_be, sizeof seq_be);
    *due_ms = be64toh(due_be);
    *seq = be64toh(seq_be);
    return true;
}

uint64_t
state_timer_due_ms(struct state *state)
{
    struct timer_row row;
    uint64_t due_ms = 0;
    uint64_t seq = 0;

    if (!state->timer_next_known) {
        state->timer_next_ms =
            state_timer_next(state, &due_ms, &seq, &row) ? due_ms : STATE_TIMER_NEVER;
        state->timer_next_known = true;
    }
    return state->timer_next_ms;
}

/* ---- events ---------------------------------------------------------------------------------- */

bool
state_event_get(struct state *state, uint64_t event_seq, struct event_row *row)
{
    return state_number_get(state, TABLE_EVENT, event_seq, row, sizeof *row);
}

void
state_event_put(struct state *state, uint64_t event_seq, const struct event_row *row)
{
    state_number_put(state, TABLE_EVENT, event_seq, row, sizeof *row);
}

uint64_t
state_event_oldest(struct state *state)
{
    const uint64_t first = 0;
    struct store_value found;
    struct store_value value;
    uint64_t event_seq;

    if (!store_seek(state->view, TABLE_EVENT, state_number_key(&first), &found, &value)) {
        return 0;
    }
    memcpy(&event_seq, found.bytes, sizeof event_seq);
    return event_seq;
}

enum { CURSOR_PRINCIPAL_BYTES = 8, CURSOR_NAME_BYTES = 32 };

/* Whose it is first: one principal's names are no other's. */
static struct store_value
cursor_key(uint8_t bytes[CURSOR_PRINCIPAL_BYTES + CURSOR_NAME_BYTES],
           const uint8_t principal[CURSOR_PRINCIPAL_BYTES], const char name[CURSOR_NAME_BYTES])
{
    const size_t name_bytes = strnlen(name, CURSOR_NAME_BYTES);

    memcpy(bytes, principal, CURSOR_PRINCIPAL_BYTES);
    memcpy(bytes + CURSOR_PRINCIPAL_BYTES, name, name_bytes);
    return (struct store_value){bytes, CURSOR_PRINCIPAL_BYTES + name_bytes};
}

bool
state_cursor_get(struct state *state, const uint8_t principal[8], const char name[32],
                 uint64_t *event_seq)
{
    uint8_t bytes[CURSOR_PRINCIPAL_BYTES + CURSOR_NAME_BYTES];

    return state_bytes_get(state, TABLE_CURSOR, cursor_key(bytes, principal, name), event_seq,
                           sizeof *event_seq);
}

void
state_cursor_put(struct state *state, const uint8_t principal[8], const char name[32],
                 uint64_t event_seq)
{
    uint8_t bytes[CURSOR_PRINCIPAL_BYTES + CURSOR_NAME_BYTES];

    state_bytes_put(state, TABLE_CURSOR, cursor_key(bytes, principal, name), &event_seq,
                    sizeof event_seq);
}

uint32_t
state_cursors_count(struct state *state, const uint8_t principal[8], uint32_t max)
{
    uint8_t bytes[CURSOR_PRINCIPAL_BYTES + CURSOR_NAME_BYTES + 1];
    struct store_value key = {bytes, CURSOR_PRINCIPAL_BYTES};
    struct store_value found;
    struct store_value value;
    uint32_t count = 0;

    memcpy(bytes, principal, CURSOR_PRINCIPAL_BYTES);
    while (count < max && store_seek(state->view, TABLE_CURSOR, key, &found, &value) &&
           found.bytes_count < sizeof bytes &&
           memcmp(found.bytes, principal, CURSOR_PRINCIPAL_BYTES) == 0) {
        count++;
        /* No name has a 0 byte in it, so none stands before this one with a 0 behind it. */
        memcpy(bytes, found.bytes, found.bytes_count);
        bytes[found.bytes_count] = 0;
        key.bytes_count = found.bytes_count + 1;
    }
    return count;
}

/* ---- ticket keys ----------------------------------------------------------------------------- */

bool
state_ticket_key_get(struct state *state, uint64_t number, struct ticket_key_row *row)
{
    return state_number_get(state, TABLE_TICKET_KEY, number, row, sizeof *row);
}

void
state_ticket_key_put(struct state *state, uint64_t number, const struct ticket_key_row *row)
{
    state_number_put(state, TABLE_TICKET_KEY, number, row, sizeof *row);
}
