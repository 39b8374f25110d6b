/*
 * claim_read.c - what may be seen of claims and slots, and by whom (R54, R69). See claim.h.
 */
#include "protocol/check.h"
#include "server/domain/claim.h"
#include "server/domain/policy.h"
#include "server/domain/pricing.h"
#include "server/domain/slot.h"

static void
claim_to_wire(struct state *state, struct zr_claim_row *row, uint64_t claim_id,
              const struct claim_row *claim)
{
    struct category_row category;
    struct policy_row policy;
    struct slot_row slot;
    int index;

    *row = (struct zr_claim_row){
        .claim_id = claim_id,
        .seq = claim_id,
        .claimed_ms = claim->claimed_ms,
        .ended_ms = claim->ended_ms,
        .contractor = claim->contractor,
        .zip = claim->zip,
        .category = claim->category,
        .title = claim->title,
        .state = claim->state,
    };
    if (claim->ended_ms != 0) {
        return;
    }
    state_slot_get(state, claim->zip, claim->category, &slot);
    index = slot_find_claim(&slot, claim_id);
    if (index == SLOT_NO_CLAIM || !state_category_get(state, claim->category, &category)) {
        return;
    }
    (void)policy_for_slot(state, claim->zip, claim->category, &policy);
    row->rank = slot_rank(&slot, index);
    row->rate_cents = pricing_rate_cents(&policy, category.rate_cents, row->rank);
}

/* The claim behind `after` in the list that was asked for; 0 = the end. */
static uint64_t
list_next(struct state *state, uint32_t contractor, uint64_t after)
{
    if (contractor != 0) {
        return state_claim_next(state, contractor, after);
    }
    return after < state_counter_now(state, COUNTER_CLAIM_SEQ) ? after + 1 : 0;
}

/* One contractor's claims for those who may act for it; all of them for ADMIN and AUDITOR. */
static bool
list_is_allowed(struct state *state, const struct command *command, uint32_t contractor)
{
    struct contractor_row row;

    if (contractor == 0) {
        return command->role == ZR_ROLE_ADMIN || command->role == ZR_ROLE_AUDITOR;
    }
    return state_contractor_get(state, contractor, &row) && command_owns(command, contractor, &row);
}

uint16_t
claim_list(struct state *state, const struct command *command,
           const struct zr_claims_list_request *request, struct zr_claims_list_reply *reply)
{
    enum { PAGE = sizeof reply->claims / sizeof reply->claims[0], SCAN_MAX = 1024 };
    uint64_t claim_id = request->after;
    struct claim_row claim;

    if (!list_is_allowed(state, command, request->contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    /* A page may come short: a long run of ended claims must not hold up the worker. */
    for (int scanned = 0; scanned < SCAN_MAX && reply->claims_count < PAGE; scanned++) {
        claim_id = list_next(state, request->contractor, claim_id);
        if (claim_id == 0) {
            return ZR_STATUS_OK;
        }
        if (state_claim_get(state, claim_id, &claim) && (claim.ended_ms == 0 || request->ended)) {
            claim_to_wire(state, &reply->claims[reply->claims_count++], claim_id, &claim);
        }
    }
    reply->next = claim_id;
    return ZR_STATUS_OK;
}

uint16_t
claim_slot_get(struct state *state, const struct command *command,
               const struct zr_slot_get_request *request, struct zr_slot_get_reply *reply)
{
    struct contractor_row contractor;
    struct category_row category;
    struct policy_row policy;
    struct slot_row slot;
    struct zip_row zip;

    if (!state_zip_get(state, request->zip, &zip)) {
        return ZR_STATUS_UNKNOWN_ZIP;
    }
    if (!claim_is_offered(state, request->zip, request->category, &category)) {
        return ZR_STATUS_NOT_OFFERED;
    }
    state_slot_get(state, request->zip, request->category, &slot);
    (void)policy_for_slot(state, request->zip, request->category, &policy);
    *reply = (struct zr_slot_get_reply){
        .version = slot.version,
        .rate_cents = category.rate_cents,
        .zip = request->zip,
        .category = request->category,
        .positions = policy.max_positions,
        .open = slot.open != 0,
        .claims_count = slot.claims_count,
    };
    for (int place = 0; place < slot.claims_count; place++) {
        const int index = slot_in_order(&slot, place);
        const struct slot_claim_row *row = &slot.claims[index];
        const bool own = state_contractor_get(state, row->contractor, &contractor) &&
                         command_owns(command, row->contractor, &contractor);

        reply->claims[place] = (struct zr_slot_claim){
            .claim_id = own ? row->claim_id : 0,
            .seq = row->claim_id,
            .contractor = own ? row->contractor : 0,
            .rank = slot_rank(&slot, index),
            .title = row->title,
            .state = row->paused ? ZR_CLAIM_PAUSED : ZR_CLAIM_LIVE,
        };
    }
    return ZR_STATUS_OK;
}
