/*
 * state_catalogue.c - rows of the territory, of policies and of imports. See state.h.
 */
#include "protocol/bytes.h"
#include "protocol/check.h"
#include "server/store/state.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

bool
state_zip_get(struct state *state, uint32_t zip, struct zip_row *row)
{
    return state_number_get(state, TABLE_ZIP, zip, row, sizeof *row);
}

void
state_zip_put(struct state *state, uint32_t zip, const struct zip_row *row)
{
    state_number_put(state, TABLE_ZIP, zip, row, sizeof *row);
}

uint32_t
state_zips_count(struct state *state)
{
    return (uint32_t)store_count(state->view, TABLE_ZIP);
}

bool
state_category_get(struct state *state, uint16_t category, struct category_row *row)
{
    return state_number_get(state, TABLE_CATEGORY, category, row, sizeof *row);
}

void
state_category_put(struct state *state, uint16_t category, const struct category_row *row)
{
    state_number_put(state, TABLE_CATEGORY, category, row, sizeof *row);
}

/* Category first, so that one category's ZIPs stand together. */
static uint64_t
offered_number(uint16_t category, uint32_t zip)
{
    return (uint64_t)category << 32 | zip;
}

bool
state_offered_get(struct state *state, uint16_t category, uint32_t zip)
{
    struct store_value value;

    return store_get_number(state->view, TABLE_OFFERED, offered_number(category, zip), &value);
}

void
state_offered_put(struct state *state, uint16_t category, uint32_t zip)
{
    state_number_put(state, TABLE_OFFERED, offered_number(category, zip), NULL, 0);
}

void
state_offered_clear(struct state *state, uint16_t category)
{
    struct store_value found;
    struct store_value value;
    uint64_t number = offered_number(category, 0);

    CHECK(state->tail != NULL);
    state->changed = true;
    while (store_seek(state->view, TABLE_OFFERED,
                      (struct store_value){(const uint8_t *)&number, sizeof number}, &found,
                      &value)) {
        memcpy(&number, found.bytes, sizeof number);
        if (number >> 32 != category) {
            return;
        }
        store_del(state->view, TABLE_OFFERED, &number, sizeof number);
    }
}

static uint64_t
policy_number(struct policy_key key)
{
    return (uint64_t)key.scope << 40 | (uint64_t)key.category << 20 | key.zip;
}

bool
state_policy_get(struct state *state, struct policy_key key, struct policy_row *row)
{
    return state_number_get(state, TABLE_POLICY, policy_number(key), row, sizeof *row);
}

void
state_policy_put(struct state *state, struct policy_key key, const struct policy_row *row)
{
    state_number_put(state, TABLE_POLICY, policy_number(key), row, sizeof *row);
}

/* ---- imports --------------------------------------------------------------------------------- */

static struct store_value
import_key(uint8_t bytes[18], const struct zr_id *import_id, uint16_t part)
{
    const uint16_t part_be = htobe16(part);

    memcpy(bytes, import_id->bytes, sizeof import_id->bytes);
    memcpy(bytes + sizeof import_id->bytes, &part_be, sizeof part_be);
    return (struct store_value){bytes, 18};
}

/* A part is staged as its decoded struct, up to its last row. */
static size_t
part_bytes(const struct zr_zip_put_request *part)
{
    return offsetof(struct zr_zip_put_request, rows) + part->rows_count * sizeof part->rows[0];
}

bool
state_import_get(struct state *state, const struct zr_id *import_id, uint16_t part,
                 struct zr_zip_put_request *rows)
{
    uint8_t bytes[18];
    const struct store_value key = import_key(bytes, import_id, part);
    struct store_value value;

    if (!store_get(state->view, TABLE_IMPORT, key.bytes, key.bytes_count, &value)) {
        return false;
    }
    if (value.bytes_count > sizeof *rows ||
        value.bytes_count < offsetof(struct zr_zip_put_request, rows)) {
        state->view->failure = STATUS_CORRUPT;
        return false;
    }
    memcpy(rows, value.bytes, value.bytes_count);
    return part_bytes(rows) == value.bytes_count;
}

void
state_import_put(struct state *state, const struct zr_id *import_id, uint16_t part,
                 const struct zr_zip_put_request *rows)
{
    uint8_t bytes[18];
    const struct store_value key = import_key(bytes, import_id, part);

    CHECK(state->tail != NULL);
    state->changed = true;
    store_put(state->view, TABLE_IMPORT, key.bytes, key.bytes_count,
              (struct store_value){(const uint8_t *)rows, part_bytes(rows)});
}

void
state_import_clear(struct state *state, const struct zr_id *import_id)
{
    uint8_t bytes[18];
    struct store_value found;
    struct store_value value;

    CHECK(state->tail != NULL);
    while (store_seek(state->view, TABLE_IMPORT, import_key(bytes, import_id, 0), &found, &value) &&
           found.bytes_count == sizeof bytes &&
           memcmp(found.bytes, import_id->bytes, sizeof import_id->bytes) == 0) {
        uint8_t key[18];

        memcpy(key, found.bytes, sizeof key);
        store_del(state->view, TABLE_IMPORT, key, sizeof key);
    }
}
