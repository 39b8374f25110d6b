/*
 * test_domain_schedule.c - hours, exceptions, vacations and a change of zone (R34, M3, E24, E25).
 *
 * The calendar itself is proven in test_domain_localtime.c; here instants are taken from it.
 */
#include "server/domain/eligibility.h"
#include "server/domain/localtime.h"
#include "server/domain/schedule.h"
#include "tests/lib/test.h"

#include <string.h>

enum { SCHEDULES = 300, INSTANTS = 20, PROBES = 30, EDGES = 200 };
enum { MONDAY, TUESDAY, SATURDAY = 5, SUNDAY };

#define MINUTE_MS  UINT64_C(60000)
#define QUARTER_MS (15 * MINUTE_MS)
#define HOUR_MS    (60 * MINUTE_MS)
#define DAY_MS     (24 * HOUR_MS)

/* ---- schedules ----------------------------------------------------------------------------- */

static struct schedule_row
schedule_in(const char *zone)
{
    struct schedule_row row = {.version = 1};

    row.zone = localtime_zone_find(zone);
    assert_int_not_equal(row.zone, 0);
    return row;
}

/* Open the quarters [from, to) of that day of the week, Monday = 0. */
static void
open_weekly(struct schedule_row *row, int weekday, int from, int to)
{
    for (int quarter = weekday * 96 + from; quarter < weekday * 96 + to; quarter++) {
        row->hours[quarter / 8] = (uint8_t)(row->hours[quarter / 8] | 1u << quarter % 8);
    }
}

/* 08:00 to 17:00 on every day of the week. */
static struct schedule_row
office_hours_in(const char *zone)
{
    struct schedule_row row = schedule_in(zone);

    for (int weekday = MONDAY; weekday <= SUNDAY; weekday++) {
        open_weekly(&row, weekday, 8 * 4, 17 * 4);
    }
    return row;
}

static void
add_exception(struct schedule_row *row, int32_t day, uint16_t from, uint16_t to)
{
    row->exceptions[row->exceptions_count] = (struct schedule_exception){day, from, to};
    row->exceptions_count++;
}

static void
add_vacation(struct schedule_row *row, int32_t first_day, int32_t last_day)
{
    row->vacations[row->vacations_count] = (struct schedule_vacation){first_day, last_day};
    row->vacations_count++;
}

static uint32_t
reasons_at(const struct schedule_row *row, uint64_t now_ms)
{
    uint64_t until_ms = 0;
    uint32_t reasons = UINT32_MAX;

    schedule_judge(row, now_ms, &reasons, &until_ms);
    assert_true(until_ms > now_ms);
    assert_true(until_ms <= now_ms + DAY_MS);
    return reasons;
}

static uint64_t
until_at(const struct schedule_row *row, uint64_t now_ms)
{
    uint64_t until_ms = 0;
    uint32_t reasons = 0;

    schedule_judge(row, now_ms, &reasons, &until_ms);
    return until_ms;
}

/* The instant at which that day's clock shows 00:00 in the row's zone. */
static uint64_t
day_of(const struct schedule_row *row, int32_t year, uint8_t month, uint8_t day)
{
    return localtime_day_start_ms(row->zone, days_from_civil(year, month, day));
}

/* ---- weekly hours (E24, E25) --------------------------------------------------------------- */

/* E24: open at 16:59:59.999, not at 17:00:00.000; closed at 07:59:59.999, open at 08:00. */
static void
test_hours_end_with_their_last_millisecond(void **state)
{
    const struct schedule_row row = office_hours_in("America/New_York");
    const uint64_t day_ms = day_of(&row, 2026, 7, 27);

    (void)state;
    assert_int_equal(reasons_at(&row, day_ms + 8 * HOUR_MS - 1), REASON_OUT_OF_HOURS);
    assert_int_equal(reasons_at(&row, day_ms + 8 * HOUR_MS), 0);
    assert_int_equal(reasons_at(&row, day_ms + 17 * HOUR_MS - 1), 0);
    assert_int_equal(reasons_at(&row, day_ms + 17 * HOUR_MS), REASON_OUT_OF_HOURS);
    assert_int_equal(until_at(&row, day_ms + 8 * HOUR_MS), day_ms + 17 * HOUR_MS);
    assert_int_equal(until_at(&row, day_ms + 17 * HOUR_MS - 1), day_ms + 17 * HOUR_MS);
    assert_int_equal(until_at(&row, day_ms + 17 * HOUR_MS), day_ms + 32 * HOUR_MS);
}

