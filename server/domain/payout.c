/*
 * payout.c - see payout.h.
 */
#include "server/domain/payout.h"

#include "protocol/check.h"
#include "server/domain/event.h"
#include "server/domain/ledger.h"
#include "server/domain/timer.h"

/* Holds end by themselves (max_call, the stale sweep): a payout that met one looks again. */
#define PAYOUT_RETRY_MS (UINT64_C(3600) * 1000)

static void
payout_set_timer(struct state *state, uint32_t contractor, uint64_t due_ms, uint64_t deadline_ms)
{
    timer_set(state, due_ms,
              &(struct timer_row){
                  .deadline_ms = deadline_ms, .contractor = contractor, .kind = TIMER_PAYOUT});
}

void
payout_arm(struct state *state, const struct command *command, uint32_t contractor,
           uint64_t closing_ms)
{
    CHECK(closing_ms != 0);
    CHECK(closing_ms <= command->time_ms);
    payout_set_timer(state, contractor, closing_ms + PAYOUT_WAIT_MS, closing_ms + PAYOUT_WAIT_MS);
}

void
payout_dispute_resolved(struct state *state, const struct command *command, uint32_t contractor,
                        const struct contractor_row *row)
{
    const uint64_t deadline_ms = row->closing_ms + PAYOUT_WAIT_MS;

    CHECK(!row->paid_out); /* It waits for the last dispute. */
    if (row->closing_ms != 0 && row->disputes_open == 0 && deadline_ms <= command->time_ms) {
        payout_set_timer(state, contractor, command->time_ms, deadline_ms);
    }
}

/* M5 "payout at close": what is owed to him is paid, what he owes is written off, and promotion
 * money that he did not use expires. */
static void
payout_balance(struct state *state, const struct command *command, uint32_t contractor,
               struct wallet_row *wallet)
{
    const struct {
        int64_t cents;
        uint8_t account;
        uint8_t if_positive;
        uint8_t if_negative;
        uint8_t kind;
    } rows[] = {
        {wallet->main_cents, ZR_ACCOUNT_MAIN, ZR_ACCOUNT_CLEARING, ZR_ACCOUNT_WRITE_OFF,
         ZR_TRANSFER_PAYOUT},
        {wallet->credit_cents, ZR_ACCOUNT_CREDIT, ZR_ACCOUNT_PROMO, ZR_ACCOUNT_PROMO,
         ZR_TRANSFER_CREDIT_EXPIRY},
    };

    for (int i = 0; i < 2; i++) {
        const bool positive = rows[i].cents > 0;
        const struct ledger_entry entry = {
            .amount_cents = positive ? rows[i].cents : -rows[i].cents,
            .contractor = contractor,
            .debit = positive ? rows[i].account : rows[i].if_negative,
            .credit = positive ? rows[i].if_positive : rows[i].account,
            .kind = rows[i].kind,
        };
        if (rows[i].cents != 0) {
            (void)ledger_post(state, command, wallet, &entry);
        }
    }
    CHECK(wallet_posted_cents(wallet) == 0);
}

void
payout_balance_if_closed(struct state *state, const struct command *command, uint32_t contractor,
                         struct wallet_row *wallet)
{
    struct contractor_row row;

    if (state_contractor_get(state, contractor, &row) && row.paid_out) {
        payout_balance(state, command, contractor, wallet);
    }
}

bool
payout_timer(struct state *state, const struct command *command, const struct timer_row *timer)
{
    struct event_row event = {.contractor = timer->contractor, .type = ZR_EVENT_ACCOUNT_CLOSED};
    struct contractor_row row;
    struct wallet_row wallet;

    CHECK(timer->kind == TIMER_PAYOUT);
    if (!state_contractor_get(state, timer->contractor, &row) || row.closing_ms == 0 ||
        row.closing_ms + PAYOUT_WAIT_MS != timer->deadline_ms || row.paid_out ||
        row.disputes_open > 0) {
        return false;
    }
    state_wallet_get(state, timer->contractor, &wallet);
    if (wallet.held_cents > 0) {
        payout_set_timer(state, timer->contractor, command->time_ms + PAYOUT_RETRY_MS,
                         timer->deadline_ms);
        return true;
    }
    CHECK(row.claims == 0);
    event.amount_cents = wallet.main_cents;
    payout_balance(state, command, timer->contractor, &wallet);
    funds_wallet_put(state, command, timer->contractor, &wallet);
    row.status = ZR_CONTRACTOR_CLOSED;
    row.paid_out = 1;
    row.version++;
    state_contractor_put(state, timer->contractor, &row);
    event_emit(state, command, &event);
    return true;
}
