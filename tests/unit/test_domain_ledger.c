/*
 * test_domain_ledger.c - charges, their credits and the pages of a ledger (M5, I10-I12).
 */
#include "server/domain/ledger.h"
#include "tests/lib/domain_world.h"

#include <stdio.h>
#include <string.h>

enum { PAGE = 64, ROUNDS = 500 };

/* Where the parts of a charge went, or came back. */
struct parts {
    int64_t credit;
    int64_t main;
    int64_t write_off;
};

/* One charge against a wallet that stands as given; `before` is put, `after` comes back. */
static struct parts
charge(struct domain_world *world, struct wallet_row *wallet, int64_t rate, int64_t overdraft)
{
    const struct command command = {.seq = ++world->seq, .time_ms = world->now_ms};
    const struct ledger_entry entry = {
        .amount_cents = rate, .contractor = 1, .call_ref = dw_id(world)};
    struct account_row before;
    struct account_row after;
    const struct wallet_row was = *wallet;

    state_begin(&world->state, command.seq);
    state_account_get(&world->state, ZR_ACCOUNT_WRITE_OFF, &before);
    ledger_charge(&world->state, &command, wallet, &entry, overdraft);
    state_account_get(&world->state, ZR_ACCOUNT_WRITE_OFF, &after);
    return (struct parts){was.credit_cents - wallet->credit_cents,
                          was.main_cents - wallet->main_cents,
                          before.balance_cents - after.balance_cents};
}

/* M5: CREDIT first, MAIN down to the overdraft, the remainder is written off. */
static void
test_a_charge_is_split(void **state)
{
    static const struct {
        struct wallet_row wallet;
        int64_t rate;
        int64_t overdraft;
        struct parts expected;
    } rows[] = {
        {{.main_cents = 5000}, 2000, 0, {0, 2000, 0}},
        {{.main_cents = 5000, .credit_cents = 500}, 2000, 0, {500, 1500, 0}},
        {{.main_cents = 5000, .credit_cents = 3000}, 2000, 0, {2000, 0, 0}},
        {{.main_cents = 2000}, 2000, 0, {0, 2000, 0}},
        {{.main_cents = 1999}, 2000, 0, {0, 1999, 1}},
        {{.main_cents = 0}, 2000, 1500, {0, 1500, 500}}, /* E72 */
        {{.main_cents = -1500}, 2000, 1500, {0, 0, 2000}},
        {{.main_cents = -2500}, 2000, 1500, {0, 0, 2000}}, /* Below it already: no deeper. */
        {{.main_cents = -1000, .credit_cents = 600}, 2000, 1500, {600, 500, 900}},
        {{.main_cents = 3000, .held_cents = 2000}, 2000, 0, {0, 1000, 1000}}, /* Others' holds. */
        {{.main_cents = 3000, .held_cents = 2000}, 2000, 1000, {0, 2000, 0}},
        {{.main_cents = 0, .credit_cents = 100, .held_cents = 100}, 2000, 0, {0, 0, 2000}},
        {{.main_cents = 0, .credit_cents = 900, .held_cents = 100}, 2000, 0, {800, 0, 1200}},
        {{.main_cents = 10}, 0, 0, {0, 0, 0}},
    };
    struct domain_world *world = *state;

    world->made_money = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wallet_row wallet = rows[i].wallet;
        const struct parts parts = charge(world, &wallet, rows[i].rate, rows[i].overdraft);

        assert_int_equal(parts.credit, rows[i].expected.credit);
        assert_int_equal(parts.main, rows[i].expected.main);
        assert_int_equal(parts.write_off, rows[i].expected.write_off);
        assert_int_equal(wallet.charged_cents, rows[i].rate);
    }
}

/* Random wallets: the parts are the whole, none is negative, I11 holds where it held before. */
static void
test_a_charge_never_breaks_the_overdraft(void **state)
{
    struct domain_world *world = *state;
    uint64_t seed = test_seed();

    world->made_money = true;
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t rate = (int64_t)test_random_below(&seed, 5000);
        const int64_t overdraft = (int64_t)test_random_below(&seed, 4000);
        struct wallet_row wallet = {
            .main_cents = (int64_t)test_random_below(&seed, 8000) - 4000,
            .credit_cents = (int64_t)test_random_below(&seed, 3000),
            .held_cents = (int64_t)test_random_below(&seed, 3000),
        };
        const int64_t before = wallet_available_cents(&wallet);
        const struct parts parts = charge(world, &wallet, rate, overdraft);

        assert_true(parts.credit >= 0 && parts.main >= 0 && parts.write_off >= 0);
        assert_int_equal(parts.credit + parts.main + parts.write_off, rate);
        assert_true(wallet.credit_cents >= 0);
        if (parts.main + parts.credit > 0) {
            assert_true(wallet_available_cents(&wallet) >= -overdraft);
        }
        if (parts.main > 0) {
            assert_true(wallet.credit_cents == 0);
        }
        if (parts.write_off > 0) {
            assert_true(wallet_available_cents(&wallet) <= -overdraft || before < -overdraft);
        }
    }
}

