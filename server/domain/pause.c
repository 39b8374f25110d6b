/*
 * pause.c - PAUSE and RESUME, of one claim or of a whole contractor (M2, R63). See claim.h.
 *
 * A pause keeps the title for `pause_grace`. Pausing again less than seven days after a RESUME goes
 * on with the old clock, or a day of work a fortnight would hold a title for ever. The deadline is
 * stored and reported; the timer that acts on it comes with offers and graces.
 */
#include "protocol/check.h"
#include "server/domain/claim.h"
#include "server/domain/policy.h"
#include "server/domain/slot.h"

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

/* When the title falls due: the old deadline while its clock goes on, else a new one. */
static uint64_t
pause_deadline(struct state *state, const struct command *command, const struct claim_row *claim,
               const struct pause_clock *clock)
{
    struct policy_row policy;

    if (clock->deadline_ms != 0 && command->time_ms < clock->resumed_ms + OLD_CLOCK_MS) {
        return clock->deadline_ms;
    }
    (void)policy_for_slot(state, claim == NULL ? 0 : claim->zip,
                          claim == NULL ? 0 : claim->category, &policy);
    return command->time_ms + (uint64_t)policy.pause_grace_s * MS_PER_S;
}

/* Set or clear the condition in the claim and in its slot, where decisions look. */
static void
claim_set_paused(struct state *state, uint64_t claim_id, struct claim_row *claim, bool paused)
{
    struct slot_row slot;
    int index;

    state_slot_get(state, claim->zip, claim->category, &slot);
    index = slot_find_claim(&slot, claim_id);
    CHECK(index != SLOT_NO_CLAIM);
    slot.claims[index].paused = paused;
    slot.version++;
    state_slot_put(state, claim->zip, claim->category, &slot);
    claim->state = paused ? ZR_CLAIM_PAUSED : ZR_CLAIM_LIVE;
    state_claim_put(state, claim_id, claim);
}

static uint16_t
contractor_pause(struct state *state, const struct command *command,
                 const struct zr_pause_request *request, struct zr_claim_state_reply *reply)
{
    struct contractor_row contractor;

    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (!contractor.paused) {
        contractor.pause.deadline_ms = pause_deadline(state, command, NULL, &contractor.pause);
    }
    contractor.paused = 1;
    contractor.pause.until_ms = request->until_ms;
    state_contractor_put(state, request->contractor, &contractor);
    reply->contractor = request->contractor;
    reply->grace_deadline_ms = contractor.pause.deadline_ms;
    return ZR_STATUS_OK;
}

uint16_t
claim_pause_apply(struct state *state, const struct command *command,
                  const struct zr_pause_request *request, struct zr_claim_state_reply *reply)
{
    struct contractor_row contractor;
    struct claim_row claim;

    *reply = (struct zr_claim_state_reply){
        .commit_seq = command->seq, .claim_id = request->claim_id, .state = ZR_CLAIM_PAUSED};
    if (request->claim_id == 0) {
        return contractor_pause(state, command, request, reply);
    }
    if (!claim_find_own(state, command, request->claim_id, &claim, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    reply->contractor = claim.contractor;
    if (claim.ended_ms != 0) {
        reply->state = claim.state;
        return ZR_STATUS_CLAIM_ENDED;
    }
    if (claim.state != ZR_CLAIM_PAUSED) {
        claim.pause.deadline_ms = pause_deadline(state, command, &claim, &claim.pause);
    }
    claim.pause.until_ms = request->until_ms;
    claim_set_paused(state, request->claim_id, &claim, true);
    reply->grace_deadline_ms = claim.pause.deadline_ms;
    return ZR_STATUS_OK;
}

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
        contractor.pause.resumed_ms = command->time_ms;
    }
    contractor.paused = 0;
    contractor.pause.until_ms = 0;
    state_contractor_put(state, request->contractor, &contractor);
    reply->contractor = request->contractor;
    return ZR_STATUS_OK;
}

uint16_t
claim_resume_apply(struct state *state, const struct command *command,
                   const struct zr_resume_request *request, struct zr_claim_state_reply *reply)
{
    struct contractor_row contractor;
    struct claim_row claim;

    *reply = (struct zr_claim_state_reply){
        .commit_seq = command->seq, .claim_id = request->claim_id, .state = ZR_CLAIM_LIVE};
    if (request->claim_id == 0) {
        return contractor_resume(state, command, request, reply);
    }
    if (!claim_find_own(state, command, request->claim_id, &claim, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    reply->contractor = claim.contractor;
    if (claim.ended_ms != 0) {
        reply->state = claim.state;
        return ZR_STATUS_CLAIM_ENDED;
    }
    if (claim.state == ZR_CLAIM_PAUSED) {
        claim.pause.resumed_ms = command->time_ms;
    }
    claim.pause.until_ms = 0;
    claim_set_paused(state, request->claim_id, &claim, false);
    return ZR_STATUS_OK;
}
