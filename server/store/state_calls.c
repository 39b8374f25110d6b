/*
 * state_calls.c - calls, and the two folded indexes over them. See domain/state.h.
 */
#include "protocol/bytes.h"
#include "server/store/state.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

/* Legs that are not there are not stored. */
static size_t
call_row_bytes(const struct call_row *row)
{
    return offsetof(struct call_row, legs) + row->legs_count * sizeof row->legs[0];
}

bool
state_call_get(struct state *state, const struct zr_id *call_ref, struct call_row *row)
{
    struct store_value value;

    if (!store_get(state->view, TABLE_CALL, call_ref->bytes, sizeof call_ref->bytes, &value)) {
        return false;
    }
    if (value.bytes_count < offsetof(struct call_row, legs) || value.bytes_count > sizeof *row) {
        state->view->failure = STATUS_CORRUPT;
        return false;
    }
    *row = (struct call_row){0};
    memcpy(row, value.bytes, value.bytes_count);
    if (call_row_bytes(row) != value.bytes_count) {
        state->view->failure = STATUS_CORRUPT;
        return false;
    }
    return true;
}

void
state_call_put(struct state *state, const struct zr_id *call_ref, const struct call_row *row)
{
    state_bytes_put(state, TABLE_CALL, state_id_key(call_ref), row, call_row_bytes(row));
}

/* Tenant first, so that a tenant's calls stand together. */
static struct store_value
call_id_key(uint8_t bytes[20], uint32_t tenant, const struct zr_id *call_id)
{
    const uint32_t big_endian = htobe32(tenant);

    memcpy(bytes, &big_endian, sizeof big_endian);
    memcpy(bytes + sizeof big_endian, call_id->bytes, sizeof call_id->bytes);
    return (struct store_value){bytes, sizeof big_endian + sizeof call_id->bytes};
}

bool
state_call_find(struct state *state, uint32_t tenant, const struct zr_id *call_id,
                struct zr_id *call_ref)
{
    uint8_t bytes[20];

    return state_folded_get(state, TABLE_CALL_BY_ID, call_id_key(bytes, tenant, call_id), call_ref,
                            sizeof *call_ref);
}

void
state_call_bind(struct state *state, uint32_t tenant, const struct zr_id *call_id,
                const struct zr_id *call_ref)
{
    uint8_t bytes[20];

    state_folded_put(state, TABLE_CALL_BY_ID, call_id_key(bytes, tenant, call_id), call_ref,
                     sizeof *call_ref);
}

static struct store_value
duplicate_key_bytes(uint8_t bytes[14], struct duplicate_key key)
{
    zr_store_u64(bytes, key.caller_hash);
    zr_store_u16(bytes + 8, key.category);
    zr_store_u32(bytes + 10, key.contractor);
    return (struct store_value){bytes, 14};
}

bool
state_duplicate_get(struct state *state, struct duplicate_key key, struct duplicate_row *row)
{
    uint8_t bytes[14];

    return state_folded_get(state, TABLE_DUPLICATE, duplicate_key_bytes(bytes, key), row,
                            sizeof *row);
}

void
state_duplicate_put(struct state *state, struct duplicate_key key, const struct duplicate_row *row)
{
    uint8_t bytes[14];

    state_folded_put(state, TABLE_DUPLICATE, duplicate_key_bytes(bytes, key), row, sizeof *row);
}

void
state_duplicate_del(struct state *state, struct duplicate_key key)
{
    uint8_t bytes[14];

    state_folded_put(state, TABLE_DUPLICATE, duplicate_key_bytes(bytes, key), NULL, 0);
}
