/*
 * test_domain_usage.c - rings, connects and money counted against caps; misses and failures
 * (R13, R36, E25, E26, M3).
 */
#include "server/domain/localtime.h"
#include "server/domain/usage.h"
#include "tests/lib/domain_world.h"

#include <stdio.h>
#include <string.h>

enum { OFFERED = 0 };

static const struct dw_actor nobody = {0};

/* One ring of the contractor, now. */
static void
ring(struct domain_world *world, uint32_t contractor, uint8_t outcome)
{
    const struct zr_rings_request request = {.rings_count = 1,
                                             .rings = {{.call_ref = dw_id(world),
                                                        .time_ms = world->now_ms,
                                                        .contractor = contractor,
                                                        .zip = DW_ZIP,
                                                        .category = DW_CATEGORY,
                                                        .outcome = outcome,
                                                        .rank = 1}}};

    assert_int_equal(dw_run(world, nobody, ZR_OP_RINGS, &request), ZR_STATUS_OK);
}

static void
cap(struct domain_world *world, uint32_t contractor, uint8_t window, uint8_t measure,
    uint64_t limit)
{
    struct zr_caps_put_request request = {
        .contractor = contractor,
        .caps_count = 1,
        .caps = {{.limit = limit, .window = window, .measure = measure}}};
    struct caps_row row;

    if (state_caps_get(&world->state, contractor, &row)) {
        request.expected_version = row.version;
    }
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, &request), ZR_STATUS_OK);
}

static struct usage_row
usage(struct domain_world *world, uint32_t contractor)
{
    struct usage_row row = {0};

    (void)state_usage_get(&world->state, contractor, &row);
    return row;
}

/* Events of that type so far. */
static int
events(struct domain_world *world, uint8_t type)
{
    const uint64_t last = state_counter_now(&world->state, COUNTER_EVENT);
    struct event_row row;
    int count = 0;

    for (uint64_t seq = 1; seq <= last; seq++) {
        count += state_event_get(&world->state, seq, &row) && row.type == type;
    }
    return count;
}

static void
put_cooldown(struct domain_world *world, uint8_t misses, uint32_t seconds)
{
    struct policy_row row;
    struct zr_policy_put_request request = {.scope = ZR_SCOPE_NETWORK,
                                            .policy_count = 1,
                                            .cooldown_misses = misses,
                                            .cooldown_s = seconds};

    request.policy[0] = dw_policy_default();
    if (state_policy_get(&world->state, (struct policy_key){ZR_SCOPE_NETWORK, 0, 0}, &row)) {
        request.expected_version = row.version;
    }
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_POLICY_PUT, &request), ZR_STATUS_OK);
}

/* R13, E25: rings count in all four windows; the local day's count is over at local midnight. */
static void
test_rings_are_counted_by_local_windows(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct usage_row row;
    uint64_t midnight_ms;

    cap(world, contractor, ZR_CAP_WINDOW_DAY, ZR_CAP_MEASURE_CALLS, 2);
    ring(world, contractor, OFFERED);
    ring(world, contractor, OFFERED);
    row = usage(world, contractor);
    for (int i = 0; i < CAP_WINDOWS; i++) {
        assert_int_equal(row.windows[i].calls, 2);
    }
    assert_int_equal(row.last_ring_ms, world->now_ms);
    assert_int_equal(events(world, ZR_EVENT_CALL_OFFERED), 2);
    assert_int_equal(events(world, ZR_EVENT_CAP_100), 1);
    midnight_ms = row.windows[ZR_CAP_WINDOW_DAY - 1].end_ms;
    world->now_ms = midnight_ms - 1;
    ring(world, contractor, OFFERED);
    assert_int_equal(usage(world, contractor).windows[ZR_CAP_WINDOW_DAY - 1].calls, 3);
    world->now_ms = midnight_ms;
    ring(world, contractor, OFFERED);
    row = usage(world, contractor);
    assert_int_equal(row.windows[ZR_CAP_WINDOW_DAY - 1].calls, 1);
    assert_int_equal(row.windows[ZR_CAP_WINDOW_TOTAL - 1].calls, 4);
}

