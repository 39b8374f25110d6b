/*
 * model_calls.c - CONNECT, QUALIFY, KEEPALIVE, END, DECLINE and the sweep (M4).
 *
 * The hard idea: a leg settles once, by whoever brings the proof first: QUALIFY, KEEPALIVE, END or
 * the sweep. Everything that comes later is told what was settled and changes at most an END's
 * voicemail into a credit.
 */
#include "tests/model/lib/model.h"

#include <string.h>

enum {
    LATE_DAYS = 7,
    AHEAD_MS = 5000,
    UNIT_TTL_MINUTES = 30,
    UNIT_TTL_KEPT_ALIVE_MINUTES = 5,
    NO_INDEX = 255,
};

int
model_leg_of(const struct model_call *call, int contractor)
{
    for (int l = 0; l < call->legs_count; l++) {
        if (call->legs[l].contractor == contractor) {
            return l;
        }
    }
    return -1;
}

/* ---- the reading of a ticket
 * ----------------------------------------------------------------------- */

/* What a ticket says of an attempt, or the status that refuses it. */
int
model_ticket_judge(const struct model *model, const struct model_ticket *ticket, uint8_t index,
                   uint64_t answered_at_ms)
{
    const uint64_t answered_ms = answered_at_ms != 0 ? answered_at_ms : model->now_ms;
    const int place = index - ticket->attempt;

    if (ticket->query || place < 0 || place >= ticket->candidates_count) {
        return ZR_STATUS_BAD_TICKET;
    }
    if (answered_ms < ticket->issued_ms || answered_ms > model->now_ms + AHEAD_MS) {
        return ZR_STATUS_INVALID_FIELD;
    }
    if (answered_ms >= ticket->expires_ms) {
        return ZR_STATUS_TICKET_EXPIRED;
    }
    return model->now_ms > ticket->issued_ms + LATE_DAYS * MODEL_DAY_MS ? ZR_STATUS_TOO_LATE
                                                                        : ZR_STATUS_OK;
}

/* Its attempt's number in the newest ticket, -1 = it is not in there. */
static int
index_in_newest(const struct model_call *call, int contractor)
{
    const int at = model_newest(call);
    const struct model_ticket *newest = at < 0 ? NULL : &call->tickets[at];

    for (int i = 0; newest != NULL && i < newest->candidates_count; i++) {
        if (newest->candidates[i].contractor == contractor) {
            return newest->attempt + i;
        }
    }
    return -1;
}

void
model_call_begin(struct model_call *call, const struct model_ticket *ticket)
{
    if (!call->durable) {
        call->durable = true;
        call->call_ref = ticket->reply.call_ref; /* A process that forgot it may have named anew. */
        call->charge_revision = ticket->revision;
    }
}

int
model_leg_add(struct model *model, int call_index, const struct model_ticket *ticket, uint8_t index)
{
    struct model_call *call = &model->calls[call_index];
    const int place = index - ticket->attempt;
    struct model_leg *leg = &call->legs[call->legs_count];

    *leg = (struct model_leg){.contractor = ticket->candidates[place].contractor,
                              .index = index,
                              .rank = ticket->candidates[place].rank,
                              .rate = ticket->candidates[place].rate,
                              .settlement = ZR_SETTLEMENT_OPEN,
                              .qualify_ms = ticket->qualify_ms,
                              .issued_ms = ticket->issued_ms};
    if (!model_call_is_charged(call)) {
        call->charge_slot = ticket->slot;
        call->charge_caller = ticket->caller;
    }
    call->screened_leg = ticket->screened;
    model_call_begin(call, ticket);
    call->charge_revision =
        ticket->revision > call->charge_revision ? ticket->revision : call->charge_revision;
    return call->legs_count++;
}

void
model_silence(struct model_call *call)
{
    call->lease_contractor = -1;
}

void
model_report_done(struct model_call *call, uint8_t state, int ended_leg)
{
    if (state == ZR_CALL_RINGING) {
        if (ended_leg >= 0 && index_in_newest(call, call->legs[ended_leg].contractor) >= 0) {
            model_silence(call); /* A later attempt's phone rings on. */
            call->legs[ended_leg].in_newest = true;
        }
        return;
    }
    model_silence(call);
    call->cancelled = call->cancelled && state == ZR_CALL_ABANDONED;
}

/* ---- CONNECT
 * ----------------------------------------------------------------------------------------- */

static void
connect_fill(const struct model *model, int call_index, int leg_index,
             struct zr_connect_reply *reply)
{
    const struct model_call *call = &model->calls[call_index];
    const struct model_leg *leg = &call->legs[leg_index];

    reply->hold_cents = leg->hold;
    reply->amount_cents = leg->amount - leg->credited;
    reply->contractor = model->contractors[leg->contractor].number;
    reply->qualify_ms = leg->qualify_ms;
    reply->state = call->state;
    reply->settlement = leg->settlement;
}

