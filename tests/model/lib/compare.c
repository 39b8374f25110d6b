/*
 * compare.c - what can be read of the server, held against the model.
 *
 * The hard idea: reads are cheap only when they travel together. All of them are submitted first,
 * the answers are judged as they come, and an answer that differs names its row.
 */
#include "protocol/check.h"
#include "tests/model/lib/session.h"

#include <string.h>

/* ---- asking many at once ------------------------------------------------------------------------
 */

static void
read_done(void *context, const struct zr_completion *completion)
{
    struct session_read *read = context;

    read->result = completion->result;
    if (read->session->differs) {
        return;
    }
    if (completion->result != 0 || completion->reply == NULL) {
        char what[64];

        (void)snprintf(what, sizeof what, "%s (index %d) status", zr_operation_find(read->op)->name,
                       read->index);
        session_differ(read->session, what, 0, completion->result);
        return;
    }
    read->judge(read->session, read->index, completion->reply);
}

void
compare_read(struct session *session, uint16_t op, const void *request, int index,
             session_judge_fn judge)
{
    struct session_read *read;
    struct zr_submission submission = {
        .size = sizeof submission, .op = op, .request = request, .done = read_done};

    CHECK(session->reads_count < SESSION_READS);
    read = &session->reads[session->reads_count++];
    *read = (struct session_read){.session = session, .judge = judge, .op = op, .index = index};
    submission.context = read;
    CHECK(zr_submit(session->world.admin, &submission) == 0);
}

void
compare_reads_finish(struct session *session)
{
    while (zr_client_pending(session->world.admin) > 0) {
        (void)zr_client_process(session->world.admin, 100);
    }
    session->reads_count = 0;
}

bool
compare_row(struct session *session, const char *what, int index, int64_t expected, int64_t got)
{
    char text[64];

    if (expected == got) {
        return true;
    }
    (void)snprintf(text, sizeof text, "%s of %d", what, index);
    session_differ(session, text, expected, got);
    return false;
}

/* ---- slots
 * --------------------------------------------------------------------------------------- */

static void
offer_learn(struct session *session, int index, const struct zr_slot_get_reply *reply)
{
    struct model *model = session->model;
    struct model_slot *slot = &model->slots[index];

    if (slot->offer_id == 0 && model->offers_count < MODEL_CLAIMS) {
        slot->offer_id = reply->offer_id;
        model->offers[model->offers_count++] =
            (struct model_offer){.id = reply->offer_id,
                                 .claim = slot->offer_claim,
                                 .deadline_ms = slot->offer_deadline_ms};
    }
    (void)compare_row(session, "offer_id", index, (int64_t)slot->offer_id,
                      (int64_t)reply->offer_id);
}

static void
slot_claims_judge(struct session *session, int index, const struct zr_slot_get_reply *reply)
{
    const struct model *model = session->model;

    (void)compare_row(session, "claims of slot", index, model_live_count(model, index),
                      reply->claims_count);
    for (int i = 0; i < reply->claims_count && !session->differs; i++) {
        const struct zr_slot_claim *got = &reply->claims[i];
        int claim = -1;

        for (int l = 0; l < model->live_count; l++) {
            claim = model->claims[model->live[l]].id == got->claim_id ? model->live[l] : claim;
        }
        if (claim < 0 || model->claims[claim].slot != index) {
            session_differ(session, "claim of slot", 0, (int64_t)got->claim_id);
            return;
        }
        (void)compare_row(session, "rank in slot", index, model_rank(model, claim), got->rank);
        (void)compare_row(session, "seq in slot", index, (int64_t)model->claims[claim].seq,
                          (int64_t)got->seq);
        (void)compare_row(session, "state in slot", index, model_claim_state(model, claim),
                          got->state);
        (void)compare_row(session, "contractor in slot", index,
                          model->contractors[model->claims[claim].contractor].number,
                          got->contractor);
        (void)compare_row(session, "title in slot", index,
                          got->rank == 1 ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP, got->title);
        if (i > 0) {
            (void)compare_row(session, "order in slot", index, 1,
                              got->rank > reply->claims[i - 1].rank);
        }
    }
}

