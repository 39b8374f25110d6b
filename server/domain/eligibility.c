/*
 * eligibility.c - see eligibility.h.
 */
#include "server/domain/eligibility.h"

#include "protocol/check.h"
#include "protocol/types.h"

uint32_t
eligibility_judge(const struct eligibility_contractor *contractor,
                  const struct eligibility_call *call)
{
    const bool lapsed = contractor->licence_expires_ms != 0 &&
                        call->now_ms >= contractor->licence_expires_ms; /* Exclusive (M2). */
    const int64_t free_cents = contractor->available_cents - contractor->leased_cents;
    int64_t needed_cents = call->rate_cents;
    uint32_t reasons = 0;

    CHECK(call->rate_cents >= 0);
    CHECK(contractor->leased_cents >= 0);
    if (call->funds_rule == ZR_FUNDS_MAX_RATE && contractor->rate_max_cents > needed_cents) {
        needed_cents = contractor->rate_max_cents;
    }
    reasons |=
        contractor->status != ZR_CONTRACTOR_APPROVED || lapsed ? REASON_NOT_APPROVED : 0; /* R1 */
    reasons |= contractor->paused || call->claim_paused ? REASON_PAUSED : 0;              /* R63 */
    reasons |= free_cents < needed_cents ? REASON_NO_FUNDS : 0;
    reasons |= contractor->units + contractor->leases >= contractor->max_concurrency
                   ? REASON_AT_CONCURRENCY
                   : 0;                                /* E27 */
    reasons |= call->tried ? REASON_ALREADY_TRIED : 0; /* E33 */
    reasons |= contractor->phone == 0 ? REASON_MODE_UNSUPPORTED : 0;
    reasons |= call->screening_required && !call->screened ? REASON_SCREENING_MISSING : 0; /* R6 */
    return reasons;
}
