/*
 * play_money.c - top-ups, their reversal, automatic ones, ADJUST, and disputes.
 *
 * The hard idea: a provider reference, an attempt or a charge of long ago is found again by a
 * number that is read against what there is now, so that old ones come back at random.
 */
#include "tests/model/lib/session.h"

#include <inttypes.h>
#include <string.h>

/* ---- TOPUP --------------------------------------------------------------------------------------
 */

static void
topup_compare(struct session *session, const struct zr_topup_reply *expected,
              const struct zr_topup_reply *got)
{
    (void)session_same(session, "contractor", expected->contractor, got->contractor);
    (void)session_same(session, "posted", expected->posted_cents, got->posted_cents);
}

static void
play_topup(struct session *session, const struct operation *operation)
{
    static const int64_t amounts[] = {2500, 2500, 3000, 6000, 4001, 2499};
    struct model *model = session->model;
    const struct model_contractor *who = &model->contractors[operation->a % MODEL_CONTRACTORS];
    struct zr_topup_request request = {.contractor = who->number,
                                       .amount_cents = amounts[operation->b % 6]};
    struct zr_topup_reply expected = {0};
    struct zr_topup_reply reply;
    struct session_expected wanted;

    if (model->refs_count + 2 > MODEL_REFS) {
        session_skip(session);
        return;
    }
    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "payment-%" PRIu64,
                   ++session->serial);
    if (operation->c % 8 == 0 && model->refs_count > 0) {
        const struct model_ref *ref =
            &model->refs[operation->n % (uint32_t)model->refs_count]; /* Sent again. */

        request.contractor = model->contractors[ref->contractor].number;
        request.amount_cents = ref->amount + (operation->c % 16 == 0);
        who = &model->contractors[ref->contractor];
        memcpy(request.provider_ref, ref->text, sizeof request.provider_ref);
    }
    wanted.status = model_topup(model, &request, &expected, &wanted.duplicate);
    if (session_expect(session,
                       &(struct session_question){session_payments(session, who->tenant),
                                                  ZR_OP_TOPUP, &request, &reply},
                       wanted) &&
        wanted.status == ZR_STATUS_OK) {
        topup_compare(session, &expected, &reply);
        compare_transfer_id(session, model_ref_at(model, request.provider_ref)->transfer,
                            reply.transfer_id);
    }
}

static void
play_topup_reversed(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const struct model_ref *ref;
    struct zr_topup_reversed_request request = {0};
    struct zr_topup_reply expected = {0};
    struct zr_topup_reply reply;
    struct session_expected wanted;

    if (model->refs_count == 0) {
        session_skip(session);
        return;
    }
    ref = &model->refs[(uint32_t)model->refs_count - 1 -
                       operation->n % (uint32_t)(model->refs_count < 20 ? model->refs_count : 20)];
    request.contractor = model->contractors[ref->contractor].number;
    request.amount_cents = ref->amount + (operation->b % 8 == 0);
    memcpy(request.provider_ref, ref->text, sizeof request.provider_ref);
    wanted.status = model_topup_reversed(model, &request, &expected, &wanted.duplicate);
    if (session_expect(session,
                       &(struct session_question){
                           session_payments(session, model->contractors[ref->contractor].tenant),
                           ZR_OP_TOPUP_REVERSED, &request, &reply},
                       wanted) &&
        wanted.status == ZR_STATUS_OK) {
        topup_compare(session, &expected, &reply);
        compare_transfer_id(session, ref->reversal, reply.transfer_id);
        compare_learn_number(session, ZR_EVENT_TOPUP_REVERSED, reply.transfer_id);
    }
}

/* The k-th live claim of a contractor, -1 = it has none. */
static int
claim_of(const struct model *model, int contractor, uint8_t k)
{
    int claims[MODEL_SLOTS];
    int count = 0;

    for (int i = 0; i < model->live_count; i++) {
        if (model->claims[model->live[i]].contractor == contractor) {
            claims[count++] = model->live[i];
        }
    }
    return count == 0 ? -1 : claims[k % count];
}

