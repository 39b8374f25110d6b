/*
 * waitlist.h - those who wait for a position of a slot that has none (M2, R43).
 *
 * In order of joining. A position that comes free is reserved for the head: until its deadline
 * only the head's CLAIM is taken, PRIMARY when the title has nobody, else as a backup. Then the
 * next one is head, and when nobody is left the public.
 *
 *     (none) --JOIN--> waits --a position is free--> reserved --CLAIM--> (claim)
 *                      waits | reserved --LEAVE, deadline, account closed--> (none)
 */
#ifndef ZR_WAITLIST_H
#define ZR_WAITLIST_H

#include "server/domain/command.h"
#include "server/domain/slot_change.h"

/* Contractors that may wait for one slot; more is LIMIT. Bounds what a place costs to count. */
enum { WAITLIST_MAX = 1024 };

/* Reserve a free position for the head, unless the title is still being offered: the backups
 * come first. WAITLIST_OPEN tells the head. */
void waitlist_settle(struct slot_change *change);

/* True when a free position waits for this contractor. Each commit of the slot settles that, and
 * so does the work that a policy's further positions set (slot_change_positions). */
bool waitlist_is_turn(const struct slot_row *slot, uint32_t contractor);

/* The contractor gives up its place, as by claiming; the caller commits. False: it had none. */
bool waitlist_drop(struct slot_change *change, uint32_t contractor);

/* A closing account leaves its waitlists, at most `places_max` at once. True when some are left. */
bool waitlist_give_up(struct state *state, const struct command *command, uint32_t contractor,
                      uint32_t places_max);

uint16_t waitlist_join_apply(struct state *state, const struct command *command,
                             const struct zr_waitlist_request *request,
                             struct zr_waitlist_reply *reply, struct effects *effects);

uint16_t waitlist_leave_apply(struct state *state, const struct command *command,
                              const struct zr_waitlist_request *request,
                              struct zr_waitlist_reply *reply, struct effects *effects);

/* TIMER_RESERVATION, through offer_timer() and offer_deadline_move() (offer.h). */
bool waitlist_timer(struct state *state, const struct command *command,
                    const struct timer_row *timer);
bool waitlist_deadline_move(struct state *state, const struct command *command,
                            const struct timer_row *timer, uint64_t deadline_ms);

#endif
