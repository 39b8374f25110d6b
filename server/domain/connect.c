/*
 * connect.c - CONNECT, QUALIFY and KEEPALIVE: a contractor answered, and talks. See call.h.
 *
 * CONNECT is the one command of a call that is on the caller's ear: each row is read once, and
 * what is read goes along in a `struct connecting`.
 */
#include "protocol/check.h"
#include "server/domain/call.h"
#include "server/domain/event.h"
#include "server/domain/funds.h"
#include "server/domain/ledger.h"
#include "server/domain/policy.h"
#include "server/domain/settlement.h"
#include "server/domain/timer.h"
#include "server/domain/usage.h"

/* One CONNECT under judgement. */
struct connecting {
    struct state *state;
    const struct command *command;
    struct effects *effects;
    const struct ticket_candidate *candidate; /* In ticket. */
    struct ticket ticket;
    struct call_view call;
    struct contractor_row contractor;
    struct policy_row policy;
    uint64_t answered_at_ms;
};

static void
connect_reply_fill(struct zr_connect_reply *reply, const struct call_view *call,
                   const struct call_leg_row *leg)
{
    *reply = (struct zr_connect_reply){
        .call_ref = call->call_ref,
        .commit_seq = leg->connect_seq != 0 ? leg->connect_seq : leg->settled_seq,
        .hold_cents = leg->hold_cents,
        .amount_cents = leg->amount_cents,
        .contractor = leg->contractor,
        .qualify_ms = leg->qualify_ms,
        .state = call->row.state,
        .settlement = leg->settlement,
    };
}

/*
 * May the call take another connected leg? A worker knows of newer tickets while it remembers the
 * call; where it does not, the row knows at least the newest that came to a leg, and arbitrates
 * (M6). The winner's leg is named in the refusal (E35).
 */
static uint16_t
connect_judge_call(struct connecting *connecting, struct zr_connect_reply *reply)
{
    struct call_view *call = &connecting->call;
    struct call_leg_row *winner = call_leg_connected(&call->row);

    if (connecting->ticket.revision < call->row.revision) {
        return ZR_STATUS_TICKET_SUPERSEDED;
    }
    if (winner == NULL && call->row.state == ZR_CALL_ENDED) {
        winner = &call->row.legs[call->row.legs_count - 1];
    }
    if (winner != NULL) {
        connect_reply_fill(reply, call, winner);
        return ZR_STATUS_ALREADY_CONNECTED;
    }
    if (call->row.state == ZR_CALL_ABANDONED) {
        reply->state = call->row.state;
        return ZR_STATUS_ABANDONED;
    }
    return call->row.legs_count == CALL_LEGS_MAX ? ZR_STATUS_EXHAUSTED : ZR_STATUS_OK;
}

/* A call that was charged once is free for whoever takes it over (M4). */
static int64_t
hold_cents_for(const struct connecting *connecting)
{
    return connecting->call.row.charged ? 0 : connecting->candidate->rate_cents;
}

/* The contractor's standing now, and whether the wallet can carry the hold (I11, E52). */
static uint16_t
connect_judge_money(struct connecting *connecting)
{
    const struct ticket_candidate *candidate = connecting->candidate;
    const struct ticket *ticket = &connecting->ticket;
    const int64_t hold_cents = hold_cents_for(connecting);
    const struct contractor_row *contractor = &connecting->contractor;
    struct wallet_row wallet;

    if (contractor->status == ZR_CONTRACTOR_CLOSING || contractor->status == ZR_CONTRACTOR_CLOSED) {
        return ZR_STATUS_ACCOUNT_CLOSED;
    }
    if (contractor->status != ZR_CONTRACTOR_APPROVED) {
        return ZR_STATUS_NOT_APPROVED;
    }
    (void)policy_for_slot(connecting->state, ticket->zip, ticket->category, &connecting->policy);
    state_wallet_get(connecting->state, candidate->contractor, &wallet);
    if (hold_cents > 0 && wallet_available_cents(&wallet) - hold_cents <
                              -settlement_overdraft_cents(&connecting->policy, contractor, &wallet,
                                                          candidate->rate_cents)) {
        return ZR_STATUS_OVERDRAFT_LIMIT; /* What holds nothing exceeds nothing. */
    }
    return ZR_STATUS_OK;
}

