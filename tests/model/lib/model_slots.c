/*
 * model_slots.c - what a slot and its claims look like from outside: ranks, titles, the map (M2).
 */
#include "tests/model/lib/model.h"

#include <string.h>

/* ---- looking -----------------------------------------------------------------------------------
 */

int
model_slot_at(const struct model *model, uint32_t zip, uint16_t category)
{
    for (int i = 0; i < MODEL_SLOTS; i++) {
        if (model->slots[i].zip == zip && model->slots[i].category == category) {
            return i;
        }
    }
    return -1;
}

int
model_contractor_at(const struct model *model, uint32_t number)
{
    for (int i = 0; i < MODEL_CONTRACTORS; i++) {
        if (model->contractors[i].number == number) {
            return i;
        }
    }
    return -1;
}

const struct model_policy *
model_policy_of(const struct model *model, int slot)
{
    return &model->category[model->slots[slot].category_index];
}

int
model_live_count(const struct model *model, int slot)
{
    int count = 0;

    for (int i = 0; i < model->live_count; i++) {
        count += model->claims[model->live[i]].slot == slot;
    }
    return count;
}

int
model_live_of(const struct model *model, int slot, int contractor)
{
    for (int i = 0; i < model->live_count; i++) {
        const struct model_claim *claim = &model->claims[model->live[i]];

        if (claim->slot == slot && claim->contractor == contractor) {
            return model->live[i];
        }
    }
    return -1;
}

uint8_t
model_rank(const struct model *model, int claim)
{
    const struct model_claim *row = &model->claims[claim];
    const struct model_slot *slot = &model->slots[row->slot];
    int rank = 2;

    if (!row->live) {
        return 0;
    }
    if (slot->primary == claim) {
        return 1;
    }
    for (int i = 0; i < model->live_count; i++) {
        const struct model_claim *other = &model->claims[model->live[i]];

        rank +=
            other->slot == row->slot && model->live[i] != slot->primary && other->seq < row->seq;
    }
    return (uint8_t)rank;
}

int64_t
model_rate_at(const struct model *model, int slot, uint8_t rank)
{
    const struct zr_policy *policy = &model_policy_of(model, slot)->rules;
    const int64_t rate = model->rate[model->slots[slot].category_index];
    int64_t bp = 10000;

    if (rank == 2) {
        bp = policy->multiplier_2_bp;
    } else if (rank > 2) {
        bp = policy->multiplier_3_bp;
    }
    return (rate * bp + 5000) / 10000;
}

int64_t
model_claim_rate(const struct model *model, int claim)
{
    return model_rate_at(model, model->claims[claim].slot, model_rank(model, claim));
}

uint8_t
model_claim_state(const struct model *model, int claim)
{
    const struct model_claim *row = &model->claims[claim];

    if (!row->live) {
        return row->ended_state;
    }
    if (row->period_end_ms != 0) {
        return ZR_CLAIM_LAPSING;
    }
    return row->paused.on ? ZR_CLAIM_PAUSED : ZR_CLAIM_LIVE;
}

uint8_t
model_conditions(const struct model *model, int claim)
{
    const struct model_claim *row = &model->claims[claim];
    const struct model_contractor *who = &model->contractors[row->contractor];
    unsigned bits = 0;

    bits |= row->paused.on || who->paused.on ? MODEL_PAUSED : 0U;
    bits |= row->dry.on ? MODEL_DRY : 0U;
    bits |= who->suspended.on ? MODEL_SUSPENDED : 0U;
    bits |= who->licence.on ? MODEL_LICENCE : 0U;
    bits |= who->unavailable.on ? MODEL_UNAVAILABLE : 0U;
    bits |= row->period_end_ms != 0 ? MODEL_LAPSING : 0U;
    return (uint8_t)bits;
}

uint8_t
model_title_state(const struct model *model, int slot)
{
    if (model->slots[slot].primary >= 0) {
        return ZR_TITLE_STATE_HELD;
    }
    if (model->slots[slot].offer_claim >= 0) {
        return ZR_TITLE_STATE_OFFERED;
    }
    return model_live_count(model, slot) > 0 ? ZR_TITLE_STATE_OPEN : ZR_TITLE_STATE_VACANT;
}

/* Held, offered or reserved. */
bool
model_is_taken(const struct model *model, int slot)
{
    const uint8_t title = model_title_state(model, slot);

    return title == ZR_TITLE_STATE_HELD || title == ZR_TITLE_STATE_OFFERED ||
           model->slots[slot].reserved_until_ms != 0;
}

/* No position is left, or somebody waits for one. */
bool
model_is_full(const struct model *model, int slot)
{
    return model->slots[slot].waiting > 0 ||
           model_live_count(model, slot) >= model_policy_of(model, slot)->rules.max_positions;
}
