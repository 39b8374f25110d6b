/*
 * compare_records.c - rows beside those of compare.c: lists of claims and of contractors, a slot as
 * a portal sees it (R54, R69), disputes, and what contractors and administrators have put.
 *
 * The hard idea: a list is a filter over what the model has, and a page of it a range; what a
 * record says is what was put into it last.
 */
#include "tests/model/lib/session.h"

#include <string.h>

static uint8_t
title_of(const struct model *model, int claim)
{
    return model_rank(model, claim) == 1 ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP;
}

/* ---- CLAIMS_LIST -------------------------------------------------------------------------------
 */

/* The k-th question: of one contractor or of all, ended ones too or not, from some claim on. */
static struct zr_claims_list_request
question_of(const struct model *model, int k)
{
    const int contractor = k % (MODEL_CONTRACTORS + 1);
    const int skipped = k / 2 % 3 == 0 && model->claims_count > 0 ? k % model->claims_count : -1;

    return (struct zr_claims_list_request){
        .after = skipped >= 0 ? model->claims[skipped].id : 0,
        .contractor = contractor < MODEL_CONTRACTORS ? model->contractors[contractor].number : 0,
        .ended = k % 2 != 0};
}

static void
claim_row_compare(struct session *session, int claim, const struct zr_claim_row *got)
{
    const struct model *model = session->model;
    const struct model_claim *row = &model->claims[claim];
    const struct model_slot *slot = &model->slots[row->slot];

    (void)compare_row(session, "listed claim_id", claim, (int64_t)row->id, (int64_t)got->claim_id);
    (void)compare_row(session, "listed seq", claim, (int64_t)row->seq, (int64_t)got->seq);
    (void)compare_row(session, "listed contractor", claim,
                      model->contractors[row->contractor].number, got->contractor);
    (void)compare_row(session, "listed ZIP", claim, slot->zip, got->zip);
    (void)compare_row(session, "listed category", claim, slot->category, got->category);
    (void)compare_row(session, "listed state", claim, model_claim_state(model, claim), got->state);
    (void)compare_row(session, "listed rank", claim, model_rank(model, claim), got->rank);
    (void)compare_row(session, "listed claimed", claim, (int64_t)row->claimed_ms,
                      (int64_t)got->claimed_ms);
    (void)compare_row(session, "listed ended", claim, (int64_t)row->ended_ms,
                      (int64_t)got->ended_ms);
    if (row->live) {
        (void)compare_row(session, "listed rate", claim, model_claim_rate(model, claim),
                          got->rate_cents);
        (void)compare_row(session, "listed title", claim, title_of(model, claim), got->title);
    }
}

/* A page is whole from `after` to `next`, however few that are; 0 alone is the end. */
static void
claims_compare(struct session *session, const struct zr_claims_list_request *asked,
               const struct zr_claims_list_reply *reply)
{
    const struct model *model = session->model;
    int count = 0;

    for (int i = 0; i < model->claims_count && !session->differs; i++) {
        const struct model_claim *claim = &model->claims[i];
        const uint32_t number = model->contractors[claim->contractor].number;

        if (claim->id <= asked->after || (reply->next != 0 && claim->id > reply->next) ||
            (!claim->live && !asked->ended) ||
            (asked->contractor != 0 && number != asked->contractor)) {
            continue;
        }
        if (count < reply->claims_count) {
            claim_row_compare(session, i, &reply->claims[count]);
        }
        count++;
    }
    (void)session_same(session, "claims listed", count, reply->claims_count);
    (void)session_same(session, "next page of claims", 1,
                       reply->next == 0 || reply->next > asked->after);
}

static void
claims_judge(struct session *session, int index, const void *answer)
{
    const struct zr_claims_list_request asked = question_of(session->model, index);

    claims_compare(session, &asked, answer);
}

static void
claims_read(struct session *session, uint32_t k)
{
    const struct zr_claims_list_request request = question_of(session->model, (int)k);

    compare_read(session, ZR_OP_CLAIMS_LIST, &request, (int)k, claims_judge);
}