/* E25: the office opens by the clock on the wall, an hour earlier in UTC after the night. */
static void
test_hours_follow_the_clock_over_a_change(void **state)
{
    const struct schedule_row row = office_hours_in("America/New_York");
    const uint64_t spring_ms = day_of(&row, 2026, 3, 8);
    const uint64_t autumn_ms = day_of(&row, 2026, 11, 1);

    (void)state;
    assert_int_equal(reasons_at(&row, spring_ms + 7 * HOUR_MS - 1), REASON_OUT_OF_HOURS);
    assert_int_equal(reasons_at(&row, spring_ms + 7 * HOUR_MS), 0);
    assert_int_equal(reasons_at(&row, spring_ms + 16 * HOUR_MS), REASON_OUT_OF_HOURS);
    assert_int_equal(reasons_at(&row, autumn_ms + 9 * HOUR_MS - 1), REASON_OUT_OF_HOURS);
    assert_int_equal(reasons_at(&row, autumn_ms + 9 * HOUR_MS), 0);
}

/* E25: 02:30 to 03:00 of the night in spring does not exist: never open that day. */
static void
test_a_quarter_left_out_is_never_open(void **state)
{
    struct schedule_row row = schedule_in("America/New_York");
    const uint64_t day_ms = day_of(&row, 2026, 3, 8);

    (void)state;
    open_weekly(&row, SUNDAY, 10, 12);
    for (uint64_t at_ms = day_ms; at_ms < day_ms + 23 * HOUR_MS; at_ms += QUARTER_MS) {
        assert_int_equal(reasons_at(&row, at_ms), REASON_OUT_OF_HOURS);
    }
    /* A week before and after it is open for its half hour. */
    assert_int_equal(reasons_at(&row, day_of(&row, 2026, 3, 1) + 150 * MINUTE_MS), 0);
    assert_int_equal(reasons_at(&row, day_of(&row, 2026, 3, 15) + 150 * MINUTE_MS), 0);
}

/* E25: hours over the left out hour: open to 02:00, on at 03:00, without a break between. */
static void
test_hours_over_the_gap_have_no_break(void **state)
{
    struct schedule_row row = schedule_in("America/New_York");
    const uint64_t day_ms = day_of(&row, 2026, 3, 8);

    (void)state;
    open_weekly(&row, SUNDAY, 4, 16); /* 01:00 to 04:00 */
    assert_int_equal(reasons_at(&row, day_ms + HOUR_MS), 0);
    assert_int_equal(until_at(&row, day_ms + HOUR_MS), day_ms + 3 * HOUR_MS);
    assert_int_equal(reasons_at(&row, day_ms + 3 * HOUR_MS), REASON_OUT_OF_HOURS);
}

/* E25: 01:30 to 01:45 of the night in autumn comes twice, and is open twice. */
static void
test_a_quarter_shown_twice_is_open_twice(void **state)
{
    struct schedule_row row = schedule_in("America/New_York");
    const uint64_t day_ms = day_of(&row, 2026, 11, 1);
    const uint64_t first_ms = day_ms + 90 * MINUTE_MS;

    (void)state;
    open_weekly(&row, SUNDAY, 6, 7);
    assert_int_equal(reasons_at(&row, first_ms - 1), REASON_OUT_OF_HOURS);
    assert_int_equal(reasons_at(&row, first_ms), 0);
    assert_int_equal(until_at(&row, first_ms), first_ms + QUARTER_MS);
    assert_int_equal(reasons_at(&row, first_ms + QUARTER_MS), REASON_OUT_OF_HOURS);
    assert_int_equal(until_at(&row, first_ms + QUARTER_MS), first_ms + HOUR_MS);
    assert_int_equal(reasons_at(&row, first_ms + HOUR_MS), 0);
    assert_int_equal(reasons_at(&row, first_ms + HOUR_MS + QUARTER_MS), REASON_OUT_OF_HOURS);
    assert_int_equal(until_at(&row, first_ms + HOUR_MS + QUARTER_MS),
                     first_ms + HOUR_MS + QUARTER_MS + DAY_MS);
}