static uint64_t
mixed(uint64_t mark, uint64_t value)
{
    return (mark ^ value) * UINT64_C(1099511628211);
}

/* What a slot shows of itself has one version, and another has a higher one. */
static void
slot_version_judge(struct session *session, int index, const struct zr_slot_get_reply *reply)
{
    struct session_slot *known = &session->slots[index];
    uint64_t mark = mixed(reply->title_state, reply->waiting);

    mark = mixed(mixed(mark, reply->offer_seq), reply->offer_deadline_ms);
    for (int i = 0; i < reply->claims_count; i++) {
        mark = mixed(mixed(mark, reply->claims[i].claim_id), reply->claims[i].rank);
        mark = mixed(mark, reply->claims[i].state);
    }
    (void)compare_row(session, "version that is never lower, of slot", index, 1,
                      reply->version >= known->version);
    if (mark != known->mark) {
        (void)compare_row(session, "version raised by a change, of slot", index, 1,
                          reply->version > known->version || known->mark == 0);
    }
    *known = (struct session_slot){.version = reply->version, .mark = mark};
}

static void
slot_judge(struct session *session, int index, const void *answer)
{
    const struct zr_slot_get_reply *reply = answer;
    const struct model *model = session->model;
    const struct model_slot *slot = &model->slots[index];
    const bool offered = slot->offer_claim >= 0;
    const uint64_t deadline_ms = offered ? slot->offer_deadline_ms : slot->reserved_until_ms;

    (void)compare_row(session, "title_state", index, model_title_state(model, index),
                      reply->title_state);
    (void)compare_row(session, "slot ZIP", index, slot->zip, reply->zip);
    (void)compare_row(session, "slot category", index, slot->category, reply->category);
    (void)compare_row(session, "positions", index,
                      model_policy_of(model, index)->rules.max_positions, reply->positions);
    (void)compare_row(session, "slot rate", index, model_rate_at(model, index, 1),
                      reply->rate_cents);
    (void)compare_row(session, "waiting", index, slot->waiting, reply->waiting);
    (void)compare_row(session, "reserved", index, slot->reserved_until_ms != 0, reply->reserved);
    (void)compare_row(session, "offer deadline", index, (int64_t)deadline_ms,
                      (int64_t)reply->offer_deadline_ms);
    (void)compare_row(session, "offer seq", index,
                      offered ? (int64_t)model->claims[slot->offer_claim].seq : 0,
                      (int64_t)reply->offer_seq);
    (void)compare_row(session, "open", index,
                      model_title_state(model, index) == ZR_TITLE_STATE_OPEN &&
                          slot->reserved_until_ms == 0,
                      reply->open);
    slot_claims_judge(session, index, reply);
    slot_version_judge(session, index, reply);
    if (offered && !session->differs) {
        offer_learn(session, index, reply);
    }
}

static void
slot_read(struct session *session, int index)
{
    const struct zr_slot_get_request request = {.zip = session->model->slots[index].zip,
                                                .category = session->model->slots[index].category};

    compare_read(session, ZR_OP_SLOT_GET, &request, index, slot_judge);
}

void
compare_learn_offer(struct session *session, int slot)
{
    slot_read(session, slot);
    compare_reads_finish(session);
}

/* ---- claims
 * ---------------------------------------------------------------------------------------- */

/* Also one that has passed: a backup is none the less dry (M2). */
static void
earliest(uint64_t *least_ms, const struct model_condition *condition)
{
    if (condition->on && (*least_ms == 0 || condition->deadline_ms < *least_ms)) {
        *least_ms = condition->deadline_ms;
    }
}