static void
claims_walk(struct session *session, uint32_t k)
{
    struct zr_claims_list_request request = question_of(session->model, (int)k);
    static struct zr_claims_list_reply reply;

    do {
        (void)session_same(session, "CLAIMS_LIST status", 0,
                           zr_claims_list(session->world.auditor, &request, &reply));
        claims_compare(session, &request, &reply);
        request.after = reply.next;
    } while (reply.next != 0 && !session->differs);
}

/* ---- what contractors put ----------------------------------------------------------------------
 */

static void
schedule_judge(struct session *session, int index, const void *answer)
{
    const struct zr_schedule_get_reply *reply = answer;
    const struct model_schedule *schedule = &session->model->contractors[index].schedule;
    uint8_t open[84];

    (void)compare_row(session, "schedule version", index, schedule->version, reply->version);
    (void)compare_row(session, "schedule reasons", index,
                      model_schedule_reasons(session->model, index), reply->reasons);
    if (schedule->version == 0) {
        return;
    }
    memset(open, 0xFF, sizeof open);
    (void)compare_row(session, "unavailable until", index, (int64_t)schedule->unavailable_until_ms,
                      (int64_t)reply->unavailable_until_ms);
    (void)compare_row(session, "length of hours", index, sizeof open, reply->hours_length);
    (void)compare_row(
        session, "hours", index, 0,
        memcmp(schedule->hours_length > 0 ? schedule->hours : open, reply->hours, sizeof open));
    (void)compare_row(session, "exceptions", index, schedule->exceptions_count,
                      reply->exceptions_count);
    for (int i = 0; i < schedule->exceptions_count && !session->differs; i++) {
        const struct zr_schedule_exception *put = &schedule->exceptions[i];

        (void)compare_row(session, "exception", index, put->day, reply->exceptions[i].day);
        (void)compare_row(session, "exception opens", index, put->open_quarter,
                          reply->exceptions[i].open_quarter);
        (void)compare_row(session, "exception closes", index, put->close_quarter,
                          reply->exceptions[i].close_quarter);
    }
    (void)compare_row(session, "vacations", index, schedule->vacations_count,
                      reply->vacations_count);
    for (int i = 0; i < schedule->vacations_count && !session->differs; i++) {
        (void)compare_row(session, "vacation begins", index, schedule->vacations[i].first_day,
                          reply->vacations[i].first_day);
        (void)compare_row(session, "vacation ends", index, schedule->vacations[i].last_day,
                          reply->vacations[i].last_day);
    }
}

static void
filters_judge(struct session *session, int index, const void *answer)
{
    const struct zr_filters_get_reply *reply = answer;
    const struct model_contractor *who = &session->model->contractors[index];

    (void)compare_row(session, "filters version", index, who->filters_version, reply->version);
    (void)compare_row(session, "attestation_min", index, who->filters.attestation_min,
                      reply->attestation_min);
    (void)compare_row(session, "no_duplicates", index, who->filters.no_duplicates,
                      reply->no_duplicates);
    (void)compare_row(session, "partners_rule", index, who->filters.partners_rule,
                      reply->partners_rule);
    (void)compare_row(session, "blocked", index, who->filters.blocked_count, reply->blocked_count);
    (void)compare_row(session, "partners", index, who->filters.partners_count,
                      reply->partners_count);
    for (int i = 0; i < reply->blocked_count && !session->differs; i++) {
        (void)compare_row(session, "blocked caller", index, (int64_t)who->filters.blocked[i].phone,
                          (int64_t)reply->blocked[i].phone);
    }
    for (int i = 0; i < reply->partners_count && !session->differs; i++) {
        (void)compare_row(session, "partner", index, who->filters.partners[i].tenant,
                          reply->partners[i].tenant);
    }
}

/* ---- what administrators put -------------------------------------------------------------------
 */

