/*
 * ledger.c - see ledger.h.
 */
#include "server/domain/ledger.h"

#include "protocol/check.h"

#include <stddef.h>
#include <string.h>

enum { TOPUP_MIN_CENTS = 2500 };
/* One top-up, and with it every balance that can be reached, stays far from 2^63. */
#define TOPUP_MAX_CENTS INT64_C(100000000000)

int64_t
wallet_available_cents(const struct wallet_row *wallet)
{
    return wallet->main_cents + wallet->credit_cents - wallet->held_cents;
}

uint8_t
wallet_funds_state(const struct wallet_row *wallet)
{
    const int64_t available = wallet_available_cents(wallet);

    if (available < wallet->rate_min_cents) {
        return ZR_FUNDS_STATE_DRY;
    }
    return available < wallet->rate_max_cents ? ZR_FUNDS_STATE_LOW : ZR_FUNDS_STATE_OK;
}

/* Credits raise a balance, debits lower it: one sign convention for every account. */
static void
move_balance(struct state *state, struct wallet_row *wallet, uint8_t account, int64_t cents)
{
    struct account_row row;

    if (account == ZR_ACCOUNT_MAIN) {
        wallet->main_cents += cents;
        return;
    }
    if (account == ZR_ACCOUNT_CREDIT) {
        wallet->credit_cents += cents;
        return;
    }
    state_account_get(state, account, &row);
    row.balance_cents += cents;
    row.postings++;
    state_account_put(state, account, &row);
}

uint64_t
ledger_post(struct state *state, const struct command *command, struct wallet_row *wallet,
            const struct ledger_entry *entry)
{
    const uint64_t transfer_id = state_counter_next(state, COUNTER_TRANSFER);
    const struct posting_row posting = {
        .amount_cents = entry->amount_cents,
        .time_ms = command->time_ms,
        .commit_seq = command->seq,
        .previous = wallet->last_transfer,
        .call_ref = entry->call_ref,
        .contractor = entry->contractor,
        .debit = entry->debit,
        .credit = entry->credit,
        .kind = entry->kind,
    };

    CHECK(entry->amount_cents > 0);
    CHECK(entry->debit != entry->credit);
    CHECK(transfer_id > wallet->last_transfer);

    state_posting_put(state, transfer_id, &posting);
    move_balance(state, wallet, entry->debit, -entry->amount_cents);
    move_balance(state, wallet, entry->credit, entry->amount_cents);
    wallet->last_transfer = transfer_id;
    return transfer_id;
}

void
ledger_charge(struct state *state, const struct command *command, struct wallet_row *wallet,
              const struct ledger_entry *charge, int64_t overdraft_cents)
{
    const int64_t rate = charge->amount_cents;
    const int64_t floor = wallet->held_cents - overdraft_cents;
    int64_t from_credit = wallet->credit_cents > 0 ? wallet->credit_cents : 0;
    int64_t from_main;
    struct ledger_entry part = *charge;

    CHECK(rate >= 0);
    from_credit = from_credit < rate ? from_credit : rate;
    /* MAIN may fall until MAIN + CREDIT - holds meets the overdraft, no further (I11). */
    from_main = wallet->main_cents + wallet->credit_cents - from_credit - floor;
    from_main = from_main < 0 ? 0 : from_main;
    from_main = from_main < rate - from_credit ? from_main : rate - from_credit;

    part.credit = ZR_ACCOUNT_REVENUE_CALLS;
    part.kind = ZR_TRANSFER_CHARGE;
    const struct {
        uint8_t account;
        int64_t cents;
    } parts[] = {{ZR_ACCOUNT_CREDIT, from_credit},
                 {ZR_ACCOUNT_MAIN, from_main},
                 {ZR_ACCOUNT_WRITE_OFF, rate - from_credit - from_main}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].cents > 0) {
            part.debit = parts[i].account;
            part.amount_cents = parts[i].cents;
            (void)ledger_post(state, command, wallet, &part);
        }
    }
    wallet->charged_cents += rate;
}