static void
condition_same(struct session *session, const char *what, int index,
               const struct model_condition *condition, uint64_t got_ms)
{
    (void)compare_row(session, what, index, condition->on ? (int64_t)condition->deadline_ms : 0,
                      (int64_t)got_ms);
}

static void
claim_judge(struct session *session, int index, const void *answer)
{
    const struct zr_claim_get_reply *reply = answer;
    const struct model *model = session->model;
    const struct model_claim *claim = &model->claims[index];
    const struct model_contractor *who = &model->contractors[claim->contractor];
    const struct model_slot *slot = &model->slots[claim->slot];
    const bool offered = slot->offer_claim == index;
    uint64_t least_ms = 0;

    (void)compare_row(session, "claim_id", index, (int64_t)claim->id, (int64_t)reply->claim_id);
    (void)compare_row(session, "claim contractor", index, who->number, reply->contractor);
    (void)compare_row(session, "claim ZIP", index, slot->zip, reply->zip);
    (void)compare_row(session, "claim category", index, slot->category, reply->category);
    (void)compare_row(session, "claim state", index, model_claim_state(model, index), reply->state);
    (void)compare_row(session, "claim rank", index, model_rank(model, index), reply->rank);
    (void)compare_row(session, "claimed", index, (int64_t)claim->claimed_ms,
                      (int64_t)reply->claimed_ms);
    (void)compare_row(session, "ended", index, (int64_t)claim->ended_ms, (int64_t)reply->ended_ms);
    if (!claim->live) {
        (void)compare_row(session, "claim rate", index, 0, reply->rate_cents);
        return;
    }
    (void)compare_row(session, "claim title", index,
                      slot->primary == index ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP, reply->title);
    (void)compare_row(session, "claim offer", index, offered, reply->offer_id != 0);
    (void)compare_row(session, "claim offer deadline", index,
                      offered ? (int64_t)slot->offer_deadline_ms : 0,
                      (int64_t)reply->offer_deadline_ms);
    if (offered && slot->offer_id != 0) {
        (void)compare_row(session, "claim offer_id", index, (int64_t)slot->offer_id,
                          (int64_t)reply->offer_id);
    }
    earliest(&least_ms, &claim->paused);
    earliest(&least_ms, &claim->dry);
    earliest(&least_ms, &who->paused);
    earliest(&least_ms, &who->suspended);
    earliest(&least_ms, &who->licence);
    earliest(&least_ms, &who->unavailable);
    (void)compare_row(session, "conditions", index, model_conditions(model, index),
                      reply->conditions);
    (void)compare_row(session, "claim rate", index, model_claim_rate(model, index),
                      reply->rate_cents);
    (void)compare_row(session, "period_end", index, (int64_t)claim->period_end_ms,
                      (int64_t)reply->period_end_ms);
    condition_same(session, "paused deadline", index, &claim->paused, reply->paused_deadline_ms);
    condition_same(session, "dry deadline", index, &claim->dry, reply->dry_deadline_ms);
    (void)compare_row(session, "deadline", index, (int64_t)least_ms, (int64_t)reply->deadline_ms);
}

static void
claim_read(struct session *session, int index)
{
    const struct zr_claim_get_request request = {.claim_id = session->model->claims[index].id};

    compare_read(session, ZR_OP_CLAIM_GET, &request, index, claim_judge);
}

/* ---- wallets
 * ----------------------------------------------------------------------------------------- */

static void
wallet_judge(struct session *session, int index, const void *answer)
{
    const struct zr_wallet_get_reply *reply = answer;
    const struct model *model = session->model;

    (void)compare_row(session, "main", index, model->contractors[index].main, reply->main_cents);
    (void)compare_row(session, "credit", index, model->contractors[index].credit,
                      reply->credit_cents);
    (void)compare_row(session, "posted", index, model_posted(model, index), reply->posted_cents);
    (void)compare_row(session, "held", index, model_holds(model, index), reply->held_cents);
    (void)compare_row(session, "available", index, model_available(model, index),
                      reply->available_cents);
    (void)compare_row(session, "charged", index, model->contractors[index].charged,
                      reply->charged_cents);
    (void)compare_row(session, "funds_state", index, model_funds_state(model, index),
                      reply->funds_state);
}

