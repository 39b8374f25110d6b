/*
 * model_duplicates.c - the caller who calls again within dup_days (R52, E49, E60, E61).
 *
 * The hard idea: of a caller the two newest charges of a category are remembered, once by
 * contractor and once for the whole network. More would be asked for only by a policy that is given
 * longer days afterwards. A charge that is credited in full is forgotten, and the one before it is
 * the newest again.
 */
#include "tests/model/lib/model.h"

enum { NETWORK = MODEL_CONTRACTORS };

static struct model_recent *
recent_of(struct model *model, const struct model_charge *charge, int contractor)
{
    return &model->recent[charge->caller - model_caller(0)][charge->category_index][contractor];
}

/* The newest charge that counts against that contractor in that slot. */
static const struct model_charge *
newest_of(const struct model *model, int slot, uint64_t caller, int contractor)
{
    int at;

    if (caller == 0) { /* Withheld: nobody is known by it (E51). */
        return NULL;
    }
    at = model->recent[caller - model_caller(0)][model->slots[slot].category_index][contractor]
             .newest;
    return at == 0 ? NULL : &model->charges[at - 1];
}

static bool
is_within(const struct model *model, int slot, const struct model_charge *charge, uint64_t at_ms)
{
    const uint32_t days = model_policy_of(model, slot)->rules.dup_days;

    return days > 0 && charge != NULL && at_ms <= charge->time_ms + days * MODEL_DAY_MS;
}

void
model_duplicates_charged(struct model *model, int charge)
{
    const struct model_charge *row = &model->charges[charge];
    const int whose[] = {row->contractor, NETWORK};

    for (int i = 0; row->caller != 0 && i < 2; i++) {
        struct model_recent *recent = recent_of(model, row, whose[i]);

        *recent = (struct model_recent){.newest = charge + 1, .before = recent->newest};
    }
}

void
model_duplicates_credited(struct model *model, int call, int leg)
{
    for (int i = 0; i < model->charges_count; i++) {
        const struct model_charge *row = &model->charges[i];
        const int whose[] = {row->contractor, NETWORK};

        for (int w = 0; row->call == call && row->leg == leg && row->caller != 0 && w < 2; w++) {
            struct model_recent *recent = recent_of(model, row, whose[w]);

            if (recent->newest == i + 1) {
                recent->newest = recent->before;
                recent->before = 0;
            } else if (recent->before == i + 1) {
                recent->before = 0;
            }
        }
    }
}

bool
model_is_duplicate(const struct model *model, int call_index, int leg_index)
{
    const struct model_call *call = &model->calls[call_index];
    const struct model_leg *leg = &call->legs[leg_index];
    const bool network =
        model_policy_of(model, call->charge_slot)->rules.dup_scope == ZR_DUP_PER_NETWORK;
    const struct model_charge *newest = newest_of(model, call->charge_slot, call->charge_caller,
                                                  network ? NETWORK : leg->contractor);

    return is_within(model, call->charge_slot, newest,
                     leg->connected_ms != 0 ? leg->connected_ms : model->now_ms);
}

bool
model_was_charged(const struct model *model, int slot, int contractor, uint64_t caller)
{
    return is_within(model, slot, newest_of(model, slot, caller, contractor), model->now_ms);
}

bool
model_is_provable_duplicate(const struct model *model, int call_index, int contractor)
{
    const struct model_call *call = &model->calls[call_index];
    const struct model_charge *newest =
        newest_of(model, call->charge_slot, call->charge_caller, contractor);
    const struct model_recent *recent;

    if (newest == NULL || newest->call != call_index) {
        return false; /* Of an older one nothing is remembered: somebody has to look. */
    }
    recent = &model->recent[newest->caller - model_caller(0)][newest->category_index][contractor];
    return recent->before != 0 && is_within(model, call->charge_slot,
                                            &model->charges[recent->before - 1], newest->time_ms);
}
