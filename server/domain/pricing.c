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

int64_t
pricing_claim_rate_cents(struct state *state, uint64_t claim_id, const struct claim_row *claim,
                         struct policy_row *policy)
{
    struct category_row category;
    struct slot_row slot;
    int index;

    CHECK(claim->ended_ms == 0);
    (void)policy_for_slot(state, claim->zip, claim->category, policy);
    state_slot_get(state, claim->zip, claim->category, &slot);
    index = slot_find_claim(&slot, claim_id);
    if (index == SLOT_NO_CLAIM || !state_category_get(state, claim->category, &category)) {
        return 0;
    }
    return pricing_rate_cents(policy, category.rate_cents, slot_rank(&slot, index));
}
