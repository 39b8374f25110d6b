/*
 * test_time_calls.c - calls over time: the cascade's budget, DECLINE, prices that change while a
 * ticket is out, lists that outlive what they were made from (M4, M6), through the real server.
 */
#include "tests/integration/routing.h"

static void
schedule_put(const struct zr_schedule_put_request *schedule)
{
    struct zr_put_reply reply;

    assert_int_equal(zr_schedule_put(world.portal, schedule, &reply), 0);
}

/* E37: the cascade has a budget; when it is over, nobody new is rung. */
static void
test_e37_the_budget_of_a_cascade(void **state)
{
    struct zr_route_next_request next;
    struct zr_route_reply routed;
    struct zr_route_reply reply;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    routed = world_call(&world, pair.slot, NULL);
    next = world_next_request(&routed, ZR_OUTCOME_NO_ANSWER);
    next.explain = true;
    (void)world_advance(&world, 150 * 1000);
    memset(&reply, 0, sizeof reply);
    assert_int_equal(zr_route_next(world.carrier, &next, &reply), ZR_STATUS_EXHAUSTED);
    assert_int_equal(reply.skipped_count, 1); /* The attempts that there were. */
    assert_int_equal(reasons_of(&reply, pair.primary), REASON_ALREADY_TRIED);
    routed = world_call(&world, pair.slot, NULL);
    next = world_next_request(&routed, ZR_OUTCOME_NO_ANSWER);
    (void)world_advance(&world, 150 * 1000 - 1);
    assert_int_equal(zr_route_next(world.carrier, &next, &reply), 0);
}

/* R35: the contractor declines while its phone rings; the switch goes on, nobody pays. */
static void
test_r35_a_contractor_declines(void **state)
{
    struct zr_decline_request decline = {0};
    struct zr_decline_reply declined;
    struct zr_route_next_request next;
    struct zr_route_reply routed;
    struct zr_route_reply reply;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    routed = world_call(&world, pair.slot, NULL);
    decline.call_ref = routed.call_ref;
    decline.contractor = pair.backup;
    assert_int_equal(zr_decline(world.portal, &decline, &declined), ZR_STATUS_NOT_RINGING);
    decline.contractor = pair.primary;
    assert_int_equal(zr_decline(world.portal, &decline, &declined), 0);
    assert_memory_equal(&declined.call_ref, &routed.call_ref, sizeof routed.call_ref);
    assert_int_equal(zr_decline(world.portal, &decline, &declined), 0); /* Set-state: safe. */
    next = world_next_request(&routed, ZR_OUTCOME_DECLINED);
    assert_int_equal(zr_route_next(world.carrier, &next, &reply), 0);
    assert_int_equal(reply.candidates[0].contractor, pair.backup);
    /* It had declined: that stays true. The one that rings now may decline in its turn. */
    assert_int_equal(zr_decline(world.portal, &decline, &declined), 0);
    decline.contractor = pair.backup;
    assert_int_equal(zr_decline(world.portal, &decline, &declined), 0);
    assert_int_equal(world_wallet(&world, pair.primary).charged_cents, 0);
}

/* E17: a new price counts for new decisions; the ticket that is out keeps its rate. */
static void
test_e17_prices_change_for_new_decisions(void **state)
{
    struct zr_category_list_request list = {0};
    struct zr_category_list_reply categories;
    struct zr_category_put_request put = {.rate_cents = 3000, .offered = true};
    struct zr_category_put_reply reply;
    struct zr_route_reply before;
    struct zr_connect_reply connected;
    struct zr_id call_id;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    list.after = (uint16_t)(pair.slot.category - 1);
    assert_int_equal(zr_category_list(world.admin, &list, &categories), 0);
    before = world_call(&world, pair.slot, &call_id);
    put.category = pair.slot.category;
    put.expected_version = categories.categories[0].version;
    put.zips_action = ZR_ZIPS_EVERYWHERE;
    memcpy(put.name, categories.categories[0].name, sizeof put.name);
    assert_int_equal(zr_category_put(world.admin, &put, &reply), 0);
    assert_int_equal(world_call(&world, pair.slot, NULL).candidates[0].rate_cents, 3000);
    connected = world_connect(&world, &before);
    assert_int_equal(connected.hold_cents, WORLD_RATE);
    assert_int_equal(world_end(&world, &call_id, 60000).amount_cents, WORLD_RATE); /* I8 */
    assert_int_equal(slot_get(pair.slot).claims[0].claim_id, pair.primary_claim);
}

/* E66a: in list mode the second is rung without ROUTE_NEXT, although he paused meanwhile. */
static void
test_e66a_a_list_is_good_while_it_lives(void **state)
{
    struct zr_route_request request;
    struct zr_connect_request connect;
    struct zr_connect_reply connected;
    struct zr_schedule_put_request schedule = {0};
    uint64_t stale;
    struct zr_route_reply routed;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    stale = stats_now().steps_stale;
    request = world_route_request(&world, pair.slot);
    request.want = 4;
    assert_int_equal(world_route(&world, &request, &routed), 0);
    assert_int_equal(routed.candidates_count, 2);
    schedule.contractor = pair.backup;
    schedule.unavailable_until_ms = world_advance(&world, 0) + WORLD_DAY_MS;
    schedule_put(&schedule);
    connect = world_connect_request(&routed);
    connect.index = 1;
    assert_int_equal(zr_connect(world.carrier, &connect, &connected), 0);
    assert_int_equal(connected.contractor, pair.backup);
    assert_int_equal(stats_now().steps_stale, stale + 1);
    /* Who may still be rung is no stale step. */
    schedule.op_id = (struct zr_id){{0}};
    schedule.unavailable_until_ms = 0;
    schedule.expected_version = 1;
    schedule_put(&schedule);
    request = world_route_request(&world, pair.slot);
    request.want = 4;
    assert_int_equal(world_route(&world, &request, &routed), 0);
    connect = world_connect_request(&routed);
    connect.index = 1;
    assert_int_equal(zr_connect(world.carrier, &connect, &connected), 0);
    assert_int_equal(stats_now().steps_stale, stale + 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e37_the_budget_of_a_cascade),
        cmocka_unit_test(test_r35_a_contractor_declines),
        cmocka_unit_test(test_e17_prices_change_for_new_decisions),
        cmocka_unit_test(test_e66a_a_list_is_good_while_it_lives),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