/* Why this contractor cannot be connected now, by its own state. */
static int
connect_refusal(const struct model *model, const struct model_call *call,
                const struct model_ticket *ticket, uint8_t index)
{
    const int contractor = ticket->candidates[index - ticket->attempt].contractor;
    const int64_t rate = ticket->candidates[index - ticket->attempt].rate;
    const uint8_t status = model->contractors[contractor].status;

    if (status == ZR_CONTRACTOR_SUSPENDED || status == ZR_CONTRACTOR_PENDING) {
        return ZR_STATUS_NOT_APPROVED;
    }
    if (status != ZR_CONTRACTOR_APPROVED) {
        return ZR_STATUS_ACCOUNT_CLOSED;
    }
    if (!model_call_is_charged(call) &&
        model_available(model, contractor) - rate <
            -model_overdraft(model, ticket->slot, contractor, rate)) {
        return ZR_STATUS_OVERDRAFT_LIMIT;
    }
    return ZR_STATUS_OK;
}

static void
connect_do(struct model *model, int call_index, const struct model_ticket *ticket,
           const struct zr_connect_request *request, bool keepalive)
{
    struct model_call *call = &model->calls[call_index];
    const int leg_index = call->legs_count - 1;
    struct model_leg *leg = &call->legs[leg_index];
    struct model_contractor *who = &model->contractors[leg->contractor];

    leg->connected_ms = model->now_ms;
    leg->answered_ms = request->answered_at_ms != 0 ? request->answered_at_ms : model->now_ms;
    if (leg->answered_ms < ticket->issued_ms) { /* He rang by an older one; this one counts. */
        leg->answered_ms = ticket->issued_ms;
    }
    leg->alive_ms = model->now_ms;
    leg->ttl_ms = (keepalive ? UNIT_TTL_KEPT_ALIVE_MINUTES : UNIT_TTL_MINUTES) * MODEL_MINUTE_MS;
    leg->unit = true;
    leg->stamp = ++model->stamp;
    leg->sweep_ms =
        model->now_ms + model_policy_of(model, ticket->slot)->rules.max_call_s * MODEL_SECOND_MS;
    /* What settles at once is never held. */
    leg->hold = model_call_is_charged(call) || leg->qualify_ms == 0 ? 0 : leg->rate;
    call->connected = leg_index;
    call->repeats = false;
    call->state = ZR_CALL_CONNECTED;
    who->misses = 0;
    who->failed_row = 0;
    model_use(model, leg->contractor,
              &(struct model_usage){
                  .time_ms = model->now_ms, .amount = 1, .measure = ZR_CAP_MEASURE_CONNECTS});
    model_use(model, leg->contractor,
              &(struct model_usage){.time_ms = model->now_ms,
                                    .measure = ZR_CAP_MEASURE_SPEND,
                                    .call = call_index,
                                    .leg = leg_index});
    model_activate(model, call_index);
    model_caps_judge(model, leg->contractor);
    model_ring_ended(model, leg->contractor, true);
    model_call_event(model, ZR_EVENT_CALL_CONNECTED, call_index, call->charge_slot,
                     &(struct model_event){.contractor = leg->contractor,
                                           .amount = model_call_is_charged(call) ? 0 : leg->rate});
    if (leg->qualify_ms == 0) {
        model_leg_settle(model, call_index, leg_index, false);
        call->state = ZR_CALL_QUALIFIED;
    }
    model_wallet_touched(model, leg->contractor);
}

/* Another contractor has or had this call. */
static int
winner_of(const struct model_call *call)
{
    if (call->connected >= 0) {
        return call->connected;
    }
    return call->state == ZR_CALL_ENDED ? call->legs_count - 1 : -1;
}

/* The call's state refuses it, or the contractor's; the ticket is good. */
static int
connect_judge(struct model *model, int call_index, const struct model_ticket *ticket, uint8_t index,
              struct zr_connect_reply *reply)
{
    struct model_call *call = &model->calls[call_index];

    if (ticket->revision < call->charge_revision) {
        return ZR_STATUS_TICKET_SUPERSEDED;
    }
    if (winner_of(call) >= 0) {
        connect_fill(model, call_index, winner_of(call), reply);
        model_report_done(call, reply->state, -1);
        return ZR_STATUS_ALREADY_CONNECTED;
    }
    if (call->durable && call->state == ZR_CALL_ABANDONED) {
        return ZR_STATUS_ABANDONED;
    }
    if (call->legs_count == MODEL_LEGS) {
        return ZR_STATUS_EXHAUSTED;
    }
    return connect_refusal(model, call, ticket, index);
}

