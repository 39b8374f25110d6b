/*
 * slot.c - see slot.h.
 */
#include "server/domain/slot.h"

#include "protocol/check.h"

#include <string.h>

int
slot_find_primary(const struct slot_row *slot)
{
    for (int i = 0; i < slot->claims_count; i++) {
        if (slot->claims[i].title == ZR_TITLE_PRIMARY) {
            return i;
        }
    }
    return SLOT_NO_CLAIM;
}

int
slot_find_contractor(const struct slot_row *slot, uint32_t contractor)
{
    for (int i = 0; i < slot->claims_count; i++) {
        if (slot->claims[i].contractor == contractor) {
            return i;
        }
    }
    return SLOT_NO_CLAIM;
}

int
slot_find_claim(const struct slot_row *slot, uint64_t claim_id)
{
    for (int i = 0; i < slot->claims_count; i++) {
        if (slot->claims[i].claim_id == claim_id) {
            return i;
        }
    }
    return SLOT_NO_CLAIM;
}

uint16_t
slot_rank(const struct slot_row *slot, int index)
{
    const int primary = slot_find_primary(slot);

    CHECK(index >= 0);
    CHECK(index < slot->claims_count);
    if (index == primary) {
        return 1;
    }
    /* Backups before it, plus the primary's rank, which stays reserved while it is vacant. */
    return (uint16_t)(index + (primary != SLOT_NO_CLAIM && primary < index ? 1 : 2));
}

int
slot_in_order(const struct slot_row *slot, int place)
{
    const int primary = slot_find_primary(slot);

    CHECK(place >= 0);
    CHECK(place < slot->claims_count);
    if (primary == SLOT_NO_CLAIM) {
        return place;
    }
    if (place == 0) {
        return primary;
    }
    return place <= primary ? place - 1 : place;
}

void
slot_append(struct slot_row *slot, uint64_t claim_id, uint32_t contractor, uint8_t title)
{
    CHECK(slot->claims_count < SLOT_CLAIMS_MAX);
    CHECK(slot_find_contractor(slot, contractor) == SLOT_NO_CLAIM);

    slot->claims[slot->claims_count] = (struct slot_claim_row){
        .claim_id = claim_id,
        .contractor = contractor,
        .title = title,
    };
    slot->claims_count++;
}

void
slot_remove(struct slot_row *slot, int index)
{
    const int last = slot->claims_count - 1;

    CHECK(index >= 0);
    CHECK(index <= last);
    memmove(&slot->claims[index], &slot->claims[index + 1],
            (size_t)(last - index) * sizeof slot->claims[0]);
    slot->claims[last] = (struct slot_claim_row){0};
    slot->claims_count--;
}

bool
slot_same_cascade(const struct slot_row *left, const struct slot_row *right)
{
    if (left->claims_count != right->claims_count) {
        return false;
    }
    for (int place = 0; place < left->claims_count; place++) {
        const int l = slot_in_order(left, place);
        const int r = slot_in_order(right, place);

        if (left->claims[l].contractor != right->claims[r].contractor ||
            left->claims[l].paused != right->claims[r].paused ||
            slot_rank(left, l) != slot_rank(right, r)) {
            return false;
        }
    }
    return true;
}

bool
slot_is_taken(const struct slot_row *slot)
{
    return slot->title_state == ZR_TITLE_STATE_HELD ||
           slot->title_state == ZR_TITLE_STATE_OFFERED || slot->reserved_contractor != 0;
}

bool
slot_is_full(const struct slot_row *slot, uint8_t max_positions)
{
    return slot->claims_count >= max_positions || slot->reserved_contractor != 0 ||
           slot->waiting > 0;
}

void
slot_end_chain(struct slot_row *slot)
{
    CHECK(slot->offer_id == 0);
    CHECK(slot_find_primary(slot) == SLOT_NO_CLAIM);
    slot->chain_claim_id = 0;
    slot->title_state = slot->claims_count > 0 ? ZR_TITLE_STATE_OPEN : ZR_TITLE_STATE_VACANT;
}

/* Each title_state has its own shape (rows.h). */
static void
slot_check_title(const struct slot_row *slot, int primaries)
{
    const bool offered = slot->title_state == ZR_TITLE_STATE_OFFERED;

    CHECK(offered == (slot->offer_id != 0));
    CHECK(offered == (slot->offer_claim_id != 0));
    CHECK(offered == (slot->offer_deadline_ms != 0));
    CHECK(slot->chain_claim_id == slot->offer_claim_id);
    switch ((enum zr_title_state)slot->title_state) {
    case ZR_TITLE_STATE_VACANT:
        CHECK(slot->claims_count == 0);
        break;
    case ZR_TITLE_STATE_HELD:
        CHECK(primaries == 1);
        break;
    case ZR_TITLE_STATE_OFFERED:
        CHECK(slot_find_claim(slot, slot->offer_claim_id) != SLOT_NO_CLAIM);
        CHECK(primaries == 0);
        break;
    case ZR_TITLE_STATE_OPEN:
        CHECK(slot->claims_count > 0);
        CHECK(primaries == 0);
        break;
    }
}

void
slot_check(const struct slot_row *slot)
{
    int primaries = 0;

    CHECK(slot->claims_count <= SLOT_CLAIMS_MAX);
    CHECK(slot->title_state >= ZR_TITLE_STATE_VACANT);
    CHECK(slot->title_state <= ZR_TITLE_STATE_OPEN);
    for (int i = 0; i < slot->claims_count; i++) {
        CHECK(slot->claims[i].contractor != 0);
        CHECK(i == 0 || slot->claims[i - 1].claim_id < slot->claims[i].claim_id);
        CHECK(slot_find_contractor(slot, slot->claims[i].contractor) == i);
        primaries += slot->claims[i].title == ZR_TITLE_PRIMARY;
    }
    CHECK(primaries <= 1);
    slot_check_title(slot, primaries);
    /* Who has a reservation is the head of the waitlist, so somebody waits. */
    CHECK((slot->reserved_contractor != 0) == (slot->reserved_deadline_ms != 0));
    CHECK(slot->reserved_contractor == 0 || slot->waiting > 0);
}
