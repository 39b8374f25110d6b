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

/*
 * Rate of a live claim at the rank that it has today; 0 when it stands in no slot. *policy becomes
 * the one in force for its slot.
 */
int64_t pricing_claim_rate_cents(struct state *state, uint64_t claim_id,
                                 const struct claim_row *claim, struct policy_row *policy);

#endif
