/*
 * test_domain_late.c - what comes too late, or for something that is another by now: timers of
 * older deadlines, wishes for closed accounts, disputes that nothing proves (M2, M5, E8, E60).
 *
 * Rules are asked directly where the timers of a world would have been faster.
 */
#include "server/domain/autotopup.h"
#include "server/domain/call.h"
#include "server/domain/claim.h"
#include "server/domain/condition.h"
#include "server/domain/keys.h"
#include "server/domain/offer.h"
#include "server/domain/payout.h"
#include "server/domain/timer.h"
#include "tests/lib/domain_titles.h"
#include "tests/unit/test_money.h"

static struct command
command_now(const struct domain_world *world)
{
    return (struct command){.seq = world->seq + 1,
                            .time_ms = world->now_ms,
                            .tenant = DW_PORTAL_TENANT,
                            .role = ZR_ROLE_PORTAL};
}

/* The title is offered to the second of three. */
static struct dt_cascade
offered(struct domain_world *world)
{
    const struct dt_cascade cascade = dt_cascade(world, 3);

    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dt_offered_to(world), cascade.contractors[1]);
    return cascade;
}

/* ---- offers ---------------------------------------------------------------------------------- */

/* E8: the deadline is exclusive, whether or not its timer has fired yet. */
static void
test_e8_the_deadline_itself_is_too_late(void **state)
{
    struct domain_world *world = *state;
    struct zr_offer_reply_request request = {.accept = true};
    struct zr_offer_reply_reply reply = {0};
    struct command command;

    (void)offered(world);
    command = command_now(world);
    request.offer_id = dw_slot(world).offer_id;
    command.time_ms = dw_slot(world).offer_deadline_ms;
    assert_int_equal(offer_reply_apply(&world->state, &command, &request, &reply),
                     ZR_STATUS_OFFER_CLOSED);
    command.time_ms--;
    assert_int_equal(offer_reply_apply(&world->state, &command, &request, &reply), ZR_STATUS_OK);
}

/* M2 "Outage": a deadline that has moved is not met by the timer of the old one. */
static void
test_a_timer_of_an_older_deadline_ends_no_offer(void **state)
{
    struct domain_world *world = *state;
    struct timer_row timer = {.kind = TIMER_OFFER};
    struct command command;

    (void)offered(world);
    command = command_now(world);
    timer.number = dw_slot(world).offer_id;
    timer.deadline_ms = dw_slot(world).offer_deadline_ms;
    command.time_ms = timer.deadline_ms + 5;
    assert_true(offer_deadline_move(&world->state, &command, &timer, timer.deadline_ms + 10));
    assert_false(offer_timer(&world->state, &command, &timer));
    assert_false(offer_deadline_move(&world->state, &command, &timer, timer.deadline_ms + 20));
    timer.deadline_ms += 10;
    assert_int_equal(dw_slot(world).offer_deadline_ms, timer.deadline_ms);
    assert_true(offer_timer(&world->state, &command, &timer));
}

/* M2 "Opening": the chain passes over whose account closes; E10: who is not yet approved is asked,
 * but cannot take it. */
static void
test_r64_the_chain_passes_over_closing_accounts(void **state)
{
    static const struct {
        uint8_t status;
        bool asked;
    } cases[] = {{ZR_CONTRACTOR_APPROVED, true},
                 {ZR_CONTRACTOR_PENDING, true},
                 {ZR_CONTRACTOR_SUSPENDED, false},
                 {ZR_CONTRACTOR_CLOSING, false},
                 {ZR_CONTRACTOR_CLOSED, false}};
    struct domain_world *world = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct dt_cascade cascade = dt_cascade(world, 2);
        struct contractor_row row = dt_contractor_row(world, cascade.contractors[1]);

        /* Its claims would have ended with it: here the end of the primary comes first. */
        row.status = cases[i].status;
        state_contractor_put(&world->state, cascade.contractors[1], &row);
        assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
        assert_int_equal(dt_offered_to(world), cases[i].asked ? cascade.contractors[1] : 0);
        if (cases[i].status == ZR_CONTRACTOR_PENDING) {
            assert_int_equal(dt_answer(world, dw_slot(world).offer_id, true),
                             ZR_STATUS_NOT_ELIGIBLE);
        }
        assert_int_equal(dt_release(world, cascade.claims[1], ZR_RELEASE_NOW), ZR_STATUS_OK);
    }
}

