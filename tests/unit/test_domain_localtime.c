/*
 * test_domain_localtime.c - wall clocks of the US zones (E25, R13, R34, M2's period end).
 *
 * Two witnesses: the tzdata of this machine, hour by hour, where it is installed; and facts
 * written out by hand, so that a machine without it proves something too.
 */
#include "server/domain/localtime.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 20000, ZONE_LAST = 39 };

#define HOUR_MS  UINT64_C(3600000)
#define DAY_MS   (24 * HOUR_MS)
#define ZONEINFO "/usr/share/zoneinfo/"

/* Instants of 2026 in UTC seconds. */
#define SPRING_CHANGE_S INT64_C(1772953200) /* 2026-03-08 07:00, 02:00 EST in New York. */
#define AUTUMN_CHANGE_S INT64_C(1793512800) /* 2026-11-01 06:00, 02:00 EDT in New York. */

static const char *const names[] = {
#define ZONE(number, name, standard_minutes, rule) name,
#define LAW(number, year, month, day, hour, standard_minutes, rule)
#define ALIAS(number, name) name,
#include "server/domain/zones.def"
#undef ZONE
#undef LAW
#undef ALIAS
};

enum { NAMES_COUNT = sizeof names / sizeof names[0] };

static uint8_t
zone_of(const char *name)
{
    const uint8_t zone = localtime_zone_find(name);

    assert_int_not_equal(zone, 0);
    return zone;
}

static uint64_t
utc_ms(int32_t year, uint8_t month, uint8_t day, uint32_t ms_of_day)
{
    return (uint64_t)days_from_civil(year, month, day) * DAY_MS + ms_of_day;
}

/* The clock at that instant as "2026-03-08 01:59:59.999". */
static void
assert_clock(uint8_t zone, uint64_t at_ms, const char *expected)
{
    struct local_time local;
    struct civil_date date;
    char text[64];

    localtime_at(&local, zone, at_ms);
    date = civil_from_days(local.day);
    assert_int_equal(local.day_of_month, date.day);
    assert_int_equal(local.month, (date.year - 1970) * 12 + date.month - 1);
    (void)snprintf(text, sizeof text, "%04d-%02u-%02u %02u:%02u:%02u.%03u", date.year, date.month,
                   date.day, local.ms_of_day / 3600000, local.ms_of_day / 60000 % 60,
                   local.ms_of_day / 1000 % 60, local.ms_of_day % 1000);
    assert_string_equal(text, expected);
}

/* A random instant of 2007..2037. */
static uint64_t
random_instant(uint64_t *seed)
{
    const uint64_t from_ms = utc_ms(2007, 1, 1, 0);

    return from_ms + test_random_below(seed, utc_ms(2038, 1, 1, 0) - from_ms);
}

static uint8_t
random_zone(uint64_t *seed)
{
    return (uint8_t)(1 + test_random_below(seed, ZONE_LAST));
}

/* ---- against tzdata ---------------------------------------------------------------------- */

static bool
clock_is_as_in(const struct tm *tm, uint8_t zone, uint64_t at_ms)
{
    const int quarter_of_week = ((tm->tm_wday + 6) % 7) * 96 + tm->tm_hour * 4 + tm->tm_min / 15;
    const int second = tm->tm_hour * 3600 + tm->tm_min * 60 + tm->tm_sec;
    const int month = tm->tm_mon + 1;
    struct local_time local;

    localtime_at(&local, zone, at_ms);
    return localtime_offset_s(zone, at_ms) == tm->tm_gmtoff &&
           local.day == days_from_civil(tm->tm_year + 1900, (uint8_t)month, (uint8_t)tm->tm_mday) &&
           local.month == (tm->tm_year - 70) * 12 + tm->tm_mon &&
           local.day_of_month == tm->tm_mday && (int)local.ms_of_day == second * 1000 &&
           local.quarter_of_week == quarter_of_week &&
           localtime_hour(zone, at_ms) == local.day * 24 + tm->tm_hour;
}

/* Every step_h hours of [from, to): the same clock as the C library's. */
static void
assert_as_tzdata(const char *name, int32_t from_year, int32_t to_year, uint32_t step_h)
{
    const uint8_t zone = zone_of(name);
    const uint64_t end_ms = utc_ms(to_year, 1, 1, 0);

    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread.
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
    for (uint64_t at_ms = utc_ms(from_year, 1, 1, 0); at_ms < end_ms; at_ms += step_h * HOUR_MS) {
        const time_t at_s = (time_t)(at_ms / 1000);
        struct tm tm;

        assert_non_null(localtime_r(&at_s, &tm));
        if (!clock_is_as_in(&tm, zone, at_ms)) {
            fail_msg("%s: another clock at UTC second %lld", name, (long long)at_s);
        }
    }
}