static void
hold_place(struct connecting *connecting, struct call_leg_row *leg)
{
    struct wallet_row wallet;

    /* What settles at once is charged or free, but never held: no sum in between sets off alarms.
     */
    leg->hold_cents = leg->qualify_ms == 0 ? 0 : hold_cents_for(connecting);
    CHECK(leg->hold_cents >= 0);
    usage_connect(connecting->state, connecting->command, leg->contractor, &connecting->contractor,
                  leg->hold_cents);
    state_wallet_get(connecting->state, leg->contractor, &wallet);
    wallet.held_cents += leg->hold_cents;
    funds_wallet_put(connecting->state, connecting->command, leg->contractor, &wallet);
}

static void
connect_tell(struct connecting *connecting, const struct call_leg_row *leg)
{
    const struct event_row event = {
        .call_ref = connecting->call.call_ref,
        .amount_cents = hold_cents_for(connecting),
        .contractor = leg->contractor,
        .tenant = connecting->contractor.tenant,
        .zip = connecting->call.row.zip,
        .category = connecting->call.row.category,
        .type = ZR_EVENT_CALL_CONNECTED,
    };

    event_emit(connecting->state, connecting->command, &event);
}

/* The sweep looks at the leg when no call can last so long (M4). */
static void
sweep_set(struct connecting *connecting, const struct call_leg_row *leg)
{
    const uint64_t due_ms = leg->connected_ms + (uint64_t)connecting->policy.max_call_s * 1000;
    const struct timer_row timer = {.deadline_ms = due_ms,
                                    .call_ref = connecting->call.call_ref,
                                    .contractor = leg->contractor,
                                    .kind = TIMER_CALL};

    timer_set(connecting->state, due_ms, &timer);
}

static struct call_leg_row *
connect_write(struct connecting *connecting)
{
    const struct command *command = connecting->command;
    struct effects *effects = connecting->effects;
    struct call_view *call = &connecting->call;
    struct call_leg_row *leg =
        call_leg_begin(&call->row, &connecting->ticket, connecting->candidate);

    CHECK(leg != NULL);
    leg->answered_at_ms = connecting->answered_at_ms;
    leg->connected_ms = command->time_ms;
    leg->seen_ms = command->time_ms;
    leg->connect_seq = command->seq;
    leg->flags |= command->keepalive ? LEG_KEEPALIVE : 0;
    connect_tell(connecting, leg);
    hold_place(connecting, leg);
    call_move(&call->row, ZR_CALL_CONNECTED);
    if (leg->qualify_ms == 0) {
        settlement_apply(connecting->state, command, call, leg, &connecting->contractor);
        call_move(&call->row, ZR_CALL_QUALIFIED);
    }
    call_put(connecting->state, call);
    sweep_set(connecting, leg);
    effects->unit_opened = true;
    effects->unit_keepalive = command->keepalive;
    effects->unit_contractor = leg->contractor;
    effects->call_ref = call->call_ref;
    return leg;
}

uint16_t
call_connect_apply(struct state *state, const struct command *command,
                   const struct zr_connect_request *request, struct zr_connect_reply *reply,
                   struct effects *effects)
{
    struct connecting connecting = {.state = state,
                                    .command = command,
                                    .effects = effects,
                                    .answered_at_ms = request->answered_at_ms};
    struct call_view *call = &connecting.call;
    const struct call_leg_row *leg;
    uint16_t status;

