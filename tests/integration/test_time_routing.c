/*
 * test_time_routing.c - who may be rung, over time: hours, vacations, caps, spacing, rests,
 * destinations (M3, R13, R34-R36), through the real server. Filters are in test_time_filters.c.
 */
#include "server/domain/localtime.h"
#include "tests/integration/routing.h"

enum {
    SURGE = 500,
    MODE_PHONE = 1,
    MODE_APP = 2,
    MODE_SMS = 4,
    REASON_MODE_UNSUPPORTED = 1 << 16,
};

/* ---- schedules ------------------------------------------------------------------------------- */

static void
hours_set(struct zr_schedule_put_request *schedule, int day, int from_quarter, int to_quarter)
{
    for (int quarter = day * 96 + from_quarter; quarter < day * 96 + to_quarter; quarter++) {
        schedule->hours[quarter / 8] |= (uint8_t)(1 << quarter % 8);
    }
}

static void
schedule_put(struct zr_schedule_put_request *schedule)
{
    struct zr_put_reply reply;

    memset(&reply, 0, sizeof reply);
    schedule->op_id = (struct zr_id){{0}};
    assert_int_equal(zr_schedule_put(world.portal, schedule, &reply), 0);
    schedule->expected_version = reply.version;
}

/* 17:00 Chicago of a day at least two days from now. */
static uint64_t
five_o_clock(uint8_t zone)
{
    struct local_time local;

    localtime_at(&local, zone, now_ms());
    return localtime_day_start_ms(zone, local.day + 2) + 17 * WORLD_HOUR_MS;
}

static void
test_e24_hours_end_at_the_quarter(void **state)
{
    const uint8_t zone = localtime_zone_find("America/Chicago");
    struct zr_schedule_put_request schedule = {.timezone = "America/Chicago", .hours_length = 84};
    struct local_time local;
    struct pair pair;
    uint64_t close_ms;

    (void)state;
    pair_make(&pair, 1000);
    for (int day = 0; day < 7; day++) {
        hours_set(&schedule, day, 32, 68);
    }
    schedule.contractor = pair.primary;
    schedule_put(&schedule);
    close_ms = five_o_clock(zone);
    localtime_at(&local, zone, close_ms);
    if (local.ms_of_day != 17 * WORLD_HOUR_MS) {
        close_ms += WORLD_DAY_MS; /* The clock changed that day. */
    }
    move_to(close_ms - 1);
    assert_rings_primary(&pair);
    (void)world_advance(&world, 1);
    assert_skips_primary(&pair, REASON_OUT_OF_HOURS);
    (void)world_advance(&world, 15 * WORLD_HOUR_MS - 1); /* 07:59:59.999 */
    assert_skips_primary(&pair, REASON_OUT_OF_HOURS);
    (void)world_advance(&world, 1);
    assert_rings_primary(&pair);
}

/* R34, R55: "unavailable until", effective for the next decision, over at its very millisecond. */
static void
test_r34_unavailable_until(void **state)
{
    struct zr_schedule_put_request schedule = {0};
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    assert_rings_primary(&pair);
    schedule.contractor = pair.primary;
    schedule.unavailable_until_ms = now_ms() + 10000;
    schedule_put(&schedule);
    assert_skips_primary(&pair, REASON_VACATION);
    (void)world_advance(&world, 9999);
    assert_skips_primary(&pair, REASON_VACATION);
    (void)world_advance(&world, 1);
    assert_rings_primary(&pair);
}

/* R55: a vacation is whole local days. */
static void
test_r55_a_vacation_of_local_days(void **state)
{
    const uint8_t zone = localtime_zone_find("America/Chicago");
    struct zr_schedule_put_request schedule = {.timezone = "America/Chicago"};
    struct local_time local;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    localtime_at(&local, zone, now_ms());
    schedule.contractor = pair.primary;
    schedule.vacations_count = 1;
    schedule.vacations[0] =
        (struct zr_schedule_vacation){(uint32_t)local.day + 2, (uint32_t)local.day + 3};
    schedule_put(&schedule);
    move_to(localtime_day_start_ms(zone, local.day + 2) - 1);
    assert_rings_primary(&pair);
    (void)world_advance(&world, 1);
    assert_skips_primary(&pair, REASON_VACATION);
    move_to(localtime_day_start_ms(zone, local.day + 4) - 1);
    assert_skips_primary(&pair, REASON_VACATION);
    (void)world_advance(&world, 1);
    assert_rings_primary(&pair);
}

