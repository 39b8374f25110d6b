/*
 * cascade.h - who is rung for a call, in order: the decision itself (R27, R47, R49, M3).
 *
 * Pure: the same slot, policy, contractors and call give the same answer. Every claim is judged,
 * in rank order, also behind the last one that fits, because the reasons against each are part
 * of the decision (R47, R68).
 */
#ifndef ZR_CASCADE_H
#define ZR_CASCADE_H

#include "server/domain/eligibility.h"
#include "server/domain/slot.h"
#include "server/domain/ticket.h"

/* The slot and the rules and prices that apply in it. */
struct cascade_slot {
    const struct slot_row *slot;
    const struct policy_row *policy;
    int64_t category_rate_cents;
};

/* What a call brings to the decision. */
struct cascade_call {
    uint64_t now_ms;
    const uint32_t *tried; /* Contractors that had their turn. */
    uint8_t tried_count;
    uint8_t want; /* Candidates wanted, 1..4. */
    bool screened;
    uint8_t attestation; /* STIR/SHAKEN: 0 unknown, 1 A, 2 B, 3 C. */
    uint32_t tenant;
    uint64_t caller_hash;
};

/* One claim as it was judged. */
struct cascade_judgement {
    uint64_t claim_seq;
    uint64_t phone;
    uint32_t contractor;
    uint32_t reasons; /* 0 = eligible. */
    uint32_t rate_cents;
    uint8_t rank;
    uint8_t mode; /* 0 ring the phone, 1 the app (R19). */
};

struct cascade_decision {
    struct cascade_judgement judged[SLOT_CLAIMS_MAX]; /* In rank order. */
    uint8_t judged_count;
    uint8_t candidates[TICKET_CANDIDATES_MAX]; /* Indexes into judged, in ring order. */
    uint8_t candidates_count;
};

/* Tell what is known of a contractor now, and what its profile says about the call. */
typedef void (*cascade_look_fn)(void *context, uint32_t contractor,
                                const struct eligibility_call *call,
                                struct eligibility_contractor *known);

/* Judge all claims of the slot and pick the first `want` that are eligible. */
void cascade_decide(struct cascade_decision *decision, const struct cascade_slot *where,
                    const struct cascade_call *call, cascade_look_fn look, void *context);

/* True when the decision passed over an eligible primary: it never may (E23). */
bool cascade_skips_primary(const struct cascade_decision *decision);

#endif
