/*
 * test_domain_payout.c - the end of an account: what is left is paid out after 30 days, open
 * disputes and holds waited for (M4 "CLOSING", M5 "payout at close").
 */
#include "server/domain/payout.h"
#include "tests/unit/test_money.h"

static struct contractor_row
contractor_row(struct domain_world *world, uint32_t contractor)
{
    struct contractor_row row;

    assert_true(state_contractor_get(&world->state, contractor, &row));
    return row;
}

static int64_t
account_cents(struct domain_world *world, uint8_t account)
{
    struct account_row row;

    state_account_get(&world->state, account, &row);
    return row.balance_cents;
}

/* MAIN is paid, promotion money expires; not a millisecond before its time. */
static void
test_what_is_left_is_paid_out(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);

    dw_give_credit(world, contractor, 300);
    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSING);
    dw_advance(world, 30 * DW_DAY_MS - 1);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 5000);
    assert_int_equal(contractor_row(world, contractor).status, ZR_CONTRACTOR_CLOSING);
    dw_advance(world, 1);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 0);
    assert_int_equal(dw_wallet(world, contractor).credit_cents, 0);
    assert_int_equal(contractor_row(world, contractor).status, ZR_CONTRACTOR_CLOSED);
    assert_int_equal(account_cents(world, ZR_ACCOUNT_CLEARING), 0);
    assert_int_equal(account_cents(world, ZR_ACCOUNT_PROMO), 0);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_ACCOUNT_CLOSED), 1);
    assert_int_equal(money_event(world, contractor, ZR_EVENT_ACCOUNT_CLOSED).amount_cents, 5000);
    dw_advance(world, 100 * DW_DAY_MS);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_ACCOUNT_CLOSED), 1);
    money_recompute(world);
}

/* Another timer of the same closing finds it done. */
static void
test_it_is_paid_out_once(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct timer_row timer = {.deadline_ms = world->now_ms + PAYOUT_WAIT_MS,
                                    .contractor = contractor,
                                    .kind = TIMER_PAYOUT};
    struct command command = {.seq = 1};

    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSING);
    dw_advance(world, 30 * DW_DAY_MS);
    command.time_ms = world->now_ms;
    assert_false(payout_timer(&world->state, &command, &timer));
    assert_int_equal(money_events(world, contractor, ZR_EVENT_ACCOUNT_CLOSED), 1);
}

/* An account below 0 is written off. */
static void
test_what_is_owed_is_written_off(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    struct zr_topup_reversed_request reversal = {.amount_cents = 2500, .contractor = contractor};

    assert_int_equal(money_topup_ref(world, contractor, 2500, "back"), ZR_STATUS_OK);
    (void)money_charge(world, contractor);
    (void)money_charge(world, contractor);
    (void)snprintf(reversal.provider_ref, sizeof reversal.provider_ref, "back");
    assert_int_equal(dw_run(world, dw_payments, ZR_OP_TOPUP_REVERSED, &reversal), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, contractor).main_cents, -1500);
    assert_int_equal(money_event(world, contractor, ZR_EVENT_TOPUP_REVERSED).amount_cents, 2500);
    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSING);
    dw_advance(world, 30 * DW_DAY_MS);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 0);
    assert_int_equal(account_cents(world, ZR_ACCOUNT_WRITE_OFF), -1500);
    assert_int_equal(money_event(world, contractor, ZR_EVENT_ACCOUNT_CLOSED).amount_cents, -1500);
    money_recompute(world);
}