/* ---- ADJUST
 * ---------------------------------------------------------------------------------------- */

static struct zr_client *
admin_of(const struct session *session, int principal)
{
    return principal == 0 ? session->world.admin : session->admin2;
}

static void
adjust_ask(struct session *session, int principal, struct zr_adjust_request *request)
{
    struct zr_adjust_reply expected = {0};
    struct zr_adjust_reply reply;
    struct session_expected wanted;

    request->op_id = session_id(session, 1);
    wanted.status = model_adjust(session->model, principal, request, &expected, &wanted.duplicate);
    if (session_expect(
            session,
            &(struct session_question){admin_of(session, principal), ZR_OP_ADJUST, request, &reply},
            wanted) &&
        wanted.status == ZR_STATUS_OK) {
        (void)session_same(session, "adjust state", expected.state, reply.state);
        (void)session_same(session, "adjust id", 0,
                           memcmp(&expected.adjust_id, &reply.adjust_id, sizeof reply.adjust_id));
        (void)session_same(session, "transfer", expected.state == ZR_ADJUST_POSTED,
                           reply.transfer_id != 0);
        if (reply.transfer_id != 0 && !session->differs) {
            compare_transfer_id(session,
                                model_adjust_at(session->model, &request->approves)->transfer,
                                reply.transfer_id);
        }
    }
}

static void
play_adjust(struct session *session, const struct operation *operation)
{
    static const struct {
        uint8_t debit, credit;
        int64_t amount;
    } pairs[] = {{ZR_ACCOUNT_PROMO, ZR_ACCOUNT_CREDIT, 900},
                 {ZR_ACCOUNT_PROMO, ZR_ACCOUNT_CREDIT, 2000},
                 {ZR_ACCOUNT_REFUNDS, ZR_ACCOUNT_MAIN, 333},
                 {ZR_ACCOUNT_MAIN, ZR_ACCOUNT_REFUNDS, 1200},
                 {ZR_ACCOUNT_CLEARING, ZR_ACCOUNT_REVENUE_CALLS, 17},
                 {ZR_ACCOUNT_MAIN, ZR_ACCOUNT_CREDIT, 250}};
    const int pair = operation->d % 16 == 0 ? 5 : operation->b % 5;
    struct zr_adjust_request request = {.amount_cents = pairs[pair].amount,
                                        .debit = pairs[pair].debit,
                                        .credit = pairs[pair].credit,
                                        .reason = "model"};

    if (session->model->adjusts_count == MODEL_ADJUSTS) {
        session_skip(session);
        return;
    }
    if (pair != 4) {
        request.contractor = session->model->contractors[operation->a % MODEL_CONTRACTORS].number;
    }
    adjust_ask(session, operation->c % 2, &request);
}

static void
play_approve(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    struct zr_adjust_request request;
    const int count = model->adjusts_count < 6 ? model->adjusts_count : 6;

    if (count == 0) {
        session_skip(session);
        return;
    }
    request =
        model->adjusts[model->adjusts_count - 1 - (int)(operation->n % (uint32_t)count)].request;
    request.approves = request.op_id;
    adjust_ask(session, operation->c % 2, &request);
}

/*
 * Put a wallet beside one of the sums at which a rule turns: the rate of a claim, what its
 * overdraft allows below that, the dearest rate; by two ADMINs, as any ADJUST.
 */