static void
policy_judge(struct session *session, int index, const void *answer)
{
    const struct zr_policy_get_reply *reply = answer;
    const struct model_policy *policy = &session->model->category[index];
    const struct zr_policy *got = &reply->policy[0];

    (void)compare_row(session, "policies", index, 1, reply->policy_count);
    (void)compare_row(session, "policy scope", index, ZR_SCOPE_CATEGORY, reply->scope);
    (void)compare_row(session, "policy version", index, policy->version, reply->version);
    (void)compare_row(session, "policy version to put", index, policy->version, reply->own_version);
    (void)compare_row(session, "cooldown_s", index, policy->cooldown_s, reply->cooldown_s);
    (void)compare_row(session, "cooldown_misses", index, policy->cooldown_misses,
                      reply->cooldown_misses);
    (void)compare_row(session, "dispute_days", index, policy->dispute_days, reply->dispute_days);
    (void)compare_row(session, "max_positions", index, policy->rules.max_positions,
                      got->max_positions);
    (void)compare_row(session, "multiplier_2_bp", index, policy->rules.multiplier_2_bp,
                      got->multiplier_2_bp);
    (void)compare_row(session, "dup_days", index, policy->rules.dup_days, got->dup_days);
    (void)compare_row(session, "offer_window_s", index, policy->rules.offer_window_s,
                      got->offer_window_s);
    (void)compare_row(session, "overdraft_cents", index, policy->rules.overdraft_cents,
                      got->overdraft_cents);
}

static void
categories_judge(struct session *session, int index, const void *answer)
{
    const struct zr_category_list_reply *reply = answer;
    const struct model *model = session->model;

    (void)session_same(session, "categories", MODEL_CATEGORIES - index, reply->categories_count);
    (void)session_same(session, "next category", 0, reply->next);
    for (int c = index; c < MODEL_CATEGORIES && !session->differs; c++) {
        const struct zr_category_row *got = &reply->categories[c - index];

        (void)compare_row(session, "category", c, model->slots[c].category, got->category);
        (void)compare_row(session, "rate of category", c, model->rate[c], got->rate_cents);
        (void)compare_row(session, "offer of category", c, 1, got->offered && got->everywhere);
    }
}

/* ---- disputes ----------------------------------------------------------------------------------
 */

/* index: of a charge. */
static void
dispute_judge(struct session *session, int index, const void *answer)
{
    const struct zr_dispute_reply *reply = answer;
    const struct model_charge *charge = &session->model->charges[index];
    const struct model_leg *leg = &session->model->calls[charge->call].legs[charge->leg];

    (void)compare_row(session, "dispute state", index, leg->dispute.state, reply->state);
    (void)compare_row(session, "dispute reason", index, leg->dispute.reason, reply->reason);
    (void)compare_row(session, "disputed charge", index, leg->amount, reply->charge_cents);
    (void)compare_row(session, "credited", index, leg->dispute.resolved_cents,
                      reply->credited_cents);
    (void)compare_row(session, "opened", index, (int64_t)leg->dispute.opened_ms,
                      (int64_t)reply->opened_ms);
    (void)compare_row(session, "resolved", index, (int64_t)leg->dispute.resolved_ms,
                      (int64_t)reply->resolved_ms);
}

/* The next charge that was disputed, from the k-th on. */
static void
dispute_read(struct session *session, uint32_t k)
{
    const struct model *model = session->model;

    for (int i = 0; i < model->charges_count; i++) {
        const int at = (int)((k + (uint32_t)i) % (uint32_t)model->charges_count);
        const struct model_charge *charge = &model->charges[at];
        const struct zr_dispute_get_request request = {
            .call_ref = model->calls[charge->call].call_ref,
            .contractor = model->contractors[charge->contractor].number};

        if (model->calls[charge->call].legs[charge->leg].dispute.opened_ms != 0) {
            compare_read(session, ZR_OP_DISPUTE_GET, &request, at, dispute_judge);
            return;
        }
    }
}

/* ---- as a portal sees it -----------------------------------------------------------------------
 */

