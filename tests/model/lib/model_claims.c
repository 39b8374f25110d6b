/*
 * model_claims.c - slots, their claims, the chain of offers and the waitlist (M2).
 *
 * The hard idea: a slot's title is never stored. Who is primary, whose offer is pending and who
 * waits are stored; ranks and the title's state are counted from them each time.
 */
#include "tests/model/lib/model.h"

#include <string.h>

enum { OFFER_WINDOW_DEFAULT_S = 24 * 3600 };

/* ---- ranks that move
 * ----------------------------------------------------------------------------- */

struct ranks {
    int claims[64];
    uint8_t ranks[64];
    int count;
};

static void
ranks_note(const struct model *model, int slot, struct ranks *ranks)
{
    ranks->count = 0;
    for (int i = 0; i < model->live_count; i++) {
        if (model->claims[model->live[i]].slot == slot) {
            ranks->claims[ranks->count] = model->live[i];
            ranks->ranks[ranks->count++] = model_rank(model, model->live[i]);
        }
    }
}

/* RANK_CHANGED to each whose rank is another than it was; with it comes another rate, which work of
 * this instant looks at. */
static void
ranks_tell(struct model *model, int slot, const struct ranks *before)
{
    for (int i = 0; i < before->count; i++) {
        const int claim = before->claims[i];

        if (model->claims[claim].live && model_rank(model, claim) != before->ranks[i]) {
            model_claim_event(model, ZR_EVENT_RANK_CHANGED, claim, model_rank(model, claim), 0);
            model->slots[slot].rates_asked_ms = model->now_ms;
            model->slots[slot].rates_stamp = ++model->stamp;
        }
    }
}

void
model_slot_rates(struct model *model, int slot)
{
    model->slots[slot].rates_asked_ms = 0;
    for (int i = 0; i < model->live_count; i++) {
        if (model->claims[model->live[i]].slot == slot) {
            model_rates_touched(model, model->claims[model->live[i]].contractor);
        }
    }
}

/* The title itself; what that makes of ranks is told by who began it, once. */
static void
title_pass(struct model *model, int claim)
{
    struct model_slot *slot = &model->slots[model->claims[claim].slot];

    slot->primary = claim;
    slot->offer_claim = -1;
    model_conditions_restart(model, claim);
}

static void
title_give(struct model *model, int claim)
{
    struct ranks before;

    ranks_note(model, model->claims[claim].slot, &before);
    title_pass(model, claim);
    ranks_tell(model, model->claims[claim].slot, &before);
}

/* ---- the chain of offers
 * --------------------------------------------------------------------------- */

/* Accept requires it (E10); the chain with window 0 asks the same. */
static bool
may_accept(const struct model *model, int claim)
{
    const struct model_claim *row = &model->claims[claim];
    const struct model_contractor *who = &model->contractors[row->contractor];

    return who->status == ZR_CONTRACTOR_APPROVED && !who->paused.on && !row->paused.on &&
           model_available(model, row->contractor) >= model_rate_at(model, row->slot, 1);
}

static bool
is_passed_over(const struct model *model, int claim)
{
    const struct model_claim *row = &model->claims[claim];

    return row->period_end_ms != 0 ||
           model->contractors[row->contractor].status == ZR_CONTRACTOR_SUSPENDED ||
           model->contractors[row->contractor].status == ZR_CONTRACTOR_CLOSING ||
           model->contractors[row->contractor].status == ZR_CONTRACTOR_CLOSED;
}

static void
offer_make(struct model *model, int claim)
{
    struct model_slot *slot = &model->slots[model->claims[claim].slot];
    const uint32_t window_s =
        model_policy_of(model, model->claims[claim].slot)->rules.offer_window_s;

    slot->offer_claim = claim;
    slot->offer_id = 0;
    slot->offer_deadline_ms = model->now_ms + window_s * MODEL_SECOND_MS;
    slot->offer_stamp = ++model->stamp;
    model_offer_event(model, ZR_EVENT_OFFER_MADE, model->claims[claim].slot);
}

