/*
 * offer.c - see offer.h.
 */
#include "server/domain/offer.h"

#include "protocol/check.h"
#include "server/domain/claim.h"
#include "server/domain/condition.h"
#include "server/domain/event.h"
#include "server/domain/ledger.h"
#include "server/domain/slot.h"
#include "server/domain/timer.h"
#include "server/domain/waitlist.h"

enum { MS_PER_S = 1000 };

/* ---- who is asked ---------------------------------------------------------------------------- */

/* The chain passes over these (M2 "Opening"). */
static bool
chain_reaches(struct slot_change *change, const struct slot_claim_row *claim)
{
    struct contractor_row contractor;

    if (claim->lapsing || !state_contractor_get(change->state, claim->contractor, &contractor)) {
        return false;
    }
    switch ((enum zr_contractor_status)contractor.status) {
    case ZR_CONTRACTOR_SUSPENDED:
    case ZR_CONTRACTOR_CLOSING:
    case ZR_CONTRACTOR_CLOSED:
        return false;
    case ZR_CONTRACTOR_PENDING:
    case ZR_CONTRACTOR_APPROVED:
        break;
    }
    return true;
}

/* May it accept now? Hours, caps and concurrency do not matter (M2 "Opening", E10). */
static bool
heir_may_accept(struct slot_change *change, const struct slot_claim_row *heir)
{
    struct contractor_row contractor;
    struct wallet_row wallet;

    if (!state_contractor_get(change->state, heir->contractor, &contractor)) {
        return false;
    }
    if (contractor.status != ZR_CONTRACTOR_APPROVED || contractor.paused || heir->paused) {
        return false;
    }
    state_wallet_get(change->state, heir->contractor, &wallet);
    return wallet_available_cents(&wallet) >= slot_change_rate_cents(change, 1);
}

void
offer_promote(struct slot_change *change, int index)
{
    struct slot_claim_row *heir = &change->slot.claims[index];
    struct claim_row claim;

    CHECK(index >= 0);
    CHECK(index < change->slot.claims_count);
    CHECK(slot_find_primary(&change->slot) == SLOT_NO_CLAIM);
    CHECK(change->slot.offer_id == 0);
    heir->title = ZR_TITLE_PRIMARY;
    change->slot.chain_claim_id = 0;
    change->slot.title_state = ZR_TITLE_STATE_HELD;
    if (state_claim_get(change->state, heir->claim_id, &claim)) {
        claim.title = ZR_TITLE_PRIMARY;
        state_claim_put(change->state, heir->claim_id, &claim);
    }
    condition_restart(change->state, change->command, heir->claim_id);
}

/* ---- the chain ------------------------------------------------------------------------------- */

static void
offer_tell(struct slot_change *change, uint64_t offer_id, const struct offer_row *offer,
           uint8_t event_type)
{
    slot_change_tell(change, (struct event_row){.type = event_type,
                                                .contractor = offer->contractor,
                                                .claim_id = offer->claim_id,
                                                .number = offer_id,
                                                .deadline_ms = offer->deadline_ms});
}

static void
offer_make(struct slot_change *change, const struct slot_claim_row *claim)
{
    const uint64_t offer_id = state_counter_next(change->state, COUNTER_OFFER);
    const uint64_t window_ms = (uint64_t)change->policy.offer_window_s * MS_PER_S;
    const struct offer_row offer = {
        .claim_id = claim->claim_id,
        .made_ms = change->command->time_ms,
        .deadline_ms = change->command->time_ms + window_ms,
        .zip = change->zip,
        .contractor = claim->contractor,
        .category = change->category,
        .state = ZR_OFFER_PENDING,
    };

    CHECK(window_ms > 0);
    state_offer_put(change->state, offer_id, &offer);
    change->slot.title_state = ZR_TITLE_STATE_OFFERED;
    change->slot.offer_id = offer_id;
    change->slot.offer_claim_id = claim->claim_id;
    change->slot.offer_deadline_ms = offer.deadline_ms;
    timer_set(change->state, offer.deadline_ms,
              &(struct timer_row){
                  .kind = TIMER_OFFER, .number = offer_id, .deadline_ms = offer.deadline_ms});
    offer_tell(change, offer_id, &offer, ZR_EVENT_OFFER_MADE);
}