/* Whose a claim is, is only told to those it belongs to; rank, seq and state to everybody. */
static void
portal_slot_compare(struct session *session, int index, uint32_t tenant)
{
    const struct model *model = session->model;
    const struct model_slot *slot = &model->slots[index];
    const struct zr_slot_get_request request = {.zip = slot->zip, .category = slot->category};
    static struct zr_slot_get_reply reply;
    int count = 0;

    (void)session_same(session, "SLOT_GET status", 0,
                       zr_slot_get(session_portal(session, tenant), &request, &reply));
    for (int rank = 1; rank <= MODEL_CONTRACTORS + 1 && !session->differs; rank++) {
        for (int i = 0; i < model->live_count && count < reply.claims_count; i++) {
            const struct model_claim *claim = &model->claims[model->live[i]];
            const struct model_contractor *who = &model->contractors[claim->contractor];
            const bool own = who->tenant == tenant;
            const struct zr_slot_claim *got = &reply.claims[count];

            if (claim->slot != index || model_rank(model, model->live[i]) != rank) {
                continue;
            }
            (void)compare_row(session, "portal's rank", index, rank, got->rank);
            (void)compare_row(session, "portal's seq", index, (int64_t)claim->seq,
                              (int64_t)got->seq);
            (void)compare_row(session, "portal's title", index, title_of(model, model->live[i]),
                              got->title);
            (void)compare_row(session, "portal's claim", index, own ? (int64_t)claim->id : 0,
                              (int64_t)got->claim_id);
            (void)compare_row(session, "portal's contractor", index, own ? who->number : 0,
                              got->contractor);
            count++;
        }
    }
    (void)compare_row(session, "portal's claims", index, model_live_count(model, index), count);
}

static void
portal_contractors_compare(struct session *session, uint32_t tenant)
{
    const struct model *model = session->model;
    const struct zr_contractor_list_request request = {0};
    static struct zr_contractor_list_reply reply;
    int count = 0;

    (void)session_same(session, "CONTRACTOR_LIST status", 0,
                       zr_contractor_list(session_portal(session, tenant), &request, &reply));
    for (int i = 0; i < MODEL_CONTRACTORS && !session->differs; i++) {
        const struct model_contractor *who = &model->contractors[i];
        const struct zr_contractor_row *got = &reply.contractors[count];

        if (who->tenant != tenant) {
            continue;
        }
        (void)compare_row(session, "listed contractor", i, who->number, got->contractor);
        (void)compare_row(session, "listed status", i, who->status, got->contractor_status);
        (void)compare_row(session, "listed pause", i, who->paused.on, got->paused);
        (void)compare_row(session, "listed tenant", i, who->tenant, got->tenant);
        count++;
    }
    (void)session_same(session, "contractors listed", count, reply.contractors_count);
}

/* ---- together ----------------------------------------------------------------------------------
 */

void
compare_records_some(struct session *session, uint32_t k)
{
    const struct model *model = session->model;
    const int contractor = (int)(k / 6 % MODEL_CONTRACTORS);
    const int category = (int)(k / 6 % MODEL_CATEGORIES);
    const struct zr_profile_get_request profile = {.contractor =
                                                       model->contractors[contractor].number};
    const struct zr_policy_get_request policy = {.scope = ZR_SCOPE_CATEGORY,
                                                 .category = model->slots[category].category};
    const struct zr_category_list_request list = {
        .after = (uint16_t)(model->slots[category].category - 1)};

    switch (k % 6) {
    case 0:
        compare_read(session, ZR_OP_SCHEDULE_GET, &profile, contractor, schedule_judge);
        break;
    case 1:
        compare_read(session, ZR_OP_FILTERS_GET, &profile, contractor, filters_judge);
        break;
    case 2:
        compare_read(session, ZR_OP_POLICY_GET, &policy, category, policy_judge);
        break;
    case 3:
        compare_read(session, ZR_OP_CATEGORY_LIST, &list, category, categories_judge);
        break;
    case 4:
        dispute_read(session, k / 6);
        break;
    default:
        claims_read(session, k / 6);
        break;
    }
}

void
compare_records_all(struct session *session)
{
    const uint32_t tenant = 1 + (uint32_t)(session->model->stamp % MODEL_TENANTS);

    claims_walk(session, (uint32_t)(session->model->stamp % 1000));
    for (int i = (int)(session->model->stamp % 3); i < MODEL_SLOTS && !session->differs; i += 3) {
        portal_slot_compare(session, i, tenant);
    }
    if (!session->differs) {
        portal_contractors_compare(session, tenant);
    }
}