/* The week goes round: Sunday's last quarter and Monday's first are neighbours. */
static void
test_the_week_goes_round(void **state)
{
    struct schedule_row row = schedule_in("America/Chicago");
    const uint64_t monday_ms = day_of(&row, 2026, 7, 27);

    (void)state;
    open_weekly(&row, SUNDAY, 95, 96);
    open_weekly(&row, MONDAY, 0, 1);
    assert_int_equal(reasons_at(&row, monday_ms - QUARTER_MS - 1), REASON_OUT_OF_HOURS);
    assert_int_equal(until_at(&row, monday_ms - QUARTER_MS), monday_ms + QUARTER_MS);
    assert_int_equal(reasons_at(&row, monday_ms), 0);
    assert_int_equal(reasons_at(&row, monday_ms + QUARTER_MS), REASON_OUT_OF_HOURS);
}

/* M2: empty hours never open and are UNAVAILABLE; an exception does not change that. */
static void
test_empty_hours_never_open(void **state)
{
    struct schedule_row row = schedule_in("America/Denver");
    const uint64_t day_ms = day_of(&row, 2026, 7, 27);

    (void)state;
    assert_true(schedule_never_open(&row));
    assert_true(schedule_is_unavailable(&row, day_ms));
    assert_int_equal(reasons_at(&row, day_ms), REASON_OUT_OF_HOURS);
    assert_int_equal(until_at(&row, day_ms), day_ms + DAY_MS);
    add_exception(&row, days_from_civil(2026, 7, 27), 0, 96);
    assert_true(schedule_never_open(&row));
    assert_int_equal(reasons_at(&row, day_ms), 0);
    row.hours[SCHEDULE_HOURS_BYTES - 1] = 0x80;
    assert_false(schedule_never_open(&row));
    assert_false(schedule_is_unavailable(&row, day_ms));
}

/* ---- exceptions (R34) ---------------------------------------------------------------------- */

/* The hours of the date replace the weekly ones, that day only; several of one date add up. */
static void
test_an_exception_replaces_the_hours_of_its_date(void **state)
{
    struct schedule_row row = office_hours_in("America/New_York");
    const int32_t day = days_from_civil(2026, 7, 28);
    const uint64_t day_ms = localtime_day_start_ms(row.zone, day);

    (void)state;
    add_exception(&row, day, 40, 48);                            /* 10:00 to 12:00 */
    add_exception(&row, day, 80, 96);                            /* 20:00 to midnight */
    assert_int_equal(reasons_at(&row, day_ms - 8 * HOUR_MS), 0); /* The day before, 16:00. */
    assert_int_equal(reasons_at(&row, day_ms + 9 * HOUR_MS), REASON_OUT_OF_HOURS);
    assert_int_equal(reasons_at(&row, day_ms + 10 * HOUR_MS - 1), REASON_OUT_OF_HOURS);
    assert_int_equal(until_at(&row, day_ms + 10 * HOUR_MS), day_ms + 12 * HOUR_MS);
    assert_int_equal(reasons_at(&row, day_ms + 12 * HOUR_MS), REASON_OUT_OF_HOURS);
    assert_int_equal(reasons_at(&row, day_ms + 20 * HOUR_MS), 0);
    assert_int_equal(reasons_at(&row, day_ms + DAY_MS - 1), 0);
    assert_int_equal(reasons_at(&row, day_ms + DAY_MS), REASON_OUT_OF_HOURS);
    assert_int_equal(reasons_at(&row, day_ms + DAY_MS + 8 * HOUR_MS), 0);
}

/* Equal quarters close the day; a row that opens part of it wins over that: they add up. */
static void
test_an_exception_closes_a_day(void **state)
{
    struct schedule_row row = office_hours_in("America/New_York");
    const int32_t day = days_from_civil(2026, 12, 25);
    const uint64_t day_ms = localtime_day_start_ms(row.zone, day);

    (void)state;
    add_exception(&row, day, 0, 0);
    for (uint64_t at_ms = day_ms; at_ms < day_ms + DAY_MS; at_ms += QUARTER_MS) {
        assert_int_equal(reasons_at(&row, at_ms), REASON_OUT_OF_HOURS);
    }
    assert_false(schedule_is_unavailable(&row, day_ms)); /* Out of hours, no vacation (M2). */
    add_exception(&row, day, 40, 44);
    assert_int_equal(reasons_at(&row, day_ms + 10 * HOUR_MS), 0);
    assert_int_equal(reasons_at(&row, day_ms + 11 * HOUR_MS), REASON_OUT_OF_HOURS);
}