/* E25: the spring day of 23 h and the autumn day of 25 h are one day each. */
static void
test_days_of_23_and_25_hours_are_days(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const uint8_t zone = localtime_zone_find("America/Chicago");
    const struct {
        int32_t day;
        uint64_t hours;
    } days[] = {{days_from_civil(2024, 3, 10), 23}, {days_from_civil(2024, 11, 3), 25}};

    cap(world, contractor, ZR_CAP_WINDOW_DAY, ZR_CAP_MEASURE_CALLS, 1000);
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        const uint64_t start_ms = localtime_day_start_ms(zone, days[i].day);

        for (uint64_t hour = 0; hour < days[i].hours; hour++) {
            world->now_ms = start_ms + hour * 3600 * 1000;
            ring(world, contractor, OFFERED);
            assert_int_equal(usage(world, contractor).windows[ZR_CAP_WINDOW_DAY - 1].calls,
                             hour + 1);
        }
        world->now_ms = start_ms + days[i].hours * 3600 * 1000;
        ring(world, contractor, OFFERED);
        assert_int_equal(usage(world, contractor).windows[ZR_CAP_WINDOW_DAY - 1].calls, 1);
    }
}

/* ---- a change of zone (M3) ------------------------------------------------------------------ */

static void
move_to(struct domain_world *world, uint32_t contractor, const char *zone)
{
    struct zr_schedule_put_request request = {.contractor = contractor};
    struct schedule_row row;

    if (state_schedule_get(&world->state, contractor, &row)) {
        request.expected_version = row.version;
    }
    (void)snprintf(request.timezone, sizeof request.timezone, "%s", zone);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, &request), ZR_STATUS_OK);
}

/* The count of rings in the window once one more has begun at that time. */
static uint32_t
ring_at(struct domain_world *world, uint32_t contractor, uint8_t window, uint64_t time_ms)
{
    assert_true(time_ms >= world->now_ms);
    dw_advance(world, time_ms - world->now_ms);
    ring(world, contractor, OFFERED);
    return usage(world, contractor).windows[window - 1].calls;
}

/* Caps are keyed by local date: who moves west has the evening of the same date twice, and one cap
 * for it. */
static void
test_a_move_west_gives_a_date_no_second_cap(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const int32_t day = days_from_civil(2026, 2, 10);
    const uint64_t old_ms =
        localtime_day_start_ms(localtime_zone_find("America/New_York"), day + 1);
    const uint64_t new_ms =
        localtime_day_start_ms(localtime_zone_find("America/Los_Angeles"), day + 1);

    move_to(world, contractor, "America/New_York");
    cap(world, contractor, ZR_CAP_WINDOW_DAY, ZR_CAP_MEASURE_CALLS, 10);
    assert_int_equal(ring_at(world, contractor, ZR_CAP_WINDOW_DAY, old_ms - 8 * 3600000), 1);
    move_to(world, contractor, "America/Los_Angeles");
    assert_int_equal(ring_at(world, contractor, ZR_CAP_WINDOW_DAY, old_ms - 1), 2);
    assert_int_equal(ring_at(world, contractor, ZR_CAP_WINDOW_DAY, old_ms), 3);
    assert_int_equal(ring_at(world, contractor, ZR_CAP_WINDOW_DAY, new_ms - 1), 4);
    assert_int_equal(ring_at(world, contractor, ZR_CAP_WINDOW_DAY, new_ms), 1);
}

/* A month is over where the contractor is by then, and not where it was when the month began. */
static void
test_a_month_ends_by_the_zone_of_its_end(void **state)
{
    static const char *const zones[][2] = {{"America/New_York", "America/Los_Angeles"},
                                           {"America/Los_Angeles", "America/New_York"}};
    const int32_t march = (2026 - 1970) * 12 + 2;

    for (size_t i = 0; i < 2; i++) {
        struct domain_world *world = *state;
        const uint32_t contractor = dw_contractor(world, 0);
        const uint64_t end_ms =
            localtime_month_start_ms(localtime_zone_find(zones[i][1]), march + 12 * (int32_t)i);

        move_to(world, contractor, zones[i][0]);
        cap(world, contractor, ZR_CAP_WINDOW_MONTH, ZR_CAP_MEASURE_CALLS, 10);
        assert_int_equal(ring_at(world, contractor, ZR_CAP_WINDOW_MONTH, end_ms - 15 * DW_DAY_MS),
                         1);
        move_to(world, contractor, zones[i][1]);
        assert_int_equal(ring_at(world, contractor, ZR_CAP_WINDOW_MONTH, end_ms - 1), 2);
        assert_int_equal(ring_at(world, contractor, ZR_CAP_WINDOW_MONTH, end_ms), 1);
    }
}

