/*
 * model_end.c - END (M4).
 *
 * The hard idea: an END comes late, twice, without its CONNECT or after the sweep, and every shape
 * has one answer: what was settled, and whether these facts alone would have said otherwise.
 */
#include "tests/model/lib/model.h"

enum { LATE_DAYS = 7, NO_INDEX = 255 };

/*
 * The new facts alone would have settled it otherwise. What was cut at the END is cut there again,
 * and what that END said, though it changed nothing, it may say again.
 */
static bool
contradicts(const struct model *model, int call_index, int leg_index,
            const struct zr_end_request *request)
{
    const struct model_leg *leg = &model->calls[call_index].legs[leg_index];
    const uint64_t at_ms = leg->flagged ? leg->ended_ms : model->now_ms;
    const bool is_short =
        model_talk_cut(model, call_index, leg, request->talk_ms, at_ms) < leg->qualify_ms;

    if (leg->settlement == ZR_SETTLEMENT_FREE_VOICEMAIL ||
        (leg->settlement == ZR_SETTLEMENT_CREDITED && leg->voicemail)) {
        return !request->voicemail;
    }
    if (request->voicemail) {
        return !leg->end_voicemail;
    }
    return is_short != (leg->settlement == ZR_SETTLEMENT_FREE_SHORT) && is_short != leg->end_short;
}

static void
leg_end(struct model *model, int call_index, int leg_index, const struct zr_end_request *request)
{
    struct model_call *call = &model->calls[call_index];
    struct model_leg *leg = &call->legs[leg_index];
    const bool is_over = call->state == ZR_CALL_ABANDONED || call->state == ZR_CALL_ENDED;

    model_talk_report(model, call_index, leg, request->talk_ms);
    leg->ended = true;
    leg->ended_ms = model->now_ms;
    leg->unit = false;
    leg->end_voicemail = request->voicemail;
    leg->end_short =
        model_talk_cut(model, call_index, leg, request->talk_ms, model->now_ms) < leg->qualify_ms;
    if (leg->settlement == ZR_SETTLEMENT_OPEN || leg->settlement == ZR_SETTLEMENT_STALE_VOID) {
        model_leg_settle(model, call_index, leg_index, request->voicemail);
    } else { /* By a QUALIFY that had said more, or by the sweep. */
        leg->short_end = leg->end_short;
        leg->flagged = leg->flagged || leg->short_end;
        leg->voicemail = request->voicemail;
        if (request->voicemail && leg->settlement == ZR_SETTLEMENT_CHARGED) {
            model_credit_back(model, call_index, leg_index, leg->amount - leg->credited);
            model_call_event(model, ZR_EVENT_CALL_SETTLED, call_index, call->charge_slot,
                             &(struct model_event){.contractor = leg->contractor,
                                                   .amount = leg->amount - leg->credited,
                                                   .code = leg->settlement});
        }
    }
    if (call->connected == leg_index) {
        call->connected = -1;
    }
    if (call->connected < 0) { /* Another leg may talk on: this END came late. */
        call->state = request->caller_stays && !is_over ? ZR_CALL_RINGING : ZR_CALL_ENDED;
    }
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
        model_settlement_fill(model, call_index, leg, reply);
        return contradicts(model, call_index, leg, request) ? ZR_STATUS_SETTLEMENT_FINAL
                                                            : MODEL_REPEATED;
    }
    if (row->settlement == ZR_SETTLEMENT_STALE_VOID && is_late(model, row)) {
        if (!row->late_told) {
            row->late_told = true;
            model_call_event(model, ZR_EVENT_RECONCILE, call_index, call->charge_slot,
                             &(struct model_event){.contractor = row->contractor,
                                                   .tenant = call->tenant,
                                                   .code = row->settlement});
        }
        return ZR_STATUS_TOO_LATE;
    }
    leg_end(model, call_index, leg, request);
    model_settlement_fill(model, call_index, leg, reply);
    model_settle(model);
    return ZR_STATUS_OK;
}

/* The END again of a leg after which the caller stayed. */
static bool
is_leg_again(const struct model_call *call, const struct zr_end_request *request)
{
    return request->index == NO_INDEX && request->caller_stays && call->durable &&
           call->connected < 0 && call->state == ZR_CALL_RINGING && call->legs_count > 0;
}

/* END without an index: the connected leg, or the caller gave up while it rang. */
static int
end_without_index(struct model *model, int call_index, int ticket_index,
                  const struct zr_end_request *request, struct zr_settlement_reply *reply)
{
    struct model_call *call = &model->calls[call_index];

    if (call->durable && call->state == ZR_CALL_ENDED) {
        return end_of_leg(model, call_index, call->legs_count - 1, request, reply);
    }
    if (call->durable && call->state == ZR_CALL_ABANDONED) {
        reply->state = call->state;
        reply->settlement = ZR_SETTLEMENT_NONE;
        return MODEL_REPEATED;
    }
    if (!call->durable) { /* Else it has its row. */
        const int ticket = ticket_index >= 0 ? ticket_index : model_newest(call);

        if (ticket_index < 0 && !model_has_newest(model, call)) {
            return ZR_STATUS_NOT_FOUND;
        }
        model_call_begin(call, &call->tickets[ticket]);
    }
    call->state = ZR_CALL_ABANDONED;
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
    int status;

    if (ticket_index < 0) {
        return call->durable ? ZR_STATUS_NOT_CONNECTED : ZR_STATUS_NOT_FOUND;
    }
    ticket = &call->tickets[ticket_index];
    status = model_ticket_judge(model, ticket, request->index, request->answered_at_ms);
    if (status != ZR_STATUS_OK) {
        return status;
    }
    if (call->legs_count == MODEL_LEGS) {
        return ZR_STATUS_EXHAUSTED;
    }
    *leg = model_leg_add(model, call_index, ticket, request->index);
    call->legs[*leg].answered_ms =
        request->answered_at_ms != 0 ? request->answered_at_ms : model->now_ms;
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
    int leg = -1;

    *duplicate = false;
    if (ticket_index >= 0 && call->tickets[ticket_index].query) {
        return ZR_STATUS_BAD_TICKET;
    }
    if (is_leg_again(call, request)) {
        leg = call->legs_count - 1;
        status = end_of_leg(model, call_index, leg, request, reply);
    } else if (request->index == NO_INDEX && call->connected < 0) {
        status = end_without_index(model, call_index, ticket_index, request, reply);
    } else {
        leg = request->index == NO_INDEX
                  ? call->connected
                  : model_leg_of(call, contractor_named(call, ticket_index, request->index));
        if (leg < 0) {
            status = end_by_ticket(model, call_index, ticket_index, request, &leg);
        }
        if (status == ZR_STATUS_OK) {
            status = end_of_leg(model, call_index, leg, request, reply);
        }
    }
    if (status == ZR_STATUS_OK || status == MODEL_REPEATED ||
        status == ZR_STATUS_SETTLEMENT_FINAL) {
        model_report_done(call, call->state, leg);
    }
    if (status == ZR_STATUS_OK && ticket_index >= 0) {
        model_decision_carry(model, &call->tickets[ticket_index]);
    }
    *duplicate = status == MODEL_REPEATED;
    return status == MODEL_REPEATED ? ZR_STATUS_OK : status;
}
