/*
 * adjust.c - see adjust.h.
 */
#include "server/domain/adjust.h"

#include "protocol/check.h"
#include "server/domain/ledger.h"
#include "server/domain/payout.h"
#include "server/domain/topup.h"

#include <string.h>

static const struct zr_id none = {{0}};

static bool
id_equal(const struct zr_id *left, const struct zr_id *right)
{
    return memcmp(left, right, sizeof *left) == 0;
}

/* The first wrong field, or NULL. A wallet's account needs a wallet, and a wallet an account. */
static const char *
adjust_wrong_field(const struct zr_adjust_request *request)
{
    const bool with_wallet =
        ledger_account_is_wallets(request->debit) || ledger_account_is_wallets(request->credit);

    if (request->amount_cents <= 0 || request->amount_cents > TOPUP_MAX_CENTS) {
        return "amount_cents";
    }
    if (with_wallet != (request->contractor != 0)) {
        return "contractor";
    }
    if (request->debit == request->credit) {
        return "credit";
    }
    return request->reason[0] == '\0' ? "reason" : NULL;
}

/* Does the request say what the row says? */
static bool
adjust_repeats(const struct adjust_row *row, const struct zr_adjust_request *request)
{
    return row->amount_cents == request->amount_cents && row->contractor == request->contractor &&
           row->debit == request->debit && row->credit == request->credit &&
           id_equal(&row->link, &request->link) &&
           strncmp(row->reason, request->reason, sizeof row->reason) == 0;
}

/* What became of it; `seq` is where the log stands when it is pending, and has no transfer. */
static void
adjust_reply_fill(struct state *state, uint64_t seq, const struct zr_id *adjust_id,
                  const struct adjust_row *row, struct zr_adjust_reply *reply)
{
    struct posting_row posting = {.commit_seq = seq};

    if (row->transfer_id != 0) {
        (void)state_posting_get(state, row->transfer_id, &posting);
    }
    *reply = (struct zr_adjust_reply){
        .commit_seq = posting.commit_seq,
        .transfer_id = row->transfer_id,
        .adjust_id = *adjust_id,
        .state = row->transfer_id != 0 ? ZR_ADJUST_POSTED : ZR_ADJUST_PENDING,
    };
}

/* The first of the two. */
static uint16_t
adjust_ask(struct state *state, const struct command *command,
           const struct zr_adjust_request *request, struct adjust_row *row, struct effects *effects)
{
    if (state_adjust_get(state, &request->op_id, row)) {
        /* Its key is remembered longer than the network remembers keys. */
        effects->duplicate = adjust_repeats(row, request);
        return effects->duplicate ? ZR_STATUS_OK : ZR_STATUS_IDEMPOTENCY_MISMATCH;
    }
    *row = (struct adjust_row){
        .link = request->link,
        .asked_ms = command->time_ms,
        .amount_cents = request->amount_cents,
        .contractor = request->contractor,
        .debit = request->debit,
        .credit = request->credit,
    };
    memcpy(row->principal, command->principal, sizeof row->principal);
    memcpy(row->reason, request->reason, sizeof row->reason);
    state_adjust_put(state, &request->op_id, row);
    return ZR_STATUS_OK;
}

static void
adjust_post(struct state *state, const struct command *command, struct adjust_row *row)
{
    const struct ledger_entry entry = {.amount_cents = row->amount_cents,
                                       .contractor = row->contractor,
                                       .debit = row->debit,
                                       .credit = row->credit,
                                       .kind = ZR_TRANSFER_ADJUSTMENT,
                                       .call_ref = row->link};
    struct wallet_row wallet = {0};

    if (row->contractor == 0) {
        row->transfer_id = ledger_post(state, command, &wallet, &entry);
        return;
    }
    state_wallet_get(state, row->contractor, &wallet);
    row->transfer_id = ledger_post(state, command, &wallet, &entry);
    payout_balance_if_closed(state, command, row->contractor, &wallet);
    funds_wallet_put(state, command, row->contractor, &wallet);
}

/* The second of the two. */
static uint16_t
adjust_approve(struct state *state, const struct command *command,
               const struct zr_adjust_request *request, struct adjust_row *row,
               struct effects *effects)
{
    if (!state_adjust_get(state, &request->approves, row)) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (!adjust_repeats(row, request)) {
        return command_invalid(effects, &zr_adjust_request_shape, "approves");
    }
    if (row->transfer_id != 0) {
        effects->duplicate = true;
        return ZR_STATUS_OK;
    }
    if (memcmp(row->principal, command->principal, sizeof row->principal) == 0) {
        return ZR_STATUS_SAME_PRINCIPAL;
    }
    adjust_post(state, command, row);
    state_adjust_put(state, &request->approves, row);
    return ZR_STATUS_OK;
}

uint16_t
adjust_apply(struct state *state, const struct command *command,
             const struct zr_adjust_request *request, struct zr_adjust_reply *reply,
             struct effects *effects)
{
    const bool approves = !id_equal(&request->approves, &none);
    const char *wrong = adjust_wrong_field(request);
    struct contractor_row contractor;
    struct adjust_row row;
    uint16_t status;

    if (wrong != NULL) {
        return command_invalid(effects, &zr_adjust_request_shape, wrong);
    }
    if (request->contractor != 0 &&
        !state_contractor_get(state, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    status = approves ? adjust_approve(state, command, request, &row, effects)
                      : adjust_ask(state, command, request, &row, effects);
    if (status == ZR_STATUS_OK || status == ZR_STATUS_SAME_PRINCIPAL) {
        const bool written = status == ZR_STATUS_OK && !effects->duplicate;

        adjust_reply_fill(state, written ? command->seq : command->seq - 1,
                          approves ? &request->approves : &request->op_id, &row, reply);
    }
    return status;
}