/* ---- credit of a charge ------------------------------------------------------------------ */

/* M5, I12, E73: WRITE_OFF's part first, then MAIN, then CREDIT, each as it was spent. */
static void
test_a_credit_restores_the_split_in_order(void **state)
{
    static const uint8_t order[] = {ZR_ACCOUNT_CREDIT, ZR_ACCOUNT_MAIN, ZR_ACCOUNT_WRITE_OFF};
    static const int64_t cents[] = {600, 500, 900};
    struct domain_world *world = *state;
    const struct command command = {.seq = 9, .time_ms = DW_START_MS};
    const struct ledger_entry entry = {
        .amount_cents = 2000, .contractor = 1, .call_ref = dw_id(world)};
    struct wallet_row wallet = {.main_cents = -1000, .credit_cents = 600};
    struct posting_row posting;
    uint64_t transfer;

    world->made_money = true;
    state_begin(&world->state, command.seq);
    ledger_charge(&world->state, &command, &wallet, &entry, 1500);
    (void)charge(world, &wallet, 100, 9000); /* Another call's charge comes between. */
    ledger_credit_charge(&world->state, &command, &wallet, &entry, command.seq);
    assert_int_equal(wallet.main_cents, -1100); /* Nothing of the other call's 100. */
    assert_int_equal(wallet.credit_cents, 600);
    assert_int_equal(wallet.charged_cents, 100);
    transfer = wallet.last_transfer;
    for (size_t i = 0; i < 3; i++) { /* Newest first, so the order is backwards. */
        assert_true(state_posting_get(&world->state, transfer, &posting));
        assert_int_equal(posting.debit, ZR_ACCOUNT_REFUNDS);
        assert_int_equal(posting.credit, order[i]);
        assert_int_equal(posting.amount_cents, cents[i]);
        assert_int_equal(posting.kind, ZR_TRANSFER_CHARGE_CREDIT);
        assert_memory_equal(&posting.call_ref, &entry.call_ref, sizeof entry.call_ref);
        transfer = posting.previous;
    }
}

/* I12: however it is cut, each part comes back once, in that order, and no cent more than it was.
 */
static void
test_a_credit_in_parts_goes_on_where_the_last_ended(void **state)
{
    static const struct {
        int64_t cents;
        struct parts expected; /* Given back by all so far. */
    } rows[] = {
        {1, {0, 0, 1}},       {898, {0, 0, 899}},      {2, {0, 1, 900}},     {600, {101, 500, 900}},
        {0, {101, 500, 900}}, {5000, {600, 500, 900}}, {1, {600, 500, 900}},
    };
    struct domain_world *world = *state;
    const struct command command = {.seq = 9, .time_ms = DW_START_MS};
    struct ledger_entry entry = {.amount_cents = 2000, .contractor = 1, .call_ref = dw_id(world)};
    struct wallet_row wallet = {.main_cents = -1000, .credit_cents = 600};
    struct account_row before;
    struct account_row after;

    world->made_money = true;
    state_begin(&world->state, command.seq);
    state_account_get(&world->state, ZR_ACCOUNT_WRITE_OFF, &before);
    ledger_charge(&world->state, &command, &wallet, &entry, 1500);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct parts *back = &rows[i].expected;

        entry.amount_cents = rows[i].cents;
        ledger_credit_charge(&world->state, &command, &wallet, &entry, 0);
        (void)charge(world, &wallet, 0, 0); /* Another call's charge comes between. */
        state_account_get(&world->state, ZR_ACCOUNT_WRITE_OFF, &after);
        assert_int_equal(wallet.credit_cents, back->credit);
        assert_int_equal(wallet.main_cents, -1500 + back->main);
        assert_int_equal(after.balance_cents, before.balance_cents - 900 + back->write_off);
    }
    assert_int_equal(wallet.charged_cents, 0);
}