/* It waits for the last open dispute, and goes on with its resolution. */
static void
test_it_waits_for_disputes(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = money_charge(world, contractor);
    const struct zr_dispute_open_request open = {
        .call_ref = ticket.call_ref, .contractor = contractor, .reason = ZR_DISPUTE_SPAM};
    const struct zr_dispute_resolve_request resolve = {
        .call_ref = ticket.call_ref, .contractor = contractor, .credit_cents = DW_RATE};

    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSING);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DISPUTE_OPEN, &open), ZR_STATUS_OK);
    dw_advance(world, 45 * DW_DAY_MS);
    assert_int_equal(contractor_row(world, contractor).status, ZR_CONTRACTOR_CLOSING);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 3000);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_DISPUTE_RESOLVE, &resolve), ZR_STATUS_OK);
    assert_int_equal(contractor_row(world, contractor).status, ZR_CONTRACTOR_CLOSED);
    assert_int_equal(money_event(world, contractor, ZR_EVENT_ACCOUNT_CLOSED).amount_cents, 5000);
}

/* A dispute that is resolved before its time changes nothing about the 30 days. */
static void
test_an_early_resolution_pays_nothing_early(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = money_charge(world, contractor);
    const struct zr_dispute_open_request open = {
        .call_ref = ticket.call_ref, .contractor = contractor, .reason = ZR_DISPUTE_SPAM};
    const struct zr_dispute_resolve_request resolve = {.call_ref = ticket.call_ref,
                                                       .contractor = contractor};

    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSING);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DISPUTE_OPEN, &open), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_DISPUTE_RESOLVE, &resolve), ZR_STATUS_OK);
    assert_int_equal(contractor_row(world, contractor).status, ZR_CONTRACTOR_CLOSING);
    dw_advance(world, 30 * DW_DAY_MS);
    assert_int_equal(contractor_row(world, contractor).status, ZR_CONTRACTOR_CLOSED);
}

/* A leg that still holds money is waited for. */
static void
test_it_waits_for_holds(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct command command = {.seq = 1, .time_ms = world->now_ms};
    struct wallet_row wallet;

    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSING);
    wallet = dw_wallet(world, contractor);
    wallet.held_cents = 2000;
    funds_wallet_put(&world->state, &command, contractor, &wallet);
    dw_advance(world, 30 * DW_DAY_MS + 30 * 60 * DW_SECOND_MS);
    assert_int_equal(contractor_row(world, contractor).status, ZR_CONTRACTOR_CLOSING);
    wallet = dw_wallet(world, contractor);
    wallet.held_cents = 0;
    funds_wallet_put(&world->state, &command, contractor, &wallet);
    dw_advance(world, MONEY_HOUR_MS);
    assert_int_equal(contractor_row(world, contractor).status, ZR_CONTRACTOR_CLOSED);
}

/* What moves afterwards leaves at once; a charge cannot be disputed any more. */
static void
test_after_the_end(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct zr_topup_reversed_request reversal = {.amount_cents = 2500, .contractor = contractor};
    struct zr_dispute_open_request open = {.contractor = contractor, .reason = ZR_DISPUTE_SPAM};
    struct ticket ticket;

    assert_int_equal(money_topup_ref(world, contractor, 2500, "late"), ZR_STATUS_OK);
    ticket = money_charge(world, contractor);
    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSED); /* Closed by hand: 30 days, too. */
    assert_int_equal(dw_wallet(world, contractor).main_cents, 500);
    dw_advance(world, 30 * DW_DAY_MS);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 0);
    open.call_ref = ticket.call_ref;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DISPUTE_OPEN, &open), ZR_STATUS_ACCOUNT_CLOSED);
    (void)snprintf(reversal.provider_ref, sizeof reversal.provider_ref, "late");
    assert_int_equal(dw_run(world, dw_payments, ZR_OP_TOPUP_REVERSED, &reversal), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 0);
    assert_int_equal(account_cents(world, ZR_ACCOUNT_WRITE_OFF), -2500);
    money_recompute(world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_what_is_left_is_paid_out),
        DW_TEST(test_it_is_paid_out_once),
        DW_TEST(test_what_is_owed_is_written_off),
        DW_TEST(test_it_waits_for_disputes),
        DW_TEST(test_an_early_resolution_pays_nothing_early),
        DW_TEST(test_it_waits_for_holds),
        DW_TEST(test_after_the_end),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
