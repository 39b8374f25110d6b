/*
 * state_people.c - contractors, what stands beside them, and principals. See domain/state.h.
 *
 * Whatever a decision may depend on touches its contractor: the committer publishes it.
 */
#include "protocol/check.h"
#include "server/store/state.h"

#include <string.h>

bool
state_contractor_get(struct state *state, uint32_t contractor, struct contractor_row *row)
{
    return state_number_get(state, TABLE_CONTRACTOR, contractor, row, sizeof *row);
}

void
state_contractor_put(struct state *state, uint32_t contractor, const struct contractor_row *row)
{
    CHECK(contractor != 0);
    state_number_put(state, TABLE_CONTRACTOR, contractor, row, sizeof *row);
    state_contractor_touched(state, contractor);
}

bool
state_contractor_find(struct state *state, const struct zr_id *contractor_id, uint32_t *contractor)
{
    return state_bytes_get(state, TABLE_CONTRACTOR_ID, state_id_key(contractor_id), contractor,
                           sizeof *contractor);
}

void
state_contractor_bind(struct state *state, const struct zr_id *contractor_id, uint32_t contractor)
{
    state_bytes_put(state, TABLE_CONTRACTOR_ID, state_id_key(contractor_id), &contractor,
                    sizeof contractor);
}

bool
state_principal_get(struct state *state, const struct zr_hash *key_hash, struct principal_row *row)
{
    return state_bytes_get(state, TABLE_PRINCIPAL,
                           (struct store_value){key_hash->bytes, sizeof key_hash->bytes}, row,
                           sizeof *row);
}

void
state_principal_put(struct state *state, const struct zr_hash *key_hash,
                    const struct principal_row *row)
{
    state_bytes_put(state, TABLE_PRINCIPAL,
                    (struct store_value){key_hash->bytes, sizeof key_hash->bytes}, row,
                    sizeof *row);
}

void
state_principal_del(struct state *state, const struct zr_hash *key_hash)
{
    state_bytes_del(state, TABLE_PRINCIPAL,
                    (struct store_value){key_hash->bytes, sizeof key_hash->bytes});
}

/* ---- profiles -------------------------------------------------------------------------------- */

bool
state_schedule_get(struct state *state, uint32_t contractor, struct schedule_row *row)
{
    return state_number_get(state, TABLE_SCHEDULE, contractor, row, sizeof *row);
}

void
state_schedule_put(struct state *state, uint32_t contractor, const struct schedule_row *row)
{
    CHECK(contractor != 0);
    state_number_put(state, TABLE_SCHEDULE, contractor, row, sizeof *row);
    state_contractor_touched(state, contractor);
}

bool
state_caps_get(struct state *state, uint32_t contractor, struct caps_row *row)
{
    return state_number_get(state, TABLE_CAPS, contractor, row, sizeof *row);
}

void
state_caps_put(struct state *state, uint32_t contractor, const struct caps_row *row)
{
    CHECK(contractor != 0);
    state_number_put(state, TABLE_CAPS, contractor, row, sizeof *row);
    state_contractor_touched(state, contractor);
}

bool
state_filters_get(struct state *state, uint32_t contractor, struct filters_row *row)
{
    return state_number_get(state, TABLE_FILTERS, contractor, row, sizeof *row);
}

void
state_filters_put(struct state *state, uint32_t contractor, const struct filters_row *row)
{
    CHECK(contractor != 0);
    state_number_put(state, TABLE_FILTERS, contractor, row, sizeof *row);
    state_contractor_touched(state, contractor);
}

bool
state_usage_get(struct state *state, uint32_t contractor, struct usage_row *row)
{
    const uint64_t key = contractor;

    if (state_folded_get(state, TABLE_USAGE, state_number_key(&key), row, sizeof *row)) {
        return true;
    }
    *row = (struct usage_row){0};
    return false;
}

void
state_usage_put(struct state *state, uint32_t contractor, const struct usage_row *row)
{
    const uint64_t key = contractor;

    CHECK(contractor != 0);
    state_folded_put(state, TABLE_USAGE, state_number_key(&key), row, sizeof *row);
    state_contractor_touched(state, contractor);
}

bool
state_answer_rate_get(struct state *state, uint32_t contractor, struct answer_rate_row *row)
{
    const uint64_t key = contractor;

    if (state_folded_get(state, TABLE_ANSWER_RATE, state_number_key(&key), row, sizeof *row)) {
        return true;
    }
    *row = (struct answer_rate_row){0};
    return false;
}

void
state_answer_rate_put(struct state *state, uint32_t contractor, const struct answer_rate_row *row)
{
    const uint64_t key = contractor;

    CHECK(contractor != 0);
    state_folded_put(state, TABLE_ANSWER_RATE, state_number_key(&key), row, sizeof *row);
}

/* ---- callers that nobody is rung for --------------------------------------------------------- */

bool
state_suppress_get(struct state *state, uint64_t caller, uint32_t *version)
{
    return state_number_get(state, TABLE_SUPPRESS, caller, version, sizeof *version);
}

void
state_suppress_put(struct state *state, uint64_t caller, uint32_t version)
{
    state_number_put(state, TABLE_SUPPRESS, caller, &version, sizeof version);
}

void
state_suppress_del(struct state *state, uint64_t caller)
{
    state_bytes_del(state, TABLE_SUPPRESS, state_number_key(&caller));
}
