/*
 * tally.h - what the calls came to, counted by the client itself.
 *
 * The server's audit must agree with it: the sum of the amounts that END replied as CHARGED,
 * in all and per contractor. It counts every call of a run, in the window or not, because
 * money knows no warm-up.
 */
#ifndef ZR_BENCH_TALLY_H
#define ZR_BENCH_TALLY_H

#include "protocol/message.h"

#include <stdbool.h>
#include <stdint.h>

enum { TALLY_SETTLEMENTS = ZR_MAX_settlement + 1, TALLY_CONTRACTORS_MAX = 1 << 22 };

struct tally {
    uint64_t calls;     /* Begun. */
    uint64_t ended;     /* Connected and settled. */
    uint64_t uncovered; /* ROUTE found no candidate. */
    uint64_t exhausted; /* ROUTE_NEXT found no further one. */
    uint64_t abandoned; /* The caller gave up while it rang. */
    uint64_t broken;    /* Transport, timeout or an answer that has no place here. */
    uint64_t routes;    /* Steps that were done (result 0). */
    uint64_t nexts;
    uint64_t connects;
    uint64_t ends;
    uint64_t settlements[TALLY_SETTLEMENTS]; /* By enum zr_settlement. */
    int64_t charged_cents;
    int64_t *charged_by_contractor; /* [contractor] cents, or NULL: not wanted. */
    uint32_t contractors_count;     /* Its length; contractors beyond it count in the sum only. */
};

/* Count an answered END. */
void tally_take_settlement(struct tally *tally, const struct zr_settlement_reply *reply);

/* Calls that came to any end but a broken one. */
uint64_t tally_finished(const struct tally *tally);

#endif
