/*
 * pause.c - PAUSE and RESUME, of one claim or of a whole contractor (M2, R55, R63). See claim.h.
 *
 * A pause keeps the title for `pause_grace`. Pausing again less than seven days after a RESUME goes
 * on with the old clock, or a day of work a fortnight would hold a title for ever; where that
 * clock has run out meanwhile, the title goes at once. A clock that ran out while the pause lasted
 * has done what it does: only backups are left of it, and who gets a title later starts anew.
 */
#include "protocol/check.h"
#include "server/domain/claim.h"
#include "server/domain/condition.h"
#include "server/domain/event.h"
#include "server/domain/policy.h"
#include "server/domain/slot.h"
#include "server/domain/slot_change.h"

enum { MS_PER_S = 1000 };
#define OLD_CLOCK_MS (UINT64_C(7) * 24 * 3600 * 1000)

bool
claim_find_own(struct state *state, const struct command *command, uint64_t claim_id,
               struct claim_row *claim, struct contractor_row *contractor)
{
    return state_claim_get(state, claim_id, claim) &&
           state_contractor_get(state, claim->contractor, contractor) &&
           command_owns(command, claim->contractor, contractor);
}

/* Was it resumed before its deadline, and less than seven days ago? */
static bool
pause_goes_on(const struct pause_clock *pause, uint64_t now_ms)
{
    return pause->resumed_ms < pause->deadline_ms && now_ms < pause->resumed_ms + OLD_CLOCK_MS;
}

/* Start the pause: the old deadline while its clock goes on, else a new one. */
static struct condition_clock
pause_start(struct state *state, const struct command *command, struct pause_clock *pause,
            const struct zr_slot_key *key)
{
    struct condition_clock clock = {.condition = CONDITION_PAUSED};
    struct policy_row policy;

    (void)policy_for_slot(state, key->zip, key->category, &policy);
    clock.grace_ms = (uint64_t)policy.pause_grace_s * MS_PER_S;
    if (!pause_goes_on(pause, command->time_ms)) {
        pause->deadline_ms = command->time_ms + clock.grace_ms;
    }
    clock.deadline_ms = pause->deadline_ms;
    return clock;
}

/* Show the condition in the slot, where decisions look; the claim's row is put with it. */
static void
claim_set_paused(struct state *state, const struct command *command, uint64_t claim_id,
                 const struct claim_row *claim)
{
    const bool paused = claim->state == ZR_CLAIM_PAUSED;
    struct slot_change change;
    int index;

    state_claim_put(state, claim_id, claim);
    slot_change_begin(&change, state, command, &(struct zr_slot_key){claim->zip, claim->category});
    index = slot_find_claim(&change.slot, claim_id);
    if (index == SLOT_NO_CLAIM) {
        CHECK(state_failed(state));
        return;
    }
    change.slot.claims[index].paused = paused;
    slot_change_tell(&change,
                     (struct event_row){.type = paused ? ZR_EVENT_PAUSED : ZR_EVENT_RESUMED,
                                        .contractor = claim->contractor,
                                        .claim_id = claim_id,
                                        .deadline_ms = paused ? claim->pause.deadline_ms : 0});
    slot_change_commit(&change);
}

static void
contractor_tell(struct state *state, const struct command *command, uint32_t contractor,
                const struct contractor_row *row)
{
    event_emit(state, command,
               &(struct event_row){.type = row->paused ? ZR_EVENT_PAUSED : ZR_EVENT_RESUMED,
                                   .contractor = contractor,
                                   .deadline_ms = row->paused ? row->pause.deadline_ms : 0});
}

/* The claim that the request names, as far as PAUSE and RESUME agree: CLAIM_ENDED where it is too
 * late for either. */
static uint16_t
claim_find_live(struct state *state, const struct command *command, struct claim_row *claim,
                struct zr_claim_state_reply *reply)
{
    struct contractor_row contractor;