void
ledger_credit_charge(struct state *state, const struct command *command, struct wallet_row *wallet,
                     uint32_t contractor, const struct zr_id *call_ref)
{
    int64_t parts[ZR_ACCOUNT_POOL + 1] = {0};
    static const uint8_t order[] = {ZR_ACCOUNT_WRITE_OFF, ZR_ACCOUNT_MAIN, ZR_ACCOUNT_CREDIT};
    struct posting_row posting;
    uint64_t transfer = wallet->last_transfer;

    /* A charge is at most three transfers in a row of the wallet's chain. */
    while (transfer != 0 && state_posting_get(state, transfer, &posting)) {
        const bool ours = memcmp(&posting.call_ref, call_ref, sizeof *call_ref) == 0;

        if (ours && posting.kind == ZR_TRANSFER_CHARGE) {
            CHECK(posting.debit <= ZR_ACCOUNT_POOL);
            parts[posting.debit] += posting.amount_cents;
        } else if (parts[ZR_ACCOUNT_WRITE_OFF] + parts[ZR_ACCOUNT_MAIN] +
                       parts[ZR_ACCOUNT_CREDIT] !=
                   0) {
            break;
        }
        transfer = posting.previous;
    }
    for (size_t i = 0; i < sizeof order; i++) {
        const struct ledger_entry entry = {.amount_cents = parts[order[i]],
                                           .contractor = contractor,
                                           .debit = ZR_ACCOUNT_REFUNDS,
                                           .credit = order[i],
                                           .kind = ZR_TRANSFER_CHARGE_CREDIT,
                                           .call_ref = *call_ref};
        if (entry.amount_cents > 0) {
            (void)ledger_post(state, command, wallet, &entry);
            wallet->charged_cents -= entry.amount_cents;
        }
    }
}

/* A reference that was seen before: the same payment, or another one under its name (I14). */
static uint16_t
topup_repeated(struct state *state, const struct zr_topup_request *request, uint64_t transfer_id,
               struct zr_topup_reply *reply)
{
    struct posting_row posting;
    struct wallet_row wallet;

    if (!state_posting_get(state, transfer_id, &posting)) {
        return ZR_STATUS_INTERNAL;
    }
    state_wallet_get(state, posting.contractor, &wallet);
    *reply = (struct zr_topup_reply){
        .commit_seq = posting.commit_seq,
        .transfer_id = transfer_id,
        .contractor = posting.contractor,
        .posted_cents = wallet.main_cents + wallet.credit_cents,
    };
    if (posting.contractor != request->contractor ||
        posting.amount_cents != request->amount_cents) {
        return ZR_STATUS_DUPLICATE_REF;
    }
    return ZR_STATUS_OK;
}

uint16_t
ledger_topup_apply(struct state *state, const struct command *command,
                   const struct zr_topup_request *request, struct zr_topup_reply *reply,
                   struct effects *effects)
{
    struct contractor_row contractor;
    struct wallet_row wallet;
    uint64_t transfer_id;

