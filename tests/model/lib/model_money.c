/*
 * model_money.c - wallets, what is spent and given back, and spend caps (M5, M3).
 *
 * The hard idea: nothing is summed up in advance. What is held, what a cap has used and what a
 * month has been topped up by is added up over the facts each time it is asked.
 */
#include "protocol/check.h"
#include "tests/model/lib/model.h"

#include <string.h>

/* ---- sums --------------------------------------------------------------------------------------
 */

int64_t
model_posted(const struct model *model, int contractor)
{
    return model->contractors[contractor].main + model->contractors[contractor].credit;
}

int64_t
model_holds(const struct model *model, int contractor)
{
    int64_t sum = 0;

    for (int i = 0; i < model->active_count; i++) {
        const struct model_call *call = &model->calls[model->active[i]];

        for (int l = 0; l < call->legs_count; l++) {
            sum += call->legs[l].contractor == contractor ? call->legs[l].hold : 0;
        }
    }
    return sum;
}

int64_t
model_available(const struct model *model, int contractor)
{
    return model_posted(model, contractor) - model_holds(model, contractor);
}

int64_t
model_dearest(const struct model *model, int contractor)
{
    int64_t most = 0;

    for (int i = 0; i < model->live_count; i++) {
        const int64_t rate = model_claim_rate(model, model->live[i]);

        if (model->claims[model->live[i]].contractor == contractor && rate > most) {
            most = rate;
        }
    }
    return most;
}

int64_t
model_cheapest(const struct model *model, int contractor)
{
    int64_t least = 0;

    for (int i = 0; i < model->live_count; i++) {
        const int64_t rate = model_claim_rate(model, model->live[i]);

        if (model->claims[model->live[i]].contractor == contractor &&
            (least == 0 || rate < least)) {
            least = rate;
        }
    }
    return least;
}

int64_t
model_overdraft(const struct model *model, int slot, int contractor, int64_t rate)
{
    const int32_t fixed = model_policy_of(model, slot)->rules.overdraft_cents;
    int64_t dearest = model_dearest(model, contractor);

    if (fixed >= 0) {
        return fixed;
    }
    dearest = dearest > rate ? dearest : rate;
    return dearest * model->contractors[contractor].max_concurrency;
}

/* ---- states that follow money
 * -------------------------------------------------------------------- */

uint8_t
model_funds_state(const struct model *model, int contractor)
{
    const int64_t cheapest = model_cheapest(model, contractor); /* 0 without a claim. */

    if (model_posted(model, contractor) < cheapest) {
        return ZR_FUNDS_STATE_DRY;
    }
    return model_available(model, contractor) < model_dearest(model, contractor)
               ? ZR_FUNDS_STATE_LOW
               : ZR_FUNDS_STATE_OK;
}

static void
funds_tell(struct model *model, int contractor)
{
    struct model_contractor *who = &model->contractors[contractor];
    const uint8_t before = who->funds_state;
    const uint8_t types[] = {0, ZR_EVENT_FUNDED, ZR_EVENT_LOW_BALANCE, ZR_EVENT_DRY};

    who->funds_state = model_funds_state(model, contractor);
    if (model_dearest(model, contractor) == 0) {
        who->funds_state = ZR_FUNDS_STATE_OK; /* Nothing to pay for: nobody is told. */
        return;
    }
    if (who->funds_state == before ||
        (who->funds_state == ZR_FUNDS_STATE_LOW && before == ZR_FUNDS_STATE_DRY)) {
        return; /* Or better, but not well. */
    }
    model_event(model, types[who->funds_state],
                &(struct model_event){.contractor = contractor,
                                      .amount = who->funds_state == ZR_FUNDS_STATE_LOW
                                                    ? model_available(model, contractor)
                                                    : model_posted(model, contractor)});
}

void
model_rates_touched(struct model *model, int contractor)
{
    struct model_contractor *who = &model->contractors[contractor];

    if (who->funds_asked_ms == 0) {
        who->funds_asked_ms = model->now_ms;
        who->funds_stamp = ++model->stamp;
    }
}

/* Of each claim: is it DRY, or was it? */
static bool
claim_turns(const struct model *model, int claim)
{
    const struct model_claim *row = &model->claims[claim];

    return row->dry.on == (model_posted(model, row->contractor) >= model_claim_rate(model, claim));
}

void
model_funds_pass(struct model *model, int contractor)
{
    model->contractors[contractor].funds_asked_ms = 0;
    for (int i = 0; i < model->live_count; i++) {
        struct model_claim *claim = &model->claims[model->live[i]];
        const uint32_t grace_s = model_policy_of(model, claim->slot)->rules.funds_grace_s;

        if (claim->contractor != contractor || !claim_turns(model, model->live[i])) {
            continue;
        }
        if (claim->dry.on) {
            model_condition_clear(&claim->dry);
        } else {
            model_condition_set(model, &claim->dry, model->now_ms + grace_s * MODEL_SECOND_MS,
                                grace_s * MODEL_SECOND_MS);
        }
    }
    funds_tell(model, contractor);
}

