/*
 * topup.c - see topup.h.
 */
#include "server/domain/topup.h"

#include "protocol/check.h"
#include "server/domain/event.h"
#include "server/domain/ledger.h"
#include "server/domain/payout.h"

#include <string.h>

/* The reply to what a transfer did; false when the transfer is gone. */
static bool
topup_reply_fill(struct state *state, uint64_t transfer_id, struct posting_row *posting,
                 struct zr_topup_reply *reply)
{
    struct wallet_row wallet;

    if (!state_posting_get(state, transfer_id, posting)) {
        return false;
    }
    state_wallet_get(state, posting->contractor, &wallet);
    *reply = (struct zr_topup_reply){
        .commit_seq = posting->commit_seq,
        .transfer_id = transfer_id,
        .contractor = posting->contractor,
        .posted_cents = wallet_posted_cents(&wallet),
    };
    return true;
}

uint16_t
topup_judge_ref(struct state *state, const struct zr_topup_request *request,
                struct zr_topup_reply *reply)
{
    struct posting_row posting;
    uint64_t transfer_id;

    if (!state_provider_ref_get(state, request->provider_ref, &transfer_id)) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (!topup_reply_fill(state, transfer_id, &posting, reply)) {
        return ZR_STATUS_INTERNAL;
    }
    /* Another payment under its name is no repeat (I14). */
    return posting.contractor == request->contractor &&
                   posting.amount_cents == request->amount_cents
               ? ZR_STATUS_OK
               : ZR_STATUS_DUPLICATE_REF;
}

uint64_t
topup_post(struct state *state, const struct command *command, struct wallet_row *wallet,
           const struct zr_topup_request *request)
{
    const uint64_t transfer_id =
        ledger_post(state, command, wallet,
                    &(struct ledger_entry){.amount_cents = request->amount_cents,
                                           .contractor = request->contractor,
                                           .debit = ZR_ACCOUNT_CLEARING,
                                           .credit = ZR_ACCOUNT_MAIN,
                                           .kind = ZR_TRANSFER_TOPUP});

    CHECK(request->provider_ref[0] != '\0');
    state_provider_ref_put(state, request->provider_ref, transfer_id);
    return transfer_id;
}

uint16_t
topup_apply(struct state *state, const struct command *command,
            const struct zr_topup_request *request, struct zr_topup_reply *reply,
            struct effects *effects)
{
    struct contractor_row contractor;
    struct wallet_row wallet;
    uint16_t status;

    if (request->provider_ref[0] == '\0') {
        return command_invalid(effects, &zr_topup_request_shape, "provider_ref");
    }
    if (request->amount_cents > TOPUP_MAX_CENTS) {
        return command_invalid(effects, &zr_topup_request_shape, "amount_cents");
    }
    status = topup_judge_ref(state, request, reply);
    if (status != ZR_STATUS_NOT_FOUND) {
        effects->duplicate = status == ZR_STATUS_OK;
        return status;
    }
    if (!state_contractor_get(state, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (contractor.status == ZR_CONTRACTOR_CLOSING || contractor.status == ZR_CONTRACTOR_CLOSED) {
        return ZR_STATUS_ACCOUNT_CLOSED;
    }
    if (request->amount_cents < TOPUP_MIN_CENTS) {
        return ZR_STATUS_MIN_AMOUNT;
    }
    state_wallet_get(state, request->contractor, &wallet);
    reply->transfer_id = topup_post(state, command, &wallet, request);
    funds_wallet_put(state, command, request->contractor, &wallet);
    reply->commit_seq = command->seq;
    reply->contractor = request->contractor;
    reply->posted_cents = wallet_posted_cents(&wallet);
    return ZR_STATUS_OK;
}

/* ---- taken back ------------------------------------------------------------------------------ */

static void
reversal_write(struct state *state, const struct command *command,
               const struct zr_topup_reversed_request *request, struct zr_topup_reply *reply)
{
    struct event_row event = {.amount_cents = request->amount_cents,
                              .contractor = request->contractor,
                              .type = ZR_EVENT_TOPUP_REVERSED};
    struct wallet_row wallet;

    state_wallet_get(state, request->contractor, &wallet);
    event.number = ledger_post(state, command, &wallet,
                               &(struct ledger_entry){.amount_cents = request->amount_cents,
                                                      .contractor = request->contractor,
                                                      .debit = ZR_ACCOUNT_MAIN,
                                                      .credit = ZR_ACCOUNT_CLEARING,
                                                      .kind = ZR_TRANSFER_TOPUP_REVERSAL});
    state_reversal_put(state, request->provider_ref, event.number);
    event_emit(state, command, &event);
    payout_balance_if_closed(state, command, request->contractor, &wallet);
    funds_wallet_put(state, command, request->contractor, &wallet);
    *reply = (struct zr_topup_reply){
        .commit_seq = command->seq,
        .transfer_id = event.number,
        .contractor = request->contractor,
        .posted_cents = wallet_posted_cents(&wallet),
    };
}

uint16_t
topup_reversed_apply(struct state *state, const struct command *command,
                     const struct zr_topup_reversed_request *request, struct zr_topup_reply *reply,
                     struct effects *effects)
{
    struct zr_topup_request topup = {.amount_cents = request->amount_cents,
                                     .contractor = request->contractor};
    struct posting_row posting;
    uint64_t transfer_id;
    uint16_t status;

    if (request->provider_ref[0] == '\0') {
        return command_invalid(effects, &zr_topup_reversed_request_shape, "provider_ref");
    }
    _Static_assert(sizeof topup.provider_ref == sizeof request->provider_ref, "one reference");
    memcpy(topup.provider_ref, request->provider_ref, sizeof topup.provider_ref);
    status = topup_judge_ref(state, &topup, reply);
    if (status != ZR_STATUS_OK) {
        return status;
    }
    if (state_reversal_get(state, request->provider_ref, &transfer_id)) {
        effects->duplicate = topup_reply_fill(state, transfer_id, &posting, reply);
        return effects->duplicate ? ZR_STATUS_OK : ZR_STATUS_INTERNAL;
    }
    reversal_write(state, command, request, reply);
    return ZR_STATUS_OK;
}
