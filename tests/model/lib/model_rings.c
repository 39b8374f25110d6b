/*
 * model_rings.c - what a ring leaves behind: a lease, usage, and a miss (R35, R36, M3).
 *
 * The hard idea: a ring is told to the log when it begins only where a rule counts that, and when
 * it is missed always; what follows from either is counted in the order of the log.
 */
#include "tests/model/lib/model.h"

enum {
    LEASE_EXTRA_S = 5,
    DOWN_AFTER = 3, /* FAILED in a row. */
    DOWN_MINUTES = 5,
    MODE_APP = 2,
};

static bool
has_calls_cap(const struct model_contractor *who)
{
    for (int i = 0; i < who->caps.caps_count; i++) {
        if (who->caps.caps[i].measure == ZR_CAP_MEASURE_CALLS) {
            return true;
        }
    }
    return false;
}

/* The begin of a ring leaves no trace unless a rule counts it: then it is put into the log. */
static bool
ring_counts(const struct model *model, int contractor)
{
    const struct model_contractor *who = &model->contractors[contractor];

    return who->caps.spacing_s > 0 || (who->modes & MODE_APP) != 0 || has_calls_cap(who);
}

void
model_ring_begin(struct model *model, int call_index, const struct model_ticket *ticket)
{
    struct model_call *call = &model->calls[call_index];
    const int contractor = ticket->candidates[0].contractor;
    struct model_contractor *who = &model->contractors[contractor];

    call->lease_contractor = contractor;
    call->lease_rate = ticket->candidates[0].rate;
    call->lease_until_ms =
        model->now_ms + (uint64_t)(ticket->ring_timeout_s + LEASE_EXTRA_S) * MODEL_SECOND_MS;
    model_activate(model, call_index);
    if (!ring_counts(model, contractor)) {
        return;
    }
    who->last_ring_ms = model->now_ms;
    model_use(model, contractor,
              &(struct model_usage){
                  .time_ms = model->now_ms, .amount = 1, .measure = ZR_CAP_MEASURE_CALLS});
    model_call_event(model, ZR_EVENT_CALL_OFFERED, call_index, call->slot,
                     &(struct model_event){.contractor = contractor,
                                           .call_ref = ticket->reply.call_ref,
                                           .code = ticket->candidates[0].rank});
    model_caps_judge(model, contractor);
}

/* Misses in a row, where a policy rests whoever has them, and failures in a row. */
static void
misses_judge(struct model *model, int contractor, const struct model_policy *policy,
             uint8_t outcome)
{
    struct model_contractor *who = &model->contractors[contractor];

    who->failed_row = outcome == ZR_OUTCOME_FAILED ? (uint8_t)(who->failed_row + 1) : 0;
    who->misses = (uint8_t)(who->misses + (policy->cooldown_misses > 0));
    if (policy->cooldown_misses > 0 && who->misses >= policy->cooldown_misses) {
        who->misses = 0;
        who->cooldown_until_ms = model->now_ms + policy->cooldown_s * MODEL_SECOND_MS;
        model_event(
            model, ZR_EVENT_COOLDOWN,
            &(struct model_event){.contractor = contractor, .deadline_ms = who->cooldown_until_ms});
    }
    if (who->failed_row >= DOWN_AFTER) {
        who->failed_row = 0;
        who->down_until_ms = model->now_ms + DOWN_MINUTES * MODEL_MINUTE_MS;
        model_event(
            model, ZR_EVENT_DESTINATION_DOWN,
            &(struct model_event){.contractor = contractor, .deadline_ms = who->down_until_ms});
    }
}

/* Somebody did not pick up: noted behind the decision about who rings next. */
void
model_ring_missed(struct model *model, int call_index, int contractor, const struct zr_id *call_ref,
                  uint8_t outcome)
{
    const struct model_call *call = &model->calls[call_index];

    model_call_event(
        model, ZR_EVENT_CALL_MISSED, call_index, call->slot,
        &(struct model_event){.contractor = contractor, .call_ref = *call_ref, .code = outcome});
    misses_judge(model, contractor, model_policy_of(model, call->slot), outcome);
    model_ring_ended(model, contractor, false);
}
