/*
 * sweep.c - no END came: the leg is over when no call can last so long (M4 "Without END", E53).
 *
 * Whether it is charged was decided already, at the QUALIFY or KEEPALIVE that proved the talk. So
 * the sweep never charges: it ends what is settled, and voids what nobody proved.
 */
#include "protocol/check.h"
#include "server/domain/call.h"
#include "server/domain/settlement.h"

bool
call_timer(struct state *state, const struct command *command, const struct timer_row *timer,
           struct effects *effects)
{
    struct contractor_row contractor;
    struct call_leg_row *leg;
    struct call_view call;

    if (!call_open(state, &timer->call_ref, &call)) {
        return false;
    }
    leg = call_leg_find(&call.row, timer->contractor);
    CHECK(leg != NULL); /* Its CONNECT set the timer. */
    CHECK(leg->connected_ms != 0);
    if (leg->ended_ms != 0) {
        return false;
    }
    leg->ended_ms = command->time_ms;
    leg->flags |= LEG_SWEPT;
    call_move(&call.row, ZR_CALL_ENDED);
    if (leg->settlement == ZR_SETTLEMENT_OPEN) {
        if (!state_contractor_get(state, leg->contractor, &contractor)) {
            CHECK(state_failed(state));
            return true;
        }
        settlement_void(state, command, &call, leg, &contractor);
    }
    call_put(state, &call);
    effects->unit_closed = true;
    effects->unit_contractor = leg->contractor;
    effects->call_ref = call.call_ref;
    return true;
}
