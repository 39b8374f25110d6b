/*
 * usage.h - what was used of a contractor's caps, and how its phone behaves (R13, R36, M3).
 *
 * Three sources. Rings come from workers, which keep no log: their begin where a rule needs it, and
 * every miss, reach it in RINGS commands, a moment later. CONNECT and the settlement of a leg count
 * by themselves. The same CONNECTs and misses are counted by day in answer_rate.h.
 *
 * Connects and money are counted of everybody: a cap may come later, and has to find what was
 * spent before it in the same window (R13, M3). Whoever routes reads the row only of those with
 * caps, and of those whose rings were counted (PROFILE_USAGE): of most it stays out of the way.
 *
 * Windows are counted by the contractor's local clock: hour, date, month, and for ever. A row
 * keeps the end of each window; whoever reads it later than that counts from 0. A window is keyed
 * by the instant of its first count, so that a hold which is given back leaves the window that
 * it was counted in, or none (M3 "Spend caps").
 */
#ifndef ZR_USAGE_H
#define ZR_USAGE_H

#include "server/domain/command.h"

enum {
    USAGE_FAILURES_MAX = 3, /* FAILED in a row: the destination is down for a while. */
};
#define USAGE_DOWN_MS (UINT64_C(5) * 60 * 1000)

/*
 * Does the begin of a ring matter to a rule: a cap on CALLS, spacing (R13), or an app that shows
 * it? Only then the log hears of it. caps NULL: the contractor has none.
 */
bool usage_ring_matters(const struct caps_row *caps, uint8_t modes);

/* RINGS: what workers saw ring. */
uint16_t usage_rings_apply(struct state *state, const struct command *command,
                           const struct zr_rings_request *request, struct zr_commit_reply *reply,
                           struct effects *effects);

/* A CONNECT of this contractor was committed, with a hold. Ends its row of misses. */
void usage_connect(struct state *state, const struct command *command, uint32_t contractor,
                   const struct contractor_row *row, int64_t hold_cents);

/* What became of a leg's hold. */
struct usage_settlement {
    uint64_t connected_ms; /* 0: the leg never had a CONNECT, so nothing of it was counted. */
    int64_t held_cents;
    int64_t charged_cents;
};

void usage_settle(struct state *state, const struct command *command, uint32_t contractor,
                  const struct contractor_row *row, const struct usage_settlement *settlement);

/*
 * Schedule and contractor, already put, name another zone than before, at once or for later, or
 * take a move back: a window whose date or month is not over there goes on, and ends by the clock
 * that there will be (M3 "A change of time zone"). `zone_before` is what contractor_zone() said.
 */
void usage_zone_changed(struct state *state, const struct command *command, uint32_t contractor,
                        const struct contractor_row *row, uint8_t zone_before);

#endif
