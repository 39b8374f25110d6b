/*
 * connect.c - CONNECT and QUALIFY: a contractor answered, and talked long enough. See call.h.
 */
#include "protocol/check.h"
#include "server/domain/call.h"
#include "server/domain/ledger.h"
#include "server/domain/policy.h"
#include "server/domain/settlement.h"

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

/* May the call take another connected leg? The winner's leg is named in the refusal (E35). */
static uint16_t
connect_judge_call(struct call_view *call, struct zr_connect_reply *reply)
{
    struct call_leg_row *winner = call_leg_connected(&call->row);

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

/* The contractor's standing now, and whether the wallet can carry the hold (I11, E52). */
static uint16_t
connect_judge_money(struct state *state, const struct call_row *row,
                    const struct ticket_candidate *candidate, int64_t hold_cents)
{
    struct contractor_row contractor;
    struct policy_row policy;
    struct wallet_row wallet;

    if (!state_contractor_get(state, candidate->contractor, &contractor)) {
        return ZR_STATUS_BAD_TICKET;
    }
    if (contractor.status == ZR_CONTRACTOR_CLOSING || contractor.status == ZR_CONTRACTOR_CLOSED) {
        return ZR_STATUS_ACCOUNT_CLOSED;
    }
    if (contractor.status != ZR_CONTRACTOR_APPROVED) {
        return ZR_STATUS_NOT_APPROVED;
    }
    (void)policy_for_slot(state, row->zip, row->category, &policy);
    state_wallet_get(state, candidate->contractor, &wallet);
    if (wallet_available_cents(&wallet) - hold_cents <
        -settlement_overdraft_cents(&policy, &contractor, &wallet, candidate->rate_cents)) {
        return ZR_STATUS_OVERDRAFT_LIMIT;
    }
    return ZR_STATUS_OK;
}

static void
hold_place(struct state *state, struct call_leg_row *leg, int64_t hold_cents)
{
    struct wallet_row wallet;

    CHECK(hold_cents >= 0);
    leg->hold_cents = hold_cents;
    state_wallet_get(state, leg->contractor, &wallet);
    wallet.held_cents += hold_cents;
    state_wallet_put(state, leg->contractor, &wallet);
}

static void
connect_write(struct state *state, const struct command *command, struct call_view *call,
              struct call_leg_row *leg, struct effects *effects)
{
    /* A call that was charged once is free for whoever takes it over (M4). */
    const int64_t hold_cents = call->row.charged ? 0 : leg->rate_cents;

    leg->connected_ms = command->time_ms;
    leg->connect_seq = command->seq;
    hold_place(state, leg, hold_cents);
    call_move(&call->row, ZR_CALL_CONNECTED);
    if (leg->qualify_ms == 0) {
        settlement_apply(state, command, &call->call_ref, &call->row, leg);
        call_move(&call->row, ZR_CALL_QUALIFIED);
    }
    call_put(state, call);
    effects->unit_opened = true;
    effects->unit_contractor = leg->contractor;
    effects->call_ref = call->call_ref;
}

uint16_t
call_connect_apply(struct state *state, const struct command *command,
                   const struct zr_connect_request *request, struct zr_connect_reply *reply,
                   struct effects *effects)
{
    const struct ticket_candidate *candidate;
    struct call_leg_row *leg;
    struct call_view call;
    struct ticket ticket;
    uint64_t answered_at_ms = request->answered_at_ms;
    uint16_t status;

    if (!ticket_decode(&ticket, request->ticket, request->ticket_length)) {
        return ZR_STATUS_BAD_TICKET;
    }
    status = call_ticket_judge(command, &ticket, request->index, &answered_at_ms);
    if (status == ZR_STATUS_BAD_TICKET) {
        return status;
    }
    candidate = ticket_candidate_at(&ticket, request->index);
    if (!call_find(state, command->tenant, &ticket.call_id, &call)) {
        call_begin(&call, &ticket);
    }
    leg = call_leg_find(&call.row, candidate->contractor);
    if (leg != NULL) {
        effects->duplicate = true; /* E43, E44: the leg has had its CONNECT or its END. */
        connect_reply_fill(reply, &call, leg);
        return ZR_STATUS_OK;
    }
    if (status == ZR_STATUS_INVALID_FIELD) {
        return command_invalid(effects, &zr_connect_request_shape, "answered_at_ms");
    }
    if (status != ZR_STATUS_OK) {
        return status;
    }
    reply->contractor = candidate->contractor;
    reply->call_ref = call.call_ref;
    status = connect_judge_call(&call, reply);
    if (status == ZR_STATUS_OK) {
        status = connect_judge_money(state, &call.row, candidate,
                                     call.row.charged ? 0 : candidate->rate_cents);
    }
    if (status != ZR_STATUS_OK) {
        return status;
    }
    leg = call_leg_begin(&call.row, &ticket, candidate);
    CHECK(leg != NULL);
    leg->answered_at_ms = answered_at_ms;
    connect_write(state, command, &call, leg, effects);
    connect_reply_fill(reply, &call, leg);
    return ZR_STATUS_OK;
}

static void
qualify_reply_fill(struct zr_settlement_reply *reply, const struct call_view *call,
                   const struct call_leg_row *leg)
{
    *reply = (struct zr_settlement_reply){
        .call_ref = call->call_ref,
        .commit_seq = leg->settled_seq != 0 ? leg->settled_seq : leg->connect_seq,
        .amount_cents = leg->amount_cents,
        .contractor = leg->contractor,
        .talk_ms = leg->talk_ms,
        .state = call->row.state,
        .settlement = leg->settlement,
        .flagged = (leg->flags & LEG_FLAGGED) != 0,
    };
}

uint16_t
call_qualify_apply(struct state *state, const struct command *command,
                   const struct zr_qualify_request *request, struct zr_settlement_reply *reply,
                   struct effects *effects)
{
    struct call_leg_row *leg;
    struct policy_row policy;
    struct call_view call;
    bool flagged = false;
    uint32_t talk_ms;

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
        qualify_reply_fill(reply, &call, &call.row.legs[call.row.legs_count - 1]);
        return ZR_STATUS_OK;
    }
    (void)policy_for_slot(state, call.row.zip, call.row.category, &policy);
    talk_ms = settlement_clip_talk(request->talk_ms, command->time_ms, leg->issued_ms,
                                   policy.duration_check, &flagged);
    if (talk_ms <= leg->talk_ms) {
        effects->duplicate = true; /* Monotonic maximum: nothing new. */
    } else {
        leg->talk_ms = talk_ms;
        leg->flags |= flagged ? LEG_FLAGGED : 0;
        if (leg->settlement == ZR_SETTLEMENT_OPEN && talk_ms >= leg->qualify_ms) {
            settlement_apply(state, command, &call.call_ref, &call.row, leg);
            call_move(&call.row, ZR_CALL_QUALIFIED);
        }
        call_put(state, &call);
    }
    qualify_reply_fill(reply, &call, leg);
    return ZR_STATUS_OK;
}