/* The next in line gets it; nobody is left: OPEN or VACANT, and the waitlist hears of it. */
static void
chain_go_on(struct model *model, int slot_index)
{
    struct model_slot *slot = &model->slots[slot_index];
    const bool at_once = model_policy_of(model, slot_index)->rules.offer_window_s == 0;

    slot->offer_claim = -1;
    for (int i = 0; i < model->live_count; i++) {
        const int claim = model->live[i];
        const struct model_claim *row = &model->claims[claim];

        if (row->slot != slot_index || row->seq <= slot->chain_seq) {
            continue;
        }
        slot->chain_seq = row->seq;
        if (is_passed_over(model, claim) || (at_once && !may_accept(model, claim))) {
            continue;
        }
        if (at_once) {
            title_pass(model, claim);
        } else {
            offer_make(model, claim);
        }
        break;
    }
    model_reserve(model, slot_index);
}

static void
slot_open(struct model *model, int slot_index)
{
    struct model_slot *slot = &model->slots[slot_index];
    int first = -1;

    for (int i = 0; i < model->live_count && first < 0; i++) {
        first = model->claims[model->live[i]].slot == slot_index ? model->live[i] : -1;
    }
    model_event(
        model, ZR_EVENT_SLOT_OPENED,
        &(struct model_event){.contractor = first >= 0 ? model->claims[first].contractor : -1,
                              .claim_id = first >= 0 ? model->claims[first].id : 0,
                              .zip = slot->zip,
                              .category = slot->category});
    slot->chain_seq = 0;
    chain_go_on(model, slot_index);
}

/* The pending offer is over, and the chain goes on, which may give the title at once. */
static void
offer_over(struct model *model, int slot, uint8_t type)
{
    struct ranks before;

    ranks_note(model, slot, &before);
    model_offer_event(model, type, slot);
    chain_go_on(model, slot);
    ranks_tell(model, slot, &before);
}

void
model_offers_cancel_of(struct model *model, int slot)
{
    offer_over(model, slot, ZR_EVENT_OFFER_CANCELLED);
}

void
model_offers_cancel(struct model *model, int contractor)
{
    for (int i = 0; i < MODEL_SLOTS; i++) {
        const int claim = model->slots[i].offer_claim;

        if (claim >= 0 && model->claims[claim].contractor == contractor) {
            model_offers_cancel_of(model, i);
        }
    }
}

void
model_offer_expire(struct model *model, int slot)
{
    offer_over(model, slot, ZR_EVENT_OFFER_EXPIRED);
}

int
model_offer_reply(struct model *model, uint32_t tenant,
                  const struct zr_offer_reply_request *request, struct zr_offer_reply_reply *reply,
                  bool *duplicate)
{
    const struct model_offer *offer = NULL;
    int slot;

    *duplicate = false;
    for (int i = 0; i < model->offers_count; i++) {
        offer = model->offers[i].id == request->offer_id ? &model->offers[i] : offer;
    }
    if (offer == NULL ||
        model->contractors[model->claims[offer->claim].contractor].tenant != tenant) {
        return ZR_STATUS_NOT_FOUND;
    }
    slot = model->claims[offer->claim].slot;
    reply->offer_id = offer->id;
    reply->claim_id = model->claims[offer->claim].id;
    reply->deadline_ms = offer->deadline_ms;
    reply->contractor = model->contractors[model->claims[offer->claim].contractor].number;
    if (model->slots[slot].offer_claim != offer->claim ||
        model->slots[slot].offer_id != offer->id) {
        return ZR_STATUS_OFFER_CLOSED;
    }
    if (request->accept && !may_accept(model, offer->claim)) {
        return ZR_STATUS_NOT_ELIGIBLE;
    }
    if (request->accept) {
        model_offer_event(model, ZR_EVENT_OFFER_ACCEPTED, slot);
        title_give(model, offer->claim);
        reply->state = ZR_OFFER_ACCEPTED;
        model_reserve(model, slot);
    } else {
        offer_over(model, slot, ZR_EVENT_OFFER_DECLINED);
        reply->state = ZR_OFFER_DECLINED;
    }
    reply->rank = model_rank(model, offer->claim);
    reply->title = reply->rank == 1 ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP;
    model_settle(model);
    return ZR_STATUS_OK;
}

