/*
 * test_time_routing.c - who may be rung, over time: caps, spacing, one truck, rests, destinations
 * (M3, R13, R35, R36), through the real server. What the calendar says is in test_time_calendar.c,
 * filters are in test_time_filters.c.
 */
#include "tests/integration/routing.h"

enum {
    SURGE = 500,
    MODE_PHONE = 1,
    MODE_APP = 2,
    MODE_SMS = 4,
    REASON_MODE_UNSUPPORTED = 1 << 16,
};

/* ---- caps ------------------------------------------------------------------------------------ */

/* A surge of calls to that slot: how many are offered the primary. The others must not be, for
 * that reason. */
static int
surge(const struct pair *pair, uint32_t reason)
{
    static struct zr_route_reply replies[SURGE];
    static struct answer answers[SURGE];
    int offered = 0;

    for (int i = 0; i < SURGE; i++) {
        const struct zr_route_request request = world_route_request(&world, pair->slot);

        answers[i] = (struct answer){.reply = &replies[i]};
        submit(world.carrier, ZR_OP_ROUTE, &request, &answers[i]);
    }
    drive_one(world.carrier);
    for (int i = 0; i < SURGE; i++) {
        assert_int_equal(answers[i].result, 0);
        if (replies[i].candidates[0].contractor == pair->primary) {
            offered++;
        } else {
            assert_int_equal(reasons_of(&replies[i], pair->primary), reason);
        }
    }
    return offered;
}

/* E26: leases count against caps, against concurrency and against funds. */
static void
test_e26_a_surge_takes_the_last_of_anything_once(void **state)
{
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    caps_put(pair.primary, ZR_CAP_WINDOW_DAY, ZR_CAP_MEASURE_CONNECTS, 1, 0);
    assert_int_equal(surge(&pair, REASON_CAP_REACHED), 1);
    pair_make(&pair, 1);
    assert_int_equal(surge(&pair, REASON_AT_CONCURRENCY), 1);
    pair_make_with(&pair, 1000, 2 * WORLD_RATE - 1);
    assert_int_equal(surge(&pair, REASON_NO_FUNDS), 1);
}

/* E26: what a restart forgets can overshoot a cap, by the calls that were ringing; what was used
 * says so, and nobody more is offered him. */
static void
test_e26_a_restart_overshoots_by_the_calls_that_ring(void **state)
{
    struct zr_profile_get_request get = {0};
    struct zr_caps_get_reply caps;
    struct zr_route_reply ringing;
    struct zr_route_reply routed;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    get.contractor = pair.primary;
    caps_put(pair.primary, ZR_CAP_WINDOW_TOTAL, ZR_CAP_MEASURE_CONNECTS, 1, 0);
    ringing = world_call(&world, pair.slot, NULL);
    assert_skips_primary(&pair, REASON_CAP_REACHED);
    server_kill(&world.server);
    server_restart(&world.server);
    world_reconnect(&world);
    routed = world_call(&world, pair.slot, NULL); /* The lease is lost. */
    assert_int_equal(routed.candidates[0].contractor, pair.primary);
    (void)world_connect(&world, &ringing);
    (void)world_connect(&world, &routed);
    assert_int_equal(zr_caps_get(world.portal, &get, &caps), 0);
    assert_int_equal(caps.caps[0].limit, 1);
    assert_int_equal(caps.caps[0].used, 2);
    assert_skips_primary(&pair, REASON_CAP_REACHED);
}

/* R55: the limit on calls at once is the contractor's, over all of his ZIPs. */
static void
test_r55_one_truck_serves_one_zip_at_a_time(void **state)
{
    struct world_slot elsewhere;
    struct zr_route_request request;
    struct zr_route_reply routed;
    struct zr_route_reply reply;
    struct zr_id call_id;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1);
    elsewhere = (struct world_slot){WORLD_BOSTON, world_category(&world, WORLD_RATE)};
    (void)world_claim(&world, pair.primary, elsewhere);
    routed = world_call(&world, pair.slot, &call_id);
    request = world_route_request(&world, elsewhere);
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NO_COVERAGE);
    assert_int_equal(reasons_of(&reply, pair.primary), REASON_AT_CONCURRENCY);
    (void)world_connect(&world, &routed);
    request = world_route_request(&world, elsewhere);
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NO_COVERAGE);
    assert_int_equal(reasons_of(&reply, pair.primary), REASON_AT_CONCURRENCY);
    (void)world_end(&world, &call_id, 1000);
    (void)world_call(&world, elsewhere, NULL);
}

