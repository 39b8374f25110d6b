/*
 * test_time_calendar.c - what calendar and clock on the wall say (M3): hours, dated exceptions,
 * vacations, caps by day and by month, and the two nights of a year on which the clock changes
 * (R13, R34, R55, E24, E25), through the real server.
 */
#include "server/domain/localtime.h"
#include "tests/integration/routing.h"

#include <time.h>

#define MINUTES(count) ((uint64_t)(count)*60 * 1000)

/* ---- hours, exceptions, vacations
 * ------------------------------------------------------------------------------- */

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

/* 17:00 Chicago of a day at least two days from now; neither it nor the next changes the clock. */
static uint64_t
five_o_clock(uint8_t zone)
{
    struct local_time local;
    int32_t day;

    localtime_at(&local, zone, now_ms());
    for (day = local.day + 2;
         localtime_day_start_ms(zone, day + 2) - localtime_day_start_ms(zone, day) !=
         2 * WORLD_DAY_MS;
         day++) {
    }
    return localtime_day_start_ms(zone, day) + 17 * WORLD_HOUR_MS;
}

static void
test_e24_hours_end_at_the_quarter(void **state)
{
    const uint8_t zone = localtime_zone_find("America/Chicago");
    struct zr_schedule_put_request schedule = {.timezone = "America/Chicago", .hours_length = 84};
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

/* R34: an exception replaces the hours of its own local date, and of no other. */
static void
test_r34_a_dated_exception_replaces_the_hours_of_its_day(void **state)
{
    const uint8_t zone = localtime_zone_find("America/Chicago");
    struct zr_schedule_put_request schedule = {.timezone = "America/Chicago", .hours_length = 84};
    struct local_time local;
    struct pair pair;
    uint64_t noon_ms;

    (void)state;
    pair_make(&pair, 1000);
    noon_ms = five_o_clock(zone) - 5 * WORLD_HOUR_MS;
    localtime_at(&local, zone, noon_ms);
    for (int day = 0; day < 7; day++) {
        hours_set(&schedule, day, 32, 68);
    }
    schedule.contractor = pair.primary;
    schedule.exceptions_count = 2;
    schedule.exceptions[0] = (struct zr_schedule_exception){(uint32_t)local.day, 0, 0};
    schedule.exceptions[1] = (struct zr_schedule_exception){(uint32_t)local.day + 1, 72, 76};
    schedule_put(&schedule);
    move_to(noon_ms - WORLD_DAY_MS);
    assert_rings_primary(&pair);
    move_to(noon_ms); /* Closed all day. */
    assert_skips_primary(&pair, REASON_OUT_OF_HOURS);
    move_to(noon_ms + WORLD_DAY_MS); /* 18:00 to 19:00 instead of 08:00 to 17:00. */
    assert_skips_primary(&pair, REASON_OUT_OF_HOURS);
    (void)world_advance(&world, 6 * WORLD_HOUR_MS - 1);
    assert_skips_primary(&pair, REASON_OUT_OF_HOURS);
    (void)world_advance(&world, 1);
    assert_rings_primary(&pair);
    (void)world_advance(&world, WORLD_HOUR_MS);
    assert_skips_primary(&pair, REASON_OUT_OF_HOURS);
    (void)world_advance(&world, 17 * WORLD_HOUR_MS); /* The day after is as every day. */
    assert_rings_primary(&pair);
}

/* ---- caps by the calendar -------------------------------------------------------------------- */

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

/* R13: a cap per month stands over its local midnights, and opens with the local month. */
static void
test_r13_a_monthly_cap_opens_with_the_local_month(void **state)
{
    const uint8_t zone = localtime_zone_find("America/Chicago");
    struct local_time local;
    struct zr_route_reply routed;
    struct zr_id call_id;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    caps_put(pair.primary, ZR_CAP_WINDOW_MONTH, ZR_CAP_MEASURE_SPEND, WORLD_RATE, 0);
    localtime_at(&local, zone, now_ms());
    move_to(localtime_month_start_ms(zone, local.month + 1) + 3 * WORLD_DAY_MS);
    routed = world_call(&world, pair.slot, &call_id);
    assert_int_equal(routed.candidates[0].contractor, pair.primary);
    (void)world_connect(&world, &routed);
    assert_int_equal(world_end(&world, &call_id, 60000).settlement, ZR_SETTLEMENT_CHARGED);
    (void)world_advance(&world, 2 * WORLD_DAY_MS);
    assert_skips_primary(&pair, REASON_CAP_REACHED);
    move_to(localtime_month_start_ms(zone, local.month + 2) - 1);
    assert_skips_primary(&pair, REASON_CAP_REACHED);
    (void)world_advance(&world, 1);
    assert_rings_primary(&pair);
}

/* ---- E25: the nights on which the clock changes ------------------------------------------------
 */

/*
 * When the clock of Chicago changes next, by the law and not by the server's table: at 02:00 of the
 * nth Sunday of that month, which is 08:00 UTC in March and 07:00 UTC in November. Either time
 * that is two hours after the local midnight.
 */
static uint64_t
next_change_ms(int month, int nth_sunday, int utc_hour)
{
    const time_t now_s = (time_t)(now_ms() / 1000) + 2 * 86400;
    struct tm now;
    time_t change_s = 0;

    assert_non_null(gmtime_r(&now_s, &now));
    for (int year = now.tm_year; change_s < now_s; year++) {
        struct tm first = {.tm_year = year, .tm_mon = month, .tm_mday = 1, .tm_hour = utc_hour};

        change_s = timegm(&first); /* Fills tm_wday. */
        change_s += ((7 - first.tm_wday) % 7 + 7 * (nth_sunday - 1)) * (time_t)86400;
    }
    return (uint64_t)change_s * 1000;
}

static uint64_t
spring_ms(void)
{
    return next_change_ms(2, 2, 8);
}

static uint64_t
autumn_ms(void)
{
    return next_change_ms(10, 1, 7);
}

/* A primary who is open in these quarters of each day, in Chicago. */
static void
pair_make_open(struct pair *pair, int from_quarter, int to_quarter)
{
    struct zr_schedule_put_request schedule = {.timezone = "America/Chicago", .hours_length = 84};

    pair_make(pair, 1000);
    for (int day = 0; day < 7; day++) {
        hours_set(&schedule, day, from_quarter, to_quarter);
    }
    schedule.contractor = pair->primary;
    schedule_put(&schedule);
}

/* Closed until that instant, open from it on for so long. */
static void
assert_open_for(const struct pair *pair, uint64_t from_ms, uint64_t open_ms)
{
    move_to(from_ms - 1);
    assert_skips_primary(pair, REASON_OUT_OF_HOURS);
    (void)world_advance(&world, 1);
    assert_rings_primary(pair);
    (void)world_advance(&world, open_ms - 1);
    assert_rings_primary(pair);
    (void)world_advance(&world, 1);
    assert_skips_primary(pair, REASON_OUT_OF_HOURS);
}

/* 02:00 to 03:00 is never shown that night: nobody is open in it. */
static void
test_e25_the_hour_that_spring_leaves_out_is_not_open(void **state)
{
    struct pair pair;
    uint64_t change_ms;

    (void)state;
    pair_make_open(&pair, 8, 12);
    change_ms = spring_ms();
    assert_open_for(&pair, change_ms - WORLD_DAY_MS, WORLD_HOUR_MS);
    move_to(change_ms - 1); /* 01:59:59.999 */
    assert_skips_primary(&pair, REASON_OUT_OF_HOURS);
    (void)world_advance(&world, 1); /* 03:00 */
    assert_skips_primary(&pair, REASON_OUT_OF_HOURS);
    (void)world_advance(&world, MINUTES(30));
    assert_skips_primary(&pair, REASON_OUT_OF_HOURS);
    assert_open_for(&pair, change_ms + 23 * WORLD_HOUR_MS, WORLD_HOUR_MS);
}

/* 01:30 to 01:45 is shown twice that night: open both times, and not between. */
static void
test_e25_a_quarter_that_autumn_shows_twice_is_open_twice(void **state)
{
    struct pair pair;
    uint64_t change_ms;

    (void)state;
    pair_make_open(&pair, 6, 7);
    change_ms = autumn_ms();
    assert_open_for(&pair, change_ms - MINUTES(30), MINUTES(15));
    assert_open_for(&pair, change_ms + MINUTES(30), MINUTES(15));
    assert_open_for(&pair, change_ms + WORLD_DAY_MS + MINUTES(30), MINUTES(15));
}

/* The cap of a day that has 23 or 25 hours is one cap, from its midnight to the next. */
static void
assert_one_cap_a_day(uint64_t midnight_ms, uint64_t day_ms)
{
    struct zr_route_reply routed;
    struct zr_id call_id;
    struct pair pair;

    pair_make(&pair, 1000);
    caps_put(pair.primary, ZR_CAP_WINDOW_DAY, ZR_CAP_MEASURE_CONNECTS, 1, 0);
    move_to(midnight_ms);
    routed = world_call(&world, pair.slot, &call_id);
    assert_int_equal(routed.candidates[0].contractor, pair.primary);
    (void)world_connect(&world, &routed);
    (void)world_end(&world, &call_id, 60000);
    for (uint64_t hour = 1; hour < day_ms / WORLD_HOUR_MS; hour++) {
        move_to(midnight_ms + hour * WORLD_HOUR_MS);
        assert_skips_primary(&pair, REASON_CAP_REACHED);
    }
    move_to(midnight_ms + day_ms - 1);
    assert_skips_primary(&pair, REASON_CAP_REACHED);
    (void)world_advance(&world, 1);
    assert_rings_primary(&pair);
}

static void
test_e25_a_daily_cap_counts_one_local_day(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) { /* One of each, whichever comes first. */
        const uint64_t spring = spring_ms();
        const uint64_t autumn = autumn_ms();

        if (spring < autumn) {
            assert_one_cap_a_day(spring - 2 * WORLD_HOUR_MS, 23 * WORLD_HOUR_MS);
        } else {
            assert_one_cap_a_day(autumn - 2 * WORLD_HOUR_MS, 25 * WORLD_HOUR_MS);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e24_hours_end_at_the_quarter),
        cmocka_unit_test(test_r34_unavailable_until),
        cmocka_unit_test(test_r55_a_vacation_of_local_days),
        cmocka_unit_test(test_r34_a_dated_exception_replaces_the_hours_of_its_day),
        cmocka_unit_test(test_r13_a_daily_cap_opens_at_local_midnight),
        cmocka_unit_test(test_r13_a_monthly_cap_opens_with_the_local_month),
        cmocka_unit_test(test_e25_the_hour_that_spring_leaves_out_is_not_open),
        cmocka_unit_test(test_e25_a_quarter_that_autumn_shows_twice_is_open_twice),
        cmocka_unit_test(test_e25_a_daily_cap_counts_one_local_day),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