void
model_wallet_touched(struct model *model, int contractor)
{
    const struct model_autotopup *autotopup = &model->contractors[contractor].autotopup;

    for (int i = 0; i < model->live_count; i++) {
        if (model->claims[model->live[i]].contractor == contractor &&
            claim_turns(model, model->live[i])) {
            model_rates_touched(model, contractor);
        }
    }
    if (autotopup->state == ZR_TOPUP_STATE_IDLE) { /* FAILED waits for its turn. */
        model_topup_try(model, contractor);
    }
    if (model->contractors[contractor].funds_asked_ms == 0) { /* Else the pass tells. */
        funds_tell(model, contractor);
    }
}

/* ---- postings
 * -------------------------------------------------------------------------------------- */

static int64_t *
account_of(struct model *model, uint8_t account, int contractor)
{
    if (account == ZR_ACCOUNT_MAIN) {
        return &model->contractors[contractor].main;
    }
    if (account == ZR_ACCOUNT_CREDIT) {
        return &model->contractors[contractor].credit;
    }
    return &model->network_accounts[account];
}

/* What `about` says of whose, of which call and why; nothing is posted of nothing. */
static void
post(struct model *model, const struct model_transfer *about, uint8_t debit, uint8_t credit,
     int64_t amount)
{
    struct model_books *books = &model->books;

    if (amount == 0) {
        return;
    }
    CHECK(books->count < MODEL_TRANSFERS);
    *account_of(model, debit, about->contractor) -= amount;
    *account_of(model, credit, about->contractor) += amount;
    books->rows[books->count++] = (struct model_transfer){.time_ms = model->now_ms,
                                                          .amount = amount,
                                                          .contractor = about->contractor,
                                                          .call_count = about->call_count,
                                                          .debit = debit,
                                                          .credit = credit,
                                                          .kind = about->kind};
}

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
at_least_0(int64_t a)
{
    return a > 0 ? a : 0;
}

/*
 * The leg's rate is charged: CREDIT first, then MAIN down to the overdraft; WRITE_OFF bears what
 * is left of it (I11).
 */
void
model_charge(struct model *model, int call, int leg)
{
    struct model_leg *row = &model->calls[call].legs[leg];
    struct model_contractor *who = &model->contractors[row->contractor];
    const struct model_transfer about = {
        .contractor = row->contractor, .call_count = call + 1, .kind = ZR_TRANSFER_CHARGE};
    int64_t room;

    row->hold = 0;
    row->amount = row->rate;
    room = model_available(model, row->contractor) +
           model_overdraft(model, model->calls[call].charge_slot, row->contractor, row->rate);
    /* What was held is the contractor's, whatever its overdraft is by now. */
    row->from_write_off =
        row->connected_ms != 0 && !row->swept ? 0 : row->rate - least(row->rate, at_least_0(room));
    row->from_credit = least(row->rate - row->from_write_off, at_least_0(who->credit));
    row->from_main = row->rate - row->from_write_off - row->from_credit;
    post(model, &about, ZR_ACCOUNT_CREDIT, ZR_ACCOUNT_REVENUE_CALLS, row->from_credit);
    post(model, &about, ZR_ACCOUNT_MAIN, ZR_ACCOUNT_REVENUE_CALLS, row->from_main);
    post(model, &about, ZR_ACCOUNT_WRITE_OFF, ZR_ACCOUNT_REVENUE_CALLS, row->from_write_off);
    who->charged += row->rate;
    row->settled_ms = model->now_ms;
    model->charges[model->charges_count++] = (struct model_charge){
        .call = call,
        .leg = leg,
        .contractor = row->contractor,
        .category_index = model->slots[model->calls[call].charge_slot].category_index,
        .caller = model->calls[call].charge_caller,
        .time_ms = model->now_ms};
    model_duplicates_charged(model, model->charges_count - 1);
}

