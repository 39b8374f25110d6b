/*
 * condition_work.c - what reaches over all claims of a contractor, a step at a time. See
 * condition.h.
 *
 * A step is one command, so it touches few claims; it leaves the rest to a timer that is due at
 * once and begins behind the last one that it saw. Nobody's command comes in between (timer.h).
 */
#include "protocol/check.h"
#include "server/domain/claim.h"
#include "server/domain/condition.h"
#include "server/domain/event.h"
#include "server/domain/funds.h"
#include "server/domain/offer.h"
#include "server/domain/slot.h"
#include "server/domain/timer.h"
#include "server/domain/waitlist.h"

/* Of one step: claims acted on, and claims looked at. */
enum { STEP_CLAIMS_MAX = 16, STEP_READS_MAX = 512 };

/* ---- what is done to one claim -----------------------------------------------------------------
 */

void
condition_forfeit(struct state *state, const struct command *command, uint64_t claim_id,
                  uint8_t condition)
{
    struct claim_row claim;

    if (!state_claim_get(state, claim_id, &claim)) {
        return; /* The storage failed: this batch is thrown away. */
    }
    CHECK(claim.ended_ms == 0);
    CHECK(claim.title == ZR_TITLE_PRIMARY);
    event_emit(state, command,
               &(struct event_row){.type = ZR_EVENT_FORFEITED,
                                   .contractor = claim.contractor,
                                   .claim_id = claim_id,
                                   .zip = claim.zip,
                                   .category = claim.category,
                                   .code = condition});
    claim_end(state, command, claim_id, ZR_CLAIM_FORFEITED);
}

/* The pending offer of the title to this claim. True when there was one. */
static bool
cancel_offer(struct state *state, const struct command *command, uint64_t claim_id,
             const struct claim_row *claim)
{
    const struct zr_slot_key key = {claim->zip, claim->category};
    struct slot_change change;

    slot_change_begin(&change, state, command, &key);
    if (change.slot.offer_claim_id != claim_id) {
        return false;
    }
    offer_withdraw(&change, claim_id);
    offer_continue(&change);
    slot_change_commit(&change);
    return true;
}

/* True when the work had something to do with this live claim. */
static bool
work_claim(struct state *state, const struct command *command, const struct timer_row *work,
           uint64_t claim_id)
{
    struct claim_row claim;

    if (!state_claim_get(state, claim_id, &claim) || claim.ended_ms != 0) {
        return false;
    }
    if (work->kind == TIMER_CANCEL_OFFERS) {
        return cancel_offer(state, command, claim_id, &claim);
    }
    if (work->kind == TIMER_END_CLAIMS) {
        claim_end(state, command, claim_id, ZR_CLAIM_RELEASED);
        return true;
    }
    /* Asked anew: since the step before, a promotion may have restarted the clock (M2). */
    if (claim.title != ZR_TITLE_PRIMARY ||
        !condition_has_run_out(state, command, work->contractor, work->code)) {
        return false;
    }
    condition_forfeit(state, command, claim_id, work->code);
    return true;
}

/* ---- the step ----------------------------------------------------------------------------------
 */

/* Set the next step behind that claim. */
static void
work_go_on(struct state *state, const struct command *command, const struct timer_row *work,
           uint64_t claim_id)
{
    struct timer_row next = *work;

    next.number = claim_id;
    timer_set_work(state, command, &next);
}

bool
condition_work(struct state *state, const struct command *command, const struct timer_row *work)
{
    uint64_t claim_id = work->number;
    uint64_t next;
    int acted = 0;
    int read = 0;

    CHECK(work->kind == TIMER_FORFEIT_CLAIMS || work->kind == TIMER_END_CLAIMS ||
          work->kind == TIMER_CANCEL_OFFERS);
    CHECK(work->contractor != 0);
    while ((next = state_claim_next_live(state, work->contractor, claim_id)) != 0) {
        if (acted == STEP_CLAIMS_MAX || read == STEP_READS_MAX) {
            work_go_on(state, command, work, claim_id);
            return true;
        }
        claim_id = next;
        read++;
        acted += work_claim(state, command, work, claim_id);
    }
    if (work->kind == TIMER_END_CLAIMS &&
        waitlist_give_up(state, command, work->contractor, STEP_CLAIMS_MAX)) {
        work_go_on(state, command, work, claim_id);
        return true;
    }
    return acted > 0;
}
