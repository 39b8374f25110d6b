/*
 * pricing.h - what a qualified call costs at a rank (R53).
 */
#ifndef ZR_PRICING_H
#define ZR_PRICING_H

#include "server/domain/state.h"

/*
 * Rate in cents at title rank `rank` (1 = primary): the category's rate times the policy's
 * multiplier, rounded half up to a cent. Never rises with the rank.
 */
int64_t pricing_rate_cents(const struct policy_row *policy, int64_t category_rate_cents,
                           uint16_t rank);

#endif