    if (request->provider_ref[0] == '\0') {
        return command_invalid(effects, &zr_topup_request_shape, "provider_ref");
    }
    if (request->amount_cents > TOPUP_MAX_CENTS) {
        return command_invalid(effects, &zr_topup_request_shape, "amount_cents");
    }
    if (state_provider_ref_get(state, request->provider_ref, &transfer_id)) {
        const uint16_t status = topup_repeated(state, request, transfer_id, reply);

        effects->duplicate = status == ZR_STATUS_OK;
        return status;
    }
    if (!state_contractor_get(state, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (contractor.status == ZR_CONTRACTOR_CLOSED) {
        return ZR_STATUS_ACCOUNT_CLOSED;
    }
    if (request->amount_cents < TOPUP_MIN_CENTS) {
        return ZR_STATUS_MIN_AMOUNT;
    }
    state_wallet_get(state, request->contractor, &wallet);
    transfer_id = ledger_post(state, command, &wallet,
                              &(struct ledger_entry){.amount_cents = request->amount_cents,
                                                     .contractor = request->contractor,
                                                     .debit = ZR_ACCOUNT_CLEARING,
                                                     .credit = ZR_ACCOUNT_MAIN,
                                                     .kind = ZR_TRANSFER_TOPUP});
    state_wallet_put(state, request->contractor, &wallet);
    state_provider_ref_put(state, request->provider_ref, transfer_id);
    *reply = (struct zr_topup_reply){
        .commit_seq = command->seq,
        .transfer_id = transfer_id,
        .contractor = request->contractor,
        .posted_cents = wallet.main_cents + wallet.credit_cents,
    };
    return ZR_STATUS_OK;
}

uint16_t
ledger_wallet_get(struct state *state, const struct command *command,
                  const struct zr_wallet_get_request *request, struct zr_wallet_get_reply *reply)
{
    struct contractor_row contractor;
    struct wallet_row wallet;

    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    state_wallet_get(state, request->contractor, &wallet);
    *reply = (struct zr_wallet_get_reply){
        .commit_seq = command->seq - 1, /* A read stands behind the last command, and takes none. */
        .posted_cents = wallet.main_cents + wallet.credit_cents,
        .held_cents = wallet.held_cents,
        .available_cents = wallet_available_cents(&wallet),
        .main_cents = wallet.main_cents,
        .credit_cents = wallet.credit_cents,
        .charged_cents = wallet.charged_cents,
        .contractor = request->contractor,
        .funds_state = wallet_funds_state(&wallet),
    };
    return ZR_STATUS_OK;
}

static bool
account_is_wallets(uint8_t account)
{
    return account == ZR_ACCOUNT_MAIN || account == ZR_ACCOUNT_CREDIT;
}

static void
posting_to_wire(struct zr_ledger_row *row, uint64_t transfer_id, const struct posting_row *posting)
{
    const bool debited = account_is_wallets(posting->debit);

    *row = (struct zr_ledger_row){
        .transfer_id = transfer_id,
        .time_ms = posting->time_ms,
        .amount_cents = debited ? -posting->amount_cents : posting->amount_cents,
        .call_ref = posting->call_ref,
        .account = debited ? posting->debit : posting->credit,
        .counter_account = debited ? posting->credit : posting->debit,
        .kind = posting->kind,
    };
}

uint16_t
ledger_list(struct state *state, const struct command *command,
            const struct zr_ledger_list_request *request, struct zr_ledger_list_reply *reply)
{
    enum { PAGE = sizeof reply->entries / sizeof reply->entries[0] };
    struct contractor_row contractor;
    struct posting_row posting;
    struct wallet_row wallet;
    uint64_t transfer;

    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    state_wallet_get(state, request->contractor, &wallet);
    transfer = wallet.last_transfer;
    if (request->before != 0) {
        if (!state_posting_get(state, request->before, &posting) ||
            posting.contractor != request->contractor) {
            return ZR_STATUS_NOT_FOUND; /* No page ended there: not a cursor of this ledger. */
        }
        transfer = posting.previous;
    }
    reply->entries_count = 0;
    while (transfer != 0 && reply->entries_count < PAGE &&
           state_posting_get(state, transfer, &posting)) {
        /* What was written off moved no account of the wallet: its rows add up without it. */
        if (account_is_wallets(posting.debit) || account_is_wallets(posting.credit)) {
            posting_to_wire(&reply->entries[reply->entries_count++], transfer, &posting);
        }
        reply->next = transfer;
        transfer = posting.previous;
    }
    if (transfer == 0) {
        reply->next = 0;
    }
    return ZR_STATUS_OK;
}
