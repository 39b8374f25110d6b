/*
 * claim.c - CLAIM: judge every slot, then write. See claim.h.
 */
#include "server/domain/claim.h"

#include "protocol/check.h"
#include "server/domain/ledger.h"
#include "server/domain/policy.h"
#include "server/domain/pricing.h"
#include "server/domain/slot.h"

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

/* True when a CLAIM now would carry the title: nobody holds or may still inherit it. */
static bool
title_is_free(const struct slot_row *slot)
{
    return slot->claims_count == 0 || slot->open;
}

/* The first rule that this contractor's CLAIM on this slot breaks (protocol.md "Status"). */
static uint16_t
claim_judge(struct state *state, const struct zr_claim_request *request,
            const struct contractor_row *contractor, const struct zr_slot_key *key)
{
    struct category_row category;
    struct policy_row policy;
    struct slot_row slot;
    struct zip_row zip;
    int held;

    if (!state_zip_get(state, key->zip, &zip)) {
        return ZR_STATUS_UNKNOWN_ZIP;
    }
    if (!claim_is_offered(state, key->zip, key->category, &category)) {
        return ZR_STATUS_NOT_OFFERED;
    }
    if (contractor->status != ZR_CONTRACTOR_APPROVED) {
        return ZR_STATUS_NOT_APPROVED;
    }
    state_slot_get(state, key->zip, key->category, &slot);
    held = slot_find_contractor(&slot, request->contractor);
    if (held != SLOT_NO_CLAIM) {
        return slot.open ? ZR_STATUS_OK : ZR_STATUS_ALREADY_CLAIMED; /* E6 */
    }
    (void)policy_for_slot(state, key->zip, key->category, &policy);
    if (slot.claims_count >= policy.max_positions) {
        return policy.max_positions > 1 ? ZR_STATUS_SLOT_FULL : ZR_STATUS_SLOT_TAKEN; /* I4, R4 */
    }
    if (!title_is_free(&slot) && !request->accept_backup) {
        return ZR_STATUS_SLOT_TAKEN; /* R43 */
    }
    return ZR_STATUS_OK;
}

/* A live backup takes the vacant title; its claim and seq stay (M2 (c)). */
static void
title_take(struct state *state, struct slot_row *slot, int index)
{
    const uint64_t claim_id = slot->claims[index].claim_id;
    struct claim_row claim;
    const bool found = state_claim_get(state, claim_id, &claim);

    CHECK(found);
    slot->claims[index].title = ZR_TITLE_PRIMARY;
    slot->open = 0;
    claim.title = ZR_TITLE_PRIMARY;
    state_claim_put(state, claim_id, &claim);
}

/* The dearest and the cheapest rate of a wallet's claims widen with each claim. */
static void
wallet_widen_rates(struct state *state, uint32_t contractor, int64_t rate_cents)
{
    struct wallet_row wallet;

    state_wallet_get(state, contractor, &wallet);
    if (rate_cents <= wallet.rate_max_cents && wallet.rate_min_cents != 0 &&
        rate_cents >= wallet.rate_min_cents) {
        return;
    }
    if (rate_cents > wallet.rate_max_cents) {
        wallet.rate_max_cents = rate_cents;
    }
    if (wallet.rate_min_cents == 0 || rate_cents < wallet.rate_min_cents) {
        wallet.rate_min_cents = rate_cents;
    }
    state_wallet_put(state, contractor, &wallet);
}

static int64_t
slot_rate_cents(struct state *state, uint32_t zip, uint16_t category, uint16_t rank)
{
    struct category_row row;
    struct policy_row policy;

    if (!state_category_get(state, category, &row)) {
        return 0;
    }
    (void)policy_for_slot(state, zip, category, &policy);
    return pricing_rate_cents(&policy, row.rate_cents, rank);
}

static void
result_fill(struct state *state, struct zr_claim_result *result, const struct slot_row *slot,
            int index)
{
    result->claim_id = slot->claims[index].claim_id;
    result->seq = slot->claims[index].claim_id;
    result->rank = slot_rank(slot, index);
    result->title = slot->claims[index].title;
    result->rate_cents = slot_rate_cents(state, result->zip, result->category, result->rank);
}

/* Write one slot that claim_judge let pass. Returns the claims that are new: 1, or 0 for a live
 * backup that takes the open title. */
static uint32_t
claim_write(struct state *state, const struct command *command, uint32_t contractor,
            struct zr_claim_result *result)
{
    struct slot_row slot;
    uint32_t added = 0;
    int index;

    state_slot_get(state, result->zip, result->category, &slot);
    index = slot_find_contractor(&slot, contractor);
    if (index != SLOT_NO_CLAIM) {
        title_take(state, &slot, index);
    } else {
        const uint8_t title = title_is_free(&slot) ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP;
        const uint64_t claim_id = state_counter_next(state, COUNTER_CLAIM_SEQ); /* R46 */
        const struct claim_row claim = {
            .claimed_ms = command->time_ms,
            .zip = result->zip,
            .contractor = contractor,
            .category = result->category,
            .state = ZR_CLAIM_LIVE,
            .title = title,
        };

        slot_append(&slot, claim_id, contractor, title);
        if (title == ZR_TITLE_PRIMARY) {
            slot.open = 0;
        }
        state_claim_put(state, claim_id, &claim);
        index = slot.claims_count - 1;
        added = 1;
    }
    slot.version++;
    slot_check(&slot);
    state_slot_put(state, result->zip, result->category, &slot);
    result_fill(state, result, &slot, index);
    if (added > 0) {
        wallet_widen_rates(state, contractor, result->rate_cents);
    } else {
        claim_recount_rates(state, contractor); /* The backup's rate is gone with its rank. */
    }
    return added;
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
    CHECK(index != SLOT_NO_CLAIM);
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
                const struct contractor_row *contractor, struct zr_claim_reply *reply,
                uint16_t *refusal)
{
    uint16_t passed = 0;

    *refusal = ZR_STATUS_OK;
    reply->results_count = request->slots_count;
    for (uint16_t i = 0; i < request->slots_count; i++) {
        const uint16_t status = claim_judge(state, request, contractor, &request->slots[i]);

        reply->results[i] = (struct zr_claim_result){
            .zip = request->slots[i].zip, .category = request->slots[i].category, .status = status};
        passed = (uint16_t)(passed + (status == ZR_STATUS_OK));
        if (*refusal == ZR_STATUS_OK) {
            *refusal = status;
        }
    }
    return passed;
}

uint16_t
claim_apply(struct state *state, const struct command *command,
            const struct zr_claim_request *request, struct zr_claim_reply *reply,
            struct effects *effects)
{
    struct contractor_row contractor;
    uint16_t refusal;
    uint16_t passed;

    if (!claim_request_is_valid(request)) {
        return command_invalid(effects, &zr_claim_request_shape, "slots");
    }
    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    reply->commit_seq = command->seq;
    passed = claim_judge_all(state, request, &contractor, reply, &refusal);
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
            contractor.claims += claim_write(state, command, request->contractor, result);
        }
    }
    if (passed == 0) {
        return refusal;
    }
    state_contractor_put(state, request->contractor, &contractor);
    return ZR_STATUS_OK;
}
