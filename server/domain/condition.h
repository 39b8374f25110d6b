/*
 * condition.h - what may stand against a claim, each with its own clock (M2, E15, E70).
 *
 * PAUSED, DRY and LAPSING stand in the claim; PAUSED, SUSPENDED, LICENCE_LAPSED and UNAVAILABLE in
 * the contractor, for all its claims. They know nothing of each other: clearing one stops no
 * other clock, and the earliest deadline wins because it comes first.
 *
 * At a deadline a PRIMARY is FORFEITED and its slot opens; a BACKUP stays, and so does the
 * condition. A backup that becomes PRIMARY under a condition whose deadline has passed begins
 * a new grace, or it would hold the title for ever or not at all.
 *
 * The deadline in the row is the truth. A timer that finds another one there does nothing.
 */
#ifndef ZR_CONDITION_H
#define ZR_CONDITION_H

#include "server/domain/command.h"

struct condition_clock {
    enum condition condition;
    uint64_t deadline_ms;
    uint64_t grace_ms; /* Its whole length: warnings come at half and at a tenth of it left. */
};

/* M2: graces that no policy sets. */
#define CONDITION_DAY_MS          (UINT64_C(24) * 3600 * 1000)
#define CONDITION_SUSPENDED_MS    (14 * CONDITION_DAY_MS)
#define CONDITION_LICENCE_MS      (30 * CONDITION_DAY_MS)
#define CONDITION_UNAVAILABLE_MS  (14 * CONDITION_DAY_MS)
#define CONDITION_TOPUP_DEFERS_MS (UINT64_C(3600) * 1000)

/*
 * Set the timers of a condition that the caller has put into its row with this deadline: the
 * deadline and two warnings. A deadline that has passed fires at once. Setting the same again
 * sets nothing.
 */
void condition_arm_claim(struct state *state, const struct command *command, uint64_t claim_id,
                         const struct condition_clock *clock);
void condition_arm_contractor(struct state *state, const struct command *command,
                              uint32_t contractor, const struct condition_clock *clock);

/* The claim became PRIMARY: conditions whose deadline passed start anew. Puts its claim's and its
 * contractor's row where one did. */
void condition_restart(struct state *state, const struct command *command, uint64_t claim_id);

/* LICENCE_LAPSED from licence_expires_ms: set, lifted or waited for. The caller puts the row. */
void condition_licence_judge(struct state *state, const struct command *command,
                             uint32_t contractor, struct contractor_row *row);

/*
 * UNAVAILABLE from the stored schedule and caps (empty hours, a vacation, a cap of 0): it begins,
 * goes on or is lifted. Asked after either was put and at the schedule's edges (profile.h). Puts
 * the contractor's row, so the caller must not put an older copy after it.
 */
void condition_unavailable_judge(struct state *state, const struct command *command,
                                 uint32_t contractor);

/* Bits of enum condition that stand against a live claim, its contractor's among them, and the
 * earliest deadline that would forfeit a primary (0 = none). */
uint8_t condition_bits(const struct claim_row *claim, const struct contractor_row *contractor,
                       uint64_t *deadline_ms);

/* Has this condition of the contractor's come to its deadline? Not when it was lifted meanwhile,
 * nor when a promotion restarted its clock: the row is the truth. */
bool condition_has_run_out(struct state *state, const struct command *command, uint32_t contractor,
                           unsigned condition);

/* TIMER_CLAIM, _CONTRACTOR, _WARNING, _LICENCE, _SCHEDULE and the work below. True: it acted. */
bool condition_timer(struct state *state, const struct command *command,
                     const struct timer_row *timer);

/* After an outage: the row gets the new deadline; the timer itself is the caller's. False when
 * its cause has gone, or when the timer is no deadline and fires as usual. */
bool condition_deadline_move(struct state *state, const struct command *command,
                             const struct timer_row *timer, uint64_t deadline_ms);

/* ---- fan-outs over a contractor's claims (condition_work.c) ------------------------------------
 */

/* One step of TIMER_FORFEIT_CLAIMS, _END_CLAIMS or _CANCEL_OFFERS; sets the next one. */
bool condition_work(struct state *state, const struct command *command,
                    const struct timer_row *timer);

/* A primary loses its title: FORFEITED {code = condition}, and the opening. */
void condition_forfeit(struct state *state, const struct command *command, uint64_t claim_id,
                       uint8_t condition);

#endif