/* ---- the waitlist
 * ---------------------------------------------------------------------------------- */

void
model_reserve(struct model *model, int slot_index)
{
    struct model_slot *slot = &model->slots[slot_index];
    const struct zr_policy *policy = &model_policy_of(model, slot_index)->rules;
    const uint32_t window_s =
        policy->offer_window_s != 0 ? policy->offer_window_s : (uint32_t)OFFER_WINDOW_DEFAULT_S;

    if (model_live_count(model, slot_index) >= policy->max_positions) {
        slot->reserved_until_ms = 0; /* A policy took the free position away again. */
        return;
    }
    if (slot->waiting == 0 || slot->reserved_until_ms != 0 || slot->offer_claim >= 0) {
        return;
    }
    slot->reserved_until_ms = model->now_ms + window_s * MODEL_SECOND_MS;
    slot->reserved_stamp = ++model->stamp;
    model_event(model, ZR_EVENT_WAITLIST_OPEN,
                &(struct model_event){.contractor = slot->waitlist[0],
                                      .deadline_ms = slot->reserved_until_ms,
                                      .zip = slot->zip,
                                      .category = slot->category});
}

static void
waitlist_drop(struct model_slot *slot, int place)
{
    slot->waiting--;
    for (int i = place; i < slot->waiting; i++) {
        slot->waitlist[i] = slot->waitlist[i + 1];
    }
    if (place == 0) {
        slot->reserved_until_ms = 0;
    }
}

void
model_reservation_end(struct model *model, int slot)
{
    waitlist_drop(&model->slots[slot], 0);
    model_reserve(model, slot);
}

static int
waitlist_place(const struct model_slot *slot, int contractor)
{
    for (int i = 0; i < slot->waiting; i++) {
        if (slot->waitlist[i] == contractor) {
            return i;
        }
    }
    return -1;
}

/* What a CLAIM of this slot would be told, OK included. */
static int
claim_verdict(const struct model *model, int contractor, int slot_index, bool accept_backup)
{
    const struct model_slot *slot = &model->slots[slot_index];
    const uint8_t positions = model_policy_of(model, slot_index)->rules.max_positions;
    const uint8_t title_state = model_title_state(model, slot_index);
    const bool vacant = title_state == ZR_TITLE_STATE_VACANT || title_state == ZR_TITLE_STATE_OPEN;
    const bool reserved_for_it = slot->reserved_until_ms != 0 && slot->waitlist[0] == contractor;

    if (model->contractors[contractor].status != ZR_CONTRACTOR_APPROVED) {
        return ZR_STATUS_NOT_APPROVED;
    }
    if (model_live_of(model, slot_index, contractor) >= 0) {
        return title_state == ZR_TITLE_STATE_OPEN && slot->reserved_until_ms == 0
                   ? ZR_STATUS_OK
                   : ZR_STATUS_ALREADY_CLAIMED;
    }
    if (model_live_count(model, slot_index) >= positions ||
        (slot->waiting > 0 && !reserved_for_it)) {
        return positions > 1 ? ZR_STATUS_SLOT_FULL : ZR_STATUS_SLOT_TAKEN;
    }
    return vacant || accept_backup ? ZR_STATUS_OK : ZR_STATUS_SLOT_TAKEN;
}

int
model_waitlist_join(struct model *model, const struct zr_waitlist_request *request,
                    struct zr_waitlist_reply *reply, bool *duplicate)
{
    const int contractor = model_contractor_at(model, request->contractor);
    const int slot_index = model_slot_at(model, request->zip, request->category);
    struct model_slot *slot = &model->slots[slot_index];
    const int verdict = claim_verdict(model, contractor, slot_index, true);
    const int place = waitlist_place(slot, contractor);

