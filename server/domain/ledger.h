/*
 * ledger.h - double entry: every movement of money is one transfer that is never changed (R67).
 *
 * A wallet's MAIN and CREDIT are liabilities of the network; its own accounts (CLEARING,
 * REVENUE_CALLS ...) are the other sides. Every posting debits one account and credits another,
 * so all balances sum to 0 (I10). domain.md M5 is the table of events.
 */
#ifndef ZR_LEDGER_H
#define ZR_LEDGER_H

#include "server/domain/command.h"

/* MAIN + CREDIT - holds. */
int64_t wallet_available_cents(const struct wallet_row *wallet);

/* OK, LOW below the dearest claim's rate, DRY below every claim's (M5). */
uint8_t wallet_funds_state(const struct wallet_row *wallet);

/* What a posting is about. */
struct ledger_entry {
    int64_t amount_cents; /* > 0 */
    uint32_t contractor;
    uint8_t debit;  /* enum zr_account */
    uint8_t credit; /* enum zr_account */
    uint8_t kind;   /* enum zr_transfer_kind */
    struct zr_id call_ref;
};

/* Post one transfer and move both balances; the wallet is the caller's copy. Returns its id. */
uint64_t ledger_post(struct state *state, const struct command *command, struct wallet_row *wallet,
                     const struct ledger_entry *entry);

/*
 * Charge `rate_cents` for a call: CREDIT first, then MAIN down to -overdraft, the remainder from
 * WRITE_OFF (M5). The hold, if any, was released by the caller in the same wallet copy.
 */
void ledger_charge(struct state *state, const struct command *command, struct wallet_row *wallet,
                   const struct ledger_entry *charge, int64_t overdraft_cents);

/* Undo a charge whole by linked credits: WRITE_OFF's part first, then MAIN, then CREDIT (M5). */
void ledger_credit_charge(struct state *state, const struct command *command,
                          struct wallet_row *wallet, uint32_t contractor,
                          const struct zr_id *call_ref);

uint16_t ledger_topup_apply(struct state *state, const struct command *command,
                            const struct zr_topup_request *request, struct zr_topup_reply *reply,
                            struct effects *effects);

uint16_t ledger_wallet_get(struct state *state, const struct command *command,
                           const struct zr_wallet_get_request *request,
                           struct zr_wallet_get_reply *reply);

uint16_t ledger_list(struct state *state, const struct command *command,
                     const struct zr_ledger_list_request *request,
                     struct zr_ledger_list_reply *reply);

#endif