/* Every hour of 2007..2037 of each name; later years by steps that meet every hour of the day. */
static void
test_every_zone_is_as_in_tzdata(void **state)
{
    uint32_t compared = 0;

    (void)state;
    for (int i = 0; i < NAMES_COUNT; i++) {
        const bool alias = strcmp(names[i], localtime_zone_name(zone_of(names[i]))) != 0;
        char path[128];

        (void)snprintf(path, sizeof path, ZONEINFO "%s", names[i]);
        if (access(path, R_OK) != 0) {
            continue;
        }
        /* An alias shares its zone's law: a coarse look tells a wrong number. */
        assert_as_tzdata(names[i], 2007, 2038, alias ? 5 : 1);
        assert_as_tzdata(names[i], 2038, 2101, 17);
        compared++;
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread.
    (void)unsetenv("TZ");
    tzset();
    printf("compared %u of %d names with " ZONEINFO "%s\n", compared, NAMES_COUNT,
           compared == 0 ? ": skipped, there is none" : "");
}

/* ---- facts by hand ----------------------------------------------------------------------- */

/* E25: at 02:00 of the night in spring it is 03:00; 02:30 never is. */
static void
test_a_spring_night_has_no_half_past_two(void **state)
{
    const uint8_t new_york = zone_of("America/New_York");
    const uint64_t change_ms = (uint64_t)SPRING_CHANGE_S * 1000;
    struct local_time local;

    (void)state;
    assert_clock(new_york, change_ms - 1, "2026-03-08 01:59:59.999");
    assert_clock(new_york, change_ms, "2026-03-08 03:00:00.000");
    assert_int_equal(localtime_offset_s(new_york, change_ms - 1), -5 * 3600);
    assert_int_equal(localtime_offset_s(new_york, change_ms), -4 * 3600);
    for (uint64_t at_ms = change_ms - DAY_MS; at_ms < change_ms + DAY_MS; at_ms += 60000) {
        localtime_at(&local, new_york, at_ms);
        assert_false(local.day == days_from_civil(2026, 3, 8) && local.ms_of_day / HOUR_MS == 2);
    }
}

/* E25: 01:30 of the night in autumn is twice, an hour apart. */
static void
test_an_autumn_night_has_half_past_one_twice(void **state)
{
    const uint8_t new_york = zone_of("America/New_York");
    const uint64_t change_ms = (uint64_t)AUTUMN_CHANGE_S * 1000;

    (void)state;
    assert_clock(new_york, change_ms - HOUR_MS / 2, "2026-11-01 01:30:00.000");
    assert_clock(new_york, change_ms + HOUR_MS / 2, "2026-11-01 01:30:00.000");
    assert_clock(new_york, change_ms - 1, "2026-11-01 01:59:59.999");
    assert_clock(new_york, change_ms, "2026-11-01 01:00:00.000");
    assert_clock(new_york, change_ms + HOUR_MS, "2026-11-01 02:00:00.000");
}

/* Each zone changes at its own 02:00; some never do; one had other laws (zones.def). */
static void
test_other_zones_by_hand(void **state)
{
    (void)state;
    assert_clock(zone_of("America/Chicago"), (uint64_t)SPRING_CHANGE_S * 1000,
                 "2026-03-08 01:00:00.000");
    assert_clock(zone_of("America/Los_Angeles"), utc_ms(2026, 7, 1, 0), "2026-06-30 17:00:00.000");
    assert_clock(zone_of("America/Phoenix"), utc_ms(2026, 7, 1, 0), "2026-06-30 17:00:00.000");
    assert_clock(zone_of("America/Phoenix"), utc_ms(2026, 1, 1, 0), "2025-12-31 17:00:00.000");
    assert_clock(zone_of("Pacific/Honolulu"), utc_ms(2026, 7, 1, 0), "2026-06-30 14:00:00.000");
    assert_clock(zone_of("America/Puerto_Rico"), utc_ms(2026, 7, 1, 0), "2026-06-30 20:00:00.000");
    assert_clock(zone_of("Pacific/Guam"), utc_ms(2026, 6, 30, 18 * 3600000),
                 "2026-07-01 04:00:00.000");
    assert_clock(zone_of("Pacific/Pago_Pago"), utc_ms(2026, 7, 1, 0), "2026-06-30 13:00:00.000");
    assert_clock(zone_of("America/Metlakatla"), utc_ms(2018, 12, 1, 0), "2018-11-30 16:00:00.000");
    assert_clock(zone_of("America/Metlakatla"), utc_ms(2019, 2, 1, 0), "2019-01-31 15:00:00.000");
    assert_clock(zone_of("UTC"), utc_ms(2024, 2, 29, 1), "2024-02-29 00:00:00.001");
}

/* 2026-07-27 is a Monday; 1970-01-01 was a Thursday. */
static void
test_the_week_begins_on_monday(void **state)
{
    const uint8_t utc = zone_of("UTC");
    struct local_time local;

    (void)state;
    localtime_at(&local, utc, utc_ms(2026, 7, 27, 0));
    assert_int_equal(local.quarter_of_week, 0);
    localtime_at(&local, utc, utc_ms(2026, 7, 27, 0) - 1);
    assert_int_equal(local.quarter_of_week, 671);
    localtime_at(&local, utc, utc_ms(2026, 7, 28, 15 * 60000));
    assert_int_equal(local.quarter_of_week, 97);
    localtime_at(&local, utc, 0);
    assert_int_equal(local.quarter_of_week, 3 * 96);
}

/* ---- days, months, periods --------------------------------------------------------------- */

/* E25: a local day has 23 or 25 hours then, and is one date: a daily cap counts it once. */
static void
test_a_local_day_has_23_24_or_25_hours(void **state)
{
    const uint8_t new_york = zone_of("America/New_York");
    const int32_t spring = days_from_civil(2026, 3, 8);
    const int32_t autumn = days_from_civil(2026, 11, 1);

    (void)state;
    assert_int_equal(localtime_day_start_ms(new_york, spring), utc_ms(2026, 3, 8, 5 * 3600000));
    assert_int_equal(localtime_day_start_ms(new_york, spring + 1) -
                         localtime_day_start_ms(new_york, spring),
                     23 * HOUR_MS);
    assert_int_equal(localtime_day_start_ms(new_york, autumn + 1) -
                         localtime_day_start_ms(new_york, autumn),
                     25 * HOUR_MS);
    assert_int_equal(localtime_day_start_ms(new_york, autumn) -
                         localtime_day_start_ms(new_york, autumn - 1),
                     24 * HOUR_MS);
}

/* Every day of every zone begins once, at 00:00, right after the day before. */
static void
test_a_day_begins_at_midnight_everywhere(void **state)
{
    const int32_t last = days_from_civil(2037, 12, 31);
    struct local_time local;

    (void)state;
    for (uint8_t zone = 1; zone <= ZONE_LAST; zone++) {
        for (int32_t day = days_from_civil(2007, 1, 1); day <= last; day++) {
            const uint64_t start_ms = localtime_day_start_ms(zone, day);

            localtime_at(&local, zone, start_ms);
            assert_int_equal(local.day, day);
            assert_int_equal(local.ms_of_day, 0);
            localtime_at(&local, zone, start_ms - 1);
            assert_int_equal(local.day, day - 1);
        }
    }
}

static void
test_a_month_begins_with_its_first_day(void **state)
{
    uint64_t seed = test_seed();
    struct local_time local;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        const uint8_t zone = random_zone(&seed);
        const int32_t month = (int32_t)(37 * 12 + test_random_below(&seed, 93 * 12));
        const uint64_t start_ms = localtime_month_start_ms(zone, month);

        localtime_at(&local, zone, start_ms);
        assert_int_equal(local.month, month);
        assert_int_equal(local.day_of_month, 1);
        assert_int_equal(local.ms_of_day, 0);
        localtime_at(&local, zone, start_ms - 1);
        assert_int_equal(local.month, month - 1);
    }
}

