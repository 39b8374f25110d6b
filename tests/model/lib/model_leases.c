/*
 * model_leases.c - who rings and who talks: soft reservations and concurrency units (M3).
 */
#include "tests/model/lib/model.h"

#include <string.h>

enum {
    TICKET_EXTRA_S = 30,
    LEASE_EXTRA_S = 5,
    DOWN_AFTER = 3, /* FAILED in a row. */
    DOWN_MINUTES = 5,
    ADDRESS_CONFIRMED = 1,
    HOLD = 2,
};

/* ---- leases and units --------------------------------------------------------------------------
 */

static bool
lease_is_live(const struct model *model, const struct model_call *call)
{
    return call->lease_contractor >= 0 && model->now_ms < call->lease_until_ms;
}

int
model_leases(const struct model *model, int contractor, int except_call)
{
    int count = 0;

    for (int i = 0; i < model->active_count; i++) {
        const struct model_call *call = &model->calls[model->active[i]];

        count += model->active[i] != except_call && call->lease_contractor == contractor &&
                 lease_is_live(model, call);
    }
    return count;
}

int64_t
model_leased(const struct model *model, int contractor, int except_call)
{
    int64_t sum = 0;

    for (int i = 0; i < model->active_count; i++) {
        const struct model_call *call = &model->calls[model->active[i]];

        if (model->active[i] != except_call && call->lease_contractor == contractor &&
            lease_is_live(model, call)) {
            sum += call->lease_rate;
        }
    }
    return sum;
}

int
model_units(const struct model *model, int contractor)
{
    int count = 0;

    for (int i = 0; i < model->active_count; i++) {
        const struct model_call *call = &model->calls[model->active[i]];

        for (int l = 0; l < call->legs_count; l++) {
            const struct model_leg *leg = &call->legs[l];

            count += leg->contractor == contractor && leg->unit &&
                     model->now_ms < leg->alive_ms + leg->ttl_ms;
        }
    }
    return count;
}

/* Calls that hold nothing any more need not be looked at again. */
static void
active_trim(struct model *model)
{
    int kept = 0;

    for (int i = 0; i < model->active_count; i++) {
        const int index = model->active[i];
        const struct model_call *call = &model->calls[index];
        bool needed = lease_is_live(model, call);

        for (int l = 0; l < call->legs_count; l++) {
            const struct model_leg *leg = &call->legs[l];

            needed = needed || (!leg->ended && !leg->swept) || leg->hold != 0 ||
                     (leg->unit && model->now_ms < leg->alive_ms + leg->ttl_ms);
        }
        if (needed) {
            model->active[kept++] = index;
        }
    }
    model->active_count = kept;
}

void
model_activate(struct model *model, int call)
{
    active_trim(model);
    for (int i = 0; i < model->active_count; i++) {
        if (model->active[i] == call) {
            return;
        }
    }
    model->active[model->active_count++] = call;
}

int
model_newest(const struct model_call *call)
{
    int at = call->tickets_count - 1;

    while (at >= 0 && call->tickets[at].revision != call->revision) {
        at--;
    }
    return at;
}

bool
model_has_newest(const struct model *model, const struct model_call *call)
{
    return model_remembers(model, call) && model_newest(call) >= 0;
}

bool
model_remembers(const struct model *model, const struct model_call *call)
{
    return call->remembered && call->tickets_count > 0 &&
           model->now_ms < call->tickets[call->tickets_count - 1].expires_ms;
}