/* WRITE_OFF's part first, then MAIN, then CREDIT, as they were spent. */
void
model_credit_back(struct model *model, int call, int leg, int64_t amount)
{
    struct model_leg *row = &model->calls[call].legs[leg];
    const struct model_transfer about = {
        .contractor = row->contractor, .call_count = call + 1, .kind = ZR_TRANSFER_CHARGE_CREDIT};
    const int64_t before = row->credited;
    const int64_t main_end = row->from_write_off + row->from_main;
    const int64_t to_write_off = least(amount, at_least_0(row->from_write_off - before));
    const int64_t main_left =
        at_least_0(main_end - (before > row->from_write_off ? before : row->from_write_off));
    const int64_t to_main = least(amount - to_write_off, main_left);

    post(model, &about, ZR_ACCOUNT_REFUNDS, ZR_ACCOUNT_WRITE_OFF, to_write_off);
    post(model, &about, ZR_ACCOUNT_REFUNDS, ZR_ACCOUNT_MAIN, to_main);
    post(model, &about, ZR_ACCOUNT_REFUNDS, ZR_ACCOUNT_CREDIT, amount - to_write_off - to_main);
    row->credited += amount;
    model->contractors[row->contractor].charged -= amount; /* What stands of all charges. */
    if (row->credited == row->amount) {
        row->settlement = ZR_SETTLEMENT_CREDITED;
        model_duplicates_credited(model, call, leg);
    }
}

/* What is in the wallet of an account that is closed is paid out: it stays at 0. */
static void
payout_balance(struct model *model, int contractor)
{
    const struct model_contractor *who = &model->contractors[contractor];
    const struct model_transfer payout = {.contractor = contractor, .kind = ZR_TRANSFER_PAYOUT};
    const struct model_transfer expiry = {.contractor = contractor,
                                          .kind = ZR_TRANSFER_CREDIT_EXPIRY};

    if (who->main >= 0) {
        post(model, &payout, ZR_ACCOUNT_MAIN, ZR_ACCOUNT_CLEARING, who->main);
    } else {
        post(model, &payout, ZR_ACCOUNT_WRITE_OFF, ZR_ACCOUNT_MAIN, -who->main);
    }
    post(model, &expiry, ZR_ACCOUNT_CREDIT, ZR_ACCOUNT_PROMO, who->credit);
}

static void
payout_if_closed(struct model *model, int contractor)
{
    if (model->contractors[contractor].status == ZR_CONTRACTOR_CLOSED) {
        payout_balance(model, contractor);
    }
}

static bool
has_open_dispute(const struct model *model, int contractor)
{
    for (int i = 0; i < model->charges_count; i++) {
        const struct model_charge *charge = &model->charges[i];

        if (charge->contractor == contractor &&
            model->calls[charge->call].legs[charge->leg].dispute.open) {
            return true;
        }
    }
    return false;
}

/* The account closes 30 days after CLOSING, once no leg and no dispute is open. */
void
model_payout(struct model *model, int contractor)
{
    struct model_contractor *who = &model->contractors[contractor];
    const int64_t paid = who->main;

    if (has_open_dispute(model, contractor)) {
        who->closing_ms = 0; /* The last one's resolution asks again. */
        return;
    }
    if (model_holds(model, contractor) != 0) {
        who->closing_ms = model->now_ms + MODEL_HOUR_MS;
        who->closing_stamp = ++model->stamp;
        return;
    }
    payout_balance(model, contractor);
    who->status = ZR_CONTRACTOR_CLOSED;
    model_event(model, ZR_EVENT_ACCOUNT_CLOSED,
                &(struct model_event){.contractor = contractor, .amount = paid});
}

void
model_payout_ask(struct model *model, int contractor)
{
    struct model_contractor *who = &model->contractors[contractor];

    if (who->status == ZR_CONTRACTOR_CLOSING && who->closing_ms == 0) {
        who->closing_ms = model->now_ms;
        who->closing_stamp = ++model->stamp;
    }
}

/* ---- top-ups
 * ------------------------------------------------------------------------------------------ */

struct model_ref *
model_ref_at(struct model *model, const char *text)
{
    for (int i = 0; i < model->refs_count; i++) {
        if (strcmp(model->refs[i].text, text) == 0) {
            return &model->refs[i];
        }
    }
    return NULL;
}

static bool
is_closing(const struct model *model, int contractor)
{
    return model->contractors[contractor].status == ZR_CONTRACTOR_CLOSING ||
           model->contractors[contractor].status == ZR_CONTRACTOR_CLOSED;
}

/* A provider reference credits once, for ever (I14). */
void
model_topup_credit(struct model *model, int contractor, const char *text, int64_t amount)
{
    struct model_ref *ref = &model->refs[model->refs_count++];

    *ref = (struct model_ref){
        .contractor = contractor, .transfer = model->books.count, .amount = amount};
    memcpy(ref->text, text, sizeof ref->text);
    post(model, &(struct model_transfer){.contractor = contractor, .kind = ZR_TRANSFER_TOPUP},
         ZR_ACCOUNT_CLEARING, ZR_ACCOUNT_MAIN, amount);
}

/* MAIN + CREDIT as they are when the reply is made, also of a repeat. */
static void
topup_fill(const struct model *model, int contractor, struct zr_topup_reply *reply)
{
    reply->contractor = model->contractors[contractor].number;
    reply->posted_cents = model_posted(model, contractor);
}