/* M2, LAPSING: the anchor day, clamped to the month's end, 00:00 local, strictly ahead. */
static void
test_a_period_ends_on_the_anchor_day(void **state)
{
    static const struct {
        uint8_t anchor_day;
        struct civil_date now; /* 12:00 local */
        struct civil_date end;
    } rows[] = {
        {15, {2026, 1, 14}, {2026, 1, 15}},  {15, {2026, 1, 15}, {2026, 2, 15}},
        {1, {2026, 12, 1}, {2027, 1, 1}},    {31, {2026, 1, 30}, {2026, 1, 31}},
        {31, {2026, 1, 31}, {2026, 2, 28}},  {31, {2026, 2, 28}, {2026, 3, 31}},
        {31, {2026, 2, 27}, {2026, 2, 28}},  {31, {2028, 1, 31}, {2028, 2, 29}},
        {30, {2028, 2, 28}, {2028, 2, 29}},  {29, {2026, 2, 1}, {2026, 2, 28}},
        {29, {2028, 2, 28}, {2028, 2, 29}},  {31, {2026, 3, 31}, {2026, 4, 30}},
        {31, {2026, 4, 30}, {2026, 5, 31}},  {31, {2026, 11, 30}, {2026, 12, 31}},
        {31, {2026, 12, 31}, {2027, 1, 31}}, {8, {2026, 3, 7}, {2026, 3, 8}},
    };
    const uint8_t new_york = zone_of("America/New_York");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const int32_t now = days_from_civil(rows[i].now.year, rows[i].now.month, rows[i].now.day);
        const int32_t end = days_from_civil(rows[i].end.year, rows[i].end.month, rows[i].end.day);
        const uint64_t now_ms = localtime_day_start_ms(new_york, now) + 12 * HOUR_MS;
        const uint64_t end_ms = localtime_day_start_ms(new_york, end);

        assert_int_equal(localtime_period_end_ms(new_york, rows[i].anchor_day, now_ms), end_ms);
        assert_int_equal(localtime_period_end_ms(new_york, rows[i].anchor_day, end_ms - 1), end_ms);
        assert_true(localtime_period_end_ms(new_york, rows[i].anchor_day, end_ms) > end_ms);
    }
}