/* One title has one holder: to promote beside a primary, or nobody, is a bug (I1). */
static void
test_i1_nobody_is_promoted_beside_a_primary(void **state)
{
    struct domain_world *world = *state;
    const struct command command = command_now(world);
    const struct zr_slot_key key = {DW_ZIP, DW_CATEGORY};
    struct slot_change change;

    (void)dt_cascade(world, 2);
    slot_change_begin(&change, &world->state, &command, &key);
    expect_assert_failure(offer_promote(&change, 1));
    expect_assert_failure(offer_promote(&change, -1));
    expect_assert_failure(offer_promote(&change, 2));
    expect_assert_failure(offer_open_title(&change));
    expect_assert_failure(offer_withdraw(&change, 0));
}

/* ---- payouts --------------------------------------------------------------------------------- */

/* M5: only the timer of the closing that is under way pays out. */
static void
test_a_payout_of_another_closing_pays_nothing(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    struct timer_row timer = {
        .kind = TIMER_PAYOUT, .contractor = contractor, .deadline_ms = world->now_ms};
    struct command command = command_now(world);

    assert_false(payout_timer(&world->state, &command, &timer)); /* It is not closing at all. */
    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSING);
    command.time_ms += 2 * PAYOUT_WAIT_MS;
    assert_false(payout_timer(&world->state, &command, &timer));
    assert_int_equal(dw_wallet(world, contractor).main_cents, 5000);
    timer.deadline_ms = world->now_ms + PAYOUT_WAIT_MS;
    assert_true(payout_timer(&world->state, &command, &timer));
    assert_int_equal(dw_wallet(world, contractor).main_cents, 0);
    money_recompute(world);
}

/* Two disputes: the payout waits for the second. */
static void
test_a_payout_waits_for_every_dispute(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    struct ticket tickets[2];

    for (int i = 0; i < 2; i++) {
        struct zr_dispute_open_request open = {.contractor = contractor, .reason = ZR_DISPUTE_SPAM};

        tickets[i] = money_charge(world, contractor);
        open.call_ref = tickets[i].call_ref;
        assert_int_equal(dw_run(world, dw_portal, ZR_OP_DISPUTE_OPEN, &open), ZR_STATUS_OK);
    }
    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSING);
    dw_advance(world, 40 * DW_DAY_MS);
    for (int i = 0; i < 2; i++) {
        const struct zr_dispute_resolve_request resolve = {
            .call_ref = tickets[i].call_ref, .contractor = contractor, .credit_cents = DW_RATE};

        assert_int_equal(dt_contractor_row(world, contractor).paid_out, 0);
        assert_int_equal(dw_run(world, dw_admin, ZR_OP_DISPUTE_RESOLVE, &resolve), ZR_STATUS_OK);
    }
    assert_int_equal(dt_contractor_row(world, contractor).paid_out, 1);
    assert_int_equal(money_event(world, contractor, ZR_EVENT_ACCOUNT_CLOSED).amount_cents, 9000);
}

/* A payout without a closing, before it, or under another timer's name is a bug. */
static void
test_payouts_that_are_bugs(void **state)
{
    struct domain_world *world = *state;
    const struct command command = command_now(world);
    const struct timer_row timer = {.kind = TIMER_OFFER, .contractor = 1};
    const struct contractor_row paid = {.paid_out = 1};

    expect_assert_failure(payout_arm(&world->state, &command, 1, 0));
    expect_assert_failure(payout_arm(&world->state, &command, 1, world->now_ms + 1));
    expect_assert_failure((void)payout_timer(&world->state, &command, &timer));
    expect_assert_failure(payout_dispute_resolved(&world->state, &command, 1, &paid));
}

/* ---- automatic top-ups ----------------------------------------------------------------------- */

