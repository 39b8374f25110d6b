/*
 * model_people.c - RELEASE, PAUSE and RESUME, and what an ADMIN says of a contractor (M2).
 *
 * The hard idea: a wish that is already true is answered OK and DUPLICATE and changes nothing, so
 * every function first looks whether there is anything left to do.
 */
#include "tests/model/lib/model.h"

enum { SUSPENDED_DAYS = 14, LICENCE_DAYS = 30 };

/* The claim of that id, of a contractor of this tenant; 0 = an ADMIN's. */
static int
claim_at(const struct model *model, uint32_t tenant, uint64_t id)
{
    for (int i = 0; i < model->claims_count; i++) {
        const struct model_claim *claim = &model->claims[i];

        if (claim->id == id &&
            (tenant == 0 || model->contractors[claim->contractor].tenant == tenant)) {
            return i;
        }
    }
    return -1;
}

static void
state_fill(const struct model *model, int claim, struct zr_claim_state_reply *reply)
{
    const struct model_claim *row = &model->claims[claim];

    reply->claim_id = row->id;
    reply->contractor = model->contractors[row->contractor].number;
    reply->state = model_claim_state(model, claim);
    reply->period_end_ms = row->live ? row->period_end_ms : 0;
}

/* The title passed on in the same instant (window 0), or 0. */
static uint64_t
promoted(const struct model *model, int claim)
{
    const int primary = model->slots[model->claims[claim].slot].primary;

    return primary >= 0 && primary != claim ? model->claims[primary].id : 0;
}

static void
lapse(struct model *model, int claim)
{
    struct model_claim *row = &model->claims[claim];
    const int zone = model->contractors[row->contractor].zone;

    row->period_end_ms = model_period_end(zone, row->claimed_ms, model->now_ms);
    row->period_stamp = ++model->stamp;
    if (model->slots[row->slot].offer_claim == claim) {
        model_offers_cancel_of(model, row->slot);
    }
}

int
model_release(struct model *model, uint32_t tenant, const struct zr_release_request *request,
              struct zr_claim_state_reply *reply, bool *duplicate)
{
    const int claim = claim_at(model, tenant, request->claim_id);
    bool was_primary;

    *duplicate = false;
    if (claim < 0) {
        return ZR_STATUS_NOT_FOUND;
    }
    was_primary = model->slots[model->claims[claim].slot].primary == claim;
    if (!model->claims[claim].live ||
        (request->when == ZR_RELEASE_PERIOD_END && model->claims[claim].period_end_ms != 0)) {
        *duplicate = true;
    } else if (request->when == ZR_RELEASE_PERIOD_END) {
        lapse(model, claim);
    } else {
        model_claim_end(model, claim, ZR_CLAIM_RELEASED, ZR_CLAIM_RELEASED);
        reply->promoted_claim_id = was_primary ? promoted(model, claim) : 0;
    }
    state_fill(model, claim, reply);
    model_settle(model);
    return ZR_STATUS_OK;
}

/* ---- PAUSE, RESUME
 * -------------------------------------------------------------------------------- */

static int
pause_contractor(struct model *model, uint32_t tenant, const struct zr_pause_request *request,
                 struct zr_claim_state_reply *reply)
{
    const int contractor = model_contractor_at(model, request->contractor);
    struct model_contractor *who = &model->contractors[contractor];

    if (tenant != 0 && who->tenant != tenant) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (!who->paused.on) { /* Setting a state is no repeat: never DUPLICATE. */
        model_pause(model, &who->paused, model->network.rules.pause_grace_s * MODEL_SECOND_MS);
        model_event(model, ZR_EVENT_PAUSED,
                    &(struct model_event){.contractor = contractor,
                                          .deadline_ms = who->paused.deadline_ms});
    }
    reply->contractor = who->number;
    reply->state = ZR_CLAIM_PAUSED;
    reply->grace_deadline_ms = who->paused.deadline_ms;
    model_settle(model);
    return ZR_STATUS_OK;
}

int
model_pause_claim(struct model *model, uint32_t tenant, const struct zr_pause_request *request,
                  struct zr_claim_state_reply *reply, bool *duplicate)
{
    const int claim = claim_at(model, tenant, request->claim_id);
    struct model_claim *row;
    uint32_t grace_s;

