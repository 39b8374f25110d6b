/*
 * model_topup.c - the automatic top-up with its back-off, and disputes (R65, M5).
 *
 * The hard idea: one attempt at a time. An attempt is asked for by an event, and whatever its
 * result is, the next step is decided in the same instant: the next method, a later hour, or the
 * end of trying.
 */
#include "tests/model/lib/model.h"

#include <string.h>

/* ---- asking -------------------------------------------------------------------------------------
 */

int64_t
model_month_cents(const struct model *model, int contractor)
{
    const struct model_contractor *who = &model->contractors[contractor];
    const struct model_autotopup *autotopup = &who->autotopup;
    int64_t sum = autotopup->state == ZR_TOPUP_STATE_PENDING ? autotopup->pending : 0;
    uint64_t now;
    uint64_t then;
    uint64_t end;

    model_window(who->zone, ZR_CAP_WINDOW_MONTH, model->now_ms, &now, &end);
    for (int i = 0; i < autotopup->credited_count; i++) {
        model_window(who->zone, ZR_CAP_WINDOW_MONTH, autotopup->credited[i].time_ms, &then, &end);
        sum += then == now ? autotopup->credited[i].amount : 0;
    }
    return sum;
}

/* The first instant of the next local month. */
static uint64_t
month_end_ms(const struct model *model, int contractor)
{
    const int zone = model->contractors[contractor].zone;
    int year;
    int month;
    int month_day;

    model_date(model_local_ms(zone, model->now_ms) / MODEL_DAY_MS, &year, &month, &month_day);
    return model_midnight_ms(zone, month == 12 ? model_day(year + 1, 1, 1)
                                               : model_day(year, month + 1, 1));
}

/* Ask with the method whose turn it is, if money is short and the month allows it. */
void
model_topup_try(struct model *model, int contractor)
{
    struct model_contractor *who = &model->contractors[contractor];
    struct model_autotopup *autotopup = &who->autotopup;
    uint64_t month;
    uint64_t end;

    if (autotopup->retry_due && autotopup->retry_ms <= model->now_ms) {
        autotopup->state = ZR_TOPUP_STATE_IDLE;
    }
    autotopup->retry_due = false;
    if (!autotopup->enabled || who->status == ZR_CONTRACTOR_CLOSING ||
        who->status == ZR_CONTRACTOR_CLOSED ||
        model_available(model, contractor) >= autotopup->threshold) {
        return;
    }
    model_window(who->zone, ZR_CAP_WINDOW_MONTH, model->now_ms, &month, &end);
    if (autotopup->monthly_max != 0 &&
        model_month_cents(model, contractor) + autotopup->amount > autotopup->monthly_max) {
        autotopup->retry_ms = month_end_ms(model, contractor); /* Asked again then. */
        autotopup->retry_due = true;
        autotopup->stamp = ++model->stamp;
        if (autotopup->limit_month != month) {
            autotopup->limit_month = month;
            model_event(model, ZR_EVENT_TOPUP_LIMIT,
                        &(struct model_event){.contractor = contractor,
                                              .deadline_ms = autotopup->retry_ms,
                                              .amount = autotopup->monthly_max});
        }
        return;
    }
    autotopup->state = ZR_TOPUP_STATE_PENDING;
    autotopup->pending = autotopup->amount;
    autotopup->attempt++;
    autotopup->attempts[autotopup->attempt % MODEL_ATTEMPTS] =
        (struct model_attempt){.amount = autotopup->amount};
    model_attempt_event(model, ZR_EVENT_TOPUP_REQUESTED, contractor, autotopup->attempt,
                        autotopup->method);
}

int
model_autotopup_put(struct model *model, const struct zr_autotopup_put_request *request)
{
    const int contractor = model_contractor_at(model, request->contractor);
    struct model_autotopup *autotopup = &model->contractors[contractor].autotopup;

    if (request->expected_version != autotopup->version) {
        return ZR_STATUS_VERSION_CONFLICT;
    }
    if (model->contractors[contractor].status == ZR_CONTRACTOR_CLOSING ||
        model->contractors[contractor].status == ZR_CONTRACTOR_CLOSED) {
        return ZR_STATUS_ACCOUNT_CLOSED;
    }
    autotopup->version++;
    autotopup->enabled = request->enabled;
    autotopup->threshold = request->threshold_cents;
    autotopup->amount = request->amount_cents;
    autotopup->monthly_max = request->monthly_max_cents;
    autotopup->methods_count = request->methods_count;
    autotopup->failures = 0;
    autotopup->method = 0;
    autotopup->round = 0;
    autotopup->retry_due = false;
    autotopup->retry_ms = 0;
    autotopup->state = request->enabled ? ZR_TOPUP_STATE_IDLE : ZR_TOPUP_STATE_DISABLED;
    model_topup_try(model, contractor);
    model_settle(model);
    return ZR_STATUS_OK;
}

