/*
 * event.h - what happened, told to those whom it concerns: one row per fact, numbered for ever.
 *
 * Events are written by the rules, in the transaction of the command that caused them, so a
 * fact and its event are durable together or not at all: at least once, in order, across any
 * crash (protocol.md "Events"). Their number is the cursor that readers resume from.
 */
#ifndef ZR_EVENT_H
#define ZR_EVENT_H

#include "server/domain/command.h"

/* Durable cursors of one principal: names of EVENTS_ACK. They are never deleted. */
enum { EVENT_CURSORS_MAX = 16 };

/* Bits of a MAP_DELTA's code: what an outsider's CLAIM of the slot would now find (R42). */
enum { MAP_CODE_TAKEN = 1, MAP_CODE_FULL = 2 };

/*
 * Write one event. The caller sets type, contractor and what the type says; time, commit_seq
 * and, where 0, the audience (CONTRACTOR) and the tenant (the contractor's) are filled in here.
 */
void event_emit(struct state *state, const struct command *command, const struct event_row *event);

/* May this principal hear of it? ADMIN and AUDITOR all, others as event_audience says (R69). */
bool event_is_visible(const struct event_row *event, const struct command *reader);

void event_to_wire(struct zr_event *wire, uint64_t event_seq, const struct event_row *event);

/* EVENTS_ACK: the cursor of that name moves on, never back. LIMIT: one name more than
 * EVENT_CURSORS_MAX; those that are there go on. */
uint16_t event_ack_apply(struct state *state, const struct command *command,
                         const struct zr_events_ack_request *request,
                         struct zr_events_ack_reply *reply, struct effects *effects);

#endif
