/*
 * claim.c - CLAIM: judge every slot, then write. See claim.h.
 */
#include "server/domain/claim.h"

#include "protocol/check.h"
#include "server/domain/condition.h"
#include "server/domain/event.h"
#include "server/domain/funds.h"
#include "server/domain/localtime.h"
#include "server/domain/offer.h"
#include "server/domain/people.h"
#include "server/domain/policy.h"
#include "server/domain/pricing.h"
#include "server/domain/slot.h"
#include "server/domain/slot_change.h"
#include "server/domain/waitlist.h"

bool
claim_is_offered(struct state *state, uint32_t zip, uint16_t category, struct category_row *row)
{
    struct zip_row zip_row;

    if (!state_zip_get(state, zip, &zip_row) || !zip_row.claimable) {
        return false;
    }
    if (!state_category_get(state, category, row) || !row->offered) {
        return false;
    }
    return row->everywhere || state_offered_get(state, category, zip);
}

/* True when a CLAIM now would carry the title: nobody holds it or may still inherit it (M2). */
static bool
title_is_free(const struct slot_row *slot)
{
    return slot->title_state == ZR_TITLE_STATE_VACANT || slot->title_state == ZR_TITLE_STATE_OPEN;
}

uint16_t
claim_judge_asker(struct state *state, const struct claim_asker *asker,
                  const struct zr_slot_key *key)
{
    struct category_row category;
    struct zip_row zip;

    if (!state_zip_get(state, key->zip, &zip)) {
        return ZR_STATUS_UNKNOWN_ZIP;
    }
    if (!claim_is_offered(state, key->zip, key->category, &category)) {
        return ZR_STATUS_NOT_OFFERED;
    }
    return asker->status == ZR_CONTRACTOR_APPROVED ? ZR_STATUS_OK : ZR_STATUS_NOT_APPROVED; /* R1 */
}

uint16_t
claim_judge(struct state *state, const struct claim_asker *asker, const struct zr_slot_key *key)
{
    const uint16_t status = claim_judge_asker(state, asker, key);
    struct policy_row policy;
    struct slot_row slot;

    if (status != ZR_STATUS_OK) {
        return status;
    }
    state_slot_get(state, key->zip, key->category, &slot);
    if (slot_find_contractor(&slot, asker->contractor) != SLOT_NO_CLAIM) {
        /* E6: a live backup takes an OPEN title, unless that waits for somebody. */
        return slot.title_state == ZR_TITLE_STATE_OPEN && slot.reserved_contractor == 0
                   ? ZR_STATUS_OK
                   : ZR_STATUS_ALREADY_CLAIMED;
    }
    (void)policy_for_slot(state, key->zip, key->category, &policy);
    if (slot.claims_count >= policy.max_positions ||
        (slot_is_full(&slot, policy.max_positions) &&
         !waitlist_is_turn(&slot, asker->contractor))) {
        return policy.max_positions > 1 ? ZR_STATUS_SLOT_FULL : ZR_STATUS_SLOT_TAKEN; /* I4, R4 */
    }
    if (!title_is_free(&slot) && !asker->accept_backup) {
        return ZR_STATUS_SLOT_TAKEN; /* R43 */
    }
    return ZR_STATUS_OK;
}

static void
result_fill(struct state *state, struct zr_claim_result *result, const struct slot_row *slot,
            int index)
{
    const struct slot_claim_row *held = &slot->claims[index];
    struct policy_row policy;
    struct claim_row claim;

    result->claim_id = held->claim_id;
    result->seq = held->claim_id;
    result->rank = slot_rank(slot, index);
    result->title = held->title;
    if (state_claim_get(state, held->claim_id, &claim)) {
        result->rate_cents = pricing_claim_rate_cents(state, held->claim_id, &claim, &policy);
    }
}

/* Day of the month on which the contractor's periods end: that of its CLAIM, by its clock (M2). */
static uint8_t
anchor_day(struct state *state, const struct command *command, uint32_t contractor)
{
    struct contractor_row row;
    struct local_time local;

    if (!state_contractor_get(state, contractor, &row)) {
        return 1; /* The storage failed: this batch is thrown away. */
    }
    localtime_at(&local, contractor_zone(state, contractor, &row, command->time_ms),
                 command->time_ms);
    return local.day_of_month;
}

/* A new claim at the tail, PRIMARY where nobody holds or may inherit the title. */
static void
claim_append(struct slot_change *change, const struct zr_claim_request *request)
{
    const uint8_t title = title_is_free(&change->slot) ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP;
    const uint64_t claim_id = state_counter_next(change->state, COUNTER_CLAIM_SEQ); /* R46 */
    struct claim_row claim = {
        .claimed_ms = change->command->time_ms,
        .zip = change->zip,
        .contractor = request->contractor,
        .category = change->category,
        .state = ZR_CLAIM_LIVE,
        .title = title,
        .anchor_day = anchor_day(change->state, change->command, request->contractor),
    };

    slot_append(&change->slot, claim_id, request->contractor, title);
    state_claim_put(change->state, claim_id, &claim);
    if (request->lapse) {
        change->slot.claims[change->slot.claims_count - 1].lapsing = 1;
        claim_lapse(change->state, change->command, claim_id, &claim);
    }
    if (title == ZR_TITLE_PRIMARY) {
        change->slot.title_state = ZR_TITLE_STATE_HELD;
        condition_restart(change->state, change->command, claim_id);
    }
}