static void
play_edge(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const int contractor = operation->a % MODEL_CONTRACTORS;
    const int claim = claim_of(model, contractor, operation->d);
    struct zr_adjust_request request = {.contractor = model->contractors[contractor].number,
                                        .reason = "edge"};
    int64_t change;
    int64_t rate;

    if (claim < 0 || model->adjusts_count == MODEL_ADJUSTS) {
        session_skip(session);
        return;
    }
    rate = model_claim_rate(model, claim);
    change = rate - model_available(model, contractor) + operation->c % 3 - 1;
    if (operation->b % 4 == 0) {
        change -= model_overdraft(model, model->claims[claim].slot, contractor, rate);
    } else if (operation->b % 4 == 1) {
        change += model_dearest(model, contractor) - rate;
    } else if (operation->b % 4 == 2) {
        change -= model_holds(model, contractor); /* What is posted, not what is available. */
    }
    if (change == 0) {
        session_skip(session);
        return;
    }
    request.debit = change > 0 ? ZR_ACCOUNT_REFUNDS : ZR_ACCOUNT_MAIN;
    request.credit = change > 0 ? ZR_ACCOUNT_MAIN : ZR_ACCOUNT_REFUNDS;
    request.amount_cents = change > 0 ? change : -change;
    adjust_ask(session, 0, &request);
    request.approves = request.op_id;
    if (!session->differs) {
        adjust_ask(session, 1, &request);
    }
}

/* ---- the automatic top-up
 * ----------------------------------------------------------------------------- */

static void
play_autotopup(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const int index = operation->a % MODEL_CONTRACTORS;
    const struct model_contractor *who = &model->contractors[index];
    struct zr_autotopup_put_request request = {.contractor = who->number,
                                               .expected_version = who->autotopup.version,
                                               .threshold_cents = 3000,
                                               .amount_cents = 2500,
                                               .enabled = operation->b % 8 != 0};
    struct zr_put_reply reply;

    if (who->autotopup.state == ZR_TOPUP_STATE_PENDING) {
        session_skip(session);
        return;
    }
    request.monthly_max_cents = operation->b % 3 == 0 ? 6000 : 0;
    request.methods_count = (uint16_t)(1 + operation->c % 2);
    for (int i = 0; i < request.methods_count; i++) {
        (void)snprintf(request.methods[i].method, sizeof request.methods[i].method, "card-%d", i);
    }
    if (session_expect(session,
                       &(struct session_question){session_portal(session, who->tenant),
                                                  ZR_OP_AUTOTOPUP_PUT, &request, &reply},
                       (struct session_expected){.status = model_autotopup_put(model, &request)})) {
        (void)session_same(session, "version", who->autotopup.version, reply.version);
    }
}

static void
play_topup_result(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    struct zr_topup_result_request request = {.ok = operation->b % 3 != 0, .reason = "declined"};
    struct model_autotopup *autotopup;
    struct zr_topup_reply reply;
    struct session_expected wanted;
    uint64_t attempt;
    int index = operation->a % MODEL_CONTRACTORS;

    /* Mostly one that waits for its result. */
    for (int i = 0; i < MODEL_CONTRACTORS && operation->c % 8 != 0; i++) {
        const int other = (operation->a + i) % MODEL_CONTRACTORS;

        if (model->contractors[other].autotopup.state == ZR_TOPUP_STATE_PENDING) {
            index = other;
            break;
        }
    }
    autotopup = &model->contractors[index].autotopup;
    if (autotopup->attempt == 0 || model->refs_count + 2 > MODEL_REFS) {
        session_skip(session);
        return;
    }
    attempt = autotopup->attempt - (operation->c % 4 == 1 && autotopup->attempt > 1 ? 1 : 0);
    compare_learn_attempt(session, index);
    request.attempt_id = autotopup->attempts[attempt % MODEL_ATTEMPTS].id;
    if (session->differs || request.attempt_id == 0) {
        session_skip(session); /* Nobody looked while that attempt was the newest. */
        return;
    }
    if (request.ok) {
        (void)snprintf(request.provider_ref, sizeof request.provider_ref, "auto-%d-%" PRIu64, index,
                       attempt);
        memset(request.reason, 0, sizeof request.reason);
    }
    wanted.status = model_topup_result(model, index, attempt, &request, &wanted.duplicate);
    if (session_expect(
            session,
            &(struct session_question){session_payments(session, model->contractors[index].tenant),
                                       ZR_OP_TOPUP_RESULT, &request, &reply},
            wanted) &&
        wanted.status == ZR_STATUS_OK && request.ok) {
        (void)session_same(session, "posted", model_posted(model, index), reply.posted_cents);
        compare_transfer_id(session, model_ref_at(model, request.provider_ref)->transfer,
                            reply.transfer_id);
    }
    compare_learn_attempt(session, index);
}