/* ---- results
 * --------------------------------------------------------------------------------------- */

/* The next method at once; behind the last one +1 h, +24 h, and then no more. */
static void
attempt_failed(struct model *model, int contractor)
{
    struct model_autotopup *autotopup = &model->contractors[contractor].autotopup;

    autotopup->failures++;
    autotopup->method++;
    autotopup->state = ZR_TOPUP_STATE_FAILED;
    if (autotopup->method < autotopup->methods_count) {
        autotopup->state = ZR_TOPUP_STATE_IDLE; /* Asked at once, if money is still short. */
        model_topup_try(model, contractor);
        return;
    }
    autotopup->method = 0;
    if (autotopup->round < 2) {
        autotopup->retry_ms =
            model->now_ms + (autotopup->round == 0 ? MODEL_HOUR_MS : MODEL_DAY_MS);
        autotopup->retry_due = true;
        autotopup->stamp = ++model->stamp;
        autotopup->round++;
        return;
    }
    autotopup->state = ZR_TOPUP_STATE_DISABLED;
    autotopup->enabled = false;
    model_attempt_event(model, ZR_EVENT_TOPUP_FAILED, contractor, autotopup->attempt,
                        autotopup->failures);
}

/* attempt: serial of the attempt that the result is of, as the model counted it. */
int
model_topup_result(struct model *model, int contractor, uint64_t attempt,
                   const struct zr_topup_result_request *request, bool *duplicate)
{
    struct model_autotopup *autotopup = &model->contractors[contractor].autotopup;
    struct model_attempt *row = &autotopup->attempts[attempt % MODEL_ATTEMPTS];
    const bool is_current =
        attempt == autotopup->attempt && autotopup->state == ZR_TOPUP_STATE_PENDING;

    *duplicate = row->answered && (row->ok || !request->ok);
    if (*duplicate) {
        return ZR_STATUS_OK;
    }
    if (request->ok && (model->contractors[contractor].status == ZR_CONTRACTOR_CLOSING ||
                        model->contractors[contractor].status == ZR_CONTRACTOR_CLOSED)) {
        return ZR_STATUS_ACCOUNT_CLOSED; /* As for a TOPUP: the payments client gives it back. */
    }
    row->answered = true;
    row->ok = request->ok;
    if (!request->ok) {
        attempt_failed(model, contractor);
        model_settle(model);
        return ZR_STATUS_OK;
    }
    if (autotopup->credited_count < 64) {
        autotopup->credited[autotopup->credited_count].time_ms = model->now_ms;
        autotopup->credited[autotopup->credited_count++].amount = row->amount;
    }
    if (is_current || autotopup->state != ZR_TOPUP_STATE_PENDING) {
        autotopup->state = autotopup->enabled ? ZR_TOPUP_STATE_IDLE : ZR_TOPUP_STATE_DISABLED;
        autotopup->failures = 0;
        autotopup->method = 0;
        autotopup->round = 0;
    }
    model_topup_credit(model, contractor, request->provider_ref, row->amount);
    model_attempt_event(model, ZR_EVENT_TOPUP_DONE, contractor, attempt, 0);
    model_wallet_touched(model, contractor);
    model_settle(model);
    return ZR_STATUS_OK;
}

/* ---- disputes
 * ----------------------------------------------------------------------------------------- */

/* The leg that was charged to this contractor in the call of that name. */
static struct model_leg *
leg_find(struct model *model, const struct zr_id *call_ref, int contractor, int *call, int *leg)
{
    for (int i = 0; i < model->calls_count; i++) {
        if (memcmp(&model->calls[i].call_ref, call_ref, sizeof *call_ref) != 0) {
            continue;
        }
        for (int l = 0; l < model->calls[i].legs_count; l++) {
            if (model->calls[i].legs[l].contractor == contractor &&
                model->calls[i].legs[l].amount > 0) {
                *call = i;
                *leg = l;
                return &model->calls[i].legs[l];
            }
        }
    }
    return NULL;
}

