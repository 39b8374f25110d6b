/*
 * adjust.h - a posting by hand: two principals make it, or nobody (M5 "ADJUST").
 *
 * The first one's request waits, PENDING, under its op_id. It is posted by a request of another
 * principal that names it and repeats its fields: who approves has read what he approves. There is
 * no taking back; what nobody approves moves nothing.
 *
 * It is how promotion money is given (PROMO to CREDIT) and taken (CREDIT to PROMO), and how
 * operators correct: MAIN may fall below 0 by it.
 */
#ifndef ZR_ADJUST_H
#define ZR_ADJUST_H

#include "server/domain/command.h"

uint16_t adjust_apply(struct state *state, const struct command *command,
                      const struct zr_adjust_request *request, struct zr_adjust_reply *reply,
                      struct effects *effects);

#endif