/* ---- vacations and "unavailable until" (R34, M2) ------------------------------------------- */

/* First and last day are both included, by the local date; hours are judged all the same (M3). */
static void
test_a_vacation_is_whole_local_days(void **state)
{
    struct schedule_row row = office_hours_in("America/Los_Angeles");
    const uint64_t first_ms = day_of(&row, 2026, 8, 3);
    const uint64_t after_ms = day_of(&row, 2026, 8, 6);

    (void)state;
    add_vacation(&row, days_from_civil(2026, 8, 3), days_from_civil(2026, 8, 5));
    assert_int_equal(reasons_at(&row, first_ms - 1), REASON_OUT_OF_HOURS);
    assert_int_equal(reasons_at(&row, first_ms), REASON_OUT_OF_HOURS | REASON_VACATION);
    assert_int_equal(reasons_at(&row, first_ms + 9 * HOUR_MS), REASON_VACATION);
    assert_int_equal(reasons_at(&row, after_ms - 1), REASON_OUT_OF_HOURS | REASON_VACATION);
    assert_int_equal(reasons_at(&row, after_ms), REASON_OUT_OF_HOURS);
    assert_int_equal(until_at(&row, first_ms - HOUR_MS), first_ms);
    assert_int_equal(until_at(&row, after_ms - HOUR_MS), after_ms);
    assert_false(schedule_is_unavailable(&row, first_ms - 1));
    assert_true(schedule_is_unavailable(&row, first_ms));
    assert_true(schedule_is_unavailable(&row, after_ms - 1));
    assert_false(schedule_is_unavailable(&row, after_ms));
    assert_int_equal(schedule_next_edge_ms(&row, first_ms - 1), first_ms);
    assert_int_equal(schedule_next_edge_ms(&row, first_ms), after_ms);
    assert_int_equal(schedule_next_edge_ms(&row, after_ms), UINT64_MAX);
}

/* It ends at any millisecond, not only at a quarter: exclusive, as all deadlines (M2). */
static void
test_unavailable_until_is_exclusive(void **state)
{
    struct schedule_row row = office_hours_in("America/New_York");
    const uint64_t until_ms = day_of(&row, 2026, 7, 27) + 9 * HOUR_MS + 12345;

    (void)state;
    row.unavailable_until_ms = until_ms;
    assert_int_equal(reasons_at(&row, until_ms - HOUR_MS), REASON_VACATION);
    assert_int_equal(until_at(&row, until_ms - HOUR_MS), until_ms);
    assert_int_equal(reasons_at(&row, until_ms - 1), REASON_VACATION);
    assert_int_equal(reasons_at(&row, until_ms), 0);
    assert_true(schedule_is_unavailable(&row, until_ms - 1));
    assert_false(schedule_is_unavailable(&row, until_ms));
    assert_int_equal(schedule_next_edge_ms(&row, until_ms - 1), until_ms);
    assert_int_equal(schedule_next_edge_ms(&row, until_ms), UINT64_MAX);
}

/* ---- a change of zone (M3) ------------------------------------------------------------------ */

