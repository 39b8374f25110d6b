/*
 * model_sweep.c - DECLINE, and calls whose END never came (M4, R35).
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

/* ---- DECLINE, the sweep
 * ----------------------------------------------------------------------------------- */

int
model_decline(struct model *model, int call_index, const struct zr_decline_request *request,
              bool *duplicate)
{
    struct model_call *call = &model->calls[call_index];
    const int contractor = model_contractor_at(model, request->contractor);

    *duplicate = false;
    for (int i = 0; i < call->decliners_count; i++) {
        *duplicate = *duplicate || call->decliners[i] == contractor;
    }
    if (*duplicate) {
        return ZR_STATUS_OK;
    }
    if (call->lease_contractor != contractor || model->now_ms >= call->lease_until_ms) {
        return ZR_STATUS_NOT_RINGING;
    }
    call->decliners[call->decliners_count++] = contractor;
    model_silence(call); /* The switch is told. */
    model_call_event(model, ZR_EVENT_CALL_DECLINED, call_index, call->slot,
                     &(struct model_event){.contractor = contractor,
                                           .tenant = call->tenant,
                                           .call_ref = request->call_ref,
                                           .number = call->tickets[call->tickets_count - 1].attempt,
                                           .code = ZR_OUTCOME_DECLINED});
    return ZR_STATUS_OK;
}

/* max_call_s without an END: proven talk was charged already; else the hold is void (M4). */
void
model_sweep(struct model *model, int call_index, int leg_index)
{
    struct model_call *call = &model->calls[call_index];
    struct model_leg *leg = &call->legs[leg_index];

    leg->swept = true;
    leg->ended_ms = model->now_ms;
    leg->unit = false;
    leg->hold = 0;
    model_caps_judge(model, leg->contractor);
    if (leg->settlement == ZR_SETTLEMENT_OPEN) {
        leg->settlement = ZR_SETTLEMENT_STALE_VOID;
        model_call_event(
            model, ZR_EVENT_CALL_SETTLED, call_index, call->charge_slot,
            &(struct model_event){.contractor = leg->contractor, .code = ZR_SETTLEMENT_STALE_VOID});
        model_call_event(model, ZR_EVENT_RECONCILE, call_index, call->charge_slot,
                         &(struct model_event){.contractor = leg->contractor,
                                               .tenant = call->tenant,
                                               .code = leg->settlement});
    }
    if (call->connected == leg_index) {
        call->connected = -1;
        call->state = ZR_CALL_ENDED;
    }
    if (leg->settlement != ZR_SETTLEMENT_STALE_VOID) { /* Its proof stands for an END. */
        leg->end_short = leg->talk_ms < leg->qualify_ms;
    }
    model_wallet_touched(model, leg->contractor);
}
