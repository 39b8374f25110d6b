/*
 * model_settlement.c - what a leg costs, and how long its talk counts as (M4, M5).
 *
 * The hard idea: a leg settles once, by whoever brings the proof first: QUALIFY, KEEPALIVE, END or
 * the sweep. The place and the caller that count are those of the ticket of the newest leg, until
 * the call was charged.
 */
#include "tests/model/lib/model.h"

enum { AHEAD_MS = 5000 };

bool
model_call_is_charged(const struct model_call *call)
{
    for (int l = 0; l < call->legs_count; l++) {
        if (call->legs[l].amount > 0) {
            return true;
        }
    }
    return false;
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
    if (model_call_is_charged(call)) {
        return ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED;
    }
    if (model_policy_of(model, call->charge_slot)->rules.screening_required &&
        !call->screened_leg) {
        return ZR_SETTLEMENT_FREE_UNSCREENED;
    }
    if (model_is_duplicate(model, call_index, leg_index)) {
        return ZR_SETTLEMENT_FREE_DUPLICATE;
    }
    return ZR_SETTLEMENT_CHARGED;
}

void
model_leg_settle(struct model *model, int call_index, int leg_index, bool voicemail)
{
    struct model_leg *leg = &model->calls[call_index].legs[leg_index];

    leg->settlement = verdict(model, call_index, leg_index, voicemail);
    if (leg->settlement == ZR_SETTLEMENT_CHARGED) {
        model_charge(model, call_index, leg_index);
    }
    leg->hold = 0;
    leg->settled_ms = model->now_ms;
    model_caps_judge(model, leg->contractor);
    model_call_event(model, ZR_EVENT_CALL_SETTLED, call_index, model->calls[call_index].charge_slot,
                     &(struct model_event){.contractor = leg->contractor,
                                           .amount = leg->amount,
                                           .code = leg->settlement});
}

/* A report above the ticket's age at that time is cut under CLIP. */
uint32_t
model_talk_cut(const struct model *model, int call_index, const struct model_leg *leg,
               uint32_t talk_ms, uint64_t at_ms)
{
    const struct zr_policy *policy =
        &model_policy_of(model, model->calls[call_index].charge_slot)->rules;
    const uint64_t age_ms = at_ms - leg->issued_ms + AHEAD_MS;

    return talk_ms > age_ms && policy->duration_check == ZR_DURATION_CLIP ? (uint32_t)age_ms
                                                                          : talk_ms;
}

/* The largest report counts; one above the ticket's age is flagged. */
void
model_talk_report(const struct model *model, int call_index, struct model_leg *leg,
                  uint32_t talk_ms)
{
    const uint32_t cut_ms = model_talk_cut(model, call_index, leg, talk_ms, model->now_ms);

    leg->flagged = leg->flagged || talk_ms > model->now_ms - leg->issued_ms + AHEAD_MS;
    leg->talk_ms = cut_ms > leg->talk_ms ? cut_ms : leg->talk_ms;
}