/* It acts from the old zone's next midnight: 00:00 in New York, 21:00 in Los Angeles. */
static void
test_a_zone_changes_at_the_old_zones_midnight(void **state)
{
    struct schedule_row row = schedule_in("America/New_York");
    const uint8_t new_york = row.zone;
    const uint8_t los_angeles = localtime_zone_find("America/Los_Angeles");
    const uint64_t noon_ms = day_of(&row, 2026, 7, 27) + 12 * HOUR_MS;
    const uint64_t change_ms = noon_ms + 12 * HOUR_MS;

    (void)state;
    open_weekly(&row, MONDAY, 84, 88); /* Monday 21:00 to 22:00. */
    open_weekly(&row, TUESDAY, 0, 4);  /* Tuesday 00:00 to 01:00. */
    schedule_set_zone(&row, los_angeles, noon_ms);
    schedule_check(&row);
    assert_int_equal(schedule_zone_at(&row, noon_ms), new_york);
    assert_int_equal(schedule_zone_at(&row, change_ms - 1), new_york);
    assert_int_equal(schedule_zone_at(&row, change_ms), los_angeles);
    assert_int_equal(schedule_next_edge_ms(&row, noon_ms), change_ms);
    assert_int_equal(schedule_next_edge_ms(&row, change_ms), UINT64_MAX);
    /* Monday 21:00 comes in New York, and once more in Los Angeles. */
    assert_int_equal(reasons_at(&row, change_ms - 3 * HOUR_MS), 0);
    assert_int_equal(reasons_at(&row, change_ms - 1), REASON_OUT_OF_HOURS);
    assert_int_equal(until_at(&row, change_ms - HOUR_MS), change_ms);
    assert_int_equal(until_at(&row, change_ms), change_ms + HOUR_MS);
    assert_int_equal(reasons_at(&row, change_ms + 3 * HOUR_MS), 0);
}

/* E25: asked for in the night in spring, it acts after the 23 hours of that day. */
static void
test_a_zone_change_waits_for_a_short_day(void **state)
{
    struct schedule_row row = office_hours_in("America/New_York");
    const uint64_t day_ms = day_of(&row, 2026, 3, 8);

    (void)state;
    schedule_set_zone(&row, localtime_zone_find("Pacific/Guam"), day_ms);
    assert_int_equal(schedule_next_edge_ms(&row, day_ms), day_ms + 23 * HOUR_MS);
}

/* A machine whose clock died begins in 1970, where it is still 1969 west of Greenwich. */
static void
test_a_zone_changes_at_the_first_midnight_of_1970(void **state)
{
    struct schedule_row row = office_hours_in("America/New_York");
    const uint8_t guam = localtime_zone_find("Pacific/Guam");

    (void)state;
    schedule_set_zone(&row, guam, HOUR_MS);
    schedule_check(&row);
    assert_int_not_equal(schedule_zone_at(&row, 5 * HOUR_MS - 1), guam);
    assert_int_equal(schedule_zone_at(&row, 5 * HOUR_MS), guam);
}

/* The first zone acts at once; a later change replaces one ahead, and one behind is kept. */
static void
test_the_last_zone_set_counts(void **state)
{
    struct schedule_row row = office_hours_in("UTC");
    const uint8_t utc = row.zone;
    const uint8_t guam = localtime_zone_find("Pacific/Guam");
    const uint8_t adak = localtime_zone_find("America/Adak");
    const uint64_t noon_ms = day_of(&row, 2026, 7, 27) + 12 * HOUR_MS;

    (void)state;
    row.zone = 0;
    schedule_set_zone(&row, utc, noon_ms);
    assert_int_equal(schedule_zone_at(&row, noon_ms), utc);
    schedule_set_zone(&row, guam, noon_ms);
    schedule_set_zone(&row, adak, noon_ms + HOUR_MS);
    assert_int_equal(schedule_zone_at(&row, noon_ms + HOUR_MS), utc);
    assert_int_equal(schedule_zone_at(&row, noon_ms + DAY_MS), adak);
    schedule_set_zone(&row, utc, noon_ms + HOUR_MS); /* Taken back before it acted. */
    assert_int_equal(row.next_zone_day, 0);
    schedule_check(&row);
    schedule_set_zone(&row, guam, noon_ms);
    schedule_set_zone(&row, adak, noon_ms + DAY_MS); /* Guam acts since last midnight. */
    assert_int_equal(row.zone, guam);
    assert_int_equal(schedule_zone_at(&row, noon_ms + DAY_MS), guam);
    assert_int_equal(schedule_zone_at(&row, noon_ms + 2 * DAY_MS), adak);
}

/* ---- random schedules ----------------------------------------------------------------------- */