    if (!claim_find_own(state, command, reply->claim_id, claim, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    reply->contractor = claim->contractor;
    reply->state = claim->state;
    return claim->ended_ms != 0 ? ZR_STATUS_CLAIM_ENDED : ZR_STATUS_OK;
}

/* ---- PAUSE ------------------------------------------------------------------------------------
 */

static uint16_t
contractor_pause(struct state *state, const struct command *command,
                 const struct zr_pause_request *request, struct zr_claim_state_reply *reply)
{
    const struct zr_slot_key network = {0};
    struct contractor_row contractor;

    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    contractor.pause.until_ms = request->until_ms;
    if (!contractor.paused) {
        const struct condition_clock clock =
            pause_start(state, command, &contractor.pause, &network);

        contractor.paused = 1;
        condition_arm_contractor(state, command, request->contractor, &clock);
        contractor_tell(state, command, request->contractor, &contractor);
    }
    state_contractor_put(state, request->contractor, &contractor);
    reply->contractor = request->contractor;
    reply->state = ZR_CLAIM_PAUSED;
    reply->grace_deadline_ms = contractor.pause.deadline_ms;
    return ZR_STATUS_OK;
}

uint16_t
claim_pause_apply(struct state *state, const struct command *command,
                  const struct zr_pause_request *request, struct zr_claim_state_reply *reply)
{
    struct claim_row claim;
    uint16_t status;

    *reply =
        (struct zr_claim_state_reply){.commit_seq = command->seq, .claim_id = request->claim_id};
    if (request->claim_id == 0) {
        return contractor_pause(state, command, request, reply);
    }
    status = claim_find_live(state, command, &claim, reply);
    if (status != ZR_STATUS_OK) {
        return status;
    }
    claim.pause.until_ms = request->until_ms;
    if (claim.state == ZR_CLAIM_PAUSED) {
        state_claim_put(state, request->claim_id, &claim);
    } else {
        const struct condition_clock clock = pause_start(
            state, command, &claim.pause, &(struct zr_slot_key){claim.zip, claim.category});

        claim.state = ZR_CLAIM_PAUSED;
        condition_arm_claim(state, command, request->claim_id, &clock);
        claim_set_paused(state, command, request->claim_id, &claim);
    }
    reply->state = claim_wire_state(&claim);
    reply->period_end_ms = claim.lapse_ms;
    reply->grace_deadline_ms = claim.pause.deadline_ms;
    return ZR_STATUS_OK;
}

/* ---- RESUME -----------------------------------------------------------------------------------
 */

static uint16_t
contractor_resume(struct state *state, const struct command *command,
                  const struct zr_resume_request *request, struct zr_claim_state_reply *reply)
{
    struct contractor_row contractor;

    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (contractor.paused) {
        contractor.paused = 0;
        contractor.pause.until_ms = 0;
        contractor.pause.resumed_ms = command->time_ms;
        state_contractor_put(state, request->contractor, &contractor);
        contractor_tell(state, command, request->contractor, &contractor);
    }
    reply->contractor = request->contractor;
    reply->state = ZR_CLAIM_LIVE;
    return ZR_STATUS_OK;
}

uint16_t
claim_resume_apply(struct state *state, const struct command *command,
                   const struct zr_resume_request *request, struct zr_claim_state_reply *reply)
{
    struct claim_row claim;
    uint16_t status;

    *reply =
        (struct zr_claim_state_reply){.commit_seq = command->seq, .claim_id = request->claim_id};
    if (request->claim_id == 0) {
        return contractor_resume(state, command, request, reply);
    }
    status = claim_find_live(state, command, &claim, reply);
    if (status != ZR_STATUS_OK) {
        return status;
    }
    if (claim.state == ZR_CLAIM_PAUSED) {
        claim.state = ZR_CLAIM_LIVE;
        claim.pause.until_ms = 0;
        claim.pause.resumed_ms = command->time_ms;
        claim_set_paused(state, command, request->claim_id, &claim);
    }
    reply->state = claim_wire_state(&claim);
    reply->period_end_ms = claim.lapse_ms;
    return ZR_STATUS_OK;
}
