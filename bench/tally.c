/*
 * tally.c - see tally.h.
 */
#include "bench/tally.h"

#include "protocol/check.h"

#include <stddef.h>

void
tally_take_settlement(struct tally *tally, const struct zr_settlement_reply *reply)
{
    CHECK(tally != NULL);
    CHECK(reply != NULL);
    tally->ends++;
    if (reply->settlement < TALLY_SETTLEMENTS) {
        tally->settlements[reply->settlement]++;
    }
    if (reply->settlement != ZR_SETTLEMENT_CHARGED) {
        return;
    }
    tally->charged_cents += reply->amount_cents;
    if (reply->contractor < tally->contractors_count) {
        tally->charged_by_contractor[reply->contractor] += reply->amount_cents;
    }
}

uint64_t
tally_finished(const struct tally *tally)
{
    return tally->ended + tally->uncovered + tally->exhausted + tally->abandoned;
}