/* Ask the next claim by seq; with a window of 0 the first that passes is promoted at once. */
static void
chain_advance(struct slot_change *change)
{
    struct slot_row *slot = &change->slot;

    CHECK(slot->offer_id == 0);
    for (int i = 0; i < slot->claims_count; i++) {
        const struct slot_claim_row *claim = &slot->claims[i];

        if (claim->claim_id <= slot->chain_claim_id) {
            continue;
        }
        slot->chain_claim_id = claim->claim_id;
        if (!chain_reaches(change, claim)) {
            continue;
        }
        if (change->policy.offer_window_s != 0) {
            offer_make(change, claim);
            return;
        }
        if (heir_may_accept(change, claim)) {
            offer_promote(change, i);
            return;
        }
    }
    slot_end_chain(slot);
}

void
offer_open_title(struct slot_change *change)
{
    const bool inherited = change->slot.claims_count > 0;

    CHECK(change->slot.title_state == ZR_TITLE_STATE_HELD);
    CHECK(slot_find_primary(&change->slot) == SLOT_NO_CLAIM);
    slot_change_tell(change, (struct event_row){
                                 .type = ZR_EVENT_SLOT_OPENED,
                                 .contractor = inherited ? change->slot.claims[0].contractor : 0,
                                 .claim_id = inherited ? change->slot.claims[0].claim_id : 0,
                             });
    chain_advance(change);
}

/* The pending offer ends in that state; the chain stands where it was. */
static void
offer_close(struct slot_change *change, uint8_t offer_state, uint8_t event_type)
{
    struct slot_row *slot = &change->slot;
    struct offer_row offer;

    CHECK(slot->title_state == ZR_TITLE_STATE_OFFERED);
    if (state_offer_get(change->state, slot->offer_id, &offer)) {
        CHECK(offer.state == ZR_OFFER_PENDING);
        offer.state = offer_state;
        state_offer_put(change->state, slot->offer_id, &offer);
        offer_tell(change, slot->offer_id, &offer, event_type);
    }
    slot->offer_id = 0;
    slot->offer_claim_id = 0;
    slot->offer_deadline_ms = 0;
}

void
offer_withdraw(struct slot_change *change, uint64_t claim_id)
{
    CHECK(claim_id != 0);
    if (change->slot.offer_claim_id == claim_id) {
        offer_close(change, ZR_OFFER_CANCELLED, ZR_EVENT_OFFER_CANCELLED);
    }
}

void
offer_continue(struct slot_change *change)
{
    struct slot_row *slot = &change->slot;

    if (slot->title_state == ZR_TITLE_STATE_OFFERED && slot->offer_id == 0) {
        chain_advance(change);
    } else if (slot->title_state == ZR_TITLE_STATE_OPEN) {
        slot_end_chain(slot);
    }
}

/* ---- OFFER_REPLY ----------------------------------------------------------------------------- */

static void
reply_fill(struct state *state, struct zr_offer_reply_reply *reply, const struct offer_row *offer)
{
    struct slot_row slot;
    struct claim_row claim;
    int index;

    reply->claim_id = offer->claim_id;
    reply->deadline_ms = offer->deadline_ms;
    reply->contractor = offer->contractor;
    reply->state = offer->state;
    state_slot_get(state, offer->zip, offer->category, &slot);
    index = slot_find_claim(&slot, offer->claim_id);
    reply->rank = index == SLOT_NO_CLAIM ? 0 : slot_rank(&slot, index);
    if (state_claim_get(state, offer->claim_id, &claim)) {
        reply->title = claim.title;
    }
}

