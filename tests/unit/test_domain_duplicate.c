/*
 * test_domain_duplicate.c - a caller pays a contractor's lead once (M4, E49-E51, E61, E74, R6).
 */
#include "tests/lib/domain_world.h"

#include <string.h>

enum { QUALIFY = 30000 };

/* Route a call, talk long enough, end it. Returns the settlement. */
static uint8_t
talk(struct domain_world *world, struct ticket ticket)
{
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_end(world, &ticket, NULL, (struct zr_end_request){.talk_ms = QUALIFY}),
                     ZR_STATUS_OK);
    return world->reply.settlement_reply.settlement;
}

static struct ticket
ticket_of(struct domain_world *world, uint32_t contractor)
{
    return dw_ticket(world, &contractor, 1);
}

static void
set_scope(struct domain_world *world, uint8_t scope, uint32_t days)
{
    struct zr_policy policy = dw_policy_default();

    policy.dup_scope = scope;
    policy.dup_days = days;
    dw_policy(world, &policy);
}

/* E49: from the charge's commit to the CONNECT: 30 days are in, a millisecond more is out. */
static void
test_the_window(void **state)
{
    static const struct {
        uint64_t after_ms;
        uint8_t expected;
    } rows[] = {
        {0, ZR_SETTLEMENT_FREE_DUPLICATE},
        {29 * DW_DAY_MS, ZR_SETTLEMENT_FREE_DUPLICATE},
        {30 * DW_DAY_MS, ZR_SETTLEMENT_FREE_DUPLICATE},
        {30 * DW_DAY_MS + 1, ZR_SETTLEMENT_CHARGED},
        {30 * DW_DAY_MS + DW_SECOND_MS, ZR_SETTLEMENT_CHARGED},
    };
    struct domain_world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint32_t contractor = dw_contractor(world, 9000);

        assert_int_equal(talk(world, ticket_of(world, contractor)), ZR_SETTLEMENT_CHARGED);
        world->now_ms += rows[i].after_ms;
        assert_int_equal(talk(world, ticket_of(world, contractor)), rows[i].expected);
    }
}

/* A leg without a CONNECT counts from its END. */
static void
test_the_window_of_an_unconnected_leg(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    struct ticket ticket;

    assert_int_equal(talk(world, ticket_of(world, contractor)), ZR_SETTLEMENT_CHARGED);
    world->now_ms += 30 * DW_DAY_MS + 1;
    ticket = ticket_of(world, contractor);
    world->now_ms += QUALIFY;
    assert_int_equal(
        dw_end(world, &ticket, &ticket,
               (struct zr_end_request){.answered_at_ms = ticket.issued_ms, .talk_ms = QUALIFY}),
        ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
}

/* E49: another category is another lead; a call that was free is no charge to repeat. */
static void
test_what_is_no_duplicate(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 20000);
    struct ticket ticket = ticket_of(world, contractor);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(dw_end(world, &ticket, NULL, (struct zr_end_request){.talk_ms = 1}),
                     ZR_STATUS_OK);
    assert_int_equal(talk(world, ticket_of(world, contractor)), ZR_SETTLEMENT_CHARGED);
    ticket = ticket_of(world, contractor);
    ticket.category = DW_CATEGORY_2;
    assert_int_equal(talk(world, ticket), ZR_SETTLEMENT_CHARGED);
    ticket = ticket_of(world, contractor);
    ticket.caller_hash++;
    assert_int_equal(talk(world, ticket), ZR_SETTLEMENT_CHARGED);
    assert_int_equal(talk(world, ticket_of(world, contractor)), ZR_SETTLEMENT_FREE_DUPLICATE);
    set_scope(world, ZR_DUP_PER_CONTRACTOR, 0); /* Off. */
    assert_int_equal(talk(world, ticket_of(world, contractor)), ZR_SETTLEMENT_CHARGED);
}

/* E50: another contractor's lead: charged by contractor, free by network. */
static void
test_the_scope(void **state)
{
    struct domain_world *world = *state;
    const uint32_t first = dw_contractor(world, 9000);
    const uint32_t second = dw_contractor(world, 9000);
    const uint32_t third = dw_contractor(world, 9000);

    assert_int_equal(talk(world, ticket_of(world, first)), ZR_SETTLEMENT_CHARGED);
    assert_int_equal(talk(world, ticket_of(world, second)), ZR_SETTLEMENT_CHARGED);
    set_scope(world, ZR_DUP_PER_NETWORK, 30);
    assert_int_equal(talk(world, ticket_of(world, third)), ZR_SETTLEMENT_FREE_DUPLICATE);
}

