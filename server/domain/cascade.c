/*
 * cascade.c - see cascade.h.
 */
#include "server/domain/cascade.h"

#include "protocol/check.h"
#include "server/domain/pricing.h"

static bool
was_tried(const struct cascade_call *call, uint32_t contractor)
{
    for (uint8_t i = 0; i < call->tried_count; i++) {
        if (call->tried[i] == contractor) {
            return true;
        }
    }
    return false;
}

void
cascade_decide(struct cascade_decision *decision, const struct cascade_slot *where,
               const struct cascade_call *call, cascade_look_fn look, void *context)
{
    const struct slot_row *slot = where->slot;
    const struct policy_row *policy = where->policy;
    struct eligibility_contractor known;

    CHECK(call->want >= 1);
    CHECK(call->want <= TICKET_CANDIDATES_MAX);
    decision->candidates_count = 0;
    decision->judged_count = (uint8_t)slot->claims_count;
    for (int place = 0; place < slot->claims_count; place++) {
        const int index = slot_in_order(slot, place);
        const struct slot_claim_row *claim = &slot->claims[index];
        const uint16_t rank = slot_rank(slot, index);
        const struct eligibility_call question = {
            .now_ms = call->now_ms,
            .rate_cents = pricing_rate_cents(policy, where->category_rate_cents, rank),
            .claim_paused = claim->paused != 0,
            .tried = was_tried(call, claim->contractor),
            .screened = call->screened,
            .screening_required = policy->screening_required != 0,
            .funds_rule = policy->funds_rule,
            .attestation = call->attestation,
            .tenant = call->tenant,
            .caller_hash = call->caller_hash,
        };
        struct cascade_judgement *judgement = &decision->judged[place];

        look(context, claim->contractor, &question, &known);
        *judgement = (struct cascade_judgement){
            .claim_seq = claim->claim_id,
            .phone = known.phone,
            .contractor = claim->contractor,
            .reasons = eligibility_judge(&known, &question),
            .rate_cents = (uint32_t)question.rate_cents,
            .rank = (uint8_t)rank,
            .mode = known.modes != 0 && (known.modes & MODE_PHONE) == 0,
        };
        if (judgement->reasons == 0 && decision->candidates_count < call->want) {
            decision->candidates[decision->candidates_count++] = (uint8_t)place;
        }
    }
}

bool
cascade_skips_primary(const struct cascade_decision *decision)
{
    if (decision->judged_count == 0 || decision->judged[0].rank != 1) {
        return false;
    }
    return decision->judged[0].reasons == 0 &&
           (decision->candidates_count == 0 || decision->candidates[0] != 0);
}
