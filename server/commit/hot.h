/*
 * hot.h - what a decision needs to know of a contractor, in one cache line of memory; two for
 * those who have hours or caps, three for those who list partners or callers.
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

/* Read one contractor; unknown ones read as not approved. Its profile is not judged. Any thread. */
void hot_look(struct hot *hot, uint32_t contractor, struct eligibility_contractor *known);

/* Start to fetch what a decision will read of those who hold the slot: together, not one after
 * another. */
void hot_prefetch(const struct hot *hot, const struct slot_row *slot);

/* The same for a decision: profile_reasons says what its profile has against this call. */
void hot_look_for(struct hot *hot, uint32_t contractor, const struct eligibility_call *call,
                  struct eligibility_contractor *known);

enum hot_lease {
    HOT_LEASE_REFUSED = 0,
    HOT_LEASE_TAKEN = 1,
    HOT_LEASE_COUNTED = 2, /* Taken, and the ring counts: the caller tells the log (rings.h). */
};

/*
 * Take a lease of `rate_cents` if `call` judged again under the lock still finds it eligible.
 * Otherwise REFUSED, with the reasons found. Rings count where they are capped, spaced or shown
 * in an app (usage_ring_matters); such a ring is counted here at once and leaves this count when
 * RINGS has put it into the usage row (E26). Workers.
 */
enum hot_lease hot_lease_take(struct hot *hot, uint32_t contractor,
                              const struct eligibility_call *call, uint32_t *reasons);

/* The log will never hear of a ring that was counted: its queue was full. Workers. */
void hot_ring_lose(struct hot *hot, uint32_t contractor);

/* Give a lease back. Workers. */
void hot_lease_give(struct hot *hot, uint32_t contractor, int64_t rate_cents);

/* Leases that are out now. */
uint64_t hot_leases_count(const struct hot *hot);

/* What one commit changes of one contractor. */
struct hot_change {
    uint32_t contractor;
    bool with_rows;      /* Rows below are set. */
    bool with_profile;   /* So is the profile; without any, its bits are 0. */
    int32_t units;       /* Units opened - closed. */
    uint32_t leases;     /* Leases that end with it. */
    uint32_t rings;      /* Rings that its usage row counts from now on. */
    int64_t lease_cents; /* Sum of the leases. */
    struct eligibility_contractor rows;
    struct eligibility_profile profile;
};

/* The published fields of a contractor's rows. */
void hot_rows_of(struct eligibility_contractor *rows, const struct contractor_row *contractor,
                 const struct wallet_row *wallet);

/* Publish one change, all of it at once. Committer. */
void hot_publish(struct hot *hot, const struct hot_change *change);

#endif
