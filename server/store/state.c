/*
 * state.c - rows of the rules, by table. See state.h and domain/state.h.
 */
#include "server/store/state.h"

#include "protocol/bytes.h"
#include "protocol/check.h"

#include <endian.h>
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

/* Copy a row out if it has exactly its size; another size is a layout that we do not know. */
static bool
row_copy(struct state *state, const struct store_value *value, void *row, size_t row_bytes)
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
           row_copy(state, &value, row, row_bytes);
}

void
state_number_put(struct state *state, enum store_table table, uint64_t key, const void *row,
                 size_t row_bytes)
{
    CHECK(state->tail != NULL);
    state->changed = true;
    store_put_number(state->view, table, key, row, row_bytes);
}

static bool
bytes_get(struct state *state, enum store_table table, struct store_value key, void *row,
          size_t row_bytes)
{
    struct store_value value;

    return store_get(state->view, table, key.bytes, key.bytes_count, &value) &&
           row_copy(state, &value, row, row_bytes);
}

static void
bytes_put(struct state *state, enum store_table table, struct store_value key, const void *row,
          size_t row_bytes)
{
    CHECK(state->tail != NULL);
    state->changed = true;
    store_put(state->view, table, key.bytes, key.bytes_count, (struct store_value){row, row_bytes});
}

/* ---- folded rows ----------------------------------------------------------------------------- */

