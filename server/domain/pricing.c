/*
 * pricing.c - see pricing.h.
 */
#include "server/domain/pricing.h"

#include "protocol/check.h"
#include "server/domain/policy.h"
#include "server/domain/slot.h"

enum { BASIS_POINTS = 10000 };

int64_t
pricing_rate_cents(const struct policy_row *policy, int64_t category_rate_cents, uint16_t rank)
{
    int64_t multiplier_bp = BASIS_POINTS;

    CHECK(rank >= 1);
    CHECK(category_rate_cents >= 0);
    if (rank == 2) {
        multiplier_bp = policy->multiplier_2_bp;
    } else if (rank > 2) {
        multiplier_bp = policy->multiplier_3_bp;
    }
    return (category_rate_cents * multiplier_bp + BASIS_POINTS / 2) / BASIS_POINTS;
}

/* 0: it stands in no slot. A title's holder is first whoever stands behind it: its slot, the row
 * that costs most here, is not read. A change of prices looks at every claim of the network. */
static uint16_t
claim_rank(struct state *state, uint64_t claim_id, const struct claim_row *claim)
{
    struct slot_row slot;
    int index;

    if (claim->title == ZR_TITLE_PRIMARY) {
        return 1;
    }
    state_slot_get(state, claim->zip, claim->category, &slot);
    index = slot_find_claim(&slot, claim_id);
    return index == SLOT_NO_CLAIM ? 0 : slot_rank(&slot, index);
}

int64_t
pricing_claim_rate_cents(struct state *state, uint64_t claim_id, const struct claim_row *claim,
                         struct policy_row *policy)
{
    const uint16_t rank = claim_rank(state, claim_id, claim);
    struct category_row category;

    CHECK(claim->ended_ms == 0);
    (void)policy_for_slot(state, claim->zip, claim->category, policy);
    if (rank == 0 || !state_category_get(state, claim->category, &category)) {
        return 0;
    }
    return pricing_rate_cents(policy, category.rate_cents, rank);
}
