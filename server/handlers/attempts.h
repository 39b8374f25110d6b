/*
 * attempts.h - who had a turn in a call: never offered it again (E33, R35), and the list that
 * EXHAUSTED answers with (E37).
 *
 * A ticket carries them, so that any node can go on. A decision that found nobody issues none, and
 * a corrected address begins a new one: for these the worker remembers them beside the ticket.
 */
#ifndef ZR_ATTEMPTS_H
#define ZR_ATTEMPTS_H

#include "server/handlers/calls.h"

/* The ticket's candidates up to attempt `index` have had their turn; the next one is index + 1. */
void attempts_end(struct ticket *ticket, const struct ticket *before, uint8_t index);

/* Keep what the ticket knows. */
void attempts_remember(struct remembered_call *call, const struct ticket *ticket);

/* Give a new ticket of the call what is known, and those who declined meanwhile. */
void attempts_carry(const struct remembered_call *call, struct ticket *ticket);

/* Say them in the reply, as ALREADY_TRIED. */
void attempts_list(struct zr_route_reply *reply, const struct ticket *ticket);

#endif