/* Found among many by its place in the log, and only under its own call. */
static void
test_when_a_call_was_charged(void **state)
{
    struct domain_world *world = *state;
    struct wallet_row wallet = {.main_cents = 1000000};
    struct ledger_entry entry = {.amount_cents = 100, .contractor = 1};
    struct command command = {.seq = 0};
    struct zr_id refs[ROUNDS];

    world->made_money = true;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        command.seq = 10 * (i + 1);
        command.time_ms = DW_START_MS + i;
        refs[i] = dw_id(world);
        entry.call_ref = refs[i];
        ledger_charge(&world->state, &command, &wallet, &entry, 0);
    }
    for (uint64_t i = 0; i < ROUNDS; i++) {
        const uint64_t seq = 10 * (i + 1);

        assert_int_equal(ledger_charged_ms(&world->state, seq, &refs[i]), DW_START_MS + i);
        assert_int_equal(ledger_charged_ms(&world->state, seq - 1, &refs[i]), 0);
        assert_int_equal(ledger_charged_ms(&world->state, seq, &refs[(i + 1) % ROUNDS]), 0);
    }
    assert_int_equal(ledger_charged_ms(&world->state, 10 * ROUNDS + 1, &refs[0]), 0);
}

/* A call that was charged nothing, or not at all, has nothing to credit. */
static void
test_nothing_charged_is_nothing_credited(void **state)
{
    struct domain_world *world = *state;
    const struct command command = {.seq = 9, .time_ms = DW_START_MS};
    const struct ledger_entry other = {
        .amount_cents = 2000, .contractor = 1, .call_ref = dw_id(world)};
    struct wallet_row wallet = {.main_cents = 5000};
    struct wallet_row empty = {0};
    uint64_t transfers;

    world->made_money = true;
    (void)charge(world, &wallet, 2000, 0);
    transfers = state_counter_now(&world->state, COUNTER_TRANSFER);
    ledger_credit_charge(&world->state, &command, &wallet, &other, 0);
    ledger_credit_charge(&world->state, &command, &wallet, &other, command.seq);
    ledger_credit_charge(&world->state, &command, &empty, &other, 0);
    assert_int_equal(state_counter_now(&world->state, COUNTER_TRANSFER), transfers);
    assert_int_equal(wallet.main_cents, 3000);
}

/* I10: a posting has two sides and an amount. */
static void
test_a_posting_is_checked(void **state)
{
    struct domain_world *world = *state;
    const struct command command = {.seq = 9, .time_ms = DW_START_MS};
    struct wallet_row wallet = {0};
    struct ledger_entry entry = {.debit = ZR_ACCOUNT_MAIN, .credit = ZR_ACCOUNT_PROMO};

    expect_assert_failure((void)ledger_post(&world->state, &command, &wallet, &entry));
    entry.amount_cents = 1;
    entry.credit = ZR_ACCOUNT_MAIN;
    expect_assert_failure((void)ledger_post(&world->state, &command, &wallet, &entry));
    entry.credit = ZR_ACCOUNT_PROMO;
    wallet.last_transfer = 1000;
    expect_assert_failure((void)ledger_post(&world->state, &command, &wallet, &entry));
    entry.amount_cents = -1;
    expect_assert_failure(ledger_charge(&world->state, &command, &wallet, &entry, 0));
    expect_assert_failure(ledger_credit_charge(&world->state, &command, &wallet, &entry, 0));
}

/* ---- funds state ------------------------------------------------------------------------- */

/* M5: DRY when posted money is below the rate of every claim, LOW when what is available is below
 * the dearest one's. */
static void
test_the_funds_state(void **state)
{
    static const struct {
        struct wallet_row wallet;
        uint8_t expected;
    } rows[] = {
        {{.main_cents = 2000, .rate_min_cents = 1000, .rate_max_cents = 2000}, ZR_FUNDS_STATE_OK},
        {{.main_cents = 1999, .rate_min_cents = 1000, .rate_max_cents = 2000}, ZR_FUNDS_STATE_LOW},
        {{.main_cents = 1000, .rate_min_cents = 1000, .rate_max_cents = 2000}, ZR_FUNDS_STATE_LOW},
        {{.main_cents = 999, .rate_min_cents = 1000, .rate_max_cents = 2000}, ZR_FUNDS_STATE_DRY},
        {{.credit_cents = 2000, .rate_min_cents = 2000, .rate_max_cents = 2000}, ZR_FUNDS_STATE_OK},
        {{.main_cents = 3000, .held_cents = 2500, .rate_min_cents = 1000, .rate_max_cents = 1000},
         ZR_FUNDS_STATE_LOW}, /* Holds skip a decision, but nobody is dry by them. */
        {{.main_cents = 999, .held_cents = 0, .rate_min_cents = 1000, .rate_max_cents = 1000},
         ZR_FUNDS_STATE_DRY},
        {{.main_cents = 0}, ZR_FUNDS_STATE_OK}, /* No claim asks for anything. */
        {{.main_cents = -1}, ZR_FUNDS_STATE_DRY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(wallet_funds_state(&rows[i].wallet), rows[i].expected);
    }
}

/* ---- reads ------------------------------------------------------------------------------- */

static uint16_t
topup(struct domain_world *world, uint32_t contractor, int64_t cents, const char *ref)
{
    struct zr_topup_request request = {.amount_cents = cents, .contractor = contractor};

    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "%s", ref);
    return dw_run(world, dw_payments, ZR_OP_TOPUP, &request);
}

