/*
 * test_domain_qualify.c - QUALIFY: enough talk charges the leg, once (M4, R15, E45).
 */
#include "server/domain/call.h"
#include "tests/lib/domain_world.h"

/* Talk that qualifies, in ms; unsigned, since it is added to times. */
#define QUALIFY UINT32_C(30000)

/* Monotonic maximum: only more talk is news; the charge comes when it is enough, once. */
static void
test_qualify_charges_once(void **state)
{
    struct domain_world *world = *state;
    const struct zr_settlement_reply *reply = &world->reply.settlement_reply;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += 60 * DW_SECOND_MS;
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY - 1), ZR_STATUS_OK);
    assert_int_equal(reply->settlement, ZR_SETTLEMENT_OPEN);
    assert_int_equal(reply->state, ZR_CALL_CONNECTED);
    assert_int_equal(reply->talk_ms, QUALIFY - 1);
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY - 1), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(reply->settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(reply->amount_cents, DW_RATE);
    assert_int_equal(reply->state, ZR_CALL_QUALIFIED);
    assert_false(reply->flagged);
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY + 1000), ZR_STATUS_OK);
    assert_int_equal(reply->talk_ms, QUALIFY + 1000);
    assert_int_equal(dw_qualify(world, &ticket, 10), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(reply->talk_ms, QUALIFY + 1000);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 3000);
    assert_int_equal(dw_wallet(world, contractor).charged_cents, DW_RATE);
}

/* M4 "Talk time": more than the ticket's age plus 5 s is flagged, and cut by default. */
static void
test_qualify_beyond_the_ticket_is_cut(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    struct zr_policy policy = dw_policy_default();

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += 10 * DW_SECOND_MS;
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_OPEN);
    assert_int_equal(world->reply.settlement_reply.talk_ms, 15000);
    assert_true(world->reply.settlement_reply.flagged);
    policy.duration_check = ZR_DURATION_FLAG;
    dw_policy(world, &policy);
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
}

/* M4: "one above is flagged" also where what is left of it after the cut was known already. */
static void
test_qualify_that_is_cut_to_what_was_known_is_flagged(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(dw_qualify(world, &ticket, 5000), ZR_STATUS_OK);
    assert_false(world->reply.settlement_reply.flagged);
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.talk_ms, 5000);
    assert_true(world->reply.settlement_reply.flagged);
    assert_false(world->effects.duplicate);
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
}

/* Unknown, another tenant's, not connected yet or no more; after END the final state. */
static void
test_qualify_needs_a_connected_leg(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    const struct ticket gone = dw_ticket(world, &contractor, 1);
    const struct zr_qualify_request request = {.call_id = ticket.call_id, .talk_ms = 1};
    const struct dw_actor foreign = {ZR_ROLE_SWITCH, DW_SWITCH_TENANT + 1, 0};

    assert_int_equal(dw_qualify(world, &ticket, 1), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, foreign, ZR_OP_QUALIFY, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(
        dw_end(world, &ticket, NULL, (struct zr_end_request){.index = 0, .caller_stays = true}),
        ZR_STATUS_OK);
    assert_int_equal(dw_qualify(world, &ticket, 1), ZR_STATUS_NOT_CONNECTED);
    assert_int_equal(world->reply.settlement_reply.state, ZR_CALL_RINGING);
    assert_int_equal(dw_end(world, &gone, &gone, (struct zr_end_request){.index = 255}),
                     ZR_STATUS_OK);
    assert_int_equal(dw_qualify(world, &gone, 1), ZR_STATUS_NOT_CONNECTED);
}

static void
test_qualify_after_end_says_what_is_stored(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(dw_end(world, &ticket, NULL, (struct zr_end_request){.index = 0}),
                     ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 5000); /* I9 */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_qualify_charges_once),
        DW_TEST(test_qualify_beyond_the_ticket_is_cut),
        DW_TEST(test_qualify_that_is_cut_to_what_was_known_is_flagged),
        DW_TEST(test_qualify_needs_a_connected_leg),
        DW_TEST(test_qualify_after_end_says_what_is_stored),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