/* An older ticket: superseded, unless the newest has its contractor too; then that one counts. */
static int
connect_follow(const struct model *model, const struct model_call *call,
               const struct model_ticket **ticket, uint8_t *index)
{
    const int contractor = (*ticket)->candidates[*index - (*ticket)->attempt].contractor;

    if (!model_remembers(model, call) || (*ticket)->revision >= call->revision) {
        return ZR_STATUS_OK;
    }
    if (index_in_newest(call, contractor) < 0) {
        return ZR_STATUS_TICKET_SUPERSEDED;
    }
    *index = (uint8_t)index_in_newest(call, contractor);
    *ticket = &call->tickets[model_newest(call)];
    return ZR_STATUS_OK;
}

int
model_connect(struct model *model, struct model_report report,
              const struct zr_connect_request *request, struct zr_connect_reply *reply,
              bool *duplicate)
{
    struct model_call *call = &model->calls[report.call];
    const struct model_ticket *ticket = &call->tickets[report.ticket];
    int status = model_ticket_judge(model, ticket, request->index, request->answered_at_ms);
    uint8_t index = request->index;
    int contractor;

    *duplicate = false;
    if (status == ZR_STATUS_BAD_TICKET) {
        return status;
    }
    contractor = ticket->candidates[index - ticket->attempt].contractor;
    *duplicate = model_leg_of(call, contractor) >= 0;
    if (*duplicate) {
        connect_fill(model, report.call, model_leg_of(call, contractor), reply);
        model_report_done(call, call->state, -1);
        return ZR_STATUS_OK;
    }
    if (status == ZR_STATUS_OK) {
        status = connect_follow(model, call, &ticket, &index);
    }
    if (status == ZR_STATUS_INVALID_FIELD || status == ZR_STATUS_TICKET_SUPERSEDED) {
        return status; /* Nothing happened to whoever rings. */
    }
    if (status == ZR_STATUS_OK) {
        status = connect_judge(model, report.call, ticket, index, reply);
    }
    if (status != ZR_STATUS_OK) {
        call->lease_contractor = call->lease_contractor == contractor ? -1 : call->lease_contractor;
        return status;
    }
    model_decision_carry(model, &call->tickets[report.ticket]);
    (void)model_leg_add(model, report.call, ticket, index);
    connect_do(model, report.call, ticket, request, report.keepalive);
    connect_fill(model, report.call, call->legs_count - 1, reply);
    model_report_done(call, call->state, -1);
    model_settle(model);
    return ZR_STATUS_OK;
}

/* ---- QUALIFY, KEEPALIVE
 * --------------------------------------------------------------------------------- */

void
model_settlement_fill(const struct model *model, int call_index, int leg_index,
                      struct zr_settlement_reply *reply)
{
    const struct model_call *call = &model->calls[call_index];
    const struct model_leg *leg = &call->legs[leg_index];

    reply->amount_cents = leg->amount - leg->credited;
    reply->contractor = model->contractors[leg->contractor].number;
    reply->talk_ms = leg->talk_ms;
    reply->state = call->state;
    reply->settlement = leg->settlement;
    reply->flagged = leg->flagged;
    reply->dry = model_available(model, leg->contractor) < leg->rate; /* Holds count. */
}

int
model_qualify(struct model *model, struct model_report report,
              const struct zr_qualify_request *request, struct zr_settlement_reply *reply,
              bool *duplicate)
{
    const bool keepalive = report.keepalive;
    const int call_index = report.call;
    struct model_call *call = &model->calls[call_index];
    struct model_leg *leg;
    bool was_flagged;

    *duplicate = false;
    if (!call->durable) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (call->connected < 0) {
        if (call->legs_count == 0 || call->state != ZR_CALL_ENDED) {
            return ZR_STATUS_NOT_CONNECTED;
        }
        model_settlement_fill(model, call_index, call->legs_count - 1, reply);
        model_report_done(call, call->state, -1);
        *duplicate = true;
        return ZR_STATUS_OK;
    }
    leg = &call->legs[call->connected];
    was_flagged = leg->flagged;
    *duplicate = !keepalive && model_talk_cut(model, call_index, leg, request->talk_ms,
                                              model->now_ms) <= leg->talk_ms;
    model_talk_report(model, call_index, leg, request->talk_ms);
    *duplicate = *duplicate && leg->flagged == was_flagged;
    if (!*duplicate) {
        leg->alive_ms = model->now_ms; /* A QUALIFY that says more is a sign of life too. */
    }
    if (leg->settlement == ZR_SETTLEMENT_OPEN && leg->talk_ms >= leg->qualify_ms) {
        model_leg_settle(model, call_index, call->connected, false);
        call->state = ZR_CALL_QUALIFIED;
        model_wallet_touched(model, leg->contractor);
    }
    model_settlement_fill(model, call_index, call->connected, reply);
    model_report_done(call, call->state, -1);
    model_settle(model);
    return ZR_STATUS_OK;
}
