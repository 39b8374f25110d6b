/*
 * answer_rate.h - of the calls that a contractor was rung for, how many it took (R62).
 *
 * "Don't claim primary if you'll miss half the calls." A CONNECT is an answer; whatever else ends
 * a ring, but the caller's hanging up, is a miss. Both are counted for the days of a window of 30,
 * today's among them. UTC days: a window of 30 of them is the same length on every clock, and no
 * move of the contractor's zone counts a day twice.
 *
 * The one hard idea: a day's place in the row is its number modulo 30, so the window slides by
 * clearing the places of the days that passed. A window is judged when something is counted, never
 * by time alone: nobody is warned for having no calls.
 *
 * A warning is all that comes of it. Nothing converts a title for its answer rate: where
 * domain.md R62 says that policy may, off by default, there is no such policy, so it is off.
 */
#ifndef ZR_ANSWER_RATE_H
#define ZR_ANSWER_RATE_H

#include "server/domain/command.h"

enum { ANSWER_RATE_RINGS_MIN = 20 }; /* Fewer say nothing. */

struct answer_rate {
    uint32_t rings; /* Answered and missed. */
    uint32_t answered;
};

/*
 * Count one answer or one miss at the command's time. ANSWER_RATE_LOW {number = rings, code =
 * percent answered} when with it the rate is below one half of 20 rings or more, and was not when
 * something was counted before.
 */
void answer_rate_count(struct state *state, const struct command *command, uint32_t contractor,
                       bool answered);

/* The window that ends with the command's day. */
struct answer_rate answer_rate_of(struct state *state, const struct command *command,
                                  uint32_t contractor);

#endif
