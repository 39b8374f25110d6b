/*
 * pricing.c - see pricing.h.
 */
#include "server/domain/pricing.h"

#include "protocol/check.h"

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
