/*
 * settlement.h - what one leg of a call costs, decided once (R15, M4).
 */
#ifndef ZR_SETTLEMENT_H
#define ZR_SETTLEMENT_H

#include "server/domain/call.h"

/* Facts about a leg at its settlement. */
struct settlement_facts {
    uint32_t talk_ms;    /* That counts, already clipped. */
    uint32_t qualify_ms; /* Of the ticket. */
    bool voicemail;
    bool call_charged; /* Another leg of this call was charged (I7, R66). */
    bool unscreened;   /* Policy wants screening and the call has none (R15). */
    bool duplicate;    /* Same caller, charged within dup_days (M4). */
};

/* The first rule that makes it free, or CHARGED. */
uint8_t settlement_decide(const struct settlement_facts *facts);

/*
 * Talk that counts: at most the ticket's age plus 5 s (M4 "Talk time"). More is flagged, and cut
 * under `duration_check` = CLIP. Returns the talk; sets *flagged.
 */
uint32_t settlement_clip_talk(uint32_t talk_ms, uint64_t now_ms, uint64_t issued_ms,
                              uint8_t duration_check, bool *flagged);

/* Overdraft in cents: the policy's, or concurrency x the dearest rate (M5, I11). */
int64_t settlement_overdraft_cents(const struct policy_row *policy,
                                   const struct contractor_row *contractor,
                                   const struct wallet_row *wallet, int64_t rate_cents);

/*
 * Settle an OPEN leg of the call: release its hold, charge or not, remember the charge for
 * duplicates, tell the contractor (CALL_SETTLED). `contractor` is the leg's row. Changes the call
 * in memory and puts the wallet; the caller puts the call.
 */
void settlement_apply(struct state *state, const struct command *command, struct call_view *call,
                      struct call_leg_row *leg, const struct contractor_row *contractor);

/*
 * No END came and nothing proves the talk: STALE_VOID, the hold is released (M4 "Without END").
 * As above, and the call's tenant is asked to RECONCILE.
 */
void settlement_void(struct state *state, const struct command *command, struct call_view *call,
                     struct call_leg_row *leg, const struct contractor_row *contractor);

/*
 * Give `cents` of a CHARGED leg back, at most what is left of it (I12). amount_cents becomes what
 * is left; with nothing left the leg is CREDITED, and only then does its charge leave the
 * duplicate window (M4, E61). Tells nobody; the caller puts the call.
 */
void settlement_credit(struct state *state, const struct command *command, struct call_view *call,
                       struct call_leg_row *leg, int64_t cents);

/* CALL_SETTLED to the contractor: the leg as it stands. */
void settlement_tell(struct state *state, const struct command *command,
                     const struct call_view *call, const struct call_leg_row *leg, uint32_t tenant);

/* RECONCILE to the call's SWITCHes and CALLCENTERs: their report and ours differ for good (E53). */
void settlement_tell_reconcile(struct state *state, const struct command *command,
                               const struct call_view *call, const struct call_leg_row *leg);

/* The settlement that `talk_ms` and `voicemail` alone would give this leg (contradictions, E46). */
uint8_t settlement_expected(const struct call_leg_row *leg, uint32_t talk_ms, bool voicemail);

#endif