static void
wallet_read(struct session *session, int index)
{
    const struct zr_wallet_get_request request = {.contractor =
                                                      session->model->contractors[index].number};

    compare_read(session, ZR_OP_WALLET_GET, &request, index, wallet_judge);
}

static void
autotopup_judge(struct session *session, int index, const void *answer)
{
    const struct zr_autotopup_get_reply *reply = answer;
    struct model *model = session->model;
    struct model_autotopup *autotopup = &model->contractors[index].autotopup;
    struct model_attempt *attempt = &autotopup->attempts[autotopup->attempt % MODEL_ATTEMPTS];

    (void)compare_row(session, "autotopup version", index, autotopup->version, reply->version);
    if (autotopup->version == 0) {
        return;
    }
    (void)compare_row(session, "threshold", index, autotopup->threshold, reply->threshold_cents);
    (void)compare_row(session, "topup amount", index, autotopup->amount, reply->amount_cents);
    (void)compare_row(session, "monthly_max", index, autotopup->monthly_max,
                      reply->monthly_max_cents);
    (void)compare_row(session, "methods", index, autotopup->methods_count, reply->methods_count);
    (void)compare_row(session, "topup state", index, autotopup->state, reply->state);
    (void)compare_row(session, "failures", index, autotopup->failures, reply->failures);
    (void)compare_row(session, "month_cents", index, model_month_cents(model, index),
                      reply->month_cents);
    if (autotopup->state == ZR_TOPUP_STATE_PENDING) {
        (void)compare_row(session, "method", index, autotopup->method, reply->method);
        if (attempt->id == 0) {
            attempt->id = reply->attempt_id;
        }
        (void)compare_row(session, "attempt_id", index, (int64_t)attempt->id,
                          (int64_t)reply->attempt_id);
    }
    if (autotopup->retry_due) {
        (void)compare_row(session, "retry", index, (int64_t)autotopup->retry_ms,
                          (int64_t)reply->retry_ms);
    }
}

static void
autotopup_read(struct session *session, int index)
{
    const struct zr_profile_get_request request = {.contractor =
                                                       session->model->contractors[index].number};

    compare_read(session, ZR_OP_AUTOTOPUP_GET, &request, index, autotopup_judge);
}

void
compare_learn_attempt(struct session *session, int contractor)
{
    autotopup_read(session, contractor);
    compare_reads_finish(session);
}

/* In whatever order they stand. */
static void
cap_judge(struct session *session, int index, const struct zr_cap *got)
{
    const struct zr_caps_put_request *put = &session->model->contractors[index].caps;
    bool found = false;

    for (int i = 0; i < put->caps_count; i++) {
        found = found || (put->caps[i].window == got->window &&
                          put->caps[i].measure == got->measure && put->caps[i].limit == got->limit);
    }
    (void)compare_row(session, "cap that was put", index, 1, found);
    (void)compare_row(session, "cap used", index,
                      (int64_t)model_cap_used(session->model, index, got), (int64_t)got->used);
}

