/*
 * timer.h - durable deadlines, and work that is too much for one command (M2).
 *
 * A timer is a row at (due, seq). When the log clock reaches it the committer puts a TICK into
 * the log, which fires it: so a replay fires the same timers at the same places, and a restart
 * loses none. Two uses:
 *
 *   deadlines   of an offer, a grace, a call. The row that has the deadline is the truth; a timer
 *               whose deadline_ms is no longer that row's does nothing.
 *   work        due at once (`due_ms` = the command's time): a fan-out over a contractor's claims,
 *               cut into steps that each fit a command. It re-arms itself with a cursor.
 *
 * Before any other command is executed every timer that is due at its log time has fired
 * (deadlines are exclusive), so no rule ever sees a deadline that has passed or work that is left.
 * A TICK's log time is its timer's due time, or the log's if that is later.
 */
#ifndef ZR_TIMER_H
#define ZR_TIMER_H

#include "server/domain/command.h"

/* Longer away: deadlines move ... */
#define TIMER_OUTAGE_MS (UINT64_C(60) * 1000)
/* ... to this long after the restart (M2). */
#define TIMER_OUTAGE_GRACE_MS (UINT64_C(3600) * 1000)

/* Set a timer. */
void timer_set(struct state *state, uint64_t due_ms, const struct timer_row *row);

/* Set work: a timer due now. */
void timer_set_work(struct state *state, const struct command *command,
                    const struct timer_row *row);

/*
 * TICK: fire what is due at command->time_ms until one timer has acted, so that a command stays
 * bounded; timers whose cause has gone are dropped on the way, at most TIMER_DROPS_MAX. With an
 * outage: move deadlines that fell into it, at most TIMER_MOVES_MAX of them
 * among TIMER_LOOKS_MAX timers.
 */
enum { TIMER_DROPS_MAX = 64, TIMER_MOVES_MAX = 32, TIMER_LOOKS_MAX = 4096 };
uint16_t timer_tick_apply(struct state *state, const struct command *command,
                          const struct zr_tick_request *request, struct zr_tick_reply *reply,
                          struct effects *effects);

/*
 * When the first deadline of [from_ms, to_ms] is due, 0 = none is left to move: where the next
 * TICK of an outage begins, so that together they walk the timers once.
 */
uint64_t timer_outage_next(struct state *state, uint64_t from_ms, uint64_t to_ms);

#endif
