/*
 * eligibility.c - see eligibility.h.
 */
#include "server/domain/eligibility.h"

#include "protocol/check.h"
#include "protocol/types.h"
#include "server/domain/schedule.h"

bool
eligibility_is_attested(uint8_t attestation, uint8_t least)
{
    return least == 0 || (attestation != 0 && attestation <= least);
}

/* ---- the digest ------------------------------------------------------------------------------ */

static uint32_t
count_left(int64_t limit, uint32_t used)
{
    const int64_t left = limit - used;

    if (limit < 0) {
        return UINT32_MAX;
    }
    if (left <= 0) {
        return 0;
    }
    return left < UINT32_MAX ? (uint32_t)left : UINT32_MAX - 1;
}

static uint32_t
least(uint32_t left, uint32_t right)
{
    return left < right ? left : right;
}

static void
digest_window(struct eligibility_digest *digest, const struct eligibility_profile *profile,
              unsigned window, uint64_t now_ms)
{
    const int64_t *limits = profile->caps.limits[window];
    const int64_t spend_limit = limits[ZR_CAP_MEASURE_SPEND - 1];
    struct usage_window used = profile->usage.windows[window];

    if (now_ms >= used.end_ms) {
        used = (struct usage_window){0}; /* It ended, and nothing was counted since. */
    } else if (used.end_ms < digest->until_ms) {
        digest->until_ms = used.end_ms;
    }
    digest->calls_left =
        least(digest->calls_left, count_left(limits[ZR_CAP_MEASURE_CALLS - 1], used.calls));
    digest->connects_left = least(digest->connects_left,
                                  count_left(limits[ZR_CAP_MEASURE_CONNECTS - 1], used.connects));
    if (spend_limit >= 0 && spend_limit - used.spend_cents < digest->spend_left_cents) {
        digest->spend_left_cents = spend_limit - used.spend_cents;
    }
}

static void
digest_filters(struct eligibility_digest *digest, const struct filters_row *filters)
{
    digest->attestation_min = filters->attestation_min;
    digest->partners_rule = filters->partners_rule;
    CHECK(filters->partners_count <= FILTER_PARTNERS_MAX);
    digest->partners_count = filters->partners_count;
    for (uint8_t i = 0; i < filters->partners_count; i++) {
        digest->lists.partners[i] = filters->partners[i];
    }
    for (int i = 0; i < FILTER_CALLERS_MAX; i++) {
        digest->callers = digest->callers || filters->blocked[i] != 0;
        digest->lists.callers[i] = (uint16_t)filters->blocked[i];
    }
}

void
eligibility_digest_make(struct eligibility_digest *digest,
                        const struct eligibility_profile *profile, uint64_t now_ms)
{
    *digest = (struct eligibility_digest){.until_ms = UINT64_MAX,
                                          .spend_left_cents = INT64_MAX,
                                          .calls_left = UINT32_MAX,
                                          .connects_left = UINT32_MAX};
    if ((profile->bits & PROFILE_SCHEDULE) != 0) {
        uint32_t closed;

        schedule_judge(&profile->schedule, now_ms, &closed, &digest->until_ms);
        digest->closed = (uint8_t)closed;
    }
    if ((profile->bits & PROFILE_CAPS) != 0) {
        digest->spacing_s = profile->caps.spacing_s;
        for (unsigned window = 0; window < CAP_WINDOWS; window++) {
            digest_window(digest, profile, window, now_ms);
        }
    }
    if ((profile->bits & PROFILE_USAGE) != 0) {
        digest->cooldown_until_ms = profile->usage.cooldown_until_ms;
        digest->down_until_ms = profile->usage.down_until_ms;
    }
    if ((profile->bits & PROFILE_FILTERS) != 0) {
        digest_filters(digest, &profile->filters);
    }
    CHECK(digest->until_ms > now_ms);
}

/* ---- judging it ------------------------------------------------------------------------------ */

/* Leases count as if they were connected and charged already: the one call that would be over may
 * not be offered (E26). */