/* R65: who is leaving is asked for nothing, and wishes nothing any more. */
static void
test_r65_closed_accounts_ask_for_nothing(void **state)
{
    static const uint8_t statuses[] = {ZR_CONTRACTOR_CLOSING, ZR_CONTRACTOR_CLOSED};
    struct domain_world *world = *state;

    for (size_t i = 0; i < sizeof statuses; i++) {
        const struct command command = command_now(world);
        struct zr_autotopup_put_request wish = {.contractor = dw_contractor(world, 0),
                                                .threshold_cents = 5000,
                                                .amount_cents = 2500,
                                                .methods = {{"card"}},
                                                .methods_count = 1};
        const struct zr_topup_result_request result = {
            .attempt_id = (uint64_t)wish.contractor << 32 | 1, .ok = true, .provider_ref = "late"};
        struct wallet_row wallet = dw_wallet(world, wish.contractor);

        /* Disabled, it asks for nothing even when the wallet is asked to look. */
        assert_int_equal(dw_run(world, dw_portal, ZR_OP_AUTOTOPUP_PUT, &wish), ZR_STATUS_OK);
        autotopup_request(&world->state, &command, wish.contractor, &wallet);
        assert_int_equal(money_events(world, wish.contractor, ZR_EVENT_TOPUP_REQUESTED), 0);
        wish.expected_version = 1;
        wish.enabled = true;
        assert_int_equal(dw_run(world, dw_portal, ZR_OP_AUTOTOPUP_PUT, &wish), ZR_STATUS_OK);
        assert_int_equal(money_events(world, wish.contractor, ZR_EVENT_TOPUP_REQUESTED), 1);
        dw_set_status(world, wish.contractor, statuses[i]);
        wish.expected_version = 2;
        assert_int_equal(dw_run(world, dw_portal, ZR_OP_AUTOTOPUP_PUT, &wish),
                         ZR_STATUS_ACCOUNT_CLOSED);
        assert_int_equal(dw_run(world, dw_payments, ZR_OP_TOPUP_RESULT, &result),
                         ZR_STATUS_ACCOUNT_CLOSED);
        assert_int_equal(dw_wallet(world, wish.contractor).main_cents, 0);
    }
}

/* An idle wish of an account that begins to close is not asked for either. */
static void
test_r65_an_idle_wish_ends_with_the_account(void **state)
{
    static const uint8_t statuses[] = {ZR_CONTRACTOR_CLOSING, ZR_CONTRACTOR_CLOSED};
    struct domain_world *world = *state;

    for (size_t i = 0; i < sizeof statuses; i++) {
        const uint32_t contractor = dw_contractor(world, 9000);
        const struct command command = command_now(world);
        const struct zr_autotopup_put_request wish = {.contractor = contractor,
                                                      .threshold_cents = 5000,
                                                      .amount_cents = 2500,
                                                      .enabled = true,
                                                      .methods = {{"card"}},
                                                      .methods_count = 1};
        struct wallet_row wallet;

        assert_int_equal(dw_run(world, dw_portal, ZR_OP_AUTOTOPUP_PUT, &wish), ZR_STATUS_OK);
        dw_set_status(world, contractor, statuses[i]);
        wallet = dw_wallet(world, contractor);
        autotopup_request(&world->state, &command, contractor, &wallet);
        assert_int_equal(money_events(world, contractor, ZR_EVENT_TOPUP_REQUESTED), 0);
    }
}

/* ---- disputes -------------------------------------------------------------------------------- */

static uint8_t
dispute(struct domain_world *world, const struct ticket *ticket, uint8_t reason)
{
    const struct zr_dispute_open_request open = {.call_ref = ticket->call_ref,
                                                 .contractor = ticket->candidates[0].contractor,
                                                 .reason = reason};

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DISPUTE_OPEN, &open), ZR_STATUS_OK);
    return world->reply.dispute_reply.state;
}

static void
set_dup_days(struct domain_world *world, uint32_t days)
{
    struct zr_policy policy = dw_policy_default();

    policy.dup_days = days;
    dw_policy(world, &policy);
}

/* E60: with no window nothing is a duplicate, not even of the same instant; of an older charge
 * nothing is remembered; and a reason that nobody knows proves nothing. */