    *duplicate = false;
    reply->contractor = request->contractor;
    if (verdict == ZR_STATUS_NOT_APPROVED || model_live_of(model, slot_index, contractor) >= 0) {
        return verdict == ZR_STATUS_NOT_APPROVED ? verdict : ZR_STATUS_ALREADY_CLAIMED;
    }
    if (place >= 0) {
        *duplicate = true;
        reply->place = (uint16_t)(place + 1);
        reply->deadline_ms = place == 0 ? slot->reserved_until_ms : 0;
        return ZR_STATUS_OK;
    }
    if (verdict == ZR_STATUS_OK) {
        return ZR_STATUS_HAS_ROOM;
    }
    slot->waitlist[slot->waiting++] = contractor;
    reply->place = (uint16_t)slot->waiting;
    return ZR_STATUS_OK;
}

int
model_waitlist_leave(struct model *model, const struct zr_waitlist_request *request,
                     struct zr_waitlist_reply *reply, bool *duplicate)
{
    const int contractor = model_contractor_at(model, request->contractor);
    const int slot_index = model_slot_at(model, request->zip, request->category);
    struct model_slot *slot = &model->slots[slot_index];
    const int place = waitlist_place(slot, contractor);

    reply->contractor = request->contractor;
    *duplicate = place < 0;
    if (place >= 0) {
        waitlist_drop(slot, place);
        model_reserve(model, slot_index);
        model_settle(model);
    }
    return ZR_STATUS_OK;
}

/* ---- claims that end
 * ------------------------------------------------------------------------------- */

static void
live_remove(struct model *model, int claim)
{
    int kept = 0;

    for (int i = 0; i < model->live_count; i++) {
        if (model->live[i] != claim) {
            model->live[kept++] = model->live[i];
        }
    }
    model->live_count = kept;
}

void
model_claim_end(struct model *model, int claim, uint8_t state, uint8_t code)
{
    struct model_claim *row = &model->claims[claim];
    struct model_slot *slot = &model->slots[row->slot];
    const bool was_primary = slot->primary == claim;
    const bool was_offered = slot->offer_claim == claim;
    struct ranks before;

    ranks_note(model, row->slot, &before);
    if (state != ZR_CLAIM_FORFEITED) { /* FORFEITED says it, with the reason. */
        model_claim_event(model, ZR_EVENT_CLAIM_ENDED, claim, code, 0);
    }
    row->live = false;
    row->ended_state = state;
    row->ended_ms = model->now_ms;
    live_remove(model, claim);
    if (was_primary) {
        slot->primary = -1;
    }
    if (was_primary) {
        slot_open(model, row->slot);
    } else if (was_offered) {
        model_offer_event(model, ZR_EVENT_OFFER_CANCELLED, row->slot);
        chain_go_on(model, row->slot);
    } else {
        model_reserve(model, row->slot);
    }
    ranks_tell(model, row->slot, &before); /* As they are after all of it. */
    model_rates_touched(model, row->contractor);
}

void
model_forfeit(struct model *model, int claim, uint8_t bit)
{
    model_claim_event(model, ZR_EVENT_FORFEITED, claim, bit, 0);
    model_claim_end(model, claim, ZR_CLAIM_FORFEITED, ZR_CLAIM_FORFEITED);
}

/* CLOSING: claims end, offers and places on waitlists are given up. */
void
model_close(struct model *model, int contractor)
{
    for (int i = 0; i < model->claims_count; i++) {
        if (model->claims[i].live && model->claims[i].contractor == contractor) {
            model_claim_end(model, i, ZR_CLAIM_RELEASED, ZR_CLAIM_RELEASED);
        }
    }
    for (int i = 0; i < MODEL_SLOTS; i++) {
        const int place = waitlist_place(&model->slots[i], contractor);

        if (place >= 0) {
            waitlist_drop(&model->slots[i], place);
            model_reserve(model, i);
        }
    }
    model->contractors[contractor].closing_ms = model->now_ms + 30 * MODEL_DAY_MS;
    model->contractors[contractor].closing_stamp = ++model->stamp;
}

