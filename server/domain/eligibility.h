/*
 * eligibility.h - may this contractor be rung for this call? A pure function (M3).
 *
 * Judged for every candidate, and every failing bit is kept: the answer to "why not me" is the
 * whole list, not the first reason found.
 *
 * Most contractors have standing, money and a number of trucks, and that is one cache line. Those
 * with hours, caps or filters have a profile beside it, which is judged where it is kept, under
 * the contractor's lock (hot.h): its verdict comes in as `profile_reasons`.
 *
 * A profile is many rows, but between two edges of hours and windows all that they say of a call
 * is a few thresholds. The digest is those, with the instant until which they hold: so a
 * decision looks at one more cache line, and does calendar arithmetic a few times a day. The lists
 * of partners and callers are a line of their own in it, short enough to be looked through whole.
 */
#ifndef ZR_ELIGIBILITY_H
#define ZR_ELIGIBILITY_H

#include "server/domain/state.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

/* Bits, in the order of M3; on the wire as skipped.reasons. */
enum eligibility_reason {
    REASON_NOT_APPROVED = 1u << 0,
    REASON_CLAIM_NOT_ACTIVE = 1u << 1,
    REASON_PAUSED = 1u << 2,
    REASON_OUT_OF_HOURS = 1u << 3,
    REASON_VACATION = 1u << 4,
    REASON_NO_FUNDS = 1u << 5,
    REASON_AT_CONCURRENCY = 1u << 6,
    REASON_CAP_REACHED = 1u << 7,
    REASON_SPACING = 1u << 8,
    REASON_COOLDOWN = 1u << 9,
    REASON_ALREADY_TRIED = 1u << 10,
    REASON_CALLER_BLOCKED = 1u << 11,
    REASON_DUP_RESTRICTED = 1u << 12,
    REASON_DEST_DOWN = 1u << 13,
    REASON_PARTNER_NOT_ALLOWED = 1u << 14,
    REASON_SCREENING_MISSING = 1u << 15,
    REASON_MODE_UNSUPPORTED = 1u << 16,
    REASON_ATTESTATION = 1u << 17,
};

/* What is known of the contractor at this instant: the hot row plus the leases of calls that ring.
 */
struct eligibility_contractor {
    uint64_t licence_expires_ms; /* Exclusive; 0 = never. */
    uint64_t phone;              /* First own destination, E.164. */
    int64_t available_cents;     /* MAIN + CREDIT - holds. */
    int64_t leased_cents;        /* Rates of live leases. */
    int64_t rate_max_cents;      /* Dearest live claim. */
    uint32_t units;              /* Connected calls. */
    uint32_t leases;             /* Ringing calls. */
    uint32_t profile_reasons;    /* What the profile says about this call. */
    uint16_t max_concurrency;
    uint8_t status; /* enum zr_contractor_status */
    uint8_t modes;  /* enum contractor_mode bits; 0 = PHONE. */
    bool paused;
    bool dest_down;     /* No own destination is in order. */
    bool no_duplicates; /* Wants no caller that it was charged for lately. */
};

/* The rows behind a contractor's profile; `bits` says which of them it has. */
struct eligibility_profile {
    struct schedule_row schedule;
    struct caps_row caps;
    struct usage_row usage;
    struct filters_row filters; /* `blocked` holds caller hashes here, not numbers. */
    uint8_t bits;               /* enum contractor_profile */
};

enum { ELIGIBILITY_LINE_BYTES = 64 };

/* What of the filters' lists fits into a cache line. A caller's 16 bits say for certain that it is
 * not blocked; of those that they do not clear, one in thousands, the rows know. */
struct eligibility_lists {
    uint32_t partners[FILTER_PARTNERS_MAX];
    uint16_t callers[FILTER_CALLERS_MAX]; /* Low bits of each hash; 0 where there is none. */
};
_Static_assert(sizeof(struct eligibility_lists) == ELIGIBILITY_LINE_BYTES, "one line");

/* What the rows come down to until `until_ms`, exclusive; 0 = make it anew. */
struct eligibility_digest {
    uint64_t until_ms;
    uint64_t cooldown_until_ms;
    uint64_t down_until_ms;
    int64_t spend_left_cents; /* INT64_MAX = not capped. */
    uint32_t calls_left;      /* UINT32_MAX = not capped. */
    uint32_t connects_left;
    uint32_t spacing_s;
    uint8_t closed; /* Reasons of the schedule. */
    uint8_t attestation_min;
    uint8_t partners_rule; /* As in the filters. */
    uint8_t partners_count;
    bool callers; /* Some are blocked. */
    alignas(ELIGIBILITY_LINE_BYTES) struct eligibility_lists lists;
};
_Static_assert((REASON_OUT_OF_HOURS | REASON_VACATION) <= UINT8_MAX, "fit `closed`");

/* What is under way for the contractor beside what its rows say. */
struct eligibility_load {
    uint64_t last_ring_ms;
    int64_t leased_cents;
    uint32_t leases;
    uint32_t rings; /* Begun, and not yet counted in the usage row. */
};

/* The call, the claim and the rules that apply to it. */
struct eligibility_call {
    uint64_t now_ms;
    int64_t rate_cents; /* Of this slot at this claim's rank. */
    bool claim_paused;
    bool tried; /* Had its turn in this call. */
    bool screened;
    bool screening_required;
    uint8_t funds_rule;   /* enum zr_funds_rule */
    uint8_t attestation;  /* STIR/SHAKEN: 0 unknown, 1 A, 2 B, 3 C. */
    uint32_t tenant;      /* Who routes. */
    uint64_t caller_hash; /* 0 = withheld. */
};

/* Every reason against it, 0 = eligible. */
uint32_t eligibility_judge(const struct eligibility_contractor *contractor,
                           const struct eligibility_call *call);

/* Make the digest of the rows for now_ms and as long as it holds. */
void eligibility_digest_make(struct eligibility_digest *digest,
                             const struct eligibility_profile *profile, uint64_t now_ms);

/*
 * What schedule, caps, spacing, cool-down, destination and filters say (R13, R34, R36, E26). The
 * digest must hold at call->now_ms.
 */
uint32_t eligibility_judge_profile(const struct eligibility_digest *digest,
                                   const struct eligibility_profile *profile,
                                   const struct eligibility_load *load,
                                   const struct eligibility_call *call);

/* True when `attestation` reaches `least` (0 = any does); unknown reaches nothing else (E40). */
bool eligibility_is_attested(uint8_t attestation, uint8_t least);

#endif