/* Something of everything, around that instant. */
static struct schedule_row
random_schedule(uint64_t *seed, uint64_t around_ms)
{
    struct schedule_row row = {.zone = (uint8_t)(1 + test_random_below(seed, 39))};
    const int32_t day = (int32_t)(around_ms / DAY_MS);

    for (uint64_t spans = test_random_below(seed, 10); spans > 0; spans--) {
        const int from = (int)test_random_below(seed, 96);

        open_weekly(&row, (int)test_random_below(seed, 7), from,
                    from + 1 + (int)test_random_below(seed, 96 - (uint64_t)from));
    }
    for (uint64_t left = test_random_below(seed, SCHEDULE_EXCEPTIONS_MAX + 1); left > 0; left--) {
        const uint16_t from = (uint16_t)test_random_below(seed, 97);

        add_exception(&row, day - 4 + (int32_t)test_random_below(seed, 8), from,
                      (uint16_t)(from + test_random_below(seed, 97u - from)));
    }
    for (uint64_t left = test_random_below(seed, 3); left > 0; left--) {
        const int32_t first = day - 5 + (int32_t)test_random_below(seed, 10);

        add_vacation(&row, first, first + (int32_t)test_random_below(seed, 3));
    }
    if (test_random_below(seed, 3) == 0) {
        row.unavailable_until_ms = around_ms - DAY_MS + test_random_below(seed, 2 * DAY_MS);
    }
    if (test_random_below(seed, 2) == 0) {
        schedule_set_zone(&row, (uint8_t)(1 + test_random_below(seed, 39)),
                          around_ms - DAY_MS + test_random_below(seed, 2 * DAY_MS));
    }
    schedule_check(&row);
    return row;
}

/* Near a change of clocks in one round of two, else anywhere in 2026. */
static uint64_t
random_instant(uint64_t *seed)
{
    static const uint64_t changes_ms[] = {UINT64_C(1772953200000), UINT64_C(1793512800000)};

    if (test_random_below(seed, 2) == 0) {
        return changes_ms[test_random_below(seed, 2)] - DAY_MS +
               test_random_below(seed, 2 * DAY_MS);
    }
    return UINT64_C(1767225600000) + test_random_below(seed, 365 * DAY_MS);
}

/* R34: what a judgement says holds at every instant before its until_ms. */
static void
test_a_judgement_holds_until_it_says(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < SCHEDULES * INSTANTS; round++) {
        const uint64_t around_ms = random_instant(&seed);
        const struct schedule_row row = random_schedule(&seed, around_ms);
        const uint64_t now_ms = around_ms - DAY_MS + test_random_below(&seed, 2 * DAY_MS);
        const uint32_t reasons = reasons_at(&row, now_ms);
        const uint64_t until_ms = until_at(&row, now_ms);

        for (int probe = 0; probe < PROBES; probe++) {
            const uint64_t at_ms = now_ms + test_random_below(&seed, until_ms - now_ms);

            assert_int_equal(reasons_at(&row, at_ms), reasons);
        }
        assert_int_equal(reasons_at(&row, until_ms - 1), reasons);
    }
}

/* M2: a timer at each edge sees every change of UNAVAILABLE: between two edges there is none. */
static void
test_unavailable_changes_at_edges_only(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < SCHEDULES; round++) {
        const uint64_t around_ms = random_instant(&seed);
        const struct schedule_row row = random_schedule(&seed, around_ms);
        uint64_t now_ms = around_ms - 8 * DAY_MS;
        int edges = 0;

        while (now_ms < around_ms + 12 * DAY_MS) {
            const uint64_t edge_ms = schedule_next_edge_ms(&row, now_ms);
            const uint64_t end_ms =
                edge_ms < around_ms + 12 * DAY_MS ? edge_ms : around_ms + 12 * DAY_MS;
            const bool unavailable = schedule_is_unavailable(&row, now_ms);

            for (int probe = 0; probe < PROBES; probe++) {
                const uint64_t at_ms = now_ms + test_random_below(&seed, end_ms - now_ms);

                assert_int_equal(schedule_is_unavailable(&row, at_ms), unavailable);
                assert_int_equal(schedule_zone_at(&row, at_ms), schedule_zone_at(&row, now_ms));
            }
            now_ms = end_ms;
            edges++;
        }
        assert_true(edges < EDGES);
    }
}

