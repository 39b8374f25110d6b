/*
 * slot_change.h - one change of one slot, from the row as it was to the row as it is.
 *
 * Every rule that moves a claim, a title, an offer or a reservation works on the copy in here and
 * commits it once. Its hard idea is that nobody has to remember whom a move concerns: the
 * commit compares before and after, and tells each claim whose rank changed, the map when its
 * colour may have changed, and funds when rates did. Only the claim that comes or goes is left to
 * its own rule, which knows whether it does that once or for many slots.
 */
#ifndef ZR_SLOT_CHANGE_H
#define ZR_SLOT_CHANGE_H

#include "server/domain/command.h"

struct slot_change {
    struct state *state;
    const struct command *command;
    uint32_t zip;
    uint16_t category;
    struct policy_row policy;
    struct slot_row before;
    struct slot_row slot; /* What the rules change. */
};

/* Read the slot and its policy. */
void slot_change_begin(struct slot_change *change, struct state *state,
                       const struct command *command, const struct zr_slot_key *key);

/*
 * Put the slot: version, taken, full; a position that came free is reserved for the head of the
 * waitlist (waitlist.h). Then the events: WAITLIST_OPEN, RANK_CHANGED in rank order, MAP_DELTA.
 */
void slot_change_commit(struct slot_change *change);

/*
 * Have every slot of the category (0 = all) settle: its policy has another max_positions now. What
 * that adds is the waitlists' heads' (M2), and the map's lens ANY shows it (R42).
 */
void slot_change_positions(struct state *state, const struct command *command, uint16_t category);

/* Work: TIMER_SLOT_RATES, after ranks moved; TIMER_POSITIONS. Returns whether anything changed. */
bool slot_change_timer(struct state *state, const struct command *command,
                       const struct timer_row *timer);

/* An event about this slot; zip and category are filled in. */
void slot_change_tell(struct slot_change *change, struct event_row event);

/* What a qualified call costs here at that rank (R53). */
int64_t slot_change_rate_cents(struct slot_change *change, uint16_t rank);

#endif