/* A move that is taken back before it acted leaves day and month as they were. */
static void
test_a_move_taken_back_moves_no_window(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct usage_row before;
    struct usage_row after;

    move_to(world, contractor, "America/New_York");
    ring(world, contractor, OFFERED);
    before = usage(world, contractor);
    move_to(world, contractor, "America/Los_Angeles");
    ring(world, contractor, OFFERED);
    move_to(world, contractor, "America/New_York");
    after = usage(world, contractor);
    for (int i = 0; i < CAP_WINDOWS; i++) {
        assert_true(after.windows[i].end_ms == before.windows[i].end_ms);
    }
}

/* A zone that acts at once, of a first schedule or a new office, keeps the count of a date that
 * goes on, and ends that of one that is over there. */
static void
test_a_zone_at_once_keeps_the_date_too(void **state)
{
    static const struct {
        const char *zone;
        uint64_t hour; /* In Chicago, of a February 28. */
        uint32_t days; /* Rings of the date and of the month, once one more has begun. */
        uint32_t months;
    } rows[] = {
        {"America/Los_Angeles", 23, 2, 2}, /* 21:00 there: and on until its midnight. */
        {"America/New_York", 12, 2, 2},
        {"America/New_York", 23, 1, 1}, /* March has begun there. */
        {"Pacific/Guam", 12, 1, 1},
    };
    struct domain_world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint32_t contractor = dw_contractor(world, 0);
        const uint8_t zone = localtime_zone_find(rows[i].zone);

        world->now_ms = localtime_day_start_ms(localtime_zone_find("America/Chicago"),
                                               days_from_civil(2025 + 2 * (int32_t)i, 2, 28)) +
                        rows[i].hour * 3600 * 1000;
        dw_tick(world);
        ring(world, contractor, OFFERED);
        move_to(world, contractor, rows[i].zone);
        assert_int_equal(ring_at(world, contractor, ZR_CAP_WINDOW_DAY, world->now_ms),
                         rows[i].days);
        assert_int_equal(usage(world, contractor).windows[ZR_CAP_WINDOW_MONTH - 1].calls,
                         rows[i].months);
        assert_true(usage(world, contractor).windows[ZR_CAP_WINDOW_DAY - 1].end_ms ==
                    localtime_day_start_ms(zone, days_from_civil(2025 + 2 * (int32_t)i, 2, 28) + 1 +
                                                     (rows[i].days == 1)));
    }
}

/* The same where there is no schedule, and the office moves. */
static void
test_an_office_that_moves_west_keeps_the_date(void **state)
{
    struct domain_world *world = *state;
    const struct zip_row far = {.claimable = 1, .state = "CA", .timezone = "US/Pacific"};
    const uint32_t contractor = dw_contractor(world, 0);
    const uint64_t midnight_ms =
        localtime_day_start_ms(localtime_zone_find("America/Chicago"), days_from_civil(2026, 3, 1));
    struct zr_contractor_put_request request = {.office_zip = 90001, .phones_count = 1};
    struct contractor_row row;

    state_zip_put(&world->state, request.office_zip, &far);
    assert_int_equal(ring_at(world, contractor, ZR_CAP_WINDOW_DAY, midnight_ms - 1), 1);
    assert_true(state_contractor_get(&world->state, contractor, &row));
    request.contractor_id = row.contractor_id;
    request.expected_version = row.version;
    request.phones[0].phone = row.phones[0];
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CONTRACTOR_PUT, &request), ZR_STATUS_OK);
    assert_int_equal(ring_at(world, contractor, ZR_CAP_WINDOW_DAY, midnight_ms), 2);
    assert_int_equal(usage(world, contractor).windows[ZR_CAP_WINDOW_MONTH - 1].calls, 2);
    assert_int_equal(
        ring_at(world, contractor, ZR_CAP_WINDOW_MONTH, midnight_ms + UINT64_C(2) * 3600000), 1);
}

/* R36: misses in a row, of any kind but the caller's own, rest the contractor; a CONNECT ends the
 * row. */
