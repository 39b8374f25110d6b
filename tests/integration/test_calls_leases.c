/*
 * test_calls_leases.c - whose phone rings, as the next caller's ROUTE sees it (M3, R35, R49, E27).
 *
 * A contractor with one truck is AT_CONCURRENCY while it has a lease and free when it has none. The
 * clock does not move: no lease runs out by itself here.
 */
#include "tests/integration/calls.h"

/* The next caller to that slot: whom does he get, and why not the primary? Hangs up at once. */
static void
assert_next_caller_gets(const struct pair *pair, uint32_t contractor, uint32_t primary_reasons)
{
    struct zr_route_reply none;
    const struct zr_route_reply other = world_call(&world, pair->slot, NULL);

    assert_int_equal(other.candidates[0].contractor, contractor);
    assert_int_equal(reasons_of(&other, pair->primary), primary_reasons);
    assert_int_equal(next(&other, ZR_OUTCOME_CALLER_CANCELLED, &none), ZR_STATUS_ABANDONED);
}

/* E27, M3: a CONNECT that was a bad request did nothing; the phone of a one-truck shop rings on. */
static void
test_e27_a_bad_connect_leaves_the_phone_ringing(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    const struct zr_route_reply routed = world_call(&world, pair.slot, NULL);
    struct zr_connect_request request = world_connect_request(&routed);
    struct zr_connect_reply reply;

    (void)state;
    request.answered_at_ms = routed.expires_ms; /* Minutes ahead. */
    assert_int_equal(zr_connect(world.carrier, &request, &reply), ZR_STATUS_INVALID_FIELD);
    assert_next_caller_gets(&pair, pair.backup, REASON_AT_CONCURRENCY);
    assert_int_equal(connect_ask(&routed, &reply), 0);
    assert_next_caller_gets(&pair, pair.backup, REASON_AT_CONCURRENCY);
}

/* R49, M3: the second of a list answered, so the first one's phone is silent and he is free. */
static void
test_r49_the_first_of_a_list_is_free_when_the_second_answers(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_route_reply routed;
    struct zr_connect_reply reply;

    (void)state;
    request.want = 2;
    assert_int_equal(world_route(&world, &request, &routed), 0);
    assert_int_equal(routed.candidates_count, 2);
    assert_next_caller_gets(&pair, pair.backup, REASON_AT_CONCURRENCY);
    routed.attempt = 1;
    assert_int_equal(connect_ask(&routed, &reply), 0);
    assert_int_equal(reply.contractor, pair.backup);
    assert_next_caller_gets(&pair, pair.primary, 0);
}

/* E32, E44, R35: END alone told of the leg. The caller is not put through to the same contractor
 * again, who is free for others at once; the cascade goes on by ROUTE_NEXT. */
static void
test_r35_a_leg_known_by_its_end_is_a_connected_one(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_end_request end = world_end_request(&request.call_id, TALK_SHORT_MS);
    struct zr_settlement_reply ended;
    struct zr_route_reply routed;
    struct zr_route_reply again;

    (void)state;
    assert_int_equal(world_route(&world, &request, &routed), 0);
    end.index = routed.attempt;
    end.caller_stays = true;
    end.ticket_length = routed.ticket_length;
    memcpy(end.ticket, routed.ticket, sizeof end.ticket);
    assert_int_equal(zr_end(world.carrier, &end, &ended), 0);
    assert_int_equal(ended.state, ZR_CALL_RINGING);
    assert_next_caller_gets(&pair, pair.primary, 0);
    assert_int_equal(world_route(&world, &request, &again), ZR_STATUS_CALL_CONNECTED);
    (void)next_rings(&routed, ZR_OUTCOME_FAILED, pair.backup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_e27_a_bad_connect_leaves_the_phone_ringing),
        CASE(test_r49_the_first_of_a_list_is_free_when_the_second_answers),
        CASE(test_r35_a_leg_known_by_its_end_is_a_connected_one),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
