/*
 * state_money.c - wallets and what moves their cents: postings, top-ups, disputes, adjustments.
 * See domain/state.h.
 */
#include "protocol/check.h"
#include "server/store/state.h"

#include <endian.h>
#include <string.h>

/* ---- wallets and accounts -------------------------------------------------------------------- */

void
state_wallet_get(struct state *state, uint32_t contractor, struct wallet_row *row)
{
    const uint64_t key = contractor;

    if (!state_folded_get(state, TABLE_WALLET, state_number_key(&key), row, sizeof *row)) {
        *row = (struct wallet_row){0};
    }
}

void
state_wallet_put(struct state *state, uint32_t contractor, const struct wallet_row *row)
{
    const uint64_t key = contractor;

    CHECK(contractor != 0);
    CHECK(row->held_cents >= 0);
    state_folded_put(state, TABLE_WALLET, state_number_key(&key), row, sizeof *row);
    state_contractor_touched(state, contractor);
}

void
state_account_get(struct state *state, uint8_t account, struct account_row *row)
{
    const uint64_t key = account;

    if (!state_folded_get(state, TABLE_ACCOUNT, state_number_key(&key), row, sizeof *row)) {
        *row = (struct account_row){0};
    }
}

void
state_account_put(struct state *state, uint8_t account, const struct account_row *row)
{
    const uint64_t key = account;

    state_folded_put(state, TABLE_ACCOUNT, state_number_key(&key), row, sizeof *row);
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

bool
state_autotopup_get(struct state *state, uint32_t contractor, struct autotopup_row *row)
{
    return state_number_get(state, TABLE_AUTOTOPUP, contractor, row, sizeof *row);
}

void
state_autotopup_put(struct state *state, uint32_t contractor, const struct autotopup_row *row)
{
    CHECK(contractor != 0);
    state_number_put(state, TABLE_AUTOTOPUP, contractor, row, sizeof *row);
}

bool
state_topup_get(struct state *state, uint64_t attempt_id, struct topup_row *row)
{
    return state_number_get(state, TABLE_TOPUP, attempt_id, row, sizeof *row);
}

void
state_topup_put(struct state *state, uint64_t attempt_id, const struct topup_row *row)
{
    CHECK(attempt_id != 0);
    state_number_put(state, TABLE_TOPUP, attempt_id, row, sizeof *row);
}

/* ---- what the provider says ------------------------------------------------------------------ */

/* A reference is text of any length up to 64 bytes: the key is as long as the text. */
static struct store_value
reference_key(const char *provider_ref)
{
    return (struct store_value){(const uint8_t *)provider_ref,
                                strnlen(provider_ref, STORE_KEY_BYTES_MAX)};
}

bool
state_provider_ref_get(struct state *state, const char *provider_ref, uint64_t *transfer_id)
{
    return state_bytes_get(state, TABLE_PROVIDER_REF, reference_key(provider_ref), transfer_id,
                           sizeof *transfer_id);
}

void
state_provider_ref_put(struct state *state, const char *provider_ref, uint64_t transfer_id)
{
    state_bytes_put(state, TABLE_PROVIDER_REF, reference_key(provider_ref), &transfer_id,
                    sizeof transfer_id);
}

bool
state_reversal_get(struct state *state, const char *provider_ref, uint64_t *transfer_id)
{
    return state_bytes_get(state, TABLE_REVERSAL, reference_key(provider_ref), transfer_id,
                           sizeof *transfer_id);
}

void
state_reversal_put(struct state *state, const char *provider_ref, uint64_t transfer_id)
{
    state_bytes_put(state, TABLE_REVERSAL, reference_key(provider_ref), &transfer_id,
                    sizeof transfer_id);
}

/* ---- what people say ------------------------------------------------------------------------- */

enum { DISPUTE_KEY_BYTES = sizeof(struct zr_id) + sizeof(uint32_t) };

/* One charge of a call per contractor, at most: that names the leg (E59). */
static struct store_value
dispute_key(uint8_t bytes[DISPUTE_KEY_BYTES], const struct zr_id *call_ref, uint32_t contractor)
{
    const uint32_t contractor_be = htobe32(contractor);

    memcpy(bytes, call_ref->bytes, sizeof call_ref->bytes);
    memcpy(bytes + sizeof call_ref->bytes, &contractor_be, sizeof contractor_be);
    return (struct store_value){bytes, DISPUTE_KEY_BYTES};
}

bool
state_dispute_get(struct state *state, const struct zr_id *call_ref, uint32_t contractor,
                  struct dispute_row *row)
{
    uint8_t bytes[DISPUTE_KEY_BYTES];

    return state_bytes_get(state, TABLE_DISPUTE, dispute_key(bytes, call_ref, contractor), row,
                           sizeof *row);
}

void
state_dispute_put(struct state *state, const struct zr_id *call_ref, uint32_t contractor,
                  const struct dispute_row *row)
{
    uint8_t bytes[DISPUTE_KEY_BYTES];

    state_bytes_put(state, TABLE_DISPUTE, dispute_key(bytes, call_ref, contractor), row,
                    sizeof *row);
}

bool
state_adjust_get(struct state *state, const struct zr_id *adjust_id, struct adjust_row *row)
{
    return state_bytes_get(state, TABLE_ADJUST, state_id_key(adjust_id), row, sizeof *row);
}

void
state_adjust_put(struct state *state, const struct zr_id *adjust_id, const struct adjust_row *row)
{
    state_bytes_put(state, TABLE_ADJUST, state_id_key(adjust_id), row, sizeof *row);
}
