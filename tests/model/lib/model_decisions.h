/*
 * model_decisions.h - what was decided, and why: the rows that EXPLAIN must tell (R68, E65).
 *
 * The hard idea: a row is written once, with the values of its moment, and never looked up again
 * in anything that can change. So it is a list, and a call's decisions are those that bear its
 * name.
 */
#ifndef ZR_TEST_MODEL_DECISIONS_H
#define ZR_TEST_MODEL_DECISIONS_H

#include "protocol/message.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MODEL_DECISIONS = 8192, /* More than a run has steps. */
    MODEL_JUDGED = 12,      /* One contractor has one live claim of a slot. */
};

/* One ROUTE or ROUTE_NEXT that was answered by a judgement. */
struct model_decision {
    int call;
    bool is_lost;          /* A crash took it. */
    bool is_cut;           /* Only what its ticket says of it came back. */
    bool is_answered;      /* call_ref and snapshot_seq are known, as its reply said them. */
    struct zr_id call_ref; /* Of the decision before it, if the server process knows the call. */
    uint64_t time_ms;
    uint64_t begun_ms; /* When its call began: AUDIT goes by that. */
    uint64_t snapshot_seq;
    uint32_t policy_version, price_version;
    int slot;
    int outcome;
    uint8_t revision, attempt;
    struct zr_judged judged[MODEL_JUDGED]; /* Every live claim of the slot, by rank. */
    int judged_count;
};

struct model_decisions {
    struct model_decision rows[MODEL_DECISIONS];
    int count;
    struct model_decision open; /* Being made. */
};

struct model;
struct model_ticket;

/*
 * A decision of that call begins; what is judged from now on belongs to it. It bears the name that
 * stands in the ticket's reply (of a ROUTE_NEXT: that of the ticket before), zero = a new one.
 */
void model_decision_begin(struct model *model, int call, const struct model_ticket *ticket);

/* This claim was judged. place: in the ticket, from 1; 0 = not a candidate. */
void model_decision_judged(struct model *model, int claim, uint32_t reasons, uint8_t place);

/* The decision was made, and that is what the switch is told. Returns 1 + its row. */
int model_decision_done(struct model *model, int outcome);

/* A CONNECT or END by that ticket is committed: its decision is told again if it was lost (E71). */
void model_decision_carry(struct model *model, const struct model_ticket *ticket);

/* The newest of that call, NULL = it has none. */
const struct model_decision *model_decision_newest(const struct model *model, int call);

/* Decisions of the calls that began in [from_ms, to_ms); to_ms 0 = until now. */
int model_decisions_between(const struct model *model, uint64_t from_ms, uint64_t to_ms);

#endif
