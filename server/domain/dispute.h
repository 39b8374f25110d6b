/*
 * dispute.h - a contractor says that a charge is wrong (E59-E61, I9, I12).
 *
 *     (none) --DISPUTE_OPEN--> OPEN --RESOLVE, credit > 0--> CREDITED
 *                              OPEN --RESOLVE, credit 0 --> UPHELD
 *     (none) --DISPUTE_OPEN, and the record proves it--> CREDITED
 *
 * One dispute per charge, for ever. The charge itself never changes: what is given back is linked
 * credits, and together they never pass it. What the record proves is credited whole, without
 * anybody asked: DUPLICATE (an earlier charge of the same caller stands within dup_days),
 * VOICEMAIL and SHORT (the END itself had said so).
 */
#ifndef ZR_DISPUTE_H
#define ZR_DISPUTE_H

#include "server/domain/command.h"

uint16_t dispute_open_apply(struct state *state, const struct command *command,
                            const struct zr_dispute_open_request *request,
                            struct zr_dispute_reply *reply, struct effects *effects);

uint16_t dispute_resolve_apply(struct state *state, const struct command *command,
                               const struct zr_dispute_resolve_request *request,
                               struct zr_dispute_reply *reply, struct effects *effects);

uint16_t dispute_get(struct state *state, const struct command *command,
                     const struct zr_dispute_get_request *request, struct zr_dispute_reply *reply);

#endif