static void
test_e60_a_duplicate_needs_a_window_and_the_newest_charge(void **state)
{
    enum { UNKNOWN_REASON = 200 };
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 50000);
    struct ticket tickets[3];

    set_dup_days(world, 0);
    for (int i = 0; i < 3; i++) {
        tickets[i] = dw_ticket(world, &contractor, 1);
        assert_int_equal(dw_connect(world, &tickets[i], 0), ZR_STATUS_OK);
    }
    world->now_ms += 60 * DW_SECOND_MS;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dw_qualify(world, &tickets[i], 60000), ZR_STATUS_OK);
        assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
    }
    assert_int_equal(dispute(world, &tickets[2], ZR_DISPUTE_DUPLICATE), ZR_DISPUTE_STATE_OPEN);
    set_dup_days(world, 30);
    assert_int_equal(dispute(world, &tickets[1], ZR_DISPUTE_DUPLICATE), ZR_DISPUTE_STATE_OPEN);
    assert_int_equal(dispute(world, &tickets[0], UNKNOWN_REASON), ZR_DISPUTE_STATE_OPEN);
}

/* What nobody charged, and what nobody disputed, is not there to be resolved or read. */
static void
test_disputes_that_are_not_there(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    const struct ticket ticket = money_charge(world, contractor);
    struct zr_dispute_get_request get = {.call_ref = ticket.call_ref, .contractor = contractor};
    struct zr_dispute_resolve_request resolve = {.contractor = contractor};

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DISPUTE_GET, &get), ZR_STATUS_NOT_FOUND);
    get.call_ref = dw_id(world);
    resolve.call_ref = get.call_ref;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DISPUTE_GET, &get), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_DISPUTE_RESOLVE, &resolve), ZR_STATUS_NOT_FOUND);
    resolve.credit_cents = -1;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_DISPUTE_RESOLVE, &resolve),
                     ZR_STATUS_INVALID_FIELD);
}

/* E59: a policy that names no days means 30. */
static void
test_e59_no_days_are_30_days(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    struct zr_policy_put_request put = {.scope = ZR_SCOPE_NETWORK, .policy_count = 1};
    struct policy_row row;
    struct ticket tickets[2];

    put.policy[0] = dw_policy_default();
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_POLICY_PUT, &put), ZR_STATUS_OK);
    assert_true(state_policy_get(&world->state, (struct policy_key){ZR_SCOPE_NETWORK, 0, 0}, &row));
    row.dispute_days = 0;
    state_policy_put(&world->state, (struct policy_key){ZR_SCOPE_NETWORK, 0, 0}, &row);
    tickets[0] = money_charge(world, contractor);
    tickets[1] = money_charge(world, contractor);
    dw_advance(world, 30 * DW_DAY_MS);
    assert_int_equal(dispute(world, &tickets[0], ZR_DISPUTE_SPAM), ZR_DISPUTE_STATE_OPEN);
    dw_advance(world, DW_DAY_MS);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DISPUTE_OPEN,
                            &(struct zr_dispute_open_request){.call_ref = tickets[1].call_ref,
                                                              .contractor = contractor,
                                                              .reason = ZR_DISPUTE_SPAM}),
                     ZR_STATUS_DISPUTE_WINDOW);
}

/* ---- timers and keys ------------------------------------------------------------------------- */

/* A timer of a kind that this server does not know is dropped, and the next one still fires. */
static void
test_a_timer_that_nobody_knows_is_dropped(void **state)
{
    struct domain_world *world = *state;
    const uint64_t due_ms = world->now_ms + 1;

    timer_set(&world->state, due_ms, &(struct timer_row){.kind = 250});
    assert_true(state_timer_due_ms(&world->state) <= due_ms);
    world->now_ms = due_ms;
    dw_tick(world);
    assert_true(state_timer_due_ms(&world->state) > due_ms);
}

/* A sweep is about a leg that was connected; another one is a bug (E53). */
static void
test_e53_only_connected_legs_are_swept(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    const struct command command = command_now(world);
    struct timer_row timer = {
        .kind = TIMER_CALL, .contractor = contractor, .call_ref = dw_id(world)};
    struct effects effects = {0};
    struct call_view call;

    assert_false(call_timer(&world->state, &command, &timer, &effects)); /* No such call. */
    timer.call_ref = ticket.call_ref;
    call_begin(&call, &ticket);
    call_put(&world->state, &call);
    expect_assert_failure((void)call_timer(&world->state, &command, &timer, &effects));
    assert_non_null(call_leg_begin(&call.row, &ticket, &ticket.candidates[0]));
    call_put(&world->state, &call);
    expect_assert_failure((void)call_timer(&world->state, &command, &timer, &effects));
}

