/*
 * release.c - how claims end, and who inherits a title. See claim.h.
 */
#include "protocol/check.h"
#include "server/domain/claim.h"
#include "server/domain/ledger.h"
#include "server/domain/policy.h"
#include "server/domain/pricing.h"
#include "server/domain/slot.h"

/* Rate of a live claim at the rank it has today. */
static int64_t
claim_rate_cents(struct state *state, uint64_t claim_id, const struct claim_row *claim)
{
    struct category_row category;
    struct policy_row policy;
    struct slot_row slot;
    int index;

    state_slot_get(state, claim->zip, claim->category, &slot);
    index = slot_find_claim(&slot, claim_id);
    if (index == SLOT_NO_CLAIM || !state_category_get(state, claim->category, &category)) {
        return 0;
    }
    (void)policy_for_slot(state, claim->zip, claim->category, &policy);
    return pricing_rate_cents(&policy, category.rate_cents, slot_rank(&slot, index));
}

void
claim_recount_rates(struct state *state, uint32_t contractor)
{
    struct wallet_row wallet;
    struct claim_row claim;
    uint64_t claim_id = 0;

    state_wallet_get(state, contractor, &wallet);
    wallet.rate_max_cents = 0;
    wallet.rate_min_cents = 0;
    while ((claim_id = state_claim_next(state, contractor, claim_id)) != 0) {
        int64_t rate;

        if (!state_claim_get(state, claim_id, &claim) || claim.ended_ms != 0) {
            continue;
        }
        rate = claim_rate_cents(state, claim_id, &claim);
        if (rate > wallet.rate_max_cents) {
            wallet.rate_max_cents = rate;
        }
        if (wallet.rate_min_cents == 0 || rate < wallet.rate_min_cents) {
            wallet.rate_min_cents = rate;
        }
    }
    state_wallet_put(state, contractor, &wallet);
}

/* May this backup be promoted? Hours, caps and concurrency do not matter (M2 "Opening"). */
static bool
heir_may_accept(struct state *state, const struct slot_claim_row *heir, int64_t primary_rate_cents)
{
    struct contractor_row contractor;
    struct wallet_row wallet;

    if (!state_contractor_get(state, heir->contractor, &contractor)) {
        return false;
    }
    if (contractor.status != ZR_CONTRACTOR_APPROVED || contractor.paused || heir->paused) {
        return false;
    }
    state_wallet_get(state, heir->contractor, &wallet);
    return wallet_available_cents(&wallet) >= primary_rate_cents;
}

/* Hand the vacant title to the first backup by seq that may take it. Returns its index. */
static int
slot_promote(struct state *state, uint32_t zip, uint16_t category, struct slot_row *slot)
{
    struct category_row row;
    struct policy_row policy;
    struct claim_row claim;
    int64_t rate;

    CHECK(slot_find_primary(slot) == SLOT_NO_CLAIM);
    (void)policy_for_slot(state, zip, category, &policy);
    rate = state_category_get(state, category, &row)
               ? pricing_rate_cents(&policy, row.rate_cents, 1)
               : 0;
    for (int i = 0; i < slot->claims_count; i++) {
        if (heir_may_accept(state, &slot->claims[i], rate) &&
            state_claim_get(state, slot->claims[i].claim_id, &claim)) {
            claim.title = ZR_TITLE_PRIMARY;
            state_claim_put(state, slot->claims[i].claim_id, &claim);
            slot->claims[i].title = ZR_TITLE_PRIMARY;
            return i;
        }
    }
    slot->open = slot->claims_count > 0;
    return SLOT_NO_CLAIM;
}

/* Take the claim out of its slot; a vacant title goes on. Returns the heir's contractor or 0. */
static uint32_t
slot_leave(struct state *state, uint64_t claim_id, const struct claim_row *claim,
           uint64_t *promoted_claim_id)
{
    struct slot_row slot;
    uint32_t heir = 0;
    int index;

    *promoted_claim_id = 0;
    state_slot_get(state, claim->zip, claim->category, &slot);
    index = slot_find_claim(&slot, claim_id);
    CHECK(index != SLOT_NO_CLAIM);
    slot_remove(&slot, index);
    if (claim->title == ZR_TITLE_PRIMARY) {
        index = slot_promote(state, claim->zip, claim->category, &slot);
        if (index != SLOT_NO_CLAIM) {
            *promoted_claim_id = slot.claims[index].claim_id;
            heir = slot.claims[index].contractor;
        }
    }
    if (slot.claims_count == 0) {
        slot.open = 0;
    }
    slot.version++;
    slot_check(&slot);
    state_slot_put(state, claim->zip, claim->category, &slot);
    return heir;
}

uint16_t
claim_release_apply(struct state *state, const struct command *command,
                    const struct zr_release_request *request, struct zr_claim_state_reply *reply,
                    struct effects *effects)
{
    struct contractor_row contractor;
    struct claim_row claim;
    uint32_t heir;

    if (!claim_find_own(state, command, request->claim_id, &claim, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    *reply = (struct zr_claim_state_reply){.commit_seq = command->seq,
                                           .claim_id = request->claim_id,
                                           .contractor = claim.contractor,
                                           .state = ZR_CLAIM_RELEASED};
    if (claim.ended_ms != 0) {
        effects->duplicate = true; /* The wish is true already (protocol.md "Status"). */
        return ZR_STATUS_OK;
    }
    heir = slot_leave(state, request->claim_id, &claim, &reply->promoted_claim_id);
    claim.ended_ms = command->time_ms;
    claim.state = ZR_CLAIM_RELEASED;
    state_claim_put(state, request->claim_id, &claim);
    CHECK(contractor.claims > 0);
    contractor.claims--;
    state_contractor_put(state, claim.contractor, &contractor);
    claim_recount_rates(state, claim.contractor);
    if (heir != 0) {
        claim_recount_rates(state, heir);
    }
    return ZR_STATUS_OK;
}