static void
claim_tell(struct slot_change *change, uint32_t contractor, int index)
{
    slot_change_tell(change, (struct event_row){.type = ZR_EVENT_CLAIMED,
                                                .contractor = contractor,
                                                .claim_id = change->slot.claims[index].claim_id,
                                                .code = (uint8_t)slot_rank(&change->slot, index)});
}

/* Write one slot that claim_judge let pass. Returns the claims that are new: 1, or 0 for a live
 * backup that takes the OPEN title; its claim and seq stay (M2 (c)). */
static uint32_t
claim_write(struct state *state, const struct command *command,
            const struct zr_claim_request *request, struct zr_claim_result *result)
{
    const struct zr_slot_key key = {result->zip, result->category};
    struct slot_change change;
    int index;

    slot_change_begin(&change, state, command, &key);
    index = slot_find_contractor(&change.slot, request->contractor);
    if (index != SLOT_NO_CLAIM) {
        offer_promote(&change, index);
        slot_change_commit(&change);
        result_fill(state, result, &change.slot, index);
        return 0;
    }
    if (change.slot.waiting > 0) {
        (void)waitlist_drop(&change, request->contractor); /* What it waited for is here. */
    }
    claim_append(&change, request);
    index = change.slot.claims_count - 1;
    claim_tell(&change, request->contractor, index);
    slot_change_commit(&change);
    result_fill(state, result, &change.slot, index);
    return 1;
}

/* A refused slot still says what is there: the claim already held (E6). */
static void
result_refuse(struct state *state, struct zr_claim_result *result, uint32_t contractor)
{
    struct slot_row slot;
    int index;

    if (result->status != ZR_STATUS_ALREADY_CLAIMED) {
        return;
    }
    state_slot_get(state, result->zip, result->category, &slot);
    index = slot_find_contractor(&slot, contractor);
    if (index == SLOT_NO_CLAIM) {
        CHECK(state_failed(state));
        return;
    }
    result_fill(state, result, &slot, index);
}

/* The slot at `index` stands once before it already. */
static bool
slot_is_repeated(const struct zr_claim_request *request, uint16_t index)
{
    for (uint16_t i = 0; i < index; i++) {
        if (request->slots[i].zip == request->slots[index].zip &&
            request->slots[i].category == request->slots[index].category) {
            return true;
        }
    }
    return false;
}

/* What no type can judge: some slot, and none twice. */
static bool
claim_request_is_valid(const struct zr_claim_request *request)
{
    for (uint16_t i = 0; i < request->slots_count; i++) {
        if (slot_is_repeated(request, i)) {
            return false;
        }
    }
    return request->slots_count > 0;
}

/* Judge all slots; returns how many would pass and the first refusal. */
static uint16_t
claim_judge_all(struct state *state, const struct zr_claim_request *request,
                const struct claim_asker *asker, struct zr_claim_reply *reply, uint16_t *refusal)
{
    uint16_t passed = 0;

    *refusal = ZR_STATUS_OK;
    reply->results_count = request->slots_count;
    for (uint16_t i = 0; i < request->slots_count; i++) {
        const uint16_t status = claim_judge(state, asker, &request->slots[i]);

        reply->results[i] = (struct zr_claim_result){
            .zip = request->slots[i].zip, .category = request->slots[i].category, .status = status};
        passed = (uint16_t)(passed + (status == ZR_STATUS_OK));
        if (*refusal == ZR_STATUS_OK) {
            *refusal = status;
        }
    }
    return passed;
}

/* What many slots have in common: the contractor's count of claims, and its rates. */
static void
claim_count(struct state *state, const struct command *command, uint32_t contractor, uint32_t added)
{
    struct contractor_row row;

    /* Read again: a restarted condition may have changed it meanwhile. */
    if (added > 0 && state_contractor_get(state, contractor, &row)) {
        row.claims += added;
        state_contractor_put(state, contractor, &row);
    }
    funds_rates_changed(state, command, contractor);
}

uint16_t
claim_apply(struct state *state, const struct command *command,
            const struct zr_claim_request *request, struct zr_claim_reply *reply,
            struct effects *effects)
{
    struct contractor_row contractor;
    struct claim_asker asker;
    uint32_t added = 0;
    uint16_t refusal;
    uint16_t passed;

    if (!claim_request_is_valid(request)) {
        return command_invalid(effects, &zr_claim_request_shape, "slots");
    }
    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    asker = (struct claim_asker){request->contractor, contractor.status, request->accept_backup};
    reply->commit_seq = command->seq;
    passed = claim_judge_all(state, request, &asker, reply, &refusal);
    if (request->all_or_none && passed < request->slots_count) {
        passed = 0;
    }
    for (uint16_t i = 0; i < reply->results_count; i++) {
        struct zr_claim_result *result = &reply->results[i];

        if (result->status != ZR_STATUS_OK) {
            result_refuse(state, result, request->contractor);
        } else if (passed == 0) {
            result->status = ZR_STATUS_ALL_OR_NONE;
        } else {
            added += claim_write(state, command, request, result);
        }
    }
    if (passed == 0) {
        return refusal;
    }
    claim_count(state, command, request->contractor, added);
    return ZR_STATUS_OK;
}
