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

/* ---- settlement ---------------------------------------------------------------------------------
 */

static bool
call_is_charged(const struct model_call *call)
{
    for (int l = 0; l < call->legs_count; l++) {
        if (call->legs[l].amount > 0) {
            return true;
        }
    }
    return false;
}

/* Charges of the same caller and category that stand within dup_days before this CONNECT. */
static int
duplicates_of(const struct model *model, int call_index, int leg_index)
{
    const struct model_call *call = &model->calls[call_index];
    const struct model_leg *leg = &call->legs[leg_index];
    const struct zr_policy *policy = &model_policy_of(model, call->slot)->rules;
    const uint64_t window_ms = policy->dup_days * MODEL_DAY_MS;
    const uint64_t at_ms = leg->connected_ms != 0 ? leg->connected_ms : model->now_ms;
    int count = 0;

    for (int i = 0; i < model->charges_count; i++) {
        const struct model_charge *charge = &model->charges[i];
        const struct model_leg *charged = &model->calls[charge->call].legs[charge->leg];

        count +=
            charge->caller == call->caller && call->caller != 0 &&
            charge->category == model->slots[call->slot].category &&
            (policy->dup_scope == ZR_DUP_PER_NETWORK || charge->contractor == leg->contractor) &&
            charged->credited < charged->amount && at_ms < charge->time_ms + window_ms;
    }
    return count;
}

/* What this leg would be by these facts; CHARGED means that it is to be. */
static uint8_t
verdict(const struct model *model, int call_index, int leg_index, bool voicemail)
{
    const struct model_call *call = &model->calls[call_index];
    const struct model_leg *leg = &call->legs[leg_index];

    if (voicemail) {
        return ZR_SETTLEMENT_FREE_VOICEMAIL;
    }
    if (leg->talk_ms < leg->qualify_ms) {
        return ZR_SETTLEMENT_FREE_SHORT;
    }
    if (call_is_charged(call)) {
        return ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED;
    }
    if (model_policy_of(model, call->slot)->rules.screening_required && !call->screened) {
        return ZR_SETTLEMENT_FREE_UNSCREENED;
    }
    if (duplicates_of(model, call_index, leg_index) > 0) {
        return ZR_SETTLEMENT_FREE_DUPLICATE;
    }
    return ZR_SETTLEMENT_CHARGED;
}

static void
settle(struct model *model, int call_index, int leg_index, bool voicemail)
{
    struct model_leg *leg = &model->calls[call_index].legs[leg_index];

    leg->duplicate_of = duplicates_of(model, call_index, leg_index);
    leg->settlement = verdict(model, call_index, leg_index, voicemail);
    if (leg->settlement == ZR_SETTLEMENT_CHARGED) {
        model_charge(model, call_index, leg_index);
    }
    leg->hold = 0;
    leg->settled_ms = model->now_ms;
    model_event(
        model, ZR_EVENT_CALL_SETTLED,
        &(struct model_event){.contractor = leg->contractor,
                              .zip = model->slots[model->calls[call_index].slot].zip,
                              .category = model->slots[model->calls[call_index].slot].category,
                              .amount = leg->amount,
                              .code = leg->settlement});
}

/* A report above the ticket's age at that time is cut under CLIP. */
static uint32_t
talk_cut(const struct model *model, int call_index, const struct model_leg *leg, uint32_t talk_ms,
         uint64_t at_ms)
{
    const struct zr_policy *policy = &model_policy_of(model, model->calls[call_index].slot)->rules;
    const uint64_t age_ms = at_ms - leg->issued_ms + AHEAD_MS;

    return talk_ms > age_ms && policy->duration_check == ZR_DURATION_CLIP ? (uint32_t)age_ms
                                                                          : talk_ms;
}

/* The largest report counts; one above the ticket's age is flagged. */
static void
talk_report(const struct model *model, int call_index, struct model_leg *leg, uint32_t talk_ms)
{
    const uint32_t cut_ms = talk_cut(model, call_index, leg, talk_ms, model->now_ms);

    leg->flagged = leg->flagged || talk_ms > model->now_ms - leg->issued_ms + AHEAD_MS;
    leg->talk_ms = cut_ms > leg->talk_ms ? cut_ms : leg->talk_ms;
}

