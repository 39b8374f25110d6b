/*
 * command.h - one request as the log knows it, and what executing it gives.
 *
 * A command carries everything a rule may depend on: who (from the principal, never from the
 * frame), when (log time), what. `*_apply` functions judge the whole request before they put
 * the first row, so a refusal leaves the state as it was.
 */
#ifndef ZR_COMMAND_H
#define ZR_COMMAND_H

#include "server/domain/state.h"

struct command {
    uint64_t seq;         /* Position in the log that it gets if it is journaled. */
    uint64_t time_ms;     /* Log time, Unix ms. */
    uint32_t tenant;      /* Of the principal. */
    uint32_t contractor;  /* Of a CONTRACTOR principal, else 0. */
    uint8_t role;         /* enum zr_role */
    uint8_t principal[8]; /* First bytes of its key hash: who (R68). */
    bool keepalive;       /* Its session negotiated KEEPALIVE (M3 "unit_ttl"). */
    uint16_t op;          /* enum zr_op */
};

/* What the memory beside the rules has to learn once the command is durable. */
struct effects {
    struct zr_id call_ref;
    uint32_t unit_contractor; /* Whose concurrency unit opened or closed. */
    bool unit_opened;
    bool unit_closed;
    bool unit_seen;      /* A sign of life: its ttl starts again. */
    bool unit_keepalive; /* Its ttl is the short one. */
    uint8_t revision;    /* Of the call with a new leg: the newest that any of its tickets had. */
    bool journal;    /* Journal it although nothing changed: a contradiction worth keeping (E46). */
    bool duplicate;  /* The reply is the stored one, rebuilt by the natural key. */
    uint16_t detail; /* Of INVALID_FIELD: offset of the field in the frame. */
};

/*
 * Execute one command. `request` and `reply` are the op's decoded structs. Returns the status;
 * *reply is set on class 00 and 20, effects->detail on INVALID_FIELD.
 */
uint16_t command_apply(struct state *state, const struct command *command, const void *request,
                       void *reply, struct effects *effects);

/* INVALID_FIELD at the field of that name: `return command_invalid(...)`. */
uint16_t command_invalid(struct effects *effects, const struct zr_shape *shape, const char *field);

/* All bytes zero: no id. */
bool command_id_is_none(const struct zr_id *id);

/* True when the principal may act for the contractor: PORTAL its tenant's, CONTRACTOR itself,
 * ADMIN, AUDITOR and PAYMENTS all. Others get NOT_FOUND, so that nothing leaks (E39, R69). */
bool command_owns(const struct command *command, uint32_t contractor,
                  const struct contractor_row *row);

#endif
