/*
 * ledger.h - double entry: every movement of money is one transfer that is never changed (R67).
 *
 * A wallet's MAIN and CREDIT are liabilities of the network; its own accounts (CLEARING,
 * REVENUE_CALLS ...) are the other sides. Every posting debits one account and credits another,
 * so all balances sum to 0 (I10). domain.md M5 is the table of events. What a balance means for its
 * owner, and how a wallet is put, is in funds.h.
 */
#ifndef ZR_LEDGER_H
#define ZR_LEDGER_H

#include "server/domain/funds.h"

/* MAIN or CREDIT: a contractor's, not the network's. */
bool ledger_account_is_wallets(uint8_t account);

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

/*
 * Give `credit->amount_cents` of the charge of `credit->call_ref` back by linked credits, in the
 * order WRITE_OFF's part, MAIN's, CREDIT's, each at most what earlier credits have left of it
 * (M5, I12). `charged_seq`: the command that charged the call, when nothing of the charge was given
 * back yet; that costs some thirty reads. 0 = something was: walks the wallet's ledger back to the
 * charge. That is rare: a dispute credited in part and then an END that tells of voicemail.
 */
void ledger_credit_charge(struct state *state, const struct command *command,
                          struct wallet_row *wallet, const struct ledger_entry *credit,
                          uint64_t charged_seq);

/*
 * When the call was charged, Unix ms: the posting that the command at `settled_seq` made for it.
 * 0 when there is none. Costs some thirty reads, however long ago it was.
 */
uint64_t ledger_charged_ms(struct state *state, uint64_t settled_seq, const struct zr_id *call_ref);

uint16_t ledger_wallet_get(struct state *state, const struct command *command,
                           const struct zr_wallet_get_request *request,
                           struct zr_wallet_get_reply *reply);

uint16_t ledger_list(struct state *state, const struct command *command,
                     const struct zr_ledger_list_request *request,
                     struct zr_ledger_list_reply *reply);

#endif