/* E51: a withheld number is nobody's: every call is charged, also after a credit. */
static void
test_withheld_callers_have_no_duplicates(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    struct ticket ticket;

    for (int i = 0; i < 2; i++) {
        ticket = ticket_of(world, contractor);
        ticket.caller_hash = 0;
        assert_int_equal(talk(world, ticket), ZR_SETTLEMENT_CHARGED);
    }
    ticket = ticket_of(world, contractor);
    ticket.caller_hash = 0;
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(dw_end(world, &ticket, NULL, (struct zr_end_request){.voicemail = true}),
                     ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CREDITED);
}

/* E74: two live calls of one caller: the first settlement is charged, the second is not. */
static void
test_two_live_calls_of_one_caller(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    const struct ticket first = ticket_of(world, contractor);
    const struct ticket second = ticket_of(world, contractor);

    assert_int_equal(dw_connect(world, &first, 0), ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &second, 0), ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(world, &second, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(dw_qualify(world, &first, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_FREE_DUPLICATE);
    assert_int_equal(dw_wallet(world, contractor).held_cents, 0);
}

/* E61, E50: a charge that was credited counts for no other contractor of the network either. */
static void
test_a_credit_frees_the_network_too(void **state)
{
    struct domain_world *world = *state;
    const uint32_t first = dw_contractor(world, 9000);
    const uint32_t second = dw_contractor(world, 9000);
    const struct ticket credited = ticket_of(world, first);

    set_scope(world, ZR_DUP_PER_NETWORK, 30);
    assert_int_equal(dw_connect(world, &credited, 0), ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(world, &credited, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(dw_end(world, &credited, NULL, (struct zr_end_request){.voicemail = true}),
                     ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CREDITED);
    assert_int_equal(talk(world, ticket_of(world, second)), ZR_SETTLEMENT_CHARGED);
}

/* E61: a credit takes out its own charge, not a newer one of the same caller. */
static void
test_a_credit_forgets_its_own_charge_only(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 20000);
    const struct ticket credited = ticket_of(world, contractor);

    assert_int_equal(dw_connect(world, &credited, 0), ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(world, &credited, QUALIFY), ZR_STATUS_OK);
    set_scope(world, ZR_DUP_PER_CONTRACTOR, 0);
    assert_int_equal(talk(world, ticket_of(world, contractor)), ZR_SETTLEMENT_CHARGED);
    set_scope(world, ZR_DUP_PER_CONTRACTOR, 30);
    assert_int_equal(dw_end(world, &credited, NULL, (struct zr_end_request){.voicemail = true}),
                     ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CREDITED);
    assert_int_equal(talk(world, ticket_of(world, contractor)), ZR_SETTLEMENT_FREE_DUPLICATE);
}

/* R15: an unscreened call is free where the policy wants screening. */
static void
test_unscreened_calls_are_free_where_screening_is_required(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    struct zr_policy policy = dw_policy_default();
    struct ticket ticket = ticket_of(world, contractor);

    policy.screening_required = true;
    dw_policy(world, &policy);
    assert_int_equal(talk(world, ticket), ZR_SETTLEMENT_FREE_UNSCREENED);
    ticket = ticket_of(world, contractor);
    ticket.screened = 7;
    assert_int_equal(talk(world, ticket), ZR_SETTLEMENT_CHARGED);
}

/* A free category charges nothing, and still counts as the charge of this lead. */
static void
test_a_free_rate_is_charged_nothing(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct ticket ticket = ticket_of(world, contractor);

    ticket.candidates[0].rate_cents = 0;
    assert_int_equal(talk(world, ticket), ZR_SETTLEMENT_CHARGED);
    assert_int_equal(world->reply.settlement_reply.amount_cents, 0);
    assert_true(dw_wallet(world, contractor).last_transfer == 0);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_the_window),
        DW_TEST(test_the_window_of_an_unconnected_leg),
        DW_TEST(test_what_is_no_duplicate),
        DW_TEST(test_the_scope),
        DW_TEST(test_withheld_callers_have_no_duplicates),
        DW_TEST(test_two_live_calls_of_one_caller),
        DW_TEST(test_a_credit_frees_the_network_too),
        DW_TEST(test_a_credit_forgets_its_own_charge_only),
        DW_TEST(test_unscreened_calls_are_free_where_screening_is_required),
        DW_TEST(test_a_free_rate_is_charged_nothing),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