/* E63: the first key is the one that init made; under another name it would verify nothing. */
static void
test_e63_the_first_key_has_its_name(void **state)
{
    struct domain_world *world = *state;
    const struct ticket_key other = {.id = 2};
    struct ticket_keys keys;

    expect_assert_failure(keys_load(&keys, &world->state, &other, world->mac));
}

/* Conditions that stand against nobody, or without a deadline, are bugs. */
static void
test_conditions_that_are_bugs(void **state)
{
    struct domain_world *world = *state;
    const struct command command = command_now(world);
    const struct condition_clock clock = {.condition = CONDITION_DRY};
    const struct timer_row nobody = {.kind = TIMER_END_CLAIMS};
    const struct timer_row offer = {.kind = TIMER_OFFER, .contractor = 1};
    const struct dt_cascade cascade = dt_cascade(world, 2);

    expect_assert_failure(condition_arm_claim(&world->state, &command, 1, &clock));
    expect_assert_failure(condition_arm_claim(&world->state, &command, 0, &clock));
    expect_assert_failure(condition_arm_contractor(&world->state, &command, 0, &clock));
    expect_assert_failure((void)condition_work(&world->state, &command, &nobody));
    expect_assert_failure((void)condition_work(&world->state, &command, &offer));
    expect_assert_failure(
        condition_forfeit(&world->state, &command, cascade.claims[1], CONDITION_DRY));
    expect_assert_failure(condition_restart(&world->state, &command, cascade.claims[1]));
    expect_assert_failure(
        (void)condition_deadline_move(&world->state, &command, &offer, world->now_ms));
    expect_assert_failure((void)claim_end(&world->state, &command, cascade.claims[1], 0));
}

/* What ended cannot end or lapse again: a second end is a bug. */
static void
test_a_claim_ends_once(void **state)
{
    struct domain_world *world = *state;
    const struct command command = command_now(world);
    const struct dt_cascade cascade = dt_cascade(world, 2);
    struct claim_row claim;

    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    expect_assert_failure(
        (void)claim_end(&world->state, &command, cascade.claims[0], ZR_CLAIM_EXPIRED));
    expect_assert_failure(
        condition_forfeit(&world->state, &command, cascade.claims[0], CONDITION_DRY));
    claim = dt_claim_row(world, cascade.claims[0]);
    expect_assert_failure(claim_lapse(&world->state, &command, cascade.claims[0], &claim));
    assert_int_equal(dt_release(world, cascade.claims[1], ZR_RELEASE_PERIOD_END), ZR_STATUS_OK);
    claim = dt_claim_row(world, cascade.claims[1]);
    expect_assert_failure(claim_lapse(&world->state, &command, cascade.claims[1], &claim));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_e8_the_deadline_itself_is_too_late),
        DW_TEST(test_a_timer_of_an_older_deadline_ends_no_offer),
        DW_TEST(test_r64_the_chain_passes_over_closing_accounts),
        DW_TEST(test_i1_nobody_is_promoted_beside_a_primary),
        DW_TEST(test_a_payout_of_another_closing_pays_nothing),
        DW_TEST(test_a_payout_waits_for_every_dispute),
        DW_TEST(test_payouts_that_are_bugs),
        DW_TEST(test_r65_closed_accounts_ask_for_nothing),
        DW_TEST(test_r65_an_idle_wish_ends_with_the_account),
        DW_TEST(test_e60_a_duplicate_needs_a_window_and_the_newest_charge),
        DW_TEST(test_disputes_that_are_not_there),
        DW_TEST(test_e59_no_days_are_30_days),
        DW_TEST(test_a_timer_that_nobody_knows_is_dropped),
        DW_TEST(test_e53_only_connected_legs_are_swept),
        DW_TEST(test_e63_the_first_key_has_its_name),
        DW_TEST(test_conditions_that_are_bugs),
        DW_TEST(test_a_claim_ends_once),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
