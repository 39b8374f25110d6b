/*
 * claim.h - who holds which slot: CLAIM, RELEASE, PAUSE, RESUME and the reads (M2).
 *
 * First come, first primary: order is commit order, given by one network-wide seq (R46). Later
 * ones join as backups only if they said so (R43). A claim is live until it is RELEASED, EXPIRED
 * or FORFEITED; conditions stand on top of that (condition.h). How a title is inherited is in
 * offer.h, who waits for a position in waitlist.h.
 *
 *     (none) --CLAIM--> LIVE <--PAUSE, RESUME--> PAUSED
 *     LIVE, PAUSED --RELEASE--> RELEASED
 *                  --RELEASE at period end, or CLAIM with lapse--> LAPSING --its date--> EXPIRED
 *                  --a deadline, of a PRIMARY--> FORFEITED
 *
 * LAPSING is no state of the row but its lapse_ms, since the claim may be paused too; only the
 * wire has one byte for both (claim_wire_state).
 */
#ifndef ZR_CLAIM_H
#define ZR_CLAIM_H

#include "server/domain/command.h"

/* ---- operations -------------------------------------------------------------------------------
 */

uint16_t claim_apply(struct state *state, const struct command *command,
                     const struct zr_claim_request *request, struct zr_claim_reply *reply,
                     struct effects *effects);

uint16_t claim_release_apply(struct state *state, const struct command *command,
                             const struct zr_release_request *request,
                             struct zr_claim_state_reply *reply, struct effects *effects);

uint16_t claim_pause_apply(struct state *state, const struct command *command,
                           const struct zr_pause_request *request,
                           struct zr_claim_state_reply *reply);

uint16_t claim_resume_apply(struct state *state, const struct command *command,
                            const struct zr_resume_request *request,
                            struct zr_claim_state_reply *reply);

uint16_t claim_get(struct state *state, const struct command *command,
                   const struct zr_claim_get_request *request, struct zr_claim_get_reply *reply);

uint16_t claim_list(struct state *state, const struct command *command,
                    const struct zr_claims_list_request *request,
                    struct zr_claims_list_reply *reply);

uint16_t claim_slot_get(struct state *state, const struct command *command,
                        const struct zr_slot_get_request *request, struct zr_slot_get_reply *reply);

/* ---- for the other rules ----------------------------------------------------------------------
 */

/* Who wants a claim, and on which terms. */
struct claim_asker {
    uint32_t contractor;
    uint8_t status; /* enum zr_contractor_status */
    bool accept_backup;
};

/* The first rule that this CLAIM on this slot breaks, in precedence order (protocol.md "Status").
 */
uint16_t claim_judge(struct state *state, const struct claim_asker *asker,
                     const struct zr_slot_key *key);

/* The part of it that does not look at the slot: UNKNOWN_ZIP, NOT_OFFERED, NOT_APPROVED. */
uint16_t claim_judge_asker(struct state *state, const struct claim_asker *asker,
                           const struct zr_slot_key *key);

/*
 * A live claim ends in that state: RELEASED and EXPIRED tell CLAIM_ENDED, FORFEITED was told by its
 * caller. Of a primary the title opens. Returns the claim that is PRIMARY now if this one was, 0 =
 * none. Puts the claim, its contractor's row and its wallet (funds.h).
 */
uint64_t claim_end(struct state *state, const struct command *command, uint64_t claim_id,
                   uint8_t claim_state);

/* LAPSING: it EXPIRES at the end of its period, and is offered no title any more. Puts the claim.
 */
void claim_lapse(struct state *state, const struct command *command, uint64_t claim_id,
                 struct claim_row *claim);

/* Its state in one byte: of a live claim LAPSING wins over PAUSED. */
uint8_t claim_wire_state(const struct claim_row *claim);

/* The claim and its contractor, if the asker may act on it. */
bool claim_find_own(struct state *state, const struct command *command, uint64_t claim_id,
                    struct claim_row *claim, struct contractor_row *contractor);

/* True when the category is offered in that claimable ZIP (R8, E29). */
bool claim_is_offered(struct state *state, uint32_t zip, uint16_t category,
                      struct category_row *row);

#endif
