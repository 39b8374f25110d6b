/*
 * offer.h - who inherits a vacant title: the opening and its chain of offers (M2, R64).
 *
 *     PENDING --accept--> ACCEPTED     the claim is PRIMARY; claim and seq stay
 *             --decline--> DECLINED    its place and seq stay (E9), the next in line is asked
 *             --deadline--> EXPIRED    the same; exclusive: at the deadline it is too late (E8)
 *             --LAPSING, SUSPENDED, ended--> CANCELLED
 *
 * One opening is one chain over the live claims by seq. It remembers only the last claim that it
 * asked, so those that join meanwhile are reached by their seq alone (E7), and nobody is asked
 * twice. When it runs out the slot is OPEN, or VACANT when no claim is left.
 */
#ifndef ZR_OFFER_H
#define ZR_OFFER_H

#include "server/domain/command.h"
#include "server/domain/slot_change.h"

/* The primary's claim has left the slot: SLOT_OPENED to the rank-2 holder, once, and the chain. */
void offer_open_title(struct slot_change *change);

/*
 * The claim may not inherit any more: its pending offer is CANCELLED. The chain does not go on
 * before offer_continue(), so that the claim can be taken out in between.
 */
void offer_withdraw(struct slot_change *change, uint64_t claim_id);

/* After claims left: ask the next one when nobody is asked; an OPEN slot without claims is VACANT.
 */
void offer_continue(struct slot_change *change);

/* Make the claim at `index` PRIMARY, of a slot that has none. Conditions whose deadline passed
 * while it was a backup start anew (condition.h). */
void offer_promote(struct slot_change *change, int index);

uint16_t offer_reply_apply(struct state *state, const struct command *command,
                           const struct zr_offer_reply_request *request,
                           struct zr_offer_reply_reply *reply);

/* TIMER_OFFER, TIMER_RESERVATION. True when it acted. */
bool offer_timer(struct state *state, const struct command *command, const struct timer_row *timer);

/*
 * After an outage: the row that the timer stands for gets the new deadline. The timer itself is
 * the caller's. False when its cause has gone.
 */
bool offer_deadline_move(struct state *state, const struct command *command,
                         const struct timer_row *timer, uint64_t deadline_ms);

#endif