/* ---- caps ------------------------------------------------------------------------------------ */

static void
caps_put(uint32_t contractor, uint8_t window, uint8_t measure, uint64_t limit, uint32_t spacing_s)
{
    struct zr_caps_put_request request = {.contractor = contractor, .spacing_s = spacing_s};
    struct zr_put_reply reply;

    if (window != 0) {
        request.caps_count = 1;
        request.caps[0] = (struct zr_cap){.limit = limit, .window = window, .measure = measure};
    }
    assert_int_equal(zr_caps_put(world.portal, &request, &reply), 0);
}

static void
test_e26_a_surge_takes_the_last_of_a_cap_once(void **state)
{
    static struct zr_route_reply replies[SURGE];
    static struct answer answers[SURGE];
    struct zr_route_request request;
    struct pair pair;
    int offered = 0;
    int capped = 0;

    (void)state;
    pair_make(&pair, 1000);
    caps_put(pair.primary, ZR_CAP_WINDOW_DAY, ZR_CAP_MEASURE_CONNECTS, 1, 0);
    for (int i = 0; i < SURGE; i++) {
        request = world_route_request(&world, pair.slot);
        answers[i] = (struct answer){.reply = &replies[i]};
        submit(world.carrier, ZR_OP_ROUTE, &request, &answers[i]);
    }
    drive_one(world.carrier);
    for (int i = 0; i < SURGE; i++) {
        assert_int_equal(answers[i].result, 0);
        offered += replies[i].candidates[0].contractor == pair.primary;
        capped += reasons_of(&replies[i], pair.primary) == REASON_CAP_REACHED;
    }
    assert_int_equal(offered, 1);
    assert_int_equal(capped, SURGE - 1);
}

/* R13: a cap per local day opens again at local midnight, and not before. */
static void
test_r13_a_daily_cap_opens_at_local_midnight(void **state)
{
    struct zr_profile_get_request get = {0};
    struct zr_schedule_get_reply schedule;
    struct local_time local;
    struct zr_route_reply routed;
    struct zr_id call_id;
    struct pair pair;
    uint8_t zone;

    (void)state;
    pair_make(&pair, 1000);
    caps_put(pair.primary, ZR_CAP_WINDOW_DAY, ZR_CAP_MEASURE_SPEND, WORLD_RATE, 0);
    get.contractor = pair.primary;
    memset(&schedule, 0, sizeof schedule);
    assert_int_equal(zr_schedule_get(world.portal, &get, &schedule), 0);
    zone = localtime_zone_find(schedule.timezone);
    assert_int_not_equal(zone, 0);
    localtime_at(&local, zone, now_ms());
    move_to(localtime_day_start_ms(zone, local.day + 1) + WORLD_HOUR_MS);
    routed = world_call(&world, pair.slot, &call_id);
    assert_int_equal(routed.candidates[0].contractor, pair.primary);
    (void)world_connect(&world, &routed);
    assert_skips_primary(&pair, REASON_CAP_REACHED); /* The hold counts. */
    assert_int_equal(world_end(&world, &call_id, 60000).settlement, ZR_SETTLEMENT_CHARGED);
    assert_skips_primary(&pair, REASON_CAP_REACHED);
    move_to(localtime_day_start_ms(zone, local.day + 2) - 1);
    assert_skips_primary(&pair, REASON_CAP_REACHED);
    (void)world_advance(&world, 1);
    assert_rings_primary(&pair);
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
        cmocka_unit_test(test_e24_hours_end_at_the_quarter),
        cmocka_unit_test(test_r34_unavailable_until),
        cmocka_unit_test(test_r55_a_vacation_of_local_days),
        cmocka_unit_test(test_e26_a_surge_takes_the_last_of_a_cap_once),
        cmocka_unit_test(test_r13_a_daily_cap_opens_at_local_midnight),
        cmocka_unit_test(test_r13_a_free_call_gives_its_cap_back),
        cmocka_unit_test(test_rings_are_spaced_and_capped),
        cmocka_unit_test(test_r36_misses_cool_down),
        cmocka_unit_test(test_r50_destinations_that_are_down),
        cmocka_unit_test(test_e41_sms_alone_takes_no_live_call),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