static void
test_misses_in_a_row_cool_down(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 10 * DW_RATE);
    struct ticket ticket;

    put_cooldown(world, 3, 600);
    (void)dw_claim(world, contractor);
    ring(world, contractor, ZR_OUTCOME_NO_ANSWER);
    ring(world, contractor, ZR_OUTCOME_CALLER_CANCELLED);
    ring(world, contractor, ZR_OUTCOME_DECLINED);
    assert_int_equal(usage(world, contractor).misses, 2);
    ticket = dw_ticket(world, &contractor, 1);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(usage(world, contractor).misses, 0);
    ring(world, contractor, ZR_OUTCOME_BUSY);
    ring(world, contractor, ZR_OUTCOME_VOICEMAIL);
    assert_int_equal(usage(world, contractor).cooldown_until_ms, 0);
    ring(world, contractor, ZR_OUTCOME_FORWARDED);
    assert_int_equal(usage(world, contractor).cooldown_until_ms,
                     world->now_ms + 600 * DW_SECOND_MS);
    assert_int_equal(usage(world, contractor).misses, 0);
    assert_int_equal(events(world, ZR_EVENT_COOLDOWN), 1);
    assert_int_equal(events(world, ZR_EVENT_CALL_MISSED), 6);
}

/* R36: a row of misses is what a policy with a cool-down saw: whether there is a cap on CALLS,
 * which has every ring noted, is all the same. */
static void
test_a_row_of_misses_knows_no_caps(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractors[] = {dw_contractor(world, 0), dw_contractor(world, 0)};

    cap(world, contractors[1], ZR_CAP_WINDOW_DAY, ZR_CAP_MEASURE_CALLS, 100);
    for (int i = 0; i < 2; i++) {
        put_cooldown(world, 0, 0);
        ring(world, contractors[i], ZR_OUTCOME_NO_ANSWER);
        ring(world, contractors[i], ZR_OUTCOME_FAILED);
        put_cooldown(world, 3, 600);
        ring(world, contractors[i], ZR_OUTCOME_NO_ANSWER);
        ring(world, contractors[i], ZR_OUTCOME_NO_ANSWER);
        assert_int_equal(usage(world, contractors[i]).cooldown_until_ms, 0);
        ring(world, contractors[i], ZR_OUTCOME_NO_ANSWER);
        assert_int_equal(usage(world, contractors[i]).cooldown_until_ms,
                         world->now_ms + 600 * DW_SECOND_MS);
    }
}

/* M3 DEST_DOWN: three FAILED in a row; a phone that rings ends the row. */
static void
test_failures_in_a_row_take_the_destination_down(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);

    ring(world, contractor, ZR_OUTCOME_FAILED);
    ring(world, contractor, ZR_OUTCOME_FAILED);
    ring(world, contractor, ZR_OUTCOME_NO_ANSWER);
    ring(world, contractor, ZR_OUTCOME_FAILED);
    ring(world, contractor, ZR_OUTCOME_FAILED);
    assert_int_equal(usage(world, contractor).down_until_ms, 0);
    ring(world, contractor, ZR_OUTCOME_FAILED);
    assert_int_equal(usage(world, contractor).down_until_ms, world->now_ms + USAGE_DOWN_MS);
    assert_int_equal(events(world, ZR_EVENT_DESTINATION_DOWN), 1);
}

/* M3 "Spend caps": the hold counts at CONNECT; what ends free leaves the window that it was in. */
static void
test_spend_is_holds_and_charges(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 10 * DW_RATE);
    const struct zr_end_request brief = {
        .index = 0, .talk_ms = 5000, .who_hung_up = ZR_HUNG_UP_CALLER};
    const struct zr_end_request whole = {
        .index = 0, .talk_ms = 60000, .who_hung_up = ZR_HUNG_UP_CALLER};
    struct ticket ticket;

    (void)dw_claim(world, contractor);
    cap(world, contractor, ZR_CAP_WINDOW_MONTH, ZR_CAP_MEASURE_SPEND, 4 * DW_RATE);
    ticket = dw_ticket(world, &contractor, 1);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(usage(world, contractor).windows[ZR_CAP_WINDOW_MONTH - 1].spend_cents,
                     DW_RATE);
    assert_int_equal(usage(world, contractor).windows[ZR_CAP_WINDOW_MONTH - 1].connects, 1);
    assert_int_equal(dw_end(world, &ticket, &ticket, brief), ZR_STATUS_OK);
    assert_int_equal(usage(world, contractor).windows[ZR_CAP_WINDOW_MONTH - 1].spend_cents, 0);
    for (int i = 1; i <= 4; i++) {
        ticket = dw_ticket(world, &contractor, 1);
        ticket.caller_hash = 5000 + (uint64_t)i;
        assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
        world->now_ms += 61 * DW_SECOND_MS;
        assert_int_equal(dw_end(world, &ticket, &ticket, whole), ZR_STATUS_OK);
        assert_int_equal(usage(world, contractor).windows[ZR_CAP_WINDOW_MONTH - 1].spend_cents,
                         i * DW_RATE);
    }
    assert_int_equal(events(world, ZR_EVENT_CAP_75), 1);
    assert_int_equal(events(world, ZR_EVENT_CAP_100), 1);
}

