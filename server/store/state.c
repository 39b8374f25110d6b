/*
 * state.c - what the rows of every table have in common: how they are read, written, folded and
 * remembered as touched. Which rows there are is in state_*.c. See state.h and domain/state.h.
 */
#include "server/store/state.h"

#include "protocol/check.h"

#include <string.h>

/* ---- common ---------------------------------------------------------------------------------- */

void
state_begin(struct state *state, uint64_t seq)
{
    state->seq = seq;
    state->changed = false;
    state->images_count = 0;
    state->contractors_count = 0;
    state->slots_count = 0;
}

enum status
state_failure(const struct state *state)
{
    return state->full ? STATUS_FULL : state->view->failure;
}

bool
state_failed(const struct state *state)
{
    return state_failure(state) != STATUS_OK;
}

void
state_forget(struct state *state, const uint64_t counters[STORE_COUNTERS_MAX])
{
    memcpy(state->counters, counters, sizeof state->counters);
    state->full = false;
    state->timer_next_known = false;
}

uint64_t
state_counter_next(struct state *state, enum state_counter counter)
{
    CHECK(state->tail != NULL);
    CHECK(counter < STATE_COUNTERS);
    state->changed = true;
    return ++state->counters[counter];
}

uint64_t
state_counter_now(const struct state *state, enum state_counter counter)
{
    CHECK(counter < STATE_COUNTERS);
    return state->counters[counter];
}

bool
state_row_copy(struct state *state, const struct store_value *value, void *row, size_t row_bytes)
{
    if (value->bytes_count != row_bytes) {
        state->view->failure = STATUS_CORRUPT;
        return false;
    }
    memcpy(row, value->bytes, row_bytes);
    return true;
}

bool
state_number_get(struct state *state, enum store_table table, uint64_t key, void *row,
                 size_t row_bytes)
{
    struct store_value value;

    return store_get_number(state->view, table, key, &value) &&
           state_row_copy(state, &value, row, row_bytes);
}

void
state_number_put(struct state *state, enum store_table table, uint64_t key, const void *row,
                 size_t row_bytes)
{
    CHECK(state->tail != NULL);
    state->changed = true;
    store_put_number(state->view, table, key, row, row_bytes);
}

bool
state_bytes_get(struct state *state, enum store_table table, struct store_value key, void *row,
                size_t row_bytes)
{
    struct store_value value;

    return store_get(state->view, table, key.bytes, key.bytes_count, &value) &&
           state_row_copy(state, &value, row, row_bytes);
}

void
state_bytes_put(struct state *state, enum store_table table, struct store_value key,
                const void *row, size_t row_bytes)
{
    CHECK(state->tail != NULL);
    state->changed = true;
    store_put(state->view, table, key.bytes, key.bytes_count, (struct store_value){row, row_bytes});
}

void
state_bytes_del(struct state *state, enum store_table table, struct store_value key)
{
    CHECK(state->tail != NULL);
    state->changed = true;
    store_del(state->view, table, key.bytes, key.bytes_count);
}

struct store_value
state_number_key(const uint64_t *number)
{
    return (struct store_value){(const uint8_t *)number, sizeof *number};
}

struct store_value
state_id_key(const struct zr_id *id)
{
    return (struct store_value){id->bytes, sizeof id->bytes};
}

/* ---- folded rows ----------------------------------------------------------------------------- */

bool
state_folded_get(struct state *state, enum store_table table, struct store_value key, void *row,
                 size_t row_bytes)
{
    const struct tail_row *newer =
        state->tail == NULL ? NULL : tail_find(state->tail, table, key.bytes, key.bytes_count);

    if (newer == NULL) {
        return state_bytes_get(state, table, key, row, row_bytes);
    }
    if (newer->row_bytes == 0) {
        return false;
    }
    CHECK(newer->row_bytes == row_bytes);
    memcpy(row, newer->row, row_bytes);
    return true;
}

/* The journal keeps the last image that a command gives a row. */
static void
image_remember(struct state *state, const struct tail_row *image)
{
    for (uint32_t i = 0; i < state->images_count; i++) {
        struct tail_row *known = &state->images[i];

        if (known->table == image->table && known->key_bytes == image->key_bytes &&
            memcmp(known->key, image->key, image->key_bytes) == 0) {
            *known = *image;
            return;
        }
    }
    if (state->images_count == STATE_IMAGES_MAX) {
        state->full = true;
        return;
    }
    state->images[state->images_count++] = *image;
}

void
state_folded_put(struct state *state, enum store_table table, struct store_value key,
                 const void *row, size_t row_bytes)
{
    struct tail_row image = {
        .table = (uint8_t)table,
        .key_bytes = (uint8_t)key.bytes_count,
        .row_bytes = (uint8_t)row_bytes,
    };

    CHECK(state->tail != NULL);
    CHECK(key.bytes_count <= sizeof image.key);
    CHECK(row_bytes <= sizeof image.row);
    memcpy(image.key, key.bytes, key.bytes_count);
    if (row_bytes > 0) {
        memcpy(image.row, row, row_bytes);
    }
    state->changed = true;
    image_remember(state, &image);
    if (!tail_put(state->tail, state->seq, &image)) {
        state->full = true;
    }
}

/* The committer publishes these after the commit; one too many is a rule that touches a crowd. */
void
state_contractor_touched(struct state *state, uint32_t contractor)
{
    for (uint32_t i = 0; i < state->contractors_count; i++) {
        if (state->contractors[i] == contractor) {
            return;
        }
    }
    CHECK(state->contractors_count < STATE_CONTRACTORS_MAX);
    state->contractors[state->contractors_count++] = contractor;
}