/* ---- quarters and hours ------------------------------------------------------------------ */

/* E25: the quarter stays as it is up to that instant and is another one there, on any night. */
static void
test_the_next_quarter_is_where_the_clock_shows_another(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        const uint8_t zone = random_zone(&seed);
        const uint64_t now_ms = random_instant(&seed);
        const uint64_t next_ms = localtime_next_quarter_ms(zone, now_ms);
        struct local_time now;
        struct local_time before;
        struct local_time next;

        assert_true(next_ms > now_ms);
        localtime_at(&now, zone, now_ms);
        localtime_at(&before, zone, next_ms - 1);
        localtime_at(&next, zone, next_ms);
        assert_int_equal(before.quarter_of_week, now.quarter_of_week);
        assert_int_equal(before.ms_of_day - now.ms_of_day, next_ms - 1 - now_ms);
        assert_int_not_equal(next.quarter_of_week, now.quarter_of_week);
    }
    assert_int_equal(localtime_next_quarter_ms(1, 0), 900000);
    assert_int_equal(localtime_next_quarter_ms(1, 899999), 900000);
    assert_int_equal(localtime_next_quarter_ms(1, 900000), 1800000);
}

/* E25, R13: the repeated hour is one hour of two hours; the hour that does not exist is none. */
static void
test_an_hour_of_the_clock_ends_once(void **state)
{
    const uint8_t new_york = zone_of("America/New_York");
    const uint64_t spring_ms = (uint64_t)SPRING_CHANGE_S * 1000;
    const uint64_t autumn_ms = (uint64_t)AUTUMN_CHANGE_S * 1000;

    (void)state;
    assert_int_equal(localtime_hour_end_ms(new_york, spring_ms - 1), spring_ms);
    assert_int_equal(localtime_hour(new_york, spring_ms) - localtime_hour(new_york, spring_ms - 1),
                     2);
    assert_int_equal(localtime_hour_end_ms(new_york, autumn_ms - HOUR_MS), autumn_ms + HOUR_MS);
    assert_int_equal(localtime_hour_end_ms(new_york, autumn_ms - HOUR_MS - 1), autumn_ms - HOUR_MS);
    assert_int_equal(localtime_hour_end_ms(new_york, autumn_ms), autumn_ms + HOUR_MS);
    assert_int_equal(localtime_hour(new_york, autumn_ms), localtime_hour(new_york, autumn_ms - 1));
    assert_int_equal(localtime_hour_end_ms(new_york, 0), HOUR_MS);
}