/* R13, M3 "Spend caps count charges + holds": what connected before the first cap counts against
 * it, in the same window; whoever routes need not look at the row before there is a cap. */
static void
test_the_first_cap_finds_what_was_spent(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 10 * DW_RATE);
    const struct ticket charged = dw_ticket(world, &contractor, 1);
    const struct ticket held = dw_ticket(world, &contractor, 1);
    const struct zr_profile_get_request get = {.contractor = contractor};
    const struct zr_caps_get_reply *reply = &world->reply.caps_get_reply;
    const struct zr_end_request end = {
        .index = 0, .talk_ms = 60000, .who_hung_up = ZR_HUNG_UP_CALLER};
    struct contractor_row row;

    (void)dw_claim(world, contractor);
    assert_int_equal(dw_connect(world, &charged, 0), ZR_STATUS_OK);
    dw_advance(world, 60 * DW_SECOND_MS);
    assert_int_equal(dw_end(world, &charged, &charged, end), ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &held, 0), ZR_STATUS_OK);
    assert_true(state_contractor_get(&world->state, contractor, &row));
    assert_int_equal(row.profile, 0);
    cap(world, contractor, ZR_CAP_WINDOW_DAY, ZR_CAP_MEASURE_SPEND, 3 * DW_RATE);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_GET, &get), ZR_STATUS_OK);
    assert_int_equal(reply->caps[0].used, 2 * DW_RATE);
    cap(world, contractor, ZR_CAP_WINDOW_MONTH, ZR_CAP_MEASURE_CONNECTS, 3);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_GET, &get), ZR_STATUS_OK);
    assert_int_equal(reply->caps[0].used, 2);
}

/* M3 "Spend caps": what ends free leaves the window that it was counted in, or a cap that comes
 * later finds money that was never spent. */
static void
test_a_later_cap_finds_what_was_spent(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 10 * DW_RATE);
    const struct zr_end_request brief = {
        .index = 0, .talk_ms = 5000, .who_hung_up = ZR_HUNG_UP_CALLER};
    const struct ticket ticket = dw_ticket(world, &contractor, 1);

    (void)dw_claim(world, contractor);
    ring(world, contractor, ZR_OUTCOME_FAILED);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(dw_end(world, &ticket, &ticket, brief), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_FREE_SHORT);
    cap(world, contractor, ZR_CAP_WINDOW_MONTH, ZR_CAP_MEASURE_SPEND, DW_RATE);
    assert_int_equal(usage(world, contractor).windows[ZR_CAP_WINDOW_MONTH - 1].spend_cents, 0);
}

/* The largest limit that the wire can say is a limit like any other: nothing is near it. */
static void
test_the_largest_limit_is_far_away(void **state)
{
    static const uint64_t limits[] = {INT64_MAX, INT64_MAX / 2 + 1, INT64_MAX / 3 + 1};
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        cap(world, contractor, ZR_CAP_WINDOW_HOUR, ZR_CAP_MEASURE_CALLS, limits[i]);
        ring(world, contractor, OFFERED);
    }
    assert_int_equal(events(world, ZR_EVENT_CAP_75), 0);
    assert_int_equal(events(world, ZR_EVENT_CAP_90), 0);
    assert_int_equal(events(world, ZR_EVENT_CAP_100), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_rings_are_counted_by_local_windows),
        DW_TEST(test_a_move_west_gives_a_date_no_second_cap),
        DW_TEST(test_a_month_ends_by_the_zone_of_its_end),
        DW_TEST(test_a_move_taken_back_moves_no_window),
        DW_TEST(test_a_zone_at_once_keeps_the_date_too),
        DW_TEST(test_an_office_that_moves_west_keeps_the_date),
        DW_TEST(test_days_of_23_and_25_hours_are_days),
        DW_TEST(test_misses_in_a_row_cool_down),
        DW_TEST(test_a_row_of_misses_knows_no_caps),
        DW_TEST(test_failures_in_a_row_take_the_destination_down),
        DW_TEST(test_spend_is_holds_and_charges),
        DW_TEST(test_the_first_cap_finds_what_was_spent),
        DW_TEST(test_a_later_cap_finds_what_was_spent),
        DW_TEST(test_the_largest_limit_is_far_away),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
