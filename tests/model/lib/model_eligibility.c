/*
 * model_eligibility.c - who may be rung, every reason against it, one after another (M3).
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

/* ---- eligibility (M3)
 * ----------------------------------------------------------------------------- */

static bool
is_cap_reached(const struct model *model, int contractor, int call, int64_t rate)
{
    const struct model_contractor *who = &model->contractors[contractor];
    const int64_t leases = model_leases(model, contractor, call);
    const int64_t leased = model_leased(model, contractor, call);

    for (int i = 0; i < who->caps.caps_count; i++) {
        const struct zr_cap *cap = &who->caps.caps[i];
        const int64_t used = (int64_t)model_cap_used(model, contractor, cap);
        int64_t next = used + 1; /* A ring is in the log at once: no lease is still to come. */

        if (cap->measure == ZR_CAP_MEASURE_CONNECTS) {
            next = used + leases + 1;
        } else if (cap->measure == ZR_CAP_MEASURE_SPEND) {
            next = used + leased + rate;
        }
        if (next > (int64_t)cap->limit) {
            return true;
        }
    }
    return false;
}

static bool
is_in_phones(const struct zr_filters_put_request *filters, uint64_t caller)
{
    for (int i = 0; i < filters->blocked_count; i++) {
        if (filters->blocked[i].phone == caller && caller != 0) {
            return true;
        }
    }
    return false;
}

static bool
is_partner_refused(const struct zr_filters_put_request *filters, uint32_t tenant)
{
    bool listed = false;

    for (int i = 0; i < filters->partners_count; i++) {
        listed = listed || filters->partners[i].tenant == tenant;
    }
    return (filters->partners_rule == 1 && !listed) || (filters->partners_rule == 2 && listed);
}

static uint32_t
reasons_of_filters(const struct model *model, int call_index, int contractor)
{
    const struct model_call *call = &model->calls[call_index];
    const struct zr_filters_put_request *filters = &model->contractors[contractor].filters;
    uint32_t bits = 0;

    bits |= is_in_phones(filters, call->caller) ? 1U << 11 : 0;
    bits |= filters->no_duplicates && model_was_charged(model, call->slot, contractor, call->caller)
                ? 1U << 12
                : 0;
    bits |= is_partner_refused(filters, call->tenant) ? 1U << 14 : 0;
    bits |= filters->attestation_min > 0 &&
                    (call->attestation == 0 || call->attestation > filters->attestation_min)
                ? 1U << 17
                : 0;
    return bits;
}

static bool
is_down(const struct model *model, const struct model_contractor *who)
{
    const unsigned all = (1U << who->phones_count) - 1;
    const bool uses_phones = who->modes == 0 || (who->modes & 1) != 0; /* An app has none. */

    return (uses_phones && (who->phones_down & all) == all) || model->now_ms < who->down_until_ms;
}

/* All but what the call brings along. */
static uint32_t
reasons_of_claim(const struct model *model, int call, int claim)
{
    const struct model_claim *row = &model->claims[claim];
    const int contractor = row->contractor;
    const struct model_contractor *who = &model->contractors[contractor];
    const struct model_policy *policy = model_policy_of(model, row->slot);
    const int64_t rate = model_claim_rate(model, claim);
    const int64_t needed =
        policy->rules.funds_rule == ZR_FUNDS_MAX_RATE ? model_dearest(model, contractor) : rate;
    const uint8_t modes = who->modes == 0 ? 1 : who->modes;
    uint32_t bits = model_schedule_reasons(model, contractor);

    bits |= who->status != ZR_CONTRACTOR_APPROVED ||
                    (who->licence_ms != 0 && model->now_ms >= who->licence_ms)
                ? 1U << 0
                : 0;
    bits |= row->paused.on || who->paused.on ? 1U << 2 : 0;
    bits |= model_available(model, contractor) - model_leased(model, contractor, call) < needed
                ? 1U << 5
                : 0;
    bits |= model_units(model, contractor) + model_leases(model, contractor, call) >=
                    who->max_concurrency
                ? 1U << 6
                : 0;
    bits |= is_cap_reached(model, contractor, call, rate) ? 1U << 7 : 0;
    bits |= who->caps.spacing_s > 0 && who->last_ring_ms != 0 &&
                    model->now_ms < who->last_ring_ms + who->caps.spacing_s * MODEL_SECOND_MS
                ? 1U << 8
                : 0;
    bits |= model->now_ms < who->cooldown_until_ms ? 1U << 9 : 0;
    bits |= is_down(model, who) ? 1U << 13 : 0;
    bits |= (modes & 3) == 0 ? 1U << 16 : 0;
    return bits;
}

bool
model_may_ring(const struct model *model, int claim)
{
    return reasons_of_claim(model, -1, claim) == 0;
}

uint32_t
model_reasons(const struct model *model, int call, int claim)
{
    const struct model_claim *row = &model->claims[claim];
    const struct model_policy *policy = model_policy_of(model, row->slot);

    return reasons_of_claim(model, call, claim) |
           (policy->rules.screening_required && !model->calls[call].screened ? 1U << 15 : 0) |
           reasons_of_filters(model, call, row->contractor);
}