static void
caps_judge(struct session *session, int index, const void *answer)
{
    const struct zr_caps_get_reply *reply = answer;
    const struct model *model = session->model;
    const struct model_contractor *who = &model->contractors[index];
    const uint64_t cooldown_ms =
        model->now_ms < who->cooldown_until_ms ? who->cooldown_until_ms : 0;

    (void)compare_row(session, "caps version", index, who->caps_version, reply->version);
    (void)compare_row(session, "caps", index, who->caps.caps_count, reply->caps_count);
    (void)compare_row(session, "spacing", index, who->caps.spacing_s, reply->spacing_s);
    (void)compare_row(session, "cooldown", index, (int64_t)cooldown_ms,
                      reply->cooldown_until_ms > model->now_ms ? (int64_t)reply->cooldown_until_ms
                                                               : 0);
    (void)compare_row(session, "rings_30d", index, model_rings(model, index), reply->rings_30d);
    (void)compare_row(session, "answered_30d", index, model_answers(model, index),
                      reply->answered_30d);
    for (int i = 0; i < reply->caps_count && !session->differs; i++) {
        cap_judge(session, index, &reply->caps[i]);
    }
}

static void
caps_read(struct session *session, int index)
{
    const struct zr_profile_get_request request = {.contractor =
                                                       session->model->contractors[index].number};

    compare_read(session, ZR_OP_CAPS_GET, &request, index, caps_judge);
}

/* ---- contractors
 * ---------------------------------------------------------------------------------------- */

static void
contractor_judge(struct session *session, int index, const void *answer)
{
    const struct zr_contractor_get_reply *reply = answer;
    const struct model *model = session->model;
    struct model_contractor *who = &session->model->contractors[index];
    int claims = 0;

    for (int i = 0; i < model->live_count; i++) {
        claims += model->claims[model->live[i]].contractor == index;
    }
    (void)compare_row(session, "status", index, who->status, reply->contractor_status);
    (void)compare_row(session, "tenant", index, who->tenant, reply->tenant);
    (void)compare_row(session, "licence", index, (int64_t)who->licence_ms,
                      (int64_t)reply->licence_expires_ms);
    (void)compare_row(session, "max_concurrency", index, who->max_concurrency,
                      reply->max_concurrency);
    (void)compare_row(session, "modes", index, who->modes, reply->modes);
    (void)compare_row(session, "phones_down", index, who->phones_down, reply->phones_down);
    (void)compare_row(session, "phones", index, who->phones_count, reply->phones_count);
    for (int i = 0; i < reply->phones_count && !session->differs; i++) {
        (void)compare_row(session, "phone", index, (int64_t)who->phones[i],
                          (int64_t)reply->phones[i].phone);
    }
    (void)compare_row(session, "claims", index, claims, (int64_t)reply->claims);
    (void)compare_row(session, "paused", index, who->paused.on, reply->paused);
    condition_same(session, "paused deadline", index, &who->paused, reply->paused_deadline_ms);
    condition_same(session, "suspended deadline", index, &who->suspended,
                   reply->suspended_deadline_ms);
    condition_same(session, "licence deadline", index, &who->licence, reply->licence_deadline_ms);
    condition_same(session, "unavailable deadline", index, &who->unavailable,
                   reply->unavailable_deadline_ms);
    who->version = reply->version;
}

static void
contractor_read(struct session *session, int index)
{
    const struct zr_contractor_get_request request = {
        .contractor = session->model->contractors[index].number};

    compare_read(session, ZR_OP_CONTRACTOR_GET, &request, index, contractor_judge);
}

void
compare_learn_version(struct session *session, int contractor)
{
    contractor_read(session, contractor);
    compare_reads_finish(session);
}

/* ---- calls
 * ------------------------------------------------------------------------------------------------
 */

static void
leg_judge(struct session *session, int index, const struct model_leg *leg,
          const struct zr_call_leg *got)
{
    (void)compare_row(session, "leg settlement", index, leg->settlement, got->settlement);
    (void)compare_row(session, "leg hold", index, leg->hold, got->hold_cents);
    (void)compare_row(session, "leg rate", index, leg->rate, got->rate_cents);
    (void)compare_row(session, "leg rank", index, leg->rank, got->rank);
    (void)compare_row(session, "leg index", index, leg->index, got->index);
    (void)compare_row(session, "leg talk", index, leg->talk_ms, got->talk_ms);
    (void)compare_row(session, "leg amount", index, leg->amount - leg->credited, got->amount_cents);
    (void)compare_row(session, "leg flagged", index, leg->flagged, got->flagged);
    (void)compare_row(session, "leg answered", index, (int64_t)leg->answered_ms,
                      (int64_t)got->answered_at_ms);
    (void)compare_row(session, "leg connected", index, (int64_t)leg->connected_ms,
                      (int64_t)got->connected_ms);
    (void)compare_row(session, "leg ended", index, (int64_t)leg->ended_ms, (int64_t)got->ended_ms);
}