static uint32_t
judge_caps(const struct eligibility_digest *digest, const struct eligibility_load *load,
           const struct eligibility_call *call)
{
    const uint64_t spacing_ms = (uint64_t)digest->spacing_s * 1000;
    uint32_t reasons = 0;

    if (load->rings >= digest->calls_left || load->leases >= digest->connects_left ||
        load->leased_cents + call->rate_cents > digest->spend_left_cents) {
        reasons |= REASON_CAP_REACHED;
    }
    if (load->last_ring_ms != 0 && call->now_ms < load->last_ring_ms + spacing_ms) {
        reasons |= REASON_SPACING;
    }
    return reasons;
}

static bool
partner_is_allowed(const struct eligibility_digest *digest, uint32_t tenant)
{
    bool listed = false;

    for (uint8_t i = 0; i < digest->partners_count; i++) {
        listed = listed || digest->lists.partners[i] == tenant;
    }
    return listed == (digest->partners_rule == 1);
}

/* False is certain. Without a branch in the loop: the callers are compared side by side. */
static bool
caller_may_be_blocked(const struct eligibility_lists *lists, uint64_t caller_hash)
{
    const uint16_t bits = (uint16_t)caller_hash;
    uint16_t found = 0;

    for (int i = 0; i < FILTER_CALLERS_MAX; i++) {
        found |= lists->callers[i] == bits;
    }
    return found != 0;
}

static bool
caller_is_blocked(const struct filters_row *filters, uint64_t caller_hash)
{
    bool blocked = false;

    for (int i = 0; i < FILTER_CALLERS_MAX; i++) {
        blocked = blocked || filters->blocked[i] == caller_hash;
    }
    return blocked;
}

/* The rows are some cache misses away, none of them foreseen: only a caller whose bits are those of
 * a blocked one has them read. */
static uint32_t
judge_lists(const struct eligibility_digest *digest, const struct filters_row *filters,
            const struct eligibility_call *call)
{
    uint32_t reasons = 0;

    if (digest->partners_rule != 0 && !partner_is_allowed(digest, call->tenant)) {
        reasons |= REASON_PARTNER_NOT_ALLOWED;
    }
    if (digest->callers && call->caller_hash != 0 &&
        caller_may_be_blocked(&digest->lists, call->caller_hash) &&
        caller_is_blocked(filters, call->caller_hash)) {
        reasons |= REASON_CALLER_BLOCKED;
    }
    return reasons;
}

uint32_t
eligibility_judge_profile(const struct eligibility_digest *digest,
                          const struct eligibility_profile *profile,
                          const struct eligibility_load *load, const struct eligibility_call *call)
{
    uint32_t reasons = digest->closed;

    CHECK(load->leased_cents >= 0);
    CHECK(call->now_ms < digest->until_ms);
    reasons |= judge_caps(digest, load, call);
    reasons |= call->now_ms < digest->cooldown_until_ms ? REASON_COOLDOWN : 0;
    reasons |= call->now_ms < digest->down_until_ms ? REASON_DEST_DOWN : 0;
    if (!eligibility_is_attested(call->attestation, digest->attestation_min)) {
        reasons |= REASON_ATTESTATION;
    }
    return reasons | judge_lists(digest, &profile->filters, call);
}

/* ---- the contractor -------------------------------------------------------------------------- */

/* How the call would be delivered: to a phone, else to the app. */
static uint32_t
judge_delivery(const struct eligibility_contractor *contractor)
{
    const bool by_phone = contractor->modes == 0 || (contractor->modes & MODE_PHONE) != 0;

    if (!by_phone) {
        return (contractor->modes & MODE_APP) != 0 ? 0 : REASON_MODE_UNSUPPORTED; /* E41 */
    }
    if (contractor->dest_down) {
        return REASON_DEST_DOWN;
    }
    return contractor->phone == 0 ? REASON_MODE_UNSUPPORTED : 0;
}

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
    reasons |= judge_delivery(contractor);
    reasons |= call->screening_required && !call->screened ? REASON_SCREENING_MISSING : 0; /* R6 */
    return reasons | contractor->profile_reasons;
}