static void
dispute_fill(const struct model *model, const struct model_leg *leg, struct zr_dispute_reply *reply)
{
    reply->contractor = model->contractors[leg->contractor].number;
    reply->opened_ms = leg->dispute.opened_ms;
    reply->resolved_ms = leg->dispute.resolved_ms;
    reply->charge_cents = leg->amount;
    reply->credited_cents = leg->dispute.resolved_cents;
    reply->state = leg->dispute.state;
    reply->reason = leg->dispute.reason;
}

int
model_dispute_open(struct model *model, const struct zr_dispute_open_request *request,
                   struct zr_dispute_reply *reply)
{
    const int contractor = model_contractor_at(model, request->contractor);
    int call = -1;
    int index = -1;
    struct model_leg *leg = leg_find(model, &request->call_ref, contractor, &call, &index);
    uint64_t window_ms;
    bool provable;

    if (leg == NULL) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (leg->dispute.opened_ms != 0) {
        dispute_fill(model, leg, reply);
        return ZR_STATUS_ALREADY_DISPUTED;
    }
    if (leg->credited == leg->amount) {
        return ZR_STATUS_AMOUNT; /* However late. */
    }
    window_ms =
        (model_policy_of(model, model->calls[call].charge_slot)->dispute_days + 1) * MODEL_DAY_MS;
    if (model->now_ms >= leg->settled_ms + window_ms) {
        return ZR_STATUS_DISPUTE_WINDOW;
    }
    provable = (request->reason == ZR_DISPUTE_DUPLICATE &&
                model_is_provable_duplicate(model, call, contractor)) ||
               (request->reason == ZR_DISPUTE_SHORT && leg->short_end) ||
               (request->reason == ZR_DISPUTE_VOICEMAIL && leg->voicemail);
    leg->dispute.opened_ms = model->now_ms;
    leg->dispute.reason = request->reason;
    leg->dispute.state = ZR_DISPUTE_STATE_OPEN;
    leg->dispute.open = !provable;
    model_call_event(model, ZR_EVENT_DISPUTE_OPENED, call, model->calls[call].charge_slot,
                     &(struct model_event){
                         .contractor = contractor, .amount = leg->amount, .code = request->reason});
    if (provable) {
        leg->dispute.state = ZR_DISPUTE_STATE_CREDITED;
        leg->dispute.resolved_ms = model->now_ms;
        leg->dispute.resolved_cents = leg->amount - leg->credited;
        model_credit_back(model, call, index, leg->amount - leg->credited);
        model_call_event(model, ZR_EVENT_DISPUTE_RESOLVED, call, model->calls[call].charge_slot,
                         &(struct model_event){.contractor = contractor,
                                               .amount = leg->credited,
                                               .code = ZR_DISPUTE_STATE_CREDITED});
        model_wallet_touched(model, contractor);
    }
    dispute_fill(model, leg, reply);
    model_settle(model);
    return ZR_STATUS_OK;
}

int
model_dispute_resolve(struct model *model, const struct zr_dispute_resolve_request *request,
                      struct zr_dispute_reply *reply, bool *duplicate)
{
    const int contractor = model_contractor_at(model, request->contractor);
    int call = -1;
    int index = -1;
    struct model_leg *leg = leg_find(model, &request->call_ref, contractor, &call, &index);

    *duplicate = false;
    if (leg == NULL || leg->dispute.opened_ms == 0) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (!leg->dispute.open) {
        dispute_fill(model, leg, reply);
        *duplicate = request->credit_cents == leg->dispute.resolved_cents;
        return *duplicate ? ZR_STATUS_OK : ZR_STATUS_ALREADY_DISPUTED;
    }
    if (request->credit_cents > leg->amount - leg->credited) {
        return ZR_STATUS_AMOUNT;
    }
    leg->dispute.open = false;
    leg->dispute.resolved_ms = model->now_ms;
    leg->dispute.resolved_cents = request->credit_cents;
    leg->dispute.state =
        request->credit_cents > 0 ? ZR_DISPUTE_STATE_CREDITED : ZR_DISPUTE_STATE_UPHELD;
    if (request->credit_cents > 0) {
        model_credit_back(model, call, index, request->credit_cents);
    }
    model_call_event(model, ZR_EVENT_DISPUTE_RESOLVED, call, model->calls[call].charge_slot,
                     &(struct model_event){.contractor = contractor,
                                           .amount = request->credit_cents,
                                           .code = leg->dispute.state});
    if (request->credit_cents > 0) {
        model_wallet_touched(model, contractor);
    }
    model_payout_ask(model, contractor);
    dispute_fill(model, leg, reply);
    model_settle(model);
    return ZR_STATUS_OK;
}