int
model_topup(struct model *model, const struct zr_topup_request *request,
            struct zr_topup_reply *reply, bool *duplicate)
{
    const int contractor = model_contractor_at(model, request->contractor);
    const struct model_ref *ref = model_ref_at(model, request->provider_ref);

    *duplicate = false;
    if (ref != NULL) {
        const bool same = ref->contractor == contractor && ref->amount == request->amount_cents;

        *duplicate = same;
        topup_fill(model, contractor, reply);
        return same ? ZR_STATUS_OK : ZR_STATUS_DUPLICATE_REF;
    }
    if (is_closing(model, contractor)) {
        return ZR_STATUS_ACCOUNT_CLOSED;
    }
    if (request->amount_cents < 2500) {
        return ZR_STATUS_MIN_AMOUNT;
    }
    model_topup_credit(model, contractor, request->provider_ref, request->amount_cents);
    topup_fill(model, contractor, reply);
    model_wallet_touched(model, contractor);
    model_settle(model);
    return ZR_STATUS_OK;
}

int
model_topup_reversed(struct model *model, const struct zr_topup_reversed_request *request,
                     struct zr_topup_reply *reply, bool *duplicate)
{
    const int contractor = model_contractor_at(model, request->contractor);
    struct model_ref *ref = model_ref_at(model, request->provider_ref);

    *duplicate = false;
    if (ref == NULL) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (ref->contractor != contractor || ref->amount != request->amount_cents) {
        return ZR_STATUS_DUPLICATE_REF;
    }
    if (ref->reversed) {
        *duplicate = true;
        topup_fill(model, contractor, reply);
        return ZR_STATUS_OK;
    }
    ref->reversed = true;
    ref->reversal = model->books.count;
    post(model,
         &(struct model_transfer){.contractor = contractor, .kind = ZR_TRANSFER_TOPUP_REVERSAL},
         ZR_ACCOUNT_MAIN, ZR_ACCOUNT_CLEARING, ref->amount);
    model_event(model, ZR_EVENT_TOPUP_REVERSED,
                &(struct model_event){.contractor = contractor, .amount = ref->amount});
    payout_if_closed(model, contractor);
    topup_fill(model, contractor, reply);
    model_wallet_touched(model, contractor);
    model_settle(model);
    return ZR_STATUS_OK;
}

/* ---- ADJUST (two principals)
 * ---------------------------------------------------------------------------- */

static bool
adjust_is_same(const struct zr_adjust_request *a, const struct zr_adjust_request *b)
{
    return a->amount_cents == b->amount_cents && a->contractor == b->contractor &&
           a->debit == b->debit && a->credit == b->credit && strcmp(a->reason, b->reason) == 0 &&
           memcmp(&a->link, &b->link, sizeof a->link) == 0;
}

struct model_adjust *
model_adjust_at(struct model *model, const struct zr_id *id)
{
    for (int i = 0; i < model->adjusts_count; i++) {
        if (memcmp(&model->adjusts[i].request.op_id, id, sizeof *id) == 0) {
            return &model->adjusts[i];
        }
    }
    return NULL;
}

static bool
id_is_zero(const struct zr_id *id)
{
    const struct zr_id zero = {{0}};

    return memcmp(id, &zero, sizeof zero) == 0;
}

int
model_adjust(struct model *model, int principal, const struct zr_adjust_request *request,
             struct zr_adjust_reply *reply, bool *duplicate)
{
    struct model_adjust *first = model_adjust_at(model, &request->approves);
    const int contractor = model_contractor_at(model, request->contractor);

    *duplicate = false;
    if (id_is_zero(&request->approves)) {
        model->adjusts[model->adjusts_count++] =
            (struct model_adjust){.request = *request, .principal = principal};
        reply->adjust_id = request->op_id;
        reply->state = ZR_ADJUST_PENDING;
        return ZR_STATUS_OK;
    }
    if (first == NULL || !adjust_is_same(&first->request, request)) {
        return first == NULL ? ZR_STATUS_NOT_FOUND : ZR_STATUS_AMOUNT;
    }
    if (!first->posted && first->principal == principal) {
        return ZR_STATUS_SAME_PRINCIPAL;
    }
    reply->adjust_id = first->request.op_id;
    reply->state = ZR_ADJUST_POSTED;
    *duplicate = first->posted;
    if (!first->posted) {
        first->posted = true;
        first->transfer = model->books.count;
        post(model,
             &(struct model_transfer){.contractor = contractor, .kind = ZR_TRANSFER_ADJUSTMENT},
             request->debit, request->credit, request->amount_cents);
        if (contractor >= 0) {
            payout_if_closed(model, contractor);
            model_wallet_touched(model, contractor);
        }
        model_settle(model);
    }
    return ZR_STATUS_OK;
}
