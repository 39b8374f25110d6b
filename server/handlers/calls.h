/*
 * calls.h - the calls that ring: what a worker remembers between ROUTE and CONNECT.
 *
 * Memory only, and best effort (M6): it makes a repeated ROUTE give the same ticket (E31), keeps
 * the lease of the contractor that is rung, and lets END abandon a call without a ticket. Losing
 * it costs one extra ring or one step of overdraft; the durable call row arbitrates.
 *
 * A timer wheel of 100 ms buckets gives leases back and forgets calls. Everything is on the
 * log clock, so tests move it.
 */
#ifndef ZR_CALLS_H
#define ZR_CALLS_H

#include "server/base/arena.h"
#include "server/commit/hot.h"
#include "server/commit/job.h"
#include "server/domain/ticket.h"

enum {
    CALL_REPLY_BYTES_MAX = 640, /* A ROUTE reply with four candidates and 32 skipped. */
    /* After its ticket, or its END: long enough for its index row to be folded (tail.h). */
    CALL_FORGET_AFTER_MS = 30 * 1000,
};

enum remembered_state {
    REMEMBERED_RINGING = 1, /* A ticket is out. */
    REMEMBERED_CONNECTED,
    REMEMBERED_ENDED,
    REMEMBERED_ABANDONED,
};

/* A contractor that rang and did not want the call (R35). */
struct remembered_decline {
    uint64_t commit_seq; /* 0 = on its way to the log. */
    uint32_t contractor;
};

struct remembered_call {
    struct zr_id call_id;
    struct zr_id call_ref;
    uint64_t inputs;     /* Digest of what ROUTE asked: the same again is a repeat. */
    uint64_t expires_ms; /* Of the newest ticket. */
    uint64_t lease_expires_ms;
    int64_t lease_cents;
    uint32_t lease_contractor; /* 0 = no lease. */
    uint32_t tenant;
    uint32_t chain;     /* Next in the hash chain or free list: index + 1. */
    uint32_t ref_chain; /* Next in the hash chain by call_ref, once it has one. */
    uint32_t later;     /* Next in the wheel's bucket. */
    uint16_t reply_bytes;
    uint8_t state; /* enum remembered_state */
    uint8_t revision;
    uint8_t attempt;     /* Index of the newest ticket's first candidate. */
    uint8_t legs_end;    /* Attempts below it are the past: one of them was a leg, and is over. */
    bool connected_once; /* Then only ROUTE_NEXT goes on with it (E32). */
    bool named;          /* It has a call_ref. */
    uint8_t declines_count;
    uint8_t tried_count;
    uint8_t screening; /* Bits that a CALLCENTER set (R18). */
    struct remembered_decline declines[CALL_LEGS_MAX];
    uint32_t tried[TICKET_TRIED_MAX]; /* Who had a turn (attempts.h). */
    uint8_t ticket_length;
    uint8_t ticket[TICKET_BYTES_MAX];
    uint8_t reply[CALL_REPLY_BYTES_MAX];
};

struct calls;

struct calls *calls_open(struct arena *arena, struct hot *hot, uint32_t calls_max);

/* The call, or NULL. */
struct remembered_call *calls_find(struct calls *calls, uint32_t tenant,
                                   const struct zr_id *call_id);

/* The call with that server-issued name, or NULL. Contractors know calls by it (M1). */
struct remembered_call *calls_find_ref(struct calls *calls, const struct zr_id *call_ref);

/* Give the call its name. Another one later, of a ticket from before a restart, replaces it. */
void calls_name(struct calls *calls, struct remembered_call *call, const struct zr_id *call_ref);

/* A new one, not in any state yet; NULL when calls_max ring already. */
struct remembered_call *calls_add(struct calls *calls, uint32_t tenant, const struct zr_id *call_id,
                                  uint64_t now_ms);

/* The call's lease from now on; the one before is given back. contractor 0 = none. */
void calls_set_lease(struct calls *calls, struct remembered_call *call, uint32_t contractor,
                     int64_t rate_cents, uint64_t expires_ms);

/* The lease leaves the call without being given back: a job takes it along. */
void calls_hand_over_lease(struct remembered_call *call, uint32_t *contractor, int64_t *rate_cents);

/* The job that took the lease along did nothing: it is the call's again, unless the call has
 * another, is forgotten (NULL), or the lease's time is over. */
void calls_take_back_lease(struct calls *calls, struct remembered_call *call, const struct job *job,
                           uint64_t now_ms);

/* Give back what expired by now, forget calls whose ticket is long over. */
void calls_tick(struct calls *calls, uint64_t now_ms);

/* Calls remembered now. */
uint32_t calls_count(const struct calls *calls);

#endif
