/*
 * timer.c - see timer.h. A timer is taken out of the table before its handler runs, so a handler
 * that wants to be called again sets a new one.
 */
#include "server/domain/timer.h"

#include "protocol/check.h"
#include "server/domain/autotopup.h"
#include "server/domain/call.h"
#include "server/domain/condition.h"
#include "server/domain/funds.h"
#include "server/domain/offer.h"
#include "server/domain/payout.h"
#include "server/domain/slot_change.h"

void
timer_set(struct state *state, uint64_t due_ms, const struct timer_row *row)
{
    CHECK(row->kind != 0);
    state_timer_put(state, due_ms, state_counter_next(state, COUNTER_TIMER), row);
}

void
timer_set_work(struct state *state, const struct command *command, const struct timer_row *row)
{
    timer_set(state, command->time_ms, row);
}

/* ---- firing ---------------------------------------------------------------------------------- */

/* Returns whether it acted; false: its cause has gone. */
static bool
timer_fire(struct state *state, const struct command *command, const struct timer_row *row,
           struct effects *effects)
{
    /* Not a switch on the enum: a kind is a number from a row. */
    switch ((unsigned)row->kind) {
    case TIMER_OFFER:
    case TIMER_RESERVATION:
        return offer_timer(state, command, row);
    case TIMER_CLAIM:
    case TIMER_CONTRACTOR:
    case TIMER_WARNING:
    case TIMER_LICENCE:
    case TIMER_SCHEDULE:
    case TIMER_FORFEIT_CLAIMS:
    case TIMER_END_CLAIMS:
    case TIMER_CANCEL_OFFERS:
        return condition_timer(state, command, row);
    case TIMER_SLOT_RATES:
    case TIMER_POSITIONS:
        return slot_change_timer(state, command, row);
    case TIMER_FUNDS:
    case TIMER_RATES:
        return funds_timer(state, command, row);
    case TIMER_TOPUP:
        return autotopup_timer(state, command, row);
    case TIMER_PAYOUT:
        return payout_timer(state, command, row);
    case TIMER_CALL:
        return call_timer(state, command, row, effects);
    default:
        return false;
    }
}

static void
tick_fire_due(struct state *state, const struct command *command, struct zr_tick_reply *reply,
              struct effects *effects)
{
    struct timer_row row;
    uint64_t due_ms = 0;
    uint64_t seq = 0;

    while (reply->fired == 0 && reply->dropped < TIMER_DROPS_MAX &&
           state_timer_next(state, &due_ms, &seq, &row) && due_ms <= command->time_ms) {
        state_timer_del(state, due_ms, seq);
        if (timer_fire(state, command, &row, effects)) {
            reply->fired++;
        } else {
            reply->dropped++;
        }
    }
}

/* ---- outages --------------------------------------------------------------------------------- */

/* Deadlines move with their rows; everything else that fell due is done late instead (M2). */
static bool
timer_is_deadline(const struct timer_row *row)
{
    return row->kind == TIMER_OFFER || row->kind == TIMER_RESERVATION || row->kind == TIMER_CLAIM ||
           row->kind == TIMER_CONTRACTOR;
}

/* Returns whether the deadline stood and was moved; false: it had gone, or is another by now. */
static bool
deadline_move(struct state *state, const struct command *command, const struct timer_row *row,
              uint64_t deadline_ms)
{
    if (row->kind == TIMER_OFFER || row->kind == TIMER_RESERVATION) {
        return offer_deadline_move(state, command, row, deadline_ms);
    }
    return condition_deadline_move(state, command, row, deadline_ms);
}

static void
timer_move(struct state *state, const struct command *command, struct timer_row *row,
           uint64_t deadline_ms, struct zr_tick_reply *reply)
{
    if (!deadline_move(state, command, row, deadline_ms)) {
        reply->dropped++;
        return;
    }
    row->deadline_ms = deadline_ms;
    timer_set(state, deadline_ms, row);
    reply->fired++;
}

static void
tick_move_deadlines(struct state *state, const struct command *command,
                    const struct zr_tick_request *request, struct zr_tick_reply *reply)
{
    struct timer_row row;
    uint64_t due_ms = request->outage_from_ms;
    uint64_t seq = 0;
    uint32_t looked = 0;

    while (reply->fired + reply->dropped < TIMER_MOVES_MAX && looked < TIMER_LOOKS_MAX &&
           state_timer_next(state, &due_ms, &seq, &row) && due_ms <= request->outage_to_ms) {
        if (timer_is_deadline(&row)) {
            state_timer_del(state, due_ms, seq);
            timer_move(state, command, &row, request->outage_to_ms + TIMER_OUTAGE_GRACE_MS, reply);
        }
        seq++;
        /* Up to the first one it looks as far as it takes, or it would never get there. */
        looked += reply->fired + reply->dropped > 0;
    }
}

uint64_t
timer_outage_next(struct state *state, uint64_t from_ms, uint64_t to_ms)
{
    struct timer_row row;
    uint64_t due_ms = from_ms;
    uint64_t seq = 0;

    while (state_timer_next(state, &due_ms, &seq, &row) && due_ms <= to_ms) {
        if (timer_is_deadline(&row)) {
            return due_ms;
        }
        seq++;
    }
    return 0;
}

uint16_t
timer_tick_apply(struct state *state, const struct command *command,
                 const struct zr_tick_request *request, struct zr_tick_reply *reply,
                 struct effects *effects)
{
    effects->journal = true;
    reply->commit_seq = command->seq;
    if (request->outage_from_ms != 0) {
        tick_move_deadlines(state, command, request, reply);
    } else {
        tick_fire_due(state, command, reply, effects);
    }
    return ZR_STATUS_OK;
}
