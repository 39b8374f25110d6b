/*
 * ledger.c - see ledger.h.
 */
#include "server/domain/ledger.h"

#include "protocol/check.h"

#include <stddef.h>
#include <string.h>

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
    /* MAIN + CREDIT - holds may fall until it meets the overdraft, no further (I11). */
    const int64_t room = wallet_available_cents(wallet) + overdraft_cents;
    const int64_t payable = room < 0 ? 0 : room < rate ? room : rate;
    const int64_t credit = wallet->credit_cents > 0 ? wallet->credit_cents : 0;
    const int64_t from_credit = credit < payable ? credit : payable;
    const int64_t from_main = payable - from_credit;
    struct ledger_entry part = *charge;

    CHECK(rate >= 0);
    part.credit = ZR_ACCOUNT_REVENUE_CALLS;
    part.kind = ZR_TRANSFER_CHARGE;
    const struct {
        uint8_t account;
        int64_t cents;
    } parts[] = {{ZR_ACCOUNT_CREDIT, from_credit},
                 {ZR_ACCOUNT_MAIN, from_main},
                 {ZR_ACCOUNT_WRITE_OFF, rate - payable}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].cents > 0) {
            part.debit = parts[i].account;
            part.amount_cents = parts[i].cents;
            (void)ledger_post(state, command, wallet, &part);
        }
    }
    wallet->charged_cents += rate;
}

/* Transfers are numbered in commit order: the first one of that command or of a later one. */
static uint64_t
transfer_find_seq(struct state *state, uint64_t seq)
{
    uint64_t low = 1;
    uint64_t high = state_counter_now(state, COUNTER_TRANSFER) + 1;
    struct posting_row posting;

    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;

        if (state_posting_get(state, middle, &posting) && posting.commit_seq < seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The charge of that call by the command at `seq`: its next transfer from *transfer on. */
static bool
charge_next(struct state *state, uint64_t seq, const struct zr_id *call_ref, uint64_t *transfer,
            struct posting_row *posting)
{
    while (state_posting_get(state, *transfer, posting) && posting->commit_seq == seq) {
        ++*transfer;
        if (posting->kind == ZR_TRANSFER_CHARGE &&
            memcmp(&posting->call_ref, call_ref, sizeof *call_ref) == 0) {
            return true;
        }
    }
    return false;
}

/* What of a call's charge came from each account; nothing was given back yet. */
static void
charge_find_whole(struct state *state, uint64_t charged_seq, const struct zr_id *call_ref,
                  int64_t left[ZR_ACCOUNT_POOL + 1])
{
    uint64_t transfer = transfer_find_seq(state, charged_seq);
    struct posting_row posting;

    while (charge_next(state, charged_seq, call_ref, &transfer, &posting)) {
        CHECK(posting.debit <= ZR_ACCOUNT_POOL);
        left[posting.debit] += posting.amount_cents;
    }
}

/* What of a call's charge came from each account, less what was given back to it since. */
static void
charge_find_left(struct state *state, const struct wallet_row *wallet, const struct zr_id *call_ref,
                 int64_t left[ZR_ACCOUNT_POOL + 1])
{
    struct posting_row posting;
    uint64_t transfer = wallet->last_transfer;
    bool charge_seen = false;

    /* Newest first: the credits, then the charge, which is at most three transfers in a row. */
    while (transfer != 0 && state_posting_get(state, transfer, &posting)) {
        const bool ours = memcmp(&posting.call_ref, call_ref, sizeof *call_ref) == 0;

        if (ours && posting.kind == ZR_TRANSFER_CHARGE) {
            CHECK(posting.debit <= ZR_ACCOUNT_POOL);
            left[posting.debit] += posting.amount_cents;
            charge_seen = true;
        } else if (charge_seen) {
            return;
        } else if (ours && posting.kind == ZR_TRANSFER_CHARGE_CREDIT) {
            CHECK(posting.credit <= ZR_ACCOUNT_POOL);
            left[posting.credit] -= posting.amount_cents;
        }
        transfer = posting.previous;
    }
}

void
ledger_credit_charge(struct state *state, const struct command *command, struct wallet_row *wallet,
                     const struct ledger_entry *credit, uint64_t charged_seq)
{
    static const uint8_t order[] = {ZR_ACCOUNT_WRITE_OFF, ZR_ACCOUNT_MAIN, ZR_ACCOUNT_CREDIT};
    int64_t left[ZR_ACCOUNT_POOL + 1] = {0};
    int64_t cents = credit->amount_cents;

    CHECK(cents >= 0);
    if (charged_seq != 0) {
        charge_find_whole(state, charged_seq, &credit->call_ref, left);
    } else {
        charge_find_left(state, wallet, &credit->call_ref, left);
    }
    for (size_t i = 0; i < sizeof order; i++) {
        const int64_t part = cents < left[order[i]] ? cents : left[order[i]];
        const struct ledger_entry entry = {.amount_cents = part,
                                           .contractor = credit->contractor,
                                           .debit = ZR_ACCOUNT_REFUNDS,
                                           .credit = order[i],
                                           .kind = ZR_TRANSFER_CHARGE_CREDIT,
                                           .call_ref = credit->call_ref};
        if (part > 0) {
            (void)ledger_post(state, command, wallet, &entry);
            wallet->charged_cents -= part;
            cents -= part;
        }
    }
}

uint64_t
ledger_charged_ms(struct state *state, uint64_t settled_seq, const struct zr_id *call_ref)
{
    uint64_t transfer = transfer_find_seq(state, settled_seq);
    struct posting_row posting;

    return charge_next(state, settled_seq, call_ref, &transfer, &posting) ? posting.time_ms : 0;
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

bool
ledger_account_is_wallets(uint8_t account)
{
    return account == ZR_ACCOUNT_MAIN || account == ZR_ACCOUNT_CREDIT;
}

static void
posting_to_wire(struct zr_ledger_row *row, uint64_t transfer_id, const struct posting_row *posting)
{
    const bool debited = ledger_account_is_wallets(posting->debit);

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
        if (ledger_account_is_wallets(posting.debit) || ledger_account_is_wallets(posting.credit)) {
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
