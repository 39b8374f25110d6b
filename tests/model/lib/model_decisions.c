/*
 * model_decisions.c - see model_decisions.h.
 */
#include "tests/model/lib/model_decisions.h"

#include "protocol/check.h"
#include "tests/model/lib/model.h"

#include <string.h>

void
model_decision_begin(struct model *model, int call, const struct model_ticket *ticket)
{
    const struct model_slot *slot = &model->slots[ticket->slot];

    model->decisions.open = (struct model_decision){
        .call = call,
        .call_ref = ticket->reply.call_ref,
        .time_ms = model->now_ms,
        .begun_ms = ticket->first_ms,
        .policy_version = model_policy_of(model, ticket->slot)->version,
        .price_version = model->rate_version[slot->category_index],
        .slot = ticket->slot,
        .revision = ticket->revision,
        .attempt = ticket->attempt,
    };
}

void
model_decision_judged(struct model *model, int claim, uint32_t reasons, uint8_t place)
{
    struct model_decision *decision = &model->decisions.open;

    CHECK(decision->judged_count < MODEL_JUDGED);
    decision->judged[decision->judged_count++] = (struct zr_judged){
        .contractor = model->contractors[model->claims[claim].contractor].number,
        .reasons = reasons,
        .rate_cents = (uint32_t)model_claim_rate(model, claim),
        .rank = model_rank(model, claim),
        .place = place,
    };
}

int
model_decision_done(struct model *model, int outcome)
{
    struct model_decisions *decisions = &model->decisions;

    CHECK(decisions->count < MODEL_DECISIONS);
    decisions->open.outcome = outcome;
    decisions->rows[decisions->count++] = decisions->open;
    return decisions->count;
}

void
model_decision_carry(struct model *model, const struct model_ticket *ticket)
{
    struct model_decision *decision;
    int kept = 0;

    if (ticket->decision_count == 0) {
        return;
    }
    decision = &model->decisions.rows[ticket->decision_count - 1];
    if (!decision->is_lost) {
        return;
    }
    decision->is_lost = false;
    decision->is_cut = true;
    decision->price_version = 0; /* A ticket knows its rates only. */
    for (int i = 0; i < decision->judged_count; i++) {
        if (decision->judged[i].place != 0) {
            decision->judged[kept++] = decision->judged[i];
        }
    }
    decision->judged_count = kept;
}

const struct model_decision *
model_decision_newest(const struct model *model, int call)
{
    for (int i = model->decisions.count - 1; i >= 0; i--) {
        if (model->decisions.rows[i].call == call) {
            return &model->decisions.rows[i];
        }
    }
    return NULL;
}

int
model_decisions_between(const struct model *model, uint64_t from_ms, uint64_t to_ms)
{
    int count = 0;

    for (int i = 0; i < model->decisions.count; i++) {
        const uint64_t begun_ms = model->decisions.rows[i].begun_ms;

        count += !model->decisions.rows[i].is_lost && begun_ms >= from_ms &&
                 (to_ms == 0 || begun_ms < to_ms);
    }
    return count;
}
