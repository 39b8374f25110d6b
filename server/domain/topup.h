/*
 * topup.h - money that a payment provider brought, or took back (M5).
 *
 * The provider's reference is the key, for ever: it credits once (I14), however often and by
 * whichever operation it is told, and what it credited is reversed once.
 */
#ifndef ZR_TOPUP_H
#define ZR_TOPUP_H

#include "server/domain/command.h"

enum { TOPUP_MIN_CENTS = 2500 };

/* One top-up, and with it every balance that can be reached, stays far from 2^63. */
#define TOPUP_MAX_CENTS INT64_C(100000000000)

uint16_t topup_apply(struct state *state, const struct command *command,
                     const struct zr_topup_request *request, struct zr_topup_reply *reply,
                     struct effects *effects);

/* The provider took a top-up back: MAIN may fall below 0 by it (exempt from I11). */
uint16_t topup_reversed_apply(struct state *state, const struct command *command,
                              const struct zr_topup_reversed_request *request,
                              struct zr_topup_reply *reply, struct effects *effects);

/*
 * For a reference that has credited already: OK and the reply of that credit when it was this
 * contractor's and this amount, else DUPLICATE_REF. NOT_FOUND when it is new.
 */
uint16_t topup_judge_ref(struct state *state, const struct zr_topup_request *request,
                         struct zr_topup_reply *reply);

/* Post a top-up of a new reference into the caller's copy of the wallet. Returns its transfer. */
uint64_t topup_post(struct state *state, const struct command *command, struct wallet_row *wallet,
                    const struct zr_topup_request *request);

#endif
