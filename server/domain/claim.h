/*
 * claim.h - who holds which slot: CLAIM, RELEASE, PAUSE, RESUME and the reads (M2).
 *
 * First come, first primary: order is commit order, given by one network-wide seq (R46). Later
 * ones join as backups only if they said so (R43). A claim is LIVE until it is released; PAUSED
 * is a condition on top, which skips it in decisions and keeps its place.
 *
 * When a primary's claim ends the title goes at once to the first backup, by seq, that may
 * take it; that is what offer_window = 0 means (domain.md "Decisions already taken"). Nobody may:
 * the slot is OPEN, and the next CLAIM, a live backup's or an outsider's, takes the title.
 *
 *     (none) --CLAIM--> LIVE --RELEASE--> RELEASED
 *                       LIVE --PAUSE--> PAUSED --RESUME--> LIVE      (RELEASE from both)
 */
#ifndef ZR_CLAIM_H
#define ZR_CLAIM_H

#include "server/domain/command.h"

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

uint16_t claim_list(struct state *state, const struct command *command,
                    const struct zr_claims_list_request *request,
                    struct zr_claims_list_reply *reply);

uint16_t claim_slot_get(struct state *state, const struct command *command,
                        const struct zr_slot_get_request *request, struct zr_slot_get_reply *reply);

/* After a claim of the contractor ended or changed rank: the wallet's dearest and cheapest rate
 * from all that he still holds. Puts the wallet. */
void claim_recount_rates(struct state *state, uint32_t contractor);

/* The claim and its contractor, if the asker may act on it. */
bool claim_find_own(struct state *state, const struct command *command, uint64_t claim_id,
                    struct claim_row *claim, struct contractor_row *contractor);

/* True when the category is offered in that claimable ZIP (R8, E29). */
bool claim_is_offered(struct state *state, uint32_t zip, uint16_t category,
                      struct category_row *row);

#endif