    if (!ticket_decode(&connecting.ticket, request->ticket, request->ticket_length)) {
        return ZR_STATUS_BAD_TICKET;
    }
    status =
        call_ticket_judge(command, &connecting.ticket, request->index, &connecting.answered_at_ms);
    if (status == ZR_STATUS_BAD_TICKET) {
        return status;
    }
    connecting.candidate = ticket_candidate_at(&connecting.ticket, request->index);
    if (!call_find(state, command->tenant, &connecting.ticket.call_id, call)) {
        call_begin(call, &connecting.ticket);
    }
    leg = call_leg_find(&call->row, connecting.candidate->contractor);
    if (leg != NULL) {
        effects->duplicate = true; /* E43, E44: the leg has had its CONNECT or its END. */
        connect_reply_fill(reply, call, leg);
        return ZR_STATUS_OK;
    }
    if (status == ZR_STATUS_INVALID_FIELD) {
        return command_invalid(effects, &zr_connect_request_shape, "answered_at_ms");
    }
    if (status != ZR_STATUS_OK) {
        return status;
    }
    if (!state_contractor_get(state, connecting.candidate->contractor, &connecting.contractor)) {
        return ZR_STATUS_BAD_TICKET; /* Of a database that had him. */
    }
    reply->contractor = connecting.candidate->contractor;
    reply->call_ref = call->call_ref;
    status = connect_judge_call(&connecting, reply);
    if (status == ZR_STATUS_OK) {
        status = connect_judge_money(&connecting);
    }
    if (status == ZR_STATUS_OK) {
        connect_reply_fill(reply, call, connect_write(&connecting));
        effects->revision = call->row.revision;
    }
    return status;
}

/* ---- QUALIFY, KEEPALIVE ---------------------------------------------------------------------- */

/* Take the talk if it is more than was known; enough of it settles the leg. False: no news. */
static bool
leg_take_talk(struct state *state, const struct command *command, struct call_view *call,
              struct call_leg_row *leg, uint32_t reported_ms)
{
    struct contractor_row contractor;
    struct policy_row policy;
    bool flagged = false;
    bool newly_flagged;
    uint32_t talk_ms;

    (void)policy_for_slot(state, call->row.zip, call->row.category, &policy);
    talk_ms = settlement_clip_talk(reported_ms, command->time_ms, leg->issued_ms,
                                   policy.duration_check, &flagged);
    newly_flagged = flagged && (leg->flags & LEG_FLAGGED) == 0;
    leg->flags |= flagged ? LEG_FLAGGED : 0;
    if (talk_ms <= leg->talk_ms) {
        return newly_flagged;
    }
    leg->talk_ms = talk_ms;
    if (leg->settlement == ZR_SETTLEMENT_OPEN && talk_ms >= leg->qualify_ms) {
        const bool found = state_contractor_get(state, leg->contractor, &contractor);

        if (!found && state_failed(state)) {
            return false;
        }
        CHECK(found);
        settlement_apply(state, command, call, leg, &contractor);
        call_move(&call->row, ZR_CALL_QUALIFIED);
    }
    return true;
}

uint16_t
call_qualify_apply(struct state *state, const struct command *command,
                   const struct zr_qualify_request *request, struct zr_settlement_reply *reply,
                   struct effects *effects)
{
    struct call_leg_row *leg;
    struct call_view call;
    bool news;

    if (!call_find(state, command->tenant, &request->call_id, &call)) {
        return ZR_STATUS_NOT_FOUND;
    }
    leg = call_leg_connected(&call.row);
    if (leg == NULL) {
        reply->state = call.row.state;
        if (call.row.legs_count == 0 || call.row.state != ZR_CALL_ENDED) {
            return ZR_STATUS_NOT_CONNECTED;
        }
        effects->duplicate = true; /* It came after END: the final state. */
        call_fill_settlement(state, reply, &call, &call.row.legs[call.row.legs_count - 1]);
        return ZR_STATUS_OK;
    }
    news = leg_take_talk(state, command, &call, leg, request->talk_ms);
    if (news || command->op == ZR_OP_KEEPALIVE) {
        leg->seen_ms = command->time_ms;
        call_put(state, &call);
        effects->unit_seen = true;
        effects->unit_keepalive = (leg->flags & LEG_KEEPALIVE) != 0;
        effects->unit_contractor = leg->contractor;
        effects->call_ref = call.call_ref;
    } else {
        effects->duplicate = true; /* Monotonic maximum: nothing new. */
    }
    call_fill_settlement(state, reply, &call, leg);
    return ZR_STATUS_OK;
}