/* M3: a hold that ends free is taken out of the cap again. */
static void
test_r13_a_free_call_gives_its_cap_back(void **state)
{
    struct zr_route_reply routed;
    struct zr_id call_id;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    caps_put(pair.primary, ZR_CAP_WINDOW_TOTAL, ZR_CAP_MEASURE_SPEND, WORLD_RATE, 0);
    routed = world_call(&world, pair.slot, &call_id);
    (void)world_connect(&world, &routed);
    assert_skips_primary(&pair, REASON_CAP_REACHED);
    assert_int_equal(world_end(&world, &call_id, 5000).settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_rings_primary(&pair);
}

/* M3 SPACING and caps on CALLS: rings count when they begin, answered or not. */
static void
test_rings_are_spaced_and_capped(void **state)
{
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    caps_put(pair.primary, ZR_CAP_WINDOW_TOTAL, ZR_CAP_MEASURE_CALLS, 2, 60);
    assert_rings_primary(&pair);
    assert_skips_primary(&pair, REASON_SPACING);
    (void)world_advance(&world, 59999);
    assert_skips_primary(&pair, REASON_SPACING);
    (void)world_advance(&world, 1);
    assert_rings_primary(&pair);
    (void)world_advance(&world, WORLD_HOUR_MS);
    assert_skips_primary(&pair, REASON_CAP_REACHED);
}

/* ---- behaviour ------------------------------------------------------------------------------- */

static void
cooldown_put(const struct pair *pair, uint8_t misses, uint32_t seconds)
{
    struct zr_policy_put_request request = {.scope = ZR_SCOPE_SLOT,
                                            .zip = pair->slot.zip,
                                            .category = pair->slot.category,
                                            .policy_count = 1,
                                            .cooldown_misses = misses,
                                            .cooldown_s = seconds};
    struct zr_policy_put_reply reply;

    request.policy[0] = world_policy(&world, pair->slot);
    assert_int_equal(zr_policy_put(world.admin, &request, &reply), 0);
}

/* A call that the primary does not take. */
static void
miss(const struct pair *pair, uint8_t outcome)
{
    const struct zr_route_reply routed = world_call(&world, pair->slot, NULL);
    const struct zr_route_next_request next = world_next_request(&routed, outcome);
    struct zr_route_reply reply;

    assert_int_equal(routed.candidates[0].contractor, pair->primary);
    assert_int_equal(zr_route_next(world.carrier, &next, &reply), 0);
    assert_int_equal(reply.candidates[0].contractor, pair->backup);
}

/* What the committer was told by the worker is in force once a later command is done. */
static void
settle(void)
{
    (void)world_advance(&world, 1);
}

/* R36: the policy rests who misses, and never takes the title. */
static void
test_r36_misses_cool_down(void **state)
{
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    cooldown_put(&pair, 2, 600);
    miss(&pair, ZR_OUTCOME_NO_ANSWER);
    settle();
    miss(&pair, ZR_OUTCOME_DECLINED);
    settle();
    assert_skips_primary(&pair, REASON_COOLDOWN);
    (void)world_advance(&world, 599 * 1000);
    assert_skips_primary(&pair, REASON_COOLDOWN);
    (void)world_advance(&world, 1000);
    assert_rings_primary(&pair);
}

/* M3 DEST_DOWN: three failures in a row; R50: the next own destination is taken instead. */
static void
test_r50_destinations_that_are_down(void **state)
{
    struct zr_dest_put_request dest = {
        .modes = MODE_PHONE, .phones_count = 2, .phones = {{12815550101}, {12815550102}}};
    const struct zr_contractor_get_request get = {0};
    struct zr_contractor_get_request asked = get;
    struct zr_contractor_get_reply contractor;
    struct zr_put_reply put;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    asked.contractor = pair.primary;
    assert_int_equal(zr_contractor_get(world.portal, &asked, &contractor), 0);
    dest.contractor = pair.primary;
    dest.expected_version = contractor.version;
    dest.phones_down = 1;
    assert_int_equal(zr_dest_put(world.portal, &dest, &put), 0);
    assert_int_equal(world_call(&world, pair.slot, NULL).candidates[0].phone, 12815550102);
    dest.op_id = (struct zr_id){{0}};
    dest.expected_version = put.version;
    dest.phones_down = 3;
    assert_int_equal(zr_dest_put(world.portal, &dest, &put), 0);
    assert_skips_primary(&pair, REASON_DEST_DOWN);
    dest.op_id = (struct zr_id){{0}};
    dest.expected_version = put.version;
    dest.phones_down = 0;
    assert_int_equal(zr_dest_put(world.portal, &dest, &put), 0);
    for (int i = 0; i < 3; i++) {
        miss(&pair, ZR_OUTCOME_FAILED);
        settle();
    }
    assert_skips_primary(&pair, REASON_DEST_DOWN);
    (void)world_advance(&world, 5 * 60 * 1000);
    assert_rings_primary(&pair);
}

static void
modes_put(uint32_t contractor, uint8_t modes)
{
    struct zr_dest_put_request dest = {
        .contractor = contractor, .modes = modes, .phones_count = 1, .phones = {{12815550101}}};
    const struct zr_contractor_get_request get = {.contractor = contractor};
    struct zr_contractor_get_reply reply;
    struct zr_put_reply put;

    assert_int_equal(zr_contractor_get(world.portal, &get, &reply), 0);
    dest.expected_version = reply.version;
    assert_int_equal(zr_dest_put(world.portal, &dest, &put), 0);
}

static void
test_e41_sms_alone_takes_no_live_call(void **state)
{
    struct zr_route_reply routed;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    modes_put(pair.primary, MODE_SMS);
    assert_skips_primary(&pair, REASON_MODE_UNSUPPORTED);
    modes_put(pair.primary, MODE_APP | MODE_SMS); /* R19: the app takes it. */
    routed = world_call(&world, pair.slot, NULL);
    assert_int_equal(routed.candidates[0].contractor, pair.primary);
    assert_int_equal(routed.candidates[0].mode, 1);
    modes_put(pair.primary, MODE_PHONE | MODE_APP);
    (void)world_advance(&world, 60000);
    routed = world_call(&world, pair.slot, NULL);
    assert_int_equal(routed.candidates[0].mode, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e26_a_surge_takes_the_last_of_anything_once),
        cmocka_unit_test(test_e26_a_restart_overshoots_by_the_calls_that_ring),
        cmocka_unit_test(test_r55_one_truck_serves_one_zip_at_a_time),
        cmocka_unit_test(test_r13_a_free_call_gives_its_cap_back),
        cmocka_unit_test(test_rings_are_spaced_and_capped),
        cmocka_unit_test(test_r36_misses_cool_down),
        cmocka_unit_test(test_r50_destinations_that_are_down),
        cmocka_unit_test(test_e41_sms_alone_takes_no_live_call),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