static uint16_t
wallet_get(struct domain_world *world, struct dw_actor actor, uint32_t contractor)
{
    const struct zr_wallet_get_request request = {.contractor = contractor};

    return dw_run(world, actor, ZR_OP_WALLET_GET, &request);
}

static void
test_the_wallet_says_what_it_holds(void **state)
{
    struct domain_world *world = *state;
    const struct zr_wallet_get_reply *reply = &world->reply.wallet_get_reply;
    const uint32_t contractor = dw_contractor(world, 5000);

    dw_give_credit(world, contractor, 300);
    assert_int_equal(wallet_get(world, dw_portal, contractor), ZR_STATUS_OK);
    assert_int_equal(reply->posted_cents, 5300);
    assert_int_equal(reply->available_cents, 5300);
    assert_int_equal(reply->main_cents, 5000);
    assert_int_equal(reply->credit_cents, 300);
    assert_int_equal(reply->held_cents, 0);
    assert_int_equal(reply->funds_state, ZR_FUNDS_STATE_OK);
    assert_int_equal(reply->commit_seq, world->seq);
}

/* R69, E39: another tenant's wallet does not exist; nor does one that nobody has. */
static void
test_wallets_of_others_do_not_exist(void **state)
{
    static const struct {
        struct dw_actor actor;
        uint16_t status;
    } rows[] = {
        {{ZR_ROLE_PORTAL, DW_PORTAL_TENANT, 0}, ZR_STATUS_OK},
        {{ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0}, ZR_STATUS_NOT_FOUND},
        {{ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, 1}, ZR_STATUS_OK},
        {{ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, 2}, ZR_STATUS_NOT_FOUND},
        {{ZR_ROLE_PAYMENTS, 9, 0}, ZR_STATUS_OK},
        {{ZR_ROLE_ADMIN, 9, 0}, ZR_STATUS_OK},
        {{ZR_ROLE_AUDITOR, 9, 0}, ZR_STATUS_OK},
        {{ZR_ROLE_SWITCH, DW_PORTAL_TENANT, 0}, ZR_STATUS_NOT_FOUND},
        {{ZR_ROLE_CALLCENTER, DW_PORTAL_TENANT, 0}, ZR_STATUS_NOT_FOUND},
        {{ZR_ROLE_BENCH, DW_PORTAL_TENANT, 0}, ZR_STATUS_NOT_FOUND},
        {{0, DW_PORTAL_TENANT, 0}, ZR_STATUS_NOT_FOUND},
    };
    struct domain_world *world = *state;

    assert_int_equal(dw_contractor(world, 0), 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct zr_ledger_list_request list = {.contractor = 1};

        assert_int_equal(wallet_get(world, rows[i].actor, 1), rows[i].status);
        assert_int_equal(dw_run(world, rows[i].actor, ZR_OP_LEDGER_LIST, &list), rows[i].status);
        assert_int_equal(wallet_get(world, rows[i].actor, 77), ZR_STATUS_NOT_FOUND);
        assert_int_equal(dw_run(world, rows[i].actor, ZR_OP_LEDGER_LIST,
                                &(struct zr_ledger_list_request){.contractor = 77}),
                         ZR_STATUS_NOT_FOUND);
    }
}

static const struct zr_ledger_list_reply *
ledger_page(struct domain_world *world, uint32_t contractor, uint64_t before)
{
    const struct zr_ledger_list_request request = {.before = before, .contractor = contractor};

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_LEDGER_LIST, &request), ZR_STATUS_OK);
    return &world->reply.ledger_list_reply;
}

