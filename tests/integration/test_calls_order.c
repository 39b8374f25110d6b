/*
 * test_calls_order.c - a request of the call path that breaks two rules gets the upper row of
 * outcomes.def, and a repeat its own answer before any of them.
 *
 * That order is contract (PROTOCOL.md "Statuses"). The clock moves by CLOCK_ADVANCE only.
 */
#include "tests/integration/calls.h"

static void
suppress(uint64_t caller)
{
    const struct zr_suppress_put_request request = {.caller = caller, .blocked = true};
    struct zr_put_reply reply;

    assert_int_equal(zr_suppress_put(world.admin, &request, &reply), 0);
}

/* ---- ROUTE: places, BLOCKED, the call, coverage -----------------------------------------------
 */

/* E40: whom the network refuses is BLOCKED, whatever became of his call; nobody covers him either.
 */
static void
test_blocked_stands_behind_the_places_and_before_the_rest(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    const struct world_slot nobody = world_slot(&world);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_route_reply reply;

    (void)state;
    assert_int_equal(world_route(&world, &request, &reply), 0);
    (void)world_connect(&world, &reply);
    suppress(request.caller);
    /* The call talks: still it is his caller whom the network refuses, and nothing is ended. */
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_BLOCKED);
    assert_int_equal(world_end(&world, &request.call_id, MINUTE_MS).amount_cents, WORLD_RATE);

    request.call_id = world_id(&world);
    request.category = nobody.category;
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_BLOCKED);
    request.category = pair.slot.category;
    request.zips[1] = WORLD_BOSTON;
    request.zips_count = 2;
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NEED_ADDRESS);
    request.zips[1] = WORLD_UNKNOWN;
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_UNKNOWN_ZIP);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_blocked_stands_behind_the_places_and_before_the_rest),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