/* Accept or decline the pending offer of this change's slot. */
static uint16_t
offer_answer(struct slot_change *change, bool accept)
{
    struct slot_row *slot = &change->slot;
    const int index = slot_find_claim(slot, slot->offer_claim_id);

    CHECK(index != SLOT_NO_CLAIM);
    if (!accept) {
        offer_close(change, ZR_OFFER_DECLINED, ZR_EVENT_OFFER_DECLINED); /* E9 */
        offer_continue(change);
        return ZR_STATUS_OK;
    }
    if (!heir_may_accept(change, &slot->claims[index])) {
        return ZR_STATUS_NOT_ELIGIBLE; /* E10: it stays open. */
    }
    offer_close(change, ZR_OFFER_ACCEPTED, ZR_EVENT_OFFER_ACCEPTED);
    offer_promote(change, index);
    return ZR_STATUS_OK;
}

uint16_t
offer_reply_apply(struct state *state, const struct command *command,
                  const struct zr_offer_reply_request *request, struct zr_offer_reply_reply *reply)
{
    struct slot_change change;
    struct contractor_row contractor;
    struct claim_row claim;
    struct offer_row offer;
    uint16_t status = ZR_STATUS_OFFER_CLOSED;

    if (!state_offer_get(state, request->offer_id, &offer) ||
        !claim_find_own(state, command, offer.claim_id, &claim, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    /* E8: exclusive. Timers that are due fire first, so a passed deadline is EXPIRED already. */
    if (offer.state == ZR_OFFER_PENDING && command->time_ms < offer.deadline_ms) {
        slot_change_begin(&change, state, command,
                          &(struct zr_slot_key){offer.zip, offer.category});
        CHECK(change.slot.offer_id == request->offer_id || state_failed(state));
        if (change.slot.offer_id == request->offer_id) {
            status = offer_answer(&change, request->accept);
        }
        if (status == ZR_STATUS_OK) {
            slot_change_commit(&change);
        }
        (void)state_offer_get(state, request->offer_id, &offer);
    }
    reply->commit_seq = command->seq;
    reply->offer_id = request->offer_id;
    reply_fill(state, reply, &offer);
    return status;
}

/* ---- time ------------------------------------------------------------------------------------ */

/* The pending offer that the timer stands for, as it is now. */
static bool
offer_find(struct state *state, const struct timer_row *timer, struct offer_row *offer)
{
    return state_offer_get(state, timer->number, offer) && offer->state == ZR_OFFER_PENDING &&
           offer->deadline_ms == timer->deadline_ms;
}

bool
offer_timer(struct state *state, const struct command *command, const struct timer_row *timer)
{
    struct slot_change change;
    struct offer_row offer;

    if (timer->kind == TIMER_RESERVATION) {
        return waitlist_timer(state, command, timer);
    }
    CHECK(timer->kind == TIMER_OFFER);
    if (!offer_find(state, timer, &offer)) {
        return false;
    }
    slot_change_begin(&change, state, command, &(struct zr_slot_key){offer.zip, offer.category});
    if (change.slot.offer_id != timer->number) {
        CHECK(state_failed(state));
        return false;
    }
    offer_close(&change, ZR_OFFER_EXPIRED, ZR_EVENT_OFFER_EXPIRED);
    offer_continue(&change);
    slot_change_commit(&change);
    return true;
}

bool
offer_deadline_move(struct state *state, const struct command *command,
                    const struct timer_row *timer, uint64_t deadline_ms)
{
    struct slot_change change;
    struct offer_row offer;

    if (timer->kind == TIMER_RESERVATION) {
        return waitlist_deadline_move(state, command, timer, deadline_ms);
    }
    CHECK(timer->kind == TIMER_OFFER);
    if (!offer_find(state, timer, &offer)) {
        return false;
    }
    offer.deadline_ms = deadline_ms;
    state_offer_put(state, timer->number, &offer);
    slot_change_begin(&change, state, command, &(struct zr_slot_key){offer.zip, offer.category});
    change.slot.offer_deadline_ms = deadline_ms;
    slot_change_commit(&change);
    return true;
}