/* Newest first, every transfer once, over page bounds and between another's transfers. */
static void
test_the_ledger_pages(void **state)
{
    enum { TOPUPS = 2 * PAGE + 3 };
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const uint32_t other = dw_contractor(world, 0);
    uint64_t before = 0;
    uint64_t last = UINT64_MAX;
    uint32_t seen = 0;

    assert_int_equal(ledger_page(world, contractor, 0)->entries_count, 0);
    for (int i = 0; i < TOPUPS; i++) {
        char ref[32];

        (void)snprintf(ref, sizeof ref, "page-%d", i);
        assert_int_equal(topup(world, i % 3 == 0 ? other : contractor, 2500 + i, ref),
                         ZR_STATUS_OK);
    }
    do {
        const struct zr_ledger_list_reply *page = ledger_page(world, contractor, before);

        for (uint16_t i = 0; i < page->entries_count; i++) {
            assert_true(page->entries[i].transfer_id < last);
            assert_int_equal(page->entries[i].account, ZR_ACCOUNT_MAIN);
            assert_int_equal(page->entries[i].counter_account, ZR_ACCOUNT_CLEARING);
            last = page->entries[i].transfer_id;
            seen++;
        }
        before = page->next;
    } while (before != 0);
    assert_int_equal(seen, TOPUPS - (TOPUPS + 2) / 3);
}

/* An exact page has no next. */
static void
test_a_full_last_page_is_the_end(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);

    for (int i = 0; i < PAGE; i++) {
        dw_give_credit(world, contractor, 1);
    }
    assert_int_equal(ledger_page(world, contractor, 0)->entries_count, PAGE);
    assert_int_equal(world->reply.ledger_list_reply.next, 0);
}

/*
 * "account: which of the wallet's accounts", "amount: what it added to it": the rows of a ledger
 * add up to the balance, also when a part of a charge was written off.
 */
static void
test_the_ledger_adds_up_to_the_balance(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    struct wallet_row wallet = dw_wallet(world, contractor);
    const struct command command = {.seq = ++world->seq, .time_ms = world->now_ms};
    const struct ledger_entry entry = {
        .amount_cents = 3000, .contractor = contractor, .call_ref = dw_id(world)};
    const struct zr_ledger_list_reply *page;
    int64_t sum = 0;

    ledger_charge(&world->state, &command, &wallet, &entry, 0);
    ledger_credit_charge(&world->state, &command, &wallet, &entry, 0);
    ledger_charge(&world->state, &command, &wallet, &entry, 0);
    state_wallet_put(&world->state, contractor, &wallet);
    page = ledger_page(world, contractor, 0);
    for (uint16_t i = 0; i < page->entries_count; i++) {
        const uint8_t account = page->entries[i].account;

        assert_true(account == ZR_ACCOUNT_MAIN || account == ZR_ACCOUNT_CREDIT);
        sum += page->entries[i].amount_cents;
    }
    assert_int_equal(page->entries_count, 4);
    assert_int_equal(page->entries[0].amount_cents, -2500);
    assert_int_equal(page->entries[0].kind, ZR_TRANSFER_CHARGE);
    assert_int_equal(sum, wallet.main_cents + wallet.credit_cents);
}

/* A cursor that no page of this ledger gave is not taken for "from the newest". */
static void
test_a_cursor_of_another_ledger_is_not_found(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    const uint64_t mine = state_counter_now(&world->state, COUNTER_TRANSFER);
    const uint32_t other = dw_contractor(world, 2500);
    struct zr_ledger_list_request request = {.before = mine, .contractor = other};

    assert_int_equal(ledger_page(world, contractor, mine)->entries_count, 0);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_LEDGER_LIST, &request), ZR_STATUS_NOT_FOUND);
    request.before = mine + 100;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_LEDGER_LIST, &request), ZR_STATUS_NOT_FOUND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_a_charge_is_split),
        DW_TEST(test_a_charge_never_breaks_the_overdraft),
        DW_TEST(test_a_credit_restores_the_split_in_order),
        DW_TEST(test_a_credit_in_parts_goes_on_where_the_last_ended),
        DW_TEST(test_when_a_call_was_charged),
        DW_TEST(test_nothing_charged_is_nothing_credited),
        DW_TEST(test_a_posting_is_checked),
        cmocka_unit_test(test_the_funds_state),
        DW_TEST(test_the_wallet_says_what_it_holds),
        DW_TEST(test_wallets_of_others_do_not_exist),
        DW_TEST(test_the_ledger_pages),
        DW_TEST(test_a_full_last_page_is_the_end),
        DW_TEST(test_the_ledger_adds_up_to_the_balance),
        DW_TEST(test_a_cursor_of_another_ledger_is_not_found),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
