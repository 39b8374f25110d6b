/*
 * eligibility.h - may this contractor be rung for this call? A pure function (M3).
 *
 * Judged for every candidate, and every failing bit is kept: the answer to "why not me" is the
 * whole list, not the first reason found. Bits that no rule sets yet keep their place.
 */
#ifndef ZR_ELIGIBILITY_H
#define ZR_ELIGIBILITY_H

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
    uint16_t max_concurrency;
    uint8_t status; /* enum zr_contractor_status */
    bool paused;
};

/* The call, the claim and the rules that apply to it. */
struct eligibility_call {
    uint64_t now_ms;
    int64_t rate_cents; /* Of this slot at this claim's rank. */
    bool claim_paused;
    bool tried; /* Had its turn in this call. */
    bool screened;
    bool screening_required;
    uint8_t funds_rule; /* enum zr_funds_rule */
};

/* Every reason against it, 0 = eligible. */
uint32_t eligibility_judge(const struct eligibility_contractor *contractor,
                           const struct eligibility_call *call);

#endif
