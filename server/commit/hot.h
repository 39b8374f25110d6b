/*
 * hot.h - what a decision needs to know of a contractor, in one cache line of memory.
 *
 * A dense array indexed by the contractor's number. Two kinds of fields, two writers:
 *
 *   published   by the committer, after the commit that made them true: standing, money,
 *               concurrency units
 *   leases      by workers: soft reservations for a contractor that is being rung, so that a
 *               surge does not offer one truck to ten calls (M3 "Leases"). Lost at a restart.
 *
 * Each entry has a lock that is held for some nanoseconds: reading several fields together is
 * what makes a judgement true, and publishing a CONNECT must take its lease away and add its
 * hold in one step, or a contractor would for an instant be free, or full, twice.
 */
#ifndef ZR_HOT_H
#define ZR_HOT_H

#include "server/base/arena.h"
#include "server/domain/eligibility.h"
#include "server/domain/state.h"

struct hot;

struct hot *hot_open(struct arena *arena, uint32_t contractors_max);

/* Contractor numbers are below this. */
uint32_t hot_contractors_max(const struct hot *hot);

/* Read one contractor; unknown ones read as not approved. Any thread. */
void hot_look(struct hot *hot, uint32_t contractor, struct eligibility_contractor *known);

/*
 * Take a lease of `rate_cents` if `call` judged again under the lock still finds it eligible.
 * Otherwise false, with the reasons found. Workers.
 */
bool hot_lease_take(struct hot *hot, uint32_t contractor, const struct eligibility_call *call,
                    uint32_t *reasons);

/* Give a lease back. Workers. */
void hot_lease_give(struct hot *hot, uint32_t contractor, int64_t rate_cents);

/* Leases that are out now. */
uint64_t hot_leases_count(const struct hot *hot);

/* What one commit changes of one contractor. */
struct hot_change {
    uint32_t contractor;
    bool with_rows;      /* Rows below are set. */
    int32_t units;       /* Units opened - closed. */
    uint32_t leases;     /* Leases that end with it. */
    int64_t lease_cents; /* Their sum. */
    struct eligibility_contractor rows;
};

/* The published fields of a contractor's rows. */
void hot_rows_of(struct eligibility_contractor *rows, const struct contractor_row *contractor,
                 const struct wallet_row *wallet);

/* Publish one change, all of it at once. Committer. */
void hot_publish(struct hot *hot, const struct hot_change *change);

#endif
