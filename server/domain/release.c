/*
 * release.c - how claims end: RELEASE, at once or at the end of the period (R16), and the one way
 * out of a slot that every end takes. See claim.h.
 */
#include "protocol/check.h"
#include "server/domain/claim.h"
#include "server/domain/condition.h"
#include "server/domain/event.h"
#include "server/domain/funds.h"
#include "server/domain/localtime.h"
#include "server/domain/offer.h"
#include "server/domain/people.h"
#include "server/domain/slot.h"
#include "server/domain/slot_change.h"

/* ---- out of the slot --------------------------------------------------------------------------
 */

static void
end_tell(struct slot_change *change, uint64_t claim_id, const struct claim_row *claim)
{
    if (claim->state == ZR_CLAIM_FORFEITED) {
        return; /* Its caller said so, with the reason. */
    }
    slot_change_tell(change, (struct event_row){.type = ZR_EVENT_CLAIM_ENDED,
                                                .contractor = claim->contractor,
                                                .claim_id = claim_id,
                                                .code = claim->state});
}

/* Take the claim out; its title, or the title that was offered to it, goes on. Returns the claim
 * that inherited at once, 0 = none. */
static uint64_t
slot_leave(struct slot_change *change, uint64_t claim_id, const struct claim_row *claim)
{
    struct slot_row *slot = &change->slot;
    const int index = slot_find_claim(slot, claim_id);
    const bool was_primary = slot_find_primary(slot) == index;
    int heir;

    if (index == SLOT_NO_CLAIM) {
        CHECK(state_failed(change->state));
        return 0;
    }
    CHECK(slot->claims[index].contractor == claim->contractor); /* I5 */
    end_tell(change, claim_id, claim);
    offer_withdraw(change, claim_id);
    slot_remove(slot, index);
    if (was_primary) {
        offer_open_title(change);
    } else {
        offer_continue(change);
    }
    slot_change_commit(change);
    heir = was_primary ? slot_find_primary(slot) : SLOT_NO_CLAIM;
    return heir == SLOT_NO_CLAIM ? 0 : slot->claims[heir].claim_id;
}

uint64_t
claim_end(struct state *state, const struct command *command, uint64_t claim_id,
          uint8_t claim_state)
{
    struct slot_change change;
    struct contractor_row contractor;
    struct claim_row claim;
    uint64_t heir;

    CHECK(claim_state == ZR_CLAIM_RELEASED || claim_state == ZR_CLAIM_EXPIRED ||
          claim_state == ZR_CLAIM_FORFEITED);
    if (!state_claim_get(state, claim_id, &claim) ||
        !state_contractor_get(state, claim.contractor, &contractor)) {
        return 0; /* The storage failed: this batch is thrown away. */
    }
    CHECK(claim.ended_ms == 0);
    CHECK(contractor.claims > 0);
    claim.ended_ms = command->time_ms;
    claim.state = claim_state;
    state_claim_put(state, claim_id, &claim);
    contractor.claims--;
    state_contractor_put(state, claim.contractor, &contractor);
    slot_change_begin(&change, state, command, &(struct zr_slot_key){claim.zip, claim.category});
    heir = slot_leave(&change, claim_id, &claim);
    funds_rates_changed(state, command, claim.contractor);
    return heir;
}

/* ---- at the end of the period ------------------------------------------------------------------
 */

void
claim_lapse(struct state *state, const struct command *command, uint64_t claim_id,
            struct claim_row *claim)
{
    struct contractor_row contractor;

    CHECK(claim->ended_ms == 0);
    CHECK(claim->lapse_ms == 0);
    if (!state_contractor_get(state, claim->contractor, &contractor)) {
        return; /* The storage failed: this batch is thrown away. */
    }
    claim->lapse_ms = localtime_period_end_ms(
        contractor_zone(state, claim->contractor, &contractor, command->time_ms), claim->anchor_day,
        command->time_ms);
    state_claim_put(state, claim_id, claim);
    condition_arm_claim(
        state, command, claim_id,
        &(struct condition_clock){.condition = CONDITION_LAPSING, .deadline_ms = claim->lapse_ms});
}

/* RELEASE at period end: it routes on until then, but inherits nothing any more (M2). */
static void
release_later(struct state *state, const struct command *command, uint64_t claim_id,
              struct claim_row *claim)
{
    struct slot_change change;
    int index;

    claim_lapse(state, command, claim_id, claim);
    slot_change_begin(&change, state, command, &(struct zr_slot_key){claim->zip, claim->category});
    index = slot_find_claim(&change.slot, claim_id);
    if (index == SLOT_NO_CLAIM) {
        CHECK(state_failed(state));
        return;
    }
    change.slot.claims[index].lapsing = 1;
    offer_withdraw(&change, claim_id);
    offer_continue(&change);
    slot_change_commit(&change);
}

/* ---- RELEASE ----------------------------------------------------------------------------------
 */

uint16_t
claim_release_apply(struct state *state, const struct command *command,
                    const struct zr_release_request *request, struct zr_claim_state_reply *reply,
                    struct effects *effects)
{
    const bool at_once = request->when == ZR_RELEASE_NOW;
    struct contractor_row contractor;
    struct claim_row claim;

    if (!claim_find_own(state, command, request->claim_id, &claim, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    *reply = (struct zr_claim_state_reply){
        .commit_seq = command->seq, .claim_id = request->claim_id, .contractor = claim.contractor};
    if (claim.ended_ms != 0 || (!at_once && claim.lapse_ms != 0)) {
        effects->duplicate = true; /* The wish is true already (protocol.md "Status"). */
    } else if (at_once) {
        reply->promoted_claim_id = claim_end(state, command, request->claim_id, ZR_CLAIM_RELEASED);
        claim.ended_ms = command->time_ms;
        claim.state = ZR_CLAIM_RELEASED;
    } else {
        release_later(state, command, request->claim_id, &claim);
    }
    reply->state = claim_wire_state(&claim);
    reply->period_end_ms = claim.ended_ms == 0 ? claim.lapse_ms : 0;
    return ZR_STATUS_OK;
}
