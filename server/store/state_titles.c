/*
 * state_titles.c - slots, claims, offers and waitlists. See domain/state.h.
 *
 * A waitlist is rows in order of place under one slot's prefix: the head is the first row. A
 * contractor's places stand in the same table under its number and category 0, which no slot has.
 */
#include "protocol/check.h"
#include "server/store/state.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

/* ---- slots ----------------------------------------------------------------------------------- */

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
    row->title_state = ZR_TITLE_STATE_VACANT;
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

/* The committer publishes these after the commit. */
static void
slot_touched(struct state *state, uint64_t number)
{
    for (uint32_t i = 0; i < state->slots_count; i++) {
        if (state->slots[i] == number) {
            return;
        }
    }
    CHECK(state->slots_count < STATE_SLOTS_MAX);
    state->slots[state->slots_count++] = number;
}

uint64_t
state_slot_next(struct state *state, uint64_t after)
{
    const uint64_t from = after + 1;
    struct store_value found;
    struct store_value value;
    uint64_t number = 0;

    if (store_seek(state->view, TABLE_SLOT, state_number_key(&from), &found, &value) &&
        found.bytes_count == sizeof number) {
        memcpy(&number, found.bytes, sizeof number);
    }
    return number;
}

void
state_slot_put(struct state *state, uint32_t zip, uint16_t category, const struct slot_row *row)
{
    state_number_put(state, TABLE_SLOT, state_slot_number(zip, category), row, slot_row_bytes(row));
    slot_touched(state, state_slot_number(zip, category));
}

/* ---- claims ---------------------------------------------------------------------------------- */

bool
state_claim_get(struct state *state, uint64_t claim_id, struct claim_row *row)
{
    return state_number_get(state, TABLE_CLAIM, claim_id, row, sizeof *row);
}

/*
 * A contractor's claims stand in their index twice: all of them for ever under its number, and
 * those that live under its number with this bit, so that whoever looks after them has no ended
 * ones to step over.
 */
#define CLAIMS_LIVE (UINT32_C(1) << 31)

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
    const uint32_t live = row->contractor | CLAIMS_LIVE;

    CHECK(row->contractor < CLAIMS_LIVE);
    state_number_put(state, TABLE_CLAIM, claim_id, row, sizeof *row);
    /* I5: a claim never changes contractor, so its index entry is written with its birth. */
    if (!known) {
        state_bytes_put(state, TABLE_CLAIM_BY_CONTRACTOR,
                        claim_by_contractor_key(bytes, row->contractor, claim_id), NULL, 0);
    }
    if (row->ended_ms != 0) {
        state_bytes_del(state, TABLE_CLAIM_BY_CONTRACTOR,
                        claim_by_contractor_key(bytes, live, claim_id));
    } else if (!known) {
        state_bytes_put(state, TABLE_CLAIM_BY_CONTRACTOR,
                        claim_by_contractor_key(bytes, live, claim_id), NULL, 0);
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

uint64_t
state_claim_next_live(struct state *state, uint32_t contractor, uint64_t after)
{
    return state_claim_next(state, contractor | CLAIMS_LIVE, after);
}

/* ---- offers and waitlists -------------------------------------------------------------------- */

bool
state_offer_get(struct state *state, uint64_t offer_id, struct offer_row *row)
{
    return state_number_get(state, TABLE_OFFER, offer_id, row, sizeof *row);
}

void
state_offer_put(struct state *state, uint64_t offer_id, const struct offer_row *row)
{
    state_number_put(state, TABLE_OFFER, offer_id, row, sizeof *row);
}

enum { SLOT_PREFIX_BYTES = 6, WAITLIST_KEY_BYTES = SLOT_PREFIX_BYTES + 8 };

/* Slot first, so that its places stand together; then the place, oldest first. */
static struct store_value
waitlist_key(uint8_t bytes[WAITLIST_KEY_BYTES], uint32_t zip, uint16_t category, uint64_t place)
{
    const uint32_t zip_be = htobe32(zip);
    const uint16_t category_be = htobe16(category);
    const uint64_t place_be = htobe64(place);

    memcpy(bytes, &zip_be, sizeof zip_be);
    memcpy(bytes + sizeof zip_be, &category_be, sizeof category_be);
    memcpy(bytes + SLOT_PREFIX_BYTES, &place_be, sizeof place_be);
    return (struct store_value){bytes, WAITLIST_KEY_BYTES};
}

void
state_waitlist_put(struct state *state, uint32_t zip, uint16_t category, uint64_t place,
                   uint32_t contractor)
{
    uint8_t bytes[WAITLIST_KEY_BYTES];

    CHECK(contractor != 0);
    state_bytes_put(state, TABLE_WAITLIST, waitlist_key(bytes, zip, category, place), &contractor,
                    sizeof contractor);
}

void
state_waitlist_del(struct state *state, uint32_t zip, uint16_t category, uint64_t place)
{
    uint8_t bytes[WAITLIST_KEY_BYTES];

    state_bytes_del(state, TABLE_WAITLIST, waitlist_key(bytes, zip, category, place));
}

uint64_t
state_waitlist_next(struct state *state, uint32_t zip, uint16_t category, uint64_t after,
                    uint32_t *contractor)
{
    uint8_t bytes[WAITLIST_KEY_BYTES];
    struct store_value found;
    struct store_value value;
    uint64_t place_be;

    if (!store_seek(state->view, TABLE_WAITLIST, waitlist_key(bytes, zip, category, after + 1),
                    &found, &value) ||
        found.bytes_count != WAITLIST_KEY_BYTES ||
        memcmp(found.bytes, bytes, SLOT_PREFIX_BYTES) != 0 ||
        !state_row_copy(state, &value, contractor, sizeof *contractor)) {
        return 0;
    }
    memcpy(&place_be, found.bytes + SLOT_PREFIX_BYTES, sizeof place_be);
    return be64toh(place_be);
}

enum { WAITING_CATEGORY = 0, CATEGORY_BITS = 8 };
_Static_assert(CATEGORIES_MAX <= 1 << CATEGORY_BITS, "a slot fits the row");
_Static_assert(ZR_ZIP_MAX < 1 << (32 - CATEGORY_BITS), "a slot fits the row");

void
state_waiting_put(struct state *state, uint32_t contractor, uint64_t place,
                  const struct zr_slot_key *slot)
{
    CHECK(slot->category != WAITING_CATEGORY);
    CHECK(slot->category < CATEGORIES_MAX);
    state_waitlist_put(state, contractor, WAITING_CATEGORY, place,
                       slot->zip << CATEGORY_BITS | slot->category);
}

void
state_waiting_del(struct state *state, uint32_t contractor, uint64_t place)
{
    state_waitlist_del(state, contractor, WAITING_CATEGORY, place);
}

uint64_t
state_waiting_next(struct state *state, uint32_t contractor, uint64_t after,
                   struct zr_slot_key *slot)
{
    uint32_t packed = 0;
    const uint64_t place = state_waitlist_next(state, contractor, WAITING_CATEGORY, after, &packed);

    slot->zip = packed >> CATEGORY_BITS;
    slot->category = (uint16_t)(packed & (CATEGORIES_MAX - 1));
    return place;
}
