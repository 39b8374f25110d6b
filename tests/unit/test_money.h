/*
 * test_money.h - what the tests of money (M5) do often: pay in, ring up charges, read events.
 */
#ifndef ZR_TEST_MONEY_H
#define ZR_TEST_MONEY_H

#include "server/domain/ledger.h"
#include "server/domain/topup.h"
#include "tests/lib/domain_world.h"

#include <stdio.h>
#include <string.h>

#define MONEY_HOUR_MS (UINT64_C(3600) * 1000)

/* How many events of that type the contractor has had. */
static inline int
money_events(struct domain_world *world, uint32_t contractor, uint8_t type)
{
    const uint64_t last = state_counter_now(&world->state, COUNTER_EVENT);
    struct event_row event = {0};
    int count = 0;

    for (uint64_t seq = 1; seq <= last; seq++) {
        assert_true(state_event_get(&world->state, seq, &event));
        count += event.contractor == contractor && event.type == type;
    }
    return count;
}

/* The newest of them. */
static inline struct event_row
money_event(struct domain_world *world, uint32_t contractor, uint8_t type)
{
    struct event_row event = {0};
    uint64_t seq = state_counter_now(&world->state, COUNTER_EVENT);

    while (seq > 0) {
        assert_true(state_event_get(&world->state, seq, &event));
        if (event.contractor == contractor && event.type == type) {
            return event;
        }
        seq--;
    }
    fail_msg("no event %u of contractor %u", type, contractor);
    return event;
}

/* TOPUP with that reference. */
static inline uint16_t
money_topup_ref(struct domain_world *world, uint32_t contractor, int64_t cents, const char *ref)
{
    struct zr_topup_request request = {.amount_cents = cents, .contractor = contractor};

    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "%s", ref);
    return dw_run(world, dw_payments, ZR_OP_TOPUP, &request);
}

/* TOPUP with a new one; must be granted. */
static inline void
money_topup(struct domain_world *world, uint32_t contractor, int64_t cents)
{
    char ref[32];

    (void)snprintf(ref, sizeof ref, "money-%llu", (unsigned long long)++world->serial);
    assert_int_equal(money_topup_ref(world, contractor, cents, ref), ZR_STATUS_OK);
}

/* A call of a new caller to that contractor at rank 1, talked for a minute: charged. */
static inline struct ticket
money_charge(struct domain_world *world, uint32_t contractor)
{
    struct ticket ticket = dw_ticket(world, &contractor, 1);

    ticket.caller_hash = 1000000 + ++world->serial;
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += 60 * DW_SECOND_MS;
    assert_int_equal(dw_end(world, &ticket, &ticket, (struct zr_end_request){.talk_ms = 60000}),
                     ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
    return ticket;
}

/* Everything posted, added up again from the transfers: each account's and each wallet's balance
 * is what they say (I10, R67), and no transfer was lost. */
static inline void
money_recompute(struct domain_world *world)
{
    enum { WALLETS_MAX = 64 };
    const uint64_t transfers = state_counter_now(&world->state, COUNTER_TRANSFER);
    int64_t accounts[ZR_ACCOUNT_POOL + 1] = {0};
    int64_t wallets[WALLETS_MAX][2] = {{0}};
    struct posting_row posting;
    int64_t sum = 0;

    for (uint64_t id = 1; id <= transfers; id++) {
        assert_true(state_posting_get(&world->state, id, &posting));
        assert_true(posting.amount_cents > 0 && posting.contractor < WALLETS_MAX);
        for (int side = 0; side < 2; side++) {
            const uint8_t account = side == 0 ? posting.debit : posting.credit;
            const int64_t cents = side == 0 ? -posting.amount_cents : posting.amount_cents;

            if (ledger_account_is_wallets(account)) {
                wallets[posting.contractor][account == ZR_ACCOUNT_CREDIT] += cents;
            } else {
                accounts[account] += cents;
            }
            sum += cents;
        }
    }
    assert_int_equal(sum, 0);
    for (uint8_t i = ZR_ACCOUNT_REVENUE_CALLS; i <= ZR_ACCOUNT_POOL; i++) {
        struct account_row row;

        state_account_get(&world->state, i, &row);
        assert_int_equal(row.balance_cents, accounts[i]);
    }
    for (uint32_t i = 1; i <= state_counter_now(&world->state, COUNTER_CONTRACTOR); i++) {
        const struct wallet_row wallet = dw_wallet(world, i);

        assert_int_equal(wallet.main_cents, wallets[i][0]);
        assert_int_equal(wallet.credit_cents, wallets[i][1]);
        assert_true(wallet.held_cents >= 0);
    }
}

#endif