static bool
folded_get(struct state *state, enum store_table table, struct store_value key, void *row,
           size_t row_bytes)
{
    const struct tail_row *newer =
        state->tail == NULL ? NULL : tail_find(state->tail, table, key.bytes, key.bytes_count);

    if (newer == NULL) {
        return bytes_get(state, table, key, row, row_bytes);
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

static void
folded_put(struct state *state, enum store_table table, struct store_value key, const void *row,
           size_t row_bytes)
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
static void
contractor_touched(struct state *state, uint32_t contractor)
{
    for (uint32_t i = 0; i < state->contractors_count; i++) {
        if (state->contractors[i] == contractor) {
            return;
        }
    }
    CHECK(state->contractors_count < STATE_CONTRACTORS_MAX);
    state->contractors[state->contractors_count++] = contractor;
}

static struct store_value
number_key(const uint64_t *number)
{
    return (struct store_value){(const uint8_t *)number, sizeof *number};
}

void
state_wallet_get(struct state *state, uint32_t contractor, struct wallet_row *row)
{
    const uint64_t key = contractor;

    if (!folded_get(state, TABLE_WALLET, number_key(&key), row, sizeof *row)) {
        *row = (struct wallet_row){0};
    }
}

void
state_wallet_put(struct state *state, uint32_t contractor, const struct wallet_row *row)
{
    const uint64_t key = contractor;

    CHECK(contractor != 0);
    CHECK(row->held_cents >= 0);
    folded_put(state, TABLE_WALLET, number_key(&key), row, sizeof *row);
    contractor_touched(state, contractor);
}

void
state_account_get(struct state *state, uint8_t account, struct account_row *row)
{
    const uint64_t key = account;

    if (!folded_get(state, TABLE_ACCOUNT, number_key(&key), row, sizeof *row)) {
        *row = (struct account_row){0};
    }
}

void
state_account_put(struct state *state, uint8_t account, const struct account_row *row)
{
    const uint64_t key = account;

    folded_put(state, TABLE_ACCOUNT, number_key(&key), row, sizeof *row);
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

    return folded_get(state, TABLE_CALL_BY_ID, call_id_key(bytes, tenant, call_id), call_ref,
                      sizeof *call_ref);
}

void
state_call_bind(struct state *state, uint32_t tenant, const struct zr_id *call_id,
                const struct zr_id *call_ref)
{
    uint8_t bytes[20];

    folded_put(state, TABLE_CALL_BY_ID, call_id_key(bytes, tenant, call_id), call_ref,
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

    return folded_get(state, TABLE_DUPLICATE, duplicate_key_bytes(bytes, key), row, sizeof *row);
}

void
state_duplicate_put(struct state *state, struct duplicate_key key, const struct duplicate_row *row)
{
    uint8_t bytes[14];

    folded_put(state, TABLE_DUPLICATE, duplicate_key_bytes(bytes, key), row, sizeof *row);
}

void
state_duplicate_del(struct state *state, struct duplicate_key key)
{
    uint8_t bytes[14];

    folded_put(state, TABLE_DUPLICATE, duplicate_key_bytes(bytes, key), NULL, 0);
}

/* ---- slots, claims, calls, postings ---------------------------------------------------------- */

uint64_t
state_slot_number(uint32_t zip, uint16_t category)
{
    CHECK(zip <= ZR_ZIP_MAX);
    return (uint64_t)zip << 16 | category;
}

/* Only the claims that are there are stored. */
static size_t
slot_row_bytes(const struct slot_row *row)
{
    return offsetof(struct slot_row, claims) + row->claims_count * sizeof row->claims[0];
}

void
state_slot_get(struct state *state, uint32_t zip, uint16_t category, struct slot_row *row)
{
    struct store_value value;

    memset(row, 0, offsetof(struct slot_row, claims));
    if (!store_get_number(state->view, TABLE_SLOT, state_slot_number(zip, category), &value)) {
        return;
    }
    if (value.bytes_count < offsetof(struct slot_row, claims) || value.bytes_count > sizeof *row) {
        state->view->failure = STATUS_CORRUPT;
        return;
    }
    memcpy(row, value.bytes, value.bytes_count);
    if (slot_row_bytes(row) != value.bytes_count) {
        row->claims_count = 0;
        state->view->failure = STATUS_CORRUPT;
    }
}

void
state_slot_put(struct state *state, uint32_t zip, uint16_t category, const struct slot_row *row)
{
    state_number_put(state, TABLE_SLOT, state_slot_number(zip, category), row, slot_row_bytes(row));
    /* One command may change as many slots as a CLAIM can name, each once. */
    CHECK(state->slots_count < STATE_SLOTS_MAX);
    state->slots[state->slots_count++] = state_slot_number(zip, category);
}

bool
state_claim_get(struct state *state, uint64_t claim_id, struct claim_row *row)
{
    return state_number_get(state, TABLE_CLAIM, claim_id, row, sizeof *row);
}

static struct store_value
claim_by_contractor_key(uint8_t bytes[12], uint32_t contractor, uint64_t claim_id)
{
    const uint32_t contractor_be = htobe32(contractor);
    const uint64_t claim_be = htobe64(claim_id);

    memcpy(bytes, &contractor_be, sizeof contractor_be);
    memcpy(bytes + sizeof contractor_be, &claim_be, sizeof claim_be);
    return (struct store_value){bytes, 12};
}

void
state_claim_put(struct state *state, uint64_t claim_id, const struct claim_row *row)
{
    uint8_t bytes[12];
    const bool known = claim_id < state->counters[COUNTER_CLAIM_SEQ];

    state_number_put(state, TABLE_CLAIM, claim_id, row, sizeof *row);
    /* I5: a claim never changes contractor, so its index entry is written with its birth. */
    if (!known) {
        bytes_put(state, TABLE_CLAIM_BY_CONTRACTOR,
                  claim_by_contractor_key(bytes, row->contractor, claim_id), NULL, 0);
    }
}

uint64_t
state_claim_next(struct state *state, uint32_t contractor, uint64_t after)
{
    uint8_t bytes[12];
    struct store_value found;
    struct store_value value;
    uint32_t contractor_be;
    uint64_t claim_be;

    if (!store_seek(state->view, TABLE_CLAIM_BY_CONTRACTOR,
                    claim_by_contractor_key(bytes, contractor, after + 1), &found, &value) ||
        found.bytes_count != sizeof bytes) {
        return 0;
    }
    memcpy(&contractor_be, found.bytes, sizeof contractor_be);
    memcpy(&claim_be, found.bytes + sizeof contractor_be, sizeof claim_be);
    return be32toh(contractor_be) == contractor ? be64toh(claim_be) : 0;
}

static struct store_value
id_key(const struct zr_id *id)
{
    return (struct store_value){id->bytes, sizeof id->bytes};
}

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
    bytes_put(state, TABLE_CALL, id_key(call_ref), row, call_row_bytes(row));
}

bool
state_posting_get(struct state *state, uint64_t transfer_id, struct posting_row *row)
{
    return state_number_get(state, TABLE_POSTING, transfer_id, row, sizeof *row);
}

void
state_posting_put(struct state *state, uint64_t transfer_id, const struct posting_row *row)
{
    state_number_put(state, TABLE_POSTING, transfer_id, row, sizeof *row);
}

/* ---- contractors and principals -------------------------------------------------------------- */

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
    contractor_touched(state, contractor);
}

bool
state_contractor_find(struct state *state, const struct zr_id *contractor_id, uint32_t *contractor)
{
    return bytes_get(state, TABLE_CONTRACTOR_ID, id_key(contractor_id), contractor,
                     sizeof *contractor);
}

void
state_contractor_bind(struct state *state, const struct zr_id *contractor_id, uint32_t contractor)
{
    bytes_put(state, TABLE_CONTRACTOR_ID, id_key(contractor_id), &contractor, sizeof contractor);
}

bool
state_principal_get(struct state *state, const struct zr_hash *key_hash, struct principal_row *row)
{
    return bytes_get(state, TABLE_PRINCIPAL,
                     (struct store_value){key_hash->bytes, sizeof key_hash->bytes}, row,
                     sizeof *row);
}

void
state_principal_put(struct state *state, const struct zr_hash *key_hash,
                    const struct principal_row *row)
{
    bytes_put(state, TABLE_PRINCIPAL, (struct store_value){key_hash->bytes, sizeof key_hash->bytes},
              row, sizeof *row);
}

void
state_principal_del(struct state *state, const struct zr_hash *key_hash)
{
    CHECK(state->tail != NULL);
    state->changed = true;
    store_del(state->view, TABLE_PRINCIPAL, key_hash->bytes, sizeof key_hash->bytes);
}

/* A reference is text of any length up to 64 bytes: the key is as long as the text. */
bool
state_provider_ref_get(struct state *state, const char *provider_ref, uint64_t *transfer_id)
{
    return bytes_get(state, TABLE_PROVIDER_REF,
                     (struct store_value){(const uint8_t *)provider_ref, strnlen(provider_ref, 64)},
                     transfer_id, sizeof *transfer_id);
}

void
state_provider_ref_put(struct state *state, const char *provider_ref, uint64_t transfer_id)
{
    bytes_put(state, TABLE_PROVIDER_REF,
              (struct store_value){(const uint8_t *)provider_ref, strnlen(provider_ref, 64)},
              &transfer_id, sizeof transfer_id);
}
