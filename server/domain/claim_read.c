/*
 * claim_read.c - what may be seen of claims and slots, and by whom (R54, R69). See claim.h.
 */
#include "protocol/check.h"
#include "server/domain/claim.h"
#include "server/domain/condition.h"
#include "server/domain/policy.h"
#include "server/domain/pricing.h"
#include "server/domain/slot.h"

/* At the rank it has today; an ended claim costs nothing. */
static int64_t
rate_today_cents(struct state *state, uint64_t claim_id, const struct claim_row *claim)
{
    struct policy_row policy;

    return claim->ended_ms == 0 ? pricing_claim_rate_cents(state, claim_id, claim, &policy) : 0;
}

uint8_t
claim_wire_state(const struct claim_row *claim)
{
    return claim->ended_ms == 0 && claim->lapse_ms != 0 ? ZR_CLAIM_LAPSING : claim->state;
}

/* Its rank today, 0 once it ended. */
static uint16_t
claim_rank(const struct slot_row *slot, uint64_t claim_id)
{
    const int index = slot_find_claim(slot, claim_id);

    return index == SLOT_NO_CLAIM ? 0 : slot_rank(slot, index);
}

static void
claim_to_wire(struct state *state, struct zr_claim_row *row, uint64_t claim_id,
              const struct claim_row *claim)
{
    struct slot_row slot;

    state_slot_get(state, claim->zip, claim->category, &slot);
    *row = (struct zr_claim_row){
        .claim_id = claim_id,
        .seq = claim_id,
        .claimed_ms = claim->claimed_ms,
        .ended_ms = claim->ended_ms,
        .rate_cents = rate_today_cents(state, claim_id, claim),
        .contractor = claim->contractor,
        .zip = claim->zip,
        .category = claim->category,
        .rank = claim_rank(&slot, claim_id),
        .title = claim->title,
        .state = claim_wire_state(claim),
    };
}

/* What stands against a live claim, and the offer that waits for it. */
static void
get_live(struct zr_claim_get_reply *reply, const struct claim_row *claim,
         const struct contractor_row *contractor, const struct slot_row *slot)
{
    reply->conditions = condition_bits(claim, contractor, &reply->deadline_ms);
    if (claim->state == ZR_CLAIM_PAUSED) {
        reply->paused_deadline_ms = claim->pause.deadline_ms;
    }
    reply->dry_deadline_ms = claim->dry_deadline_ms;
    reply->period_end_ms = claim->lapse_ms;
    reply->rank = claim_rank(slot, reply->claim_id);
    if (slot->offer_claim_id == reply->claim_id) {
        reply->offer_id = slot->offer_id;
        reply->offer_deadline_ms = slot->offer_deadline_ms;
    }
}

uint16_t
claim_get(struct state *state, const struct command *command,
          const struct zr_claim_get_request *request, struct zr_claim_get_reply *reply)
{
    struct contractor_row contractor;
    struct claim_row claim;
    struct slot_row slot;

    if (!claim_find_own(state, command, request->claim_id, &claim, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    *reply = (struct zr_claim_get_reply){
        .claim_id = request->claim_id,
        .claimed_ms = claim.claimed_ms,
        .ended_ms = claim.ended_ms,
        .rate_cents = rate_today_cents(state, request->claim_id, &claim),
        .contractor = claim.contractor,
        .zip = claim.zip,
        .category = claim.category,
        .title = claim.title,
        .state = claim_wire_state(&claim),
    };
    if (claim.ended_ms == 0) {
        state_slot_get(state, claim.zip, claim.category, &slot);
        get_live(reply, &claim, &contractor, &slot);
    }
    return ZR_STATUS_OK;
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

/* True when the asker may know whose claim it is (R54). */
static bool
slot_claim_is_own(struct state *state, const struct command *command,
                  const struct slot_claim_row *claim)
{
    struct contractor_row contractor;

    return state_contractor_get(state, claim->contractor, &contractor) &&
           command_owns(command, claim->contractor, &contractor);
}

static uint8_t
slot_claim_state(const struct slot_claim_row *claim)
{
    if (claim->lapsing) {
        return ZR_CLAIM_LAPSING;
    }
    return claim->paused ? ZR_CLAIM_PAUSED : ZR_CLAIM_LIVE;
}

/* The cascade in rank order; who it is only where the asker may know. */
static void
slot_claims_to_wire(struct state *state, const struct command *command, const struct slot_row *slot,
                    struct zr_slot_get_reply *reply)
{
    reply->claims_count = slot->claims_count;
    for (int place = 0; place < slot->claims_count; place++) {
        const int index = slot_in_order(slot, place);
        const struct slot_claim_row *row = &slot->claims[index];
        const bool own = slot_claim_is_own(state, command, row);

        reply->claims[place] = (struct zr_slot_claim){
            .claim_id = own ? row->claim_id : 0,
            .seq = row->claim_id,
            .contractor = own ? row->contractor : 0,
            .rank = slot_rank(slot, index),
            .title = row->title,
            .state = slot_claim_state(row),
        };
        if (own && row->claim_id == slot->offer_claim_id) {
            reply->offer_id = slot->offer_id;
        }
    }
}

uint16_t
claim_slot_get(struct state *state, const struct command *command,
               const struct zr_slot_get_request *request, struct zr_slot_get_reply *reply)
{
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
        .open = slot.title_state == ZR_TITLE_STATE_OPEN && slot.reserved_contractor == 0,
        .offer_deadline_ms =
            slot.offer_id != 0 ? slot.offer_deadline_ms : slot.reserved_deadline_ms,
        .offer_seq = slot.offer_claim_id,
        .waiting = slot.waiting,
        .title_state = slot.title_state,
        .reserved = slot.reserved_contractor != 0,
    };
    slot_claims_to_wire(state, command, &slot, reply);
    return ZR_STATUS_OK;
}