/* The judgement says VACATION exactly when it is so, and hours as a plain look at the bits. */
static void
test_random_judgements_are_those_of_the_rule(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < SCHEDULES * INSTANTS; round++) {
        const uint64_t now_ms = random_instant(&seed);
        struct schedule_row row = random_schedule(&seed, now_ms);
        const uint32_t reasons = reasons_at(&row, now_ms);
        struct local_time local;
        bool open;

        if (!schedule_never_open(&row)) {
            assert_int_equal((reasons & REASON_VACATION) != 0,
                             schedule_is_unavailable(&row, now_ms));
        }
        row.exceptions_count = 0;
        localtime_at(&local, schedule_zone_at(&row, now_ms), now_ms);
        open = (row.hours[local.quarter_of_week / 8] & 1u << local.quarter_of_week % 8) != 0;
        assert_int_equal((reasons_at(&row, now_ms) & REASON_OUT_OF_HOURS) == 0, open);
    }
}

/* ---- the negative space --------------------------------------------------------------------- */

static void
test_a_broken_row_does_not_pass(void **state)
{
    const struct schedule_row good = office_hours_in("UTC");
    struct schedule_row row = good;

    (void)state;
    schedule_check(&row);
    row.zone = 0;
    expect_assert_failure(schedule_check(&row));
    row = good;
    row.exceptions_count = SCHEDULE_EXCEPTIONS_MAX + 1;
    expect_assert_failure(schedule_check(&row));
    row = good;
    row.vacations_count = SCHEDULE_VACATIONS_MAX + 1;
    expect_assert_failure(schedule_check(&row));
    row = good;
    row.next_zone_day = 20000; /* Without its zone. */
    expect_assert_failure(schedule_check(&row));
    row.next_zone_day = -1;
    expect_assert_failure(schedule_check(&row));
    row = good;
    add_exception(&row, 20000, 5, 4);
    expect_assert_failure(schedule_check(&row));
    row.exceptions[0] = (struct schedule_exception){20000, 96, 97};
    expect_assert_failure(schedule_check(&row));
    row = good;
    add_vacation(&row, 20001, 20000);
    expect_assert_failure(schedule_check(&row));
    row.vacations[0] = (struct schedule_vacation){20000, INT32_MAX};
    expect_assert_failure(schedule_check(&row));
}

static void
test_bad_arguments_are_bugs(void **state)
{
    struct schedule_row row = office_hours_in("UTC");
    uint64_t until_ms = 0;
    uint32_t reasons = 0;

    (void)state;
    expect_assert_failure(schedule_set_zone(&row, 0, 0));
    expect_assert_failure(schedule_judge(&row, LOCALTIME_MS_MAX, &reasons, &until_ms));
    row.zone = 0;
    expect_assert_failure(schedule_judge(&row, 0, &reasons, &until_ms));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hours_end_with_their_last_millisecond),
        cmocka_unit_test(test_hours_follow_the_clock_over_a_change),
        cmocka_unit_test(test_a_quarter_left_out_is_never_open),
        cmocka_unit_test(test_hours_over_the_gap_have_no_break),
        cmocka_unit_test(test_a_quarter_shown_twice_is_open_twice),
        cmocka_unit_test(test_the_week_goes_round),
        cmocka_unit_test(test_empty_hours_never_open),
        cmocka_unit_test(test_an_exception_replaces_the_hours_of_its_date),
        cmocka_unit_test(test_an_exception_closes_a_day),
        cmocka_unit_test(test_a_vacation_is_whole_local_days),
        cmocka_unit_test(test_unavailable_until_is_exclusive),
        cmocka_unit_test(test_a_zone_changes_at_the_old_zones_midnight),
        cmocka_unit_test(test_a_zone_change_waits_for_a_short_day),
        cmocka_unit_test(test_a_zone_changes_at_the_first_midnight_of_1970),
        cmocka_unit_test(test_the_last_zone_set_counts),
        cmocka_unit_test(test_a_judgement_holds_until_it_says),
        cmocka_unit_test(test_unavailable_changes_at_edges_only),
        cmocka_unit_test(test_random_judgements_are_those_of_the_rule),
        cmocka_unit_test(test_a_broken_row_does_not_pass),
        cmocka_unit_test(test_bad_arguments_are_bugs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