static int
leg_of(const struct model_call *call, int contractor)
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
static int
ticket_judge(const struct model *model, const struct model_call *call,
             const struct model_ticket *ticket, uint8_t index, uint64_t answered_at_ms)
{
    const uint64_t answered_ms = answered_at_ms != 0 ? answered_at_ms : model->now_ms;
    const int place = index - ticket->attempt;

    (void)call;
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

/* The newest ticket names this contractor too: the newest rate counts (M6). */
static int64_t
rate_in_newest(const struct model_call *call, int contractor)
{
    const struct model_ticket *newest = &call->tickets[call->tickets_count - 1];

    for (int i = 0; i < newest->candidates_count && newest->revision == call->revision; i++) {
        if (newest->candidates[i].contractor == contractor) {
            return newest->candidates[i].rate;
        }
    }
    return -1;
}

static int
leg_add(struct model *model, int call_index, const struct model_ticket *ticket, uint8_t index)
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
    if (model_remembers(model, call) && ticket->revision < call->revision &&
        rate_in_newest(call, leg->contractor) >= 0) {
        leg->rate = rate_in_newest(call, leg->contractor);
    }
    call->durable = true;
    if (call->lease_contractor == leg->contractor) {
        call->lease_contractor = -1;
    } else if (call->lease_contractor >= 0) {
        model->known[MODEL_KNOWN_LIST]++;
    }
    call->ringing = -1;
    return call->legs_count++;
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
connect_refusal(const struct model *model, int call_index, int contractor, int64_t rate)
{
    const struct model_call *call = &model->calls[call_index];
    const uint8_t status = model->contractors[contractor].status;

    if (status == ZR_CONTRACTOR_SUSPENDED || status == ZR_CONTRACTOR_PENDING) {
        return ZR_STATUS_NOT_APPROVED;
    }
    if (status != ZR_CONTRACTOR_APPROVED) {
        return ZR_STATUS_ACCOUNT_CLOSED;
    }
    if (!call_is_charged(call) && model_available(model, contractor) - rate <
                                      -model_overdraft(model, call->slot, contractor, rate)) {
        return ZR_STATUS_OVERDRAFT_LIMIT;
    }
    return ZR_STATUS_OK;
}

static void
connect_do(struct model *model, int call_index, int leg_index,
           const struct zr_connect_request *request)
{
    struct model_call *call = &model->calls[call_index];
    struct model_leg *leg = &call->legs[leg_index];
    struct model_contractor *who = &model->contractors[leg->contractor];

    leg->connected_ms = model->now_ms;
    leg->answered_ms = request->answered_at_ms != 0 ? request->answered_at_ms : model->now_ms;
    leg->alive_ms = model->now_ms;
    leg->ttl_ms = UNIT_TTL_MINUTES * MODEL_MINUTE_MS;
    leg->unit = true;
    leg->stamp = ++model->stamp;
    leg->hold = call_is_charged(call) ? 0 : leg->rate;
    call->connected = leg_index;
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
    model_event(model, ZR_EVENT_CALL_CONNECTED,
                &(struct model_event){.contractor = leg->contractor,
                                      .zip = model->slots[call->slot].zip,
                                      .category = model->slots[call->slot].category,
                                      .amount = leg->hold});
    if (leg->qualify_ms == 0) {
        settle(model, call_index, leg_index, false);
        call->state = ZR_CALL_QUALIFIED;
    }
    model_caps_judge(model, leg->contractor);
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

int
model_connect(struct model *model, struct model_report report,
              const struct zr_connect_request *request, struct zr_connect_reply *reply,
              bool *duplicate)
{
    const int call_index = report.call;
    const int ticket_index = report.ticket;
    struct model_call *call = &model->calls[call_index];
    const struct model_ticket *ticket = &call->tickets[ticket_index];
    const int place = request->index - ticket->attempt;
    int status = ticket_judge(model, call, ticket, request->index, request->answered_at_ms);
    int contractor;
    int leg;

    *duplicate = false;
    if (status == ZR_STATUS_BAD_TICKET) {
        return status;
    }
    contractor = ticket->candidates[place].contractor;
    leg = leg_of(call, contractor);
    if (leg >= 0) {
        *duplicate = true;
        connect_fill(model, call_index, leg, reply);
        return ZR_STATUS_OK;
    }
    if (status == ZR_STATUS_INVALID_FIELD && call->lease_contractor == contractor) {
        call->lease_contractor = -1;
        model->known[MODEL_KNOWN_LEASE]++;
    }
    if (status != ZR_STATUS_OK) {
        return status;
    }
    if (model_remembers(model, call) && ticket->revision < call->revision &&
        rate_in_newest(call, contractor) < 0) {
        return ZR_STATUS_TICKET_SUPERSEDED;
    }
    if (winner_of(call) >= 0) {
        connect_fill(model, call_index, winner_of(call), reply);
        return ZR_STATUS_ALREADY_CONNECTED;
    }
    if (call->durable && call->state == ZR_CALL_ABANDONED) {
        return ZR_STATUS_ABANDONED;
    }
    status = connect_refusal(model, call_index, contractor, ticket->candidates[place].rate);
    if (status != ZR_STATUS_OK) {
        call->lease_contractor = call->lease_contractor == contractor ? -1 : call->lease_contractor;
        reply->contractor = model->contractors[contractor].number;
        return status;
    }
    leg = leg_add(model, call_index, ticket, request->index);
    connect_do(model, call_index, leg, request);
    connect_fill(model, call_index, leg, reply);
    model_settle(model);
    return ZR_STATUS_OK;
}

/* ---- QUALIFY, KEEPALIVE
 * --------------------------------------------------------------------------------- */

static void
settlement_fill(const struct model *model, int call_index, int leg_index,
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

    *duplicate = false;
    if (!call->durable) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (call->connected < 0) {
        if (call->legs_count == 0 || call->state != ZR_CALL_ENDED) {
            return ZR_STATUS_NOT_CONNECTED;
        }
        settlement_fill(model, call_index, call->legs_count - 1, reply);
        *duplicate = true;
        return ZR_STATUS_OK;
    }
    leg = &call->legs[call->connected];
    *duplicate = !keepalive &&
                 talk_cut(model, call_index, leg, request->talk_ms, model->now_ms) <= leg->talk_ms;
    talk_report(model, call_index, leg, request->talk_ms);
    if (keepalive) {
        leg->alive_ms = model->now_ms;
    }
    if (leg->settlement == ZR_SETTLEMENT_OPEN && leg->talk_ms >= leg->qualify_ms) {
        settle(model, call_index, call->connected, false);
        call->state = ZR_CALL_QUALIFIED;
        model_wallet_touched(model, leg->contractor);
    }
    settlement_fill(model, call_index, call->connected, reply);
    model_settle(model);
    return ZR_STATUS_OK;
}

/* ---- END
 * ---------------------------------------------------------------------------------------------- */

/* The new facts alone would have settled it otherwise; what was cut at the END is cut there again.
 */
static bool
contradicts(const struct model *model, int call_index, int leg_index,
            const struct zr_end_request *request)
{
    const struct model_leg *leg = &model->calls[call_index].legs[leg_index];
    const uint64_t at_ms = leg->flagged ? leg->ended_ms : model->now_ms;
    const bool is_short =
        talk_cut(model, call_index, leg, request->talk_ms, at_ms) < leg->qualify_ms;

    if (request->voicemail || leg->end_voicemail) {
        return request->voicemail != leg->end_voicemail;
    }
    return is_short != leg->end_short && is_short != (leg->talk_ms < leg->qualify_ms);
}

static void
leg_end(struct model *model, int call_index, int leg_index, const struct zr_end_request *request)
{
    struct model_call *call = &model->calls[call_index];
    struct model_leg *leg = &call->legs[leg_index];
    bool stays;

    talk_report(model, call_index, leg, request->talk_ms);
    leg->ended = true;
    leg->ended_ms = model->now_ms;
    leg->unit = false;
    leg->end_voicemail = request->voicemail;
    leg->end_short =
        talk_cut(model, call_index, leg, request->talk_ms, model->now_ms) < leg->qualify_ms;
    if (leg->settlement == ZR_SETTLEMENT_OPEN || leg->settlement == ZR_SETTLEMENT_STALE_VOID) {
        settle(model, call_index, leg_index, request->voicemail);
    } else if (leg->settlement == ZR_SETTLEMENT_CHARGED) {
        leg->short_end = leg->end_short;
        leg->flagged = leg->flagged || leg->short_end;
        leg->voicemail = request->voicemail;
        if (request->voicemail) {
            model_credit_back(model, call_index, leg_index, leg->amount - leg->credited);
        }
    }
    if (call->connected == leg_index) {
        call->connected = -1;
    }
    stays = request->caller_stays && !leg->swept && call->state != ZR_CALL_ABANDONED;
    call->state = stays ? ZR_CALL_RINGING : ZR_CALL_ENDED;
    model_wallet_touched(model, leg->contractor);
}

static bool
is_late(const struct model *model, const struct model_leg *leg)
{
    return model->now_ms > leg->issued_ms + LATE_DAYS * MODEL_DAY_MS;
}

static int
end_of_leg(struct model *model, int call_index, int leg, const struct zr_end_request *request,
           struct zr_settlement_reply *reply)
{
    struct model_call *call = &model->calls[call_index];
    struct model_leg *row = &call->legs[leg];

    if (row->ended ||
        (row->swept && row->settlement != ZR_SETTLEMENT_STALE_VOID && is_late(model, row))) {
        settlement_fill(model, call_index, leg, reply);
        return contradicts(model, call_index, leg, request) ? ZR_STATUS_SETTLEMENT_FINAL
                                                            : MODEL_REPEATED;
    }
    if (row->settlement == ZR_SETTLEMENT_STALE_VOID && is_late(model, row)) {
        model_event(model, ZR_EVENT_RECONCILE,
                    &(struct model_event){.contractor = row->contractor});
        return ZR_STATUS_TOO_LATE;
    }
    leg_end(model, call_index, leg, request);
    settlement_fill(model, call_index, leg, reply);
    model_settle(model);
    return ZR_STATUS_OK;
}

/* END without an index: the connected leg, or the caller gave up while it rang. */
static int
end_without_index(struct model *model, int call_index, int ticket_index,
                  const struct zr_end_request *request, struct zr_settlement_reply *reply)
{
    struct model_call *call = &model->calls[call_index];

    if (call->durable && (call->state == ZR_CALL_ENDED || call->state == ZR_CALL_ABANDONED)) {
        if (call->state == ZR_CALL_ENDED && !call->legs[call->legs_count - 1].ended) {
            return end_of_leg(model, call_index, call->legs_count - 1, request, reply);
        }
        if (call->state == ZR_CALL_ENDED) {
            settlement_fill(model, call_index, call->legs_count - 1, reply);
            return contradicts(model, call_index, call->legs_count - 1, request)
                       ? ZR_STATUS_SETTLEMENT_FINAL
                       : MODEL_REPEATED;
        }
        reply->state = call->state;
        reply->settlement = ZR_SETTLEMENT_NONE;
        return MODEL_REPEATED;
    }
    if (!call->durable && (!model_remembers(model, call) || call->exhausted) && ticket_index < 0) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (ticket_index >= 0 && call->tickets[ticket_index].query) {
        return ZR_STATUS_BAD_TICKET;
    }
    call->durable = true;
    call->state = ZR_CALL_ABANDONED;
    call->lease_contractor = -1;
    call->ringing = -1;
    reply->state = ZR_CALL_ABANDONED;
    reply->settlement = ZR_SETTLEMENT_NONE;
    return ZR_STATUS_OK;
}

/* END of an attempt that never sent its CONNECT settles by its ticket. */
static int
end_by_ticket(struct model *model, int call_index, int ticket_index,
              const struct zr_end_request *request, int *leg)
{
    struct model_call *call = &model->calls[call_index];
    const struct model_ticket *ticket;
    int leased;
    int status;

    if (ticket_index < 0) {
        return call->durable ? ZR_STATUS_NOT_CONNECTED : ZR_STATUS_NOT_FOUND;
    }
    ticket = &call->tickets[ticket_index];
    status = ticket_judge(model, call, ticket, request->index, request->answered_at_ms);
    if (status != ZR_STATUS_OK) {
        return status;
    }
    if (winner_of(call) >= 0) {
        return ZR_STATUS_ALREADY_CONNECTED;
    }
    leased = call->lease_contractor;
    *leg = leg_add(model, call_index, ticket, request->index);
    if (request->caller_stays && call->lease_contractor != leased) {
        call->lease_contractor = leased;
        model->known[MODEL_KNOWN_ROUTE]++;
    }
    call->legs[*leg].answered_ms = request->answered_at_ms;
    model_use(model, call->legs[*leg].contractor,
              &(struct model_usage){.time_ms = model->now_ms,
                                    .measure = ZR_CAP_MEASURE_SPEND,
                                    .call = call_index,
                                    .leg = *leg});
    return ZR_STATUS_OK;
}

/* The contractor that index and ticket name, or -1. */
static int
contractor_named(const struct model_call *call, int ticket_index, uint8_t index)
{
    const struct model_ticket *ticket;
    int place;

    if (ticket_index < 0) {
        for (int l = 0; l < call->legs_count; l++) {
            if (call->legs[l].index == index) {
                return call->legs[l].contractor;
            }
        }
        return -1;
    }
    ticket = &call->tickets[ticket_index];
    place = index - ticket->attempt;
    return place >= 0 && place < ticket->candidates_count ? ticket->candidates[place].contractor
                                                          : -1;
}

int
model_end(struct model *model, struct model_report report, const struct zr_end_request *request,
          struct zr_settlement_reply *reply, bool *duplicate)
{
    const int call_index = report.call;
    const int ticket_index = report.ticket;
    struct model_call *call = &model->calls[call_index];
    int status = ZR_STATUS_OK;
    int leg;

    *duplicate = false;
    if (request->index == NO_INDEX && call->connected < 0) {
        status = end_without_index(model, call_index, ticket_index, request, reply);
    } else {
        leg = request->index == NO_INDEX
                  ? call->connected
                  : leg_of(call, contractor_named(call, ticket_index, request->index));
        if (leg < 0) {
            status = end_by_ticket(model, call_index, ticket_index, request, &leg);
        }
        if (status == ZR_STATUS_OK) {
            status = end_of_leg(model, call_index, leg, request, reply);
        }
    }
    *duplicate = status == MODEL_REPEATED;
    return status == MODEL_REPEATED ? ZR_STATUS_OK : status;
}
