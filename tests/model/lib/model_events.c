/*
 * model_events.c - what is told to whom, and the invariants that every step must keep.
 *
 * The hard idea: events are only noted for the step that is under way; the driver compares them
 * with the server's (compare_events.c) and forgets them. Those that find no room are counted.
 */
#include "tests/model/lib/model.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t
model_caller(int caller)
{
    return UINT64_C(14095550100) + (uint64_t)caller;
}

void
model_event(struct model *model, uint8_t type, const struct model_event *event)
{
    struct model_event *row;

    if (model->events_count == MODEL_EVENTS) {
        model->events_lost++;
        return;
    }
    row = &model->events[model->events_count++];
    *row = *event;
    row->type = type;
    row->time_ms = model->now_ms;
    if (row->tenant == 0 && row->contractor >= 0) {
        row->tenant = model->contractors[row->contractor].tenant;
    }
}

void
model_claim_event(struct model *model, uint8_t type, int claim, uint8_t code, uint64_t deadline_ms)
{
    const struct model_claim *row = &model->claims[claim];

    model_event(model, type,
                &(struct model_event){.contractor = row->contractor,
                                      .claim_id = row->id,
                                      .zip = model->slots[row->slot].zip,
                                      .category = model->slots[row->slot].category,
                                      .code = code,
                                      .deadline_ms = deadline_ms});
}

void
model_offer_event(struct model *model, uint8_t type, int slot_index)
{
    const struct model_slot *slot = &model->slots[slot_index];
    const struct model_claim *claim = &model->claims[slot->offer_claim];

    model_event(model, type,
                &(struct model_event){.contractor = claim->contractor,
                                      .claim_id = claim->id,
                                      .serial = slot->offer_stamp,
                                      .deadline_ms = slot->offer_deadline_ms,
                                      .zip = slot->zip,
                                      .category = slot->category});
}

void
model_call_event(struct model *model, uint8_t type, int call, int slot,
                 const struct model_event *event)
{
    struct model_event about = *event;

    about.call_count = call + 1;
    about.zip = model->slots[slot].zip;
    about.category = model->slots[slot].category;
    model_event(model, type, &about);
}

void
model_attempt_event(struct model *model, uint8_t type, int contractor, uint64_t serial,
                    uint8_t code)
{
    const struct model_autotopup *autotopup = &model->contractors[contractor].autotopup;

    model_event(model, type,
                &(struct model_event){.contractor = contractor,
                                      .serial = serial,
                                      .amount = autotopup->attempts[serial % MODEL_ATTEMPTS].amount,
                                      .code = code});
}

/* ---- invariants
 * ------------------------------------------------------------------------------------- */

static int
broken(const char *invariant, uint64_t where)
{
    (void)printf("model: %s is broken at %" PRIu64 "\n", invariant, where);
    return 1;
}

/* I2, I3: live claims stand by strictly increasing seq. I1 is by construction of the row. */
static int
claims_broken(const struct model *model)
{
    int count = 0;

    for (int i = 1; i < model->live_count; i++) {
        const struct model_claim *before = &model->claims[model->live[i - 1]];
        const struct model_claim *claim = &model->claims[model->live[i]];

        count += claim->seq <= before->seq ? broken("I2", claim->seq) : 0;
    }
    for (int i = 0; i < MODEL_SLOTS; i++) {
        const struct model_slot *slot = &model->slots[i];

        if (slot->primary >= 0 && (!model->claims[slot->primary].live || slot->offer_claim >= 0)) {
            count += broken("I1", (uint64_t)i);
        }
        if (slot->offer_claim >= 0 && !model->claims[slot->offer_claim].live) {
            count += broken("M2 offer", (uint64_t)i);
        }
    }
    return count;
}

/* I6..I9, I12: one connected leg, one charge a call at its ticket's rate, credits below it. */
static int
calls_broken(const struct model *model)
{
    int count = 0;

    for (int i = 0; i < model->calls_count; i++) {
        const struct model_call *call = &model->calls[i];
        int charged = 0;

        for (int l = 0; l < call->legs_count; l++) {
            const struct model_leg *leg = &call->legs[l];

            charged += leg->amount > 0;
            count += leg->amount > 0 && leg->amount != leg->rate ? broken("I8", (uint64_t)i) : 0;
            count += leg->credited > leg->amount ? broken("I12", (uint64_t)i) : 0;
            count += leg->hold != 0 && leg->settlement != ZR_SETTLEMENT_OPEN
                         ? broken("I6", (uint64_t)i)
                         : 0;
        }
        count += charged > 1 ? broken("I7", (uint64_t)i) : 0;
    }
    return count;
}

int
model_invariants(const struct model *model)
{
    int64_t sum = 0;
    int count = claims_broken(model) + calls_broken(model);

    for (int i = 0; i <= ZR_ACCOUNT_POOL; i++) {
        sum += model->network_accounts[i];
    }
    for (int i = 0; i < MODEL_CONTRACTORS; i++) {
        sum += model_posted(model, i);
    }
    return count + (sum != 0 ? broken("I10", (uint64_t)sum) : 0);
}