/* ---- disputes
 * -------------------------------------------------------------------------------------------- */

static const struct model_charge *
charge_of(const struct session *session, const struct operation *operation)
{
    const struct model *model = session->model;
    const int count = model->charges_count < 12 ? model->charges_count : 12;

    return count == 0
               ? NULL
               : &model->charges[model->charges_count - 1 - (int)(operation->n % (uint32_t)count)];
}

static void
dispute_compare(struct session *session, const struct zr_dispute_reply *expected,
                const struct zr_dispute_reply *got)
{
    (void)session_same(session, "dispute state", expected->state, got->state);
    (void)session_same(session, "dispute reason", expected->reason, got->reason);
    (void)session_same(session, "charge", expected->charge_cents, got->charge_cents);
    (void)session_same(session, "credited", expected->credited_cents, got->credited_cents);
    (void)session_same(session, "opened", (int64_t)expected->opened_ms, (int64_t)got->opened_ms);
    (void)session_same(session, "resolved", (int64_t)expected->resolved_ms,
                       (int64_t)got->resolved_ms);
}

static void
play_dispute(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const struct model_charge *charge = charge_of(session, operation);
    struct zr_dispute_open_request request = {.reason = (uint8_t)(1 + operation->b % 7)};
    struct zr_dispute_reply expected = {0};
    struct zr_dispute_reply reply;
    struct session_expected wanted = {0};

    if (charge == NULL) {
        session_skip(session);
        return;
    }
    request.call_ref = model->calls[charge->call].call_ref;
    request.contractor = model->contractors[charge->contractor].number;
    wanted.status = model_dispute_open(model, &request, &expected);
    if (session_expect(session,
                       &(struct session_question){
                           session_portal(session, model->contractors[charge->contractor].tenant),
                           ZR_OP_DISPUTE_OPEN, &request, &reply},
                       wanted) &&
        (wanted.status == ZR_STATUS_OK || wanted.status == ZR_STATUS_ALREADY_DISPUTED)) {
        dispute_compare(session, &expected, &reply);
    }
}

static void
play_resolve(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const struct model_charge *charge = charge_of(session, operation);
    struct zr_dispute_resolve_request request = {0};
    struct zr_dispute_reply expected = {0};
    struct zr_dispute_reply reply;
    struct session_expected wanted;
    const struct model_leg *leg;

    if (charge == NULL) {
        session_skip(session);
        return;
    }
    leg = &model->calls[charge->call].legs[charge->leg];
    request.call_ref = model->calls[charge->call].call_ref;
    request.contractor = model->contractors[charge->contractor].number;
    if (operation->b % 4 == 1) {
        request.credit_cents = leg->amount / 3;
    } else if (operation->b % 4 == 2) {
        request.credit_cents = leg->amount - leg->credited;
    } else if (operation->b % 4 == 3) {
        request.credit_cents = leg->amount - leg->credited + 1;
    }
    wanted.status = model_dispute_resolve(model, &request, &expected, &wanted.duplicate);
    if (session_expect(session,
                       &(struct session_question){session->world.admin, ZR_OP_DISPUTE_RESOLVE,
                                                  &request, &reply},
                       wanted) &&
        wanted.status == ZR_STATUS_OK) {
        dispute_compare(session, &expected, &reply);
    }
}

void
play_money(struct session *session, const struct operation *operation)
{
    static void (*const plays[])(struct session *, const struct operation *) = {
        play_topup,     play_topup_reversed, play_adjust,  play_approve, play_edge,
        play_autotopup, play_topup_result,   play_dispute, play_resolve};

    plays[operation->kind - PLAY_TOPUP](session, operation);
}