/* Random: the hour's key is constant up to its end, higher from there, and never goes back. */
static void
test_the_hour_never_goes_back(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        const uint8_t zone = random_zone(&seed);
        const uint64_t now_ms = random_instant(&seed);
        const uint64_t end_ms = localtime_hour_end_ms(zone, now_ms);
        const uint64_t probe_ms = now_ms + test_random_below(&seed, end_ms - now_ms);

        assert_true(end_ms > now_ms);
        assert_int_equal(localtime_hour(zone, probe_ms), localtime_hour(zone, now_ms));
        assert_int_equal(localtime_hour(zone, end_ms - 1), localtime_hour(zone, now_ms));
        assert_true(localtime_hour(zone, end_ms) > localtime_hour(zone, now_ms));
    }
}

/* ---- names and numbers ------------------------------------------------------------------- */

/* A number stands in stored rows: append only. Who appends, adds to this and to ZONE_LAST. */
static void
test_the_numbers_of_zones_never_change(void **state)
{
    uint64_t digest = UINT64_C(14695981039346656037);

    (void)state;
    for (uint8_t zone = 1; zone <= ZONE_LAST; zone++) {
        const char *name = localtime_zone_name(zone);

        assert_int_equal(localtime_zone_find(name), zone);
        for (size_t i = 0; i <= strlen(name); i++) {
            digest = (digest ^ (uint8_t)name[i]) * UINT64_C(1099511628211);
        }
    }
    assert_int_equal(digest, UINT64_C(0xfcf8340c7ca9ecd2));
    expect_assert_failure((void)localtime_zone_name(ZONE_LAST + 1));
}

static void
test_zones_are_found_by_their_names_only(void **state)
{
    static const char full[LOCALTIME_NAME_BYTES] = "America/North_Dakota/New_Salem\0";
    char no_end[LOCALTIME_NAME_BYTES];

    (void)state;
    assert_int_equal(localtime_zone_find("UTC"), 1);
    assert_int_equal(localtime_zone_find("America/New_York"), 2);
    assert_int_equal(localtime_zone_find("US/Eastern"), 2);
    assert_string_equal(localtime_zone_name(localtime_zone_find("US/Eastern")), "America/New_York");
    assert_int_equal(localtime_zone_find(full), 19);
    assert_int_equal(localtime_zone_find(""), 0);
    assert_int_equal(localtime_zone_find("america/new_york"), 0);
    assert_int_equal(localtime_zone_find("America/New_Yor"), 0);
    assert_int_equal(localtime_zone_find("America/New_York "), 0);
    assert_int_equal(localtime_zone_find("Europe/Paris"), 0);
    memset(no_end, 'A', sizeof no_end); /* A stored name that fills its field has no zero. */
    assert_int_equal(localtime_zone_find(no_end), 0);
}

/* ---- calendar ---------------------------------------------------------------------------- */

/* Every date of the years 1..9999 in order, by the plain rule of leap years. */
static void
test_dates_and_days_are_the_same_thing(void **state)
{
    static const uint8_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct civil_date date = {1, 1, 1};

    (void)state;
    assert_int_equal(days_from_civil(1970, 1, 1), 0);
    assert_int_equal(days_from_civil(2000, 3, 1), 11017);
    for (int32_t day = days_from_civil(1, 1, 1); date.year <= 9999; day++) {
        const bool leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
        const struct civil_date found = civil_from_days(day);

        if (days_from_civil(date.year, date.month, date.day) != day || found.year != date.year ||
            found.month != date.month || found.day != date.day) {
            fail_msg("day %d is %d-%u-%u", day, date.year, date.month, date.day);
        }
        date.day++;
        if (date.day > lengths[date.month - 1] + (date.month == 2 && leap ? 1 : 0)) {
            date.day = 1;
            date.month++;
        }
        if (date.month > 12) {
            date.month = 1;
            date.year++;
        }
    }
}

/* ---- the ends of time, and the negative space -------------------------------------------- */