/* ---- CLAIM
 * -------------------------------------------------------------------------------------------- */

static void
result_fill(const struct model *model, struct zr_claim_result *result, int claim)
{
    result->claim_id = model->claims[claim].id;
    result->seq = model->claims[claim].seq;
    result->rate_cents = model_claim_rate(model, claim);
    result->rank = model_rank(model, claim);
    result->title = result->rank == 1 ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP;
}

static int
claim_make(struct model *model, int contractor, int slot_index, bool lapse)
{
    struct model_slot *slot = &model->slots[slot_index];
    const uint8_t title_state = model_title_state(model, slot_index);
    const int claim = model->claims_count++;
    struct model_claim *row = &model->claims[claim];
    const int place = waitlist_place(slot, contractor);
    const int zone = model->contractors[contractor].zone;

    *row = (struct model_claim){.contractor = contractor,
                                .slot = slot_index,
                                .live = true,
                                .claimed_ms = model->now_ms,
                                .seq = MODEL_PROVISIONAL + ++model->seq};
    row->id = row->seq; /* The server's own is put here once it is known. */
    model->live[model->live_count++] = claim;
    if (place >= 0) {
        waitlist_drop(slot, place);
    }
    if (lapse) {
        row->period_end_ms = model_period_end(zone, model->now_ms, model->now_ms);
        row->period_stamp = ++model->stamp;
    }
    if (title_state == ZR_TITLE_STATE_VACANT || title_state == ZR_TITLE_STATE_OPEN) {
        slot->primary = claim;
        model_conditions_restart(model, claim);
    }
    return claim;
}

/* One slot of a CLAIM that was found possible. */
static int
claim_take(struct model *model, int contractor, int slot, bool lapse)
{
    int claim = model_live_of(model, slot, contractor);

    if (claim >= 0) { /* A live backup on an OPEN slot takes the title; claim and seq stay. */
        title_give(model, claim);
    } else {
        claim = claim_make(model, contractor, slot, lapse);
        model_claim_event(model, ZR_EVENT_CLAIMED, claim, model_rank(model, claim), 0);
    }
    model_reserve(model, slot);
    return claim;
}

int
model_claim(struct model *model, const struct zr_claim_request *request,
            struct zr_claim_reply *reply)
{
    const int contractor = model_contractor_at(model, request->contractor);
    int refused = 0;
    int taken = 0;

    reply->results_count = request->slots_count;
    for (int i = 0; i < request->slots_count; i++) {
        struct zr_claim_result *result = &reply->results[i];
        const int slot = model_slot_at(model, request->slots[i].zip, request->slots[i].category);

        result->zip = request->slots[i].zip;
        result->category = request->slots[i].category;
        result->status = (uint16_t)claim_verdict(model, contractor, slot, request->accept_backup);
        refused = refused != 0 ? refused : result->status;
    }
    for (int i = 0; i < request->slots_count; i++) {
        struct zr_claim_result *result = &reply->results[i];
        const int slot = model_slot_at(model, request->slots[i].zip, request->slots[i].category);

        if (result->status == ZR_STATUS_OK && request->all_or_none && refused != 0) {
            result->status = ZR_STATUS_ALL_OR_NONE;
        } else if (result->status == ZR_STATUS_OK) {
            result_fill(model, result, claim_take(model, contractor, slot, request->lapse));
            taken++;
        } else if (result->status == ZR_STATUS_ALREADY_CLAIMED) {
            result_fill(model, result, model_live_of(model, slot, contractor));
        }
    }
    if (taken > 0) {
        model_rates_touched(model, contractor); /* Once, behind all of them. */
    }
    model_settle(model);
    return taken > 0 ? ZR_STATUS_OK : refused;
}