static void
call_judge(struct session *session, int index, const void *answer)
{
    const struct zr_call_get_reply *reply = answer;
    const struct model *model = session->model;
    const struct model_call *call = &session->model->calls[index];

    (void)compare_row(session, "call state", index, call->state, reply->state);
    (void)compare_row(session, "call tenant", index, call->tenant, reply->tenant);
    (void)compare_row(session, "call name", index, 0,
                      memcmp(&call->call_ref, &reply->call_ref, sizeof call->call_ref));
    (void)compare_row(session, "legs", index, call->legs_count, reply->legs_count);
    for (int i = 0; i < reply->legs_count && !session->differs; i++) {
        bool found = false;

        for (int l = 0; l < call->legs_count; l++) {
            if (model->contractors[call->legs[l].contractor].number == reply->legs[i].contractor) {
                leg_judge(session, index, &call->legs[l], &reply->legs[i]);
                found = true;
            }
        }
        if (!found) {
            session_differ(session, "leg of", 0, reply->legs[i].contractor);
        }
    }
}

static void
call_read(struct session *session, int index)
{
    const struct zr_call_get_request request = {.call_ref = session->model->calls[index].call_ref};

    compare_read(session, ZR_OP_CALL_GET, &request, index, call_judge);
}

/* ---- together
 * --------------------------------------------------------------------------------------------- */

void
compare_some(struct session *session)
{
    const uint32_t step = session->operation->step;
    const struct model *model = session->model;

    slot_read(session, (int)(step % MODEL_SLOTS));
    wallet_read(session, (int)(step % MODEL_CONTRACTORS));
    if (step % 8 == 0 && model->claims_count > 0) {
        claim_read(session, (int)(step % (uint32_t)model->claims_count)); /* Ended, mostly. */
    } else if (model->live_count > 0) {
        claim_read(session, model->live[step % (uint32_t)model->live_count]);
    }
    if (step % 4 == 0) {
        compare_ledger_some(session, step / 4);
    } else if (step % 4 == 1) {
        compare_records_some(session, step / 4);
    } else {
        compare_map_some(session, step / 4 * 2 + step % 2);
    }
    compare_reads_finish(session);
}

void
compare_all(struct session *session)
{
    const struct model *model = session->model;
    const int first = model->calls_count > 40 ? model->calls_count - 40 : 0;

    for (int i = 0; i < MODEL_SLOTS; i++) {
        slot_read(session, i);
    }
    for (int i = 0; i < MODEL_CONTRACTORS; i++) {
        wallet_read(session, i);
        caps_read(session, i);
        autotopup_read(session, i);
        contractor_read(session, i);
    }
    for (int i = 0; i < model->live_count; i++) {
        claim_read(session, model->live[i]);
    }
    compare_reads_finish(session);
    for (int i = first; i < model->calls_count && !session->differs; i++) {
        if (model->calls[i].durable) {
            call_read(session, i);
        }
    }
    compare_reads_finish(session);
    if (!session->differs) {
        compare_readers(session);
        compare_map_all(session);
        compare_ledger_all(session);
        compare_records_all(session);
    }
    if (!session->differs) {
        compare_map_back(session);
    }
    if (!session->differs && model_invariants(model) != 0) {
        session_differ(session, "invariants of the model", 0, 1);
    }
}