/* West of Greenwich 1970 begins in 1969; after the year 9999 nothing comes. */
static void
test_the_ends_of_time_do_not_break(void **state)
{
    const uint8_t adak = zone_of("America/Adak");
    const uint8_t guam = zone_of("Pacific/Guam");
    struct local_time local;
    struct local_time last;

    (void)state;
    assert_clock(adak, 0, "1969-12-31 14:00:00.000");
    assert_int_equal(localtime_hour(adak, 0), -10);
    assert_int_equal(localtime_day_start_ms(adak, 0), 10 * HOUR_MS);
    assert_int_equal(localtime_day_start_ms(adak, -1), 0);
    assert_int_equal(localtime_day_start_ms(guam, 0), 0);
    assert_int_equal(localtime_day_start_ms(guam, INT32_MIN), 0);
    assert_int_equal(localtime_month_start_ms(adak, INT32_MIN), 0);
    assert_int_equal(localtime_month_start_ms(adak, 0), 10 * HOUR_MS);
    assert_int_equal(localtime_period_end_ms(adak, 1, 0), 10 * HOUR_MS);

    localtime_at(&local, guam, UINT64_MAX);
    localtime_at(&last, guam, LOCALTIME_MS_MAX);
    assert_int_equal(local.day, last.day);
    assert_int_equal(local.ms_of_day, last.ms_of_day);
    assert_int_equal(localtime_offset_s(guam, UINT64_MAX), 36000);
    assert_int_equal(localtime_hour_end_ms(guam, UINT64_MAX), UINT64_MAX);
    assert_int_equal(localtime_hour_end_ms(guam, LOCALTIME_MS_MAX), UINT64_MAX);
    assert_int_equal(localtime_next_quarter_ms(guam, LOCALTIME_MS_MAX - 1), LOCALTIME_MS_MAX);
    assert_int_equal(localtime_next_quarter_ms(guam, LOCALTIME_MS_MAX), UINT64_MAX);
    assert_int_equal(localtime_period_end_ms(guam, 31, UINT64_MAX - 1), UINT64_MAX);
    assert_int_equal(localtime_day_start_ms(guam, INT32_MAX), UINT64_MAX);
    assert_int_equal(localtime_month_start_ms(guam, INT32_MAX), UINT64_MAX);
    assert_true(localtime_month_start_ms(adak, 8029 * 12 + 11) < LOCALTIME_MS_MAX);
    assert_true(localtime_day_start_ms(adak, days_from_civil(9999, 12, 30)) < LOCALTIME_MS_MAX);
}

static void
test_bad_arguments_are_bugs(void **state)
{
    struct local_time local;

    (void)state;
    expect_assert_failure(localtime_at(&local, 0, 0));
    expect_assert_failure(localtime_at(&local, ZONE_LAST + 1, 0));
    expect_assert_failure((void)localtime_zone_name(0));
    expect_assert_failure((void)localtime_offset_s(UINT8_MAX, 0));
    expect_assert_failure((void)localtime_next_quarter_ms(0, 0));
    expect_assert_failure((void)localtime_next_quarter_ms(ZONE_LAST + 1, 0));
    expect_assert_failure((void)localtime_period_end_ms(1, 0, 0));
    expect_assert_failure((void)localtime_period_end_ms(1, 32, 0));
    expect_assert_failure((void)days_from_civil(0, 1, 1));
    expect_assert_failure((void)days_from_civil(10000, 1, 1));
    expect_assert_failure((void)days_from_civil(2026, 0, 1));
    expect_assert_failure((void)days_from_civil(2026, 13, 1));
    expect_assert_failure((void)days_from_civil(2026, 1, 0));
    expect_assert_failure((void)days_from_civil(2026, 1, 32));
    expect_assert_failure((void)civil_from_days(days_from_civil(1, 1, 1) - 1));
    expect_assert_failure((void)civil_from_days(days_from_civil(9999, 12, 31) + 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_zone_is_as_in_tzdata),
        cmocka_unit_test(test_a_spring_night_has_no_half_past_two),
        cmocka_unit_test(test_an_autumn_night_has_half_past_one_twice),
        cmocka_unit_test(test_other_zones_by_hand),
        cmocka_unit_test(test_the_week_begins_on_monday),
        cmocka_unit_test(test_a_local_day_has_23_24_or_25_hours),
        cmocka_unit_test(test_a_day_begins_at_midnight_everywhere),
        cmocka_unit_test(test_a_month_begins_with_its_first_day),
        cmocka_unit_test(test_a_period_ends_on_the_anchor_day),
        cmocka_unit_test(test_the_next_quarter_is_where_the_clock_shows_another),
        cmocka_unit_test(test_an_hour_of_the_clock_ends_once),
        cmocka_unit_test(test_the_hour_never_goes_back),
        cmocka_unit_test(test_the_numbers_of_zones_never_change),
        cmocka_unit_test(test_zones_are_found_by_their_names_only),
        cmocka_unit_test(test_dates_and_days_are_the_same_thing),
        cmocka_unit_test(test_the_ends_of_time_do_not_break),
        cmocka_unit_test(test_bad_arguments_are_bugs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