    *duplicate = false;
    if (request->claim_id == 0) {
        return pause_contractor(model, tenant, request, reply);
    }
    if (claim < 0) {
        return ZR_STATUS_NOT_FOUND;
    }
    row = &model->claims[claim];
    if (!row->live) {
        state_fill(model, claim, reply);
        return ZR_STATUS_CLAIM_ENDED;
    }
    grace_s = model_policy_of(model, row->slot)->rules.pause_grace_s;
    if (!row->paused.on) {
        model_pause(model, &row->paused, grace_s * MODEL_SECOND_MS);
        model_claim_event(model, ZR_EVENT_PAUSED, claim, 0, row->paused.deadline_ms);
    }
    state_fill(model, claim, reply);
    reply->grace_deadline_ms = row->paused.deadline_ms;
    model_settle(model);
    return ZR_STATUS_OK;
}

/* The clock is kept: resuming for less than seven days continues it. */
static void
condition_lift(struct model *model, struct model_condition *condition)
{
    condition->on = false;
    condition->lifted_ms = model->now_ms;
}

int
model_resume_claim(struct model *model, uint32_t tenant, const struct zr_resume_request *request,
                   struct zr_claim_state_reply *reply, bool *duplicate)
{
    const int claim = claim_at(model, tenant, request->claim_id);
    const int contractor = request->claim_id == 0
                               ? model_contractor_at(model, request->contractor)
                               : (claim >= 0 ? model->claims[claim].contractor : -1);
    struct model_condition *condition;

    *duplicate = false;
    if (contractor < 0 || (tenant != 0 && model->contractors[contractor].tenant != tenant)) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (claim >= 0 && !model->claims[claim].live) {
        state_fill(model, claim, reply);
        return ZR_STATUS_CLAIM_ENDED;
    }
    condition = claim < 0 ? &model->contractors[contractor].paused : &model->claims[claim].paused;
    if (condition->on) {
        condition_lift(model, condition);
        if (claim >= 0) {
            model_claim_event(model, ZR_EVENT_RESUMED, claim, 0, 0);
        } else {
            model_event(model, ZR_EVENT_RESUMED, &(struct model_event){.contractor = contractor});
        }
    }
    reply->contractor = model->contractors[contractor].number;
    reply->state = ZR_CLAIM_LIVE;
    if (request->claim_id != 0) {
        state_fill(model, claim, reply);
    }
    model_settle(model);
    return ZR_STATUS_OK;
}

/* ---- CONTRACTOR_STATUS
 * ------------------------------------------------------------------------------ */

static void
licence_set(struct model *model, struct model_contractor *who, uint64_t licence_ms)
{
    if (who->licence_ms == licence_ms) {
        return;
    }
    who->licence_ms = licence_ms;
    who->licence_stamp = ++model->stamp;
    if (licence_ms == 0 || licence_ms > model->now_ms) {
        model_condition_clear(&who->licence);
    } else {
        model_condition_set(model, &who->licence, licence_ms + LICENCE_DAYS * MODEL_DAY_MS,
                            LICENCE_DAYS * MODEL_DAY_MS);
    }
}

int
model_status(struct model *model, const struct zr_contractor_status_request *request)
{
    const int contractor = model_contractor_at(model, request->contractor);
    struct model_contractor *who = &model->contractors[contractor];
    const bool closes = request->contractor_status == ZR_CONTRACTOR_CLOSING;
    const bool closing = who->status == ZR_CONTRACTOR_CLOSING;

    if (who->status == ZR_CONTRACTOR_CLOSED || (closing && !closes)) {
        return ZR_STATUS_ACCOUNT_CLOSED;
    }
    licence_set(model, who, request->licence_expires_ms);
    if (request->contractor_status == ZR_CONTRACTOR_SUSPENDED && !who->suspended.on) {
        model_condition_set(model, &who->suspended, model->now_ms + SUSPENDED_DAYS * MODEL_DAY_MS,
                            SUSPENDED_DAYS * MODEL_DAY_MS);
    } else if (request->contractor_status == ZR_CONTRACTOR_APPROVED) {
        model_condition_clear(&who->suspended);
    }
    who->status = request->contractor_status;
    if (who->status == ZR_CONTRACTOR_SUSPENDED) {
        model_offers_cancel(model, contractor);
    } else if (closes && !closing) { /* Said again it is on its way already. */
        model_close(model, contractor);
    }
    model_settle(model);
    return ZR_STATUS_OK;
}
