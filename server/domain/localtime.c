/*
 * localtime.c - see localtime.h.
 *
 * Two properties of the table carry everything here; both are asserted or tested. Offsets are
 * whole quarters of an hour and clocks change on one, so the quarters of every wall clock
 * begin with those of UTC. And no clock changes between 23:00 and 01:00, so a local midnight
 * comes exactly once a day.
 */
#include "server/domain/localtime.h"

#include "protocol/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S, HOURS_OF_DAY = 24 };
enum { MONTHS = 12, MARCH = 3, NOVEMBER = 11 };

/* The US rule's two instants, in standard time of their days: both are 02:00 on the clock. */
enum { DAYLIGHT_START_S = 2 * HOUR_S, DAYLIGHT_END_S = 1 * HOUR_S };

/* The last day that starts before LOCALTIME_MS_MAX in every zone, and the month it is in. */
enum { DAYS_MAX = 2932895, MONTHS_MAX = (9999 - 1970) * MONTHS + MONTHS - 1 };
_Static_assert(UINT64_C(86400000) * (DAYS_MAX + 1) == LOCALTIME_MS_MAX, "the day before");

/*
 * Days since 1970-01-01, as a constant expression for the table below. The year is taken to
 * begin in March, so that the leap day is its last and (153 * month + 2) / 5 are the days before
 * a month: the sequence 31 30 31 30 31 that repeats from March.
 */
#define CIVIL_YEAR(year, month) ((year) - ((month) < MARCH ? 1 : 0))
#define CIVIL_MONTH(month)      ((month) + ((month) < MARCH ? MONTHS : 0) - MARCH)
#define LEAP_DAYS(year)         ((year) / 4 - (year) / 100 + (year) / 400)
#define DAYS_OF_YEARS(year)     (365 * (year) + LEAP_DAYS(year))
#define DAYS_OF_MONTHS(month)   ((153 * (month) + 2) / 5)
#define DAYS_OF_CYCLE           146097 /* Of 400 years, after which the calendar repeats. */
#define DAYS_BEFORE_1970        719468 /* From 0000-03-01. */
#define DAYS_OF(year, month, day)                                                            \
    (DAYS_OF_YEARS(CIVIL_YEAR(year, month)) + DAYS_OF_MONTHS(CIVIL_MONTH(month)) + (day)-1 - \
     DAYS_BEFORE_1970)

enum rule {
    RULE_NONE,
    RULE_US,
};

struct zone {
    const char *name;
    int16_t standard_minutes;
    uint8_t rule;
};

struct law {
    int64_t from_s;
    int16_t standard_minutes;
    uint8_t rule;
    uint8_t zone;
};

struct alias {
    const char *name;
    uint8_t zone;
};

static const struct zone zones[] = {
#define ZONE(number, name, standard_minutes, rule) [number] = {name, standard_minutes, RULE_##rule},
#define LAW(number, year, month, day, hour, standard_minutes, rule)
#define ALIAS(number, name)
#include "server/domain/zones.def"
#undef ZONE
#undef LAW
#undef ALIAS
};

static const struct law laws[] = {
#define ZONE(number, name, standard_minutes, rule)
#define LAW(number, year, month, day, hour, standard_minutes, rule)                             \
    {DAYS_OF(year, month, day) * INT64_C(86400) + (hour)*HOUR_S, standard_minutes, RULE_##rule, \
     number},
#define ALIAS(number, name)
#include "server/domain/zones.def"
#undef ZONE
#undef LAW
#undef ALIAS
};

static const struct alias aliases[] = {
#define ZONE(number, name, standard_minutes, rule)
#define LAW(number, year, month, day, hour, standard_minutes, rule)
#define ALIAS(number, name) {name, number},
#include "server/domain/zones.def"
#undef ZONE
#undef LAW
#undef ALIAS
};

#define ZONE(number, name, standard_minutes, rule)                                  \
    _Static_assert((standard_minutes) % 15 == 0, "quarters of wall clock and UTC"); \
    _Static_assert(sizeof(name) <= LOCALTIME_NAME_BYTES, "fits a row");
#define LAW(number, year, month, day, hour, standard_minutes, rule) \
    _Static_assert((standard_minutes) % 15 == 0, "quarters of wall clock and UTC");
#define ALIAS(number, name) _Static_assert(sizeof(name) <= LOCALTIME_NAME_BYTES, "fits a row");
#include "server/domain/zones.def"
#undef ZONE
#undef LAW
#undef ALIAS

enum {
    ZONES_END = sizeof zones / sizeof zones[0],
    LAWS_COUNT = sizeof laws / sizeof laws[0],
    ALIASES_COUNT = sizeof aliases / sizeof aliases[0],
};
_Static_assert(ZONES_END <= UINT8_MAX + 1, "a zone is a u8");

/* ---- calendar ------------------------------------------------------------------------------- */

int32_t
days_from_civil(int32_t year, uint8_t month, uint8_t day)
{
    CHECK(year >= 1);
    CHECK(year <= 9999);
    CHECK(month >= 1);
    CHECK(month <= MONTHS);
    CHECK(day >= 1);
    CHECK(day <= 31);
    return DAYS_OF(year, month, day);
}

struct civil_date
civil_from_days(int32_t days)
{
    const int32_t since_march_0 = days + DAYS_BEFORE_1970;
    const int32_t cycle = since_march_0 / DAYS_OF_CYCLE;
    const int32_t day_of_cycle = since_march_0 % DAYS_OF_CYCLE;
    /* Without its leap days a cycle is 365 days a year; each term is one kind of leap year. */
    const int32_t year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 -
                                   day_of_cycle / (DAYS_OF_CYCLE - 1)) /
                                  365;
    const int32_t day_of_year = day_of_cycle - DAYS_OF_YEARS(year_of_cycle);
    const int32_t month = (5 * day_of_year + 2) / 153; /* 0 = March */
    struct civil_date date;

    CHECK(days >= DAYS_OF(1, 1, 1));
    CHECK(days <= DAYS_OF(9999, 12, 31));
    date.day = (uint8_t)(day_of_year - DAYS_OF_MONTHS(month) + 1);
    date.month = (uint8_t)(month + MARCH <= MONTHS ? month + MARCH : month + MARCH - MONTHS);
    date.year = cycle * 400 + year_of_cycle + (date.month < MARCH ? 1 : 0);
    return date;
}

/* 1..31; `month` counts from 1970-01. */
static uint8_t
month_days(int32_t month)
{
    const uint8_t of_year = (uint8_t)(month % MONTHS + 1);
    const int32_t year = 1970 + month / MONTHS;

    CHECK(month >= 0);
    if (of_year == MONTHS) {
        return 31;
    }
    return (uint8_t)(DAYS_OF(year, of_year + 1, 1) - DAYS_OF(year, of_year, 1));
}

/* Monday is 0. Day 0 was a Thursday; the 7 keeps days before it in range. */
static int32_t
day_of_week(int32_t day)
{
    return (day % 7 + 7 + 3) % 7;
}

/* The Sunday on that day or after it. */
static int32_t
day_sunday_from(int32_t day)
{
    return day + 6 - day_of_week(day);
}

/* Rounded down, also before 1970: west of Greenwich the first hours of 1970 are in 1969. */
static int32_t
day_of_second(int64_t seconds)
{
    CHECK(seconds >= -DAY_S);
    return (int32_t)((seconds + DAY_S) / DAY_S) - 1;
}

/* ---- zones ---------------------------------------------------------------------------------- */

uint8_t
localtime_zone_find(const char *name)
{
    for (int zone = 1; zone < ZONES_END; zone++) {
        if (strncmp(name, zones[zone].name, LOCALTIME_NAME_BYTES) == 0) {
            return (uint8_t)zone;
        }
    }
    for (int i = 0; i < ALIASES_COUNT; i++) {
        if (strncmp(name, aliases[i].name, LOCALTIME_NAME_BYTES) == 0) {
            return aliases[i].zone;
        }
    }
    return 0;
}

const char *
localtime_zone_name(uint8_t zone)
{
    CHECK(zone >= 1);
    CHECK(zone < ZONES_END);
    return zones[zone].name;
}

/* Is the US rule's daylight time in force at this second of the zone's standard time? */
static bool
second_is_daylight(int64_t standard_s)
{
    const int32_t year = civil_from_days(day_of_second(standard_s)).year;
    const int32_t second_sunday = day_sunday_from(DAYS_OF(year, MARCH, 8));
    const int32_t first_sunday = day_sunday_from(DAYS_OF(year, NOVEMBER, 1));
    const int64_t start_s = (int64_t)second_sunday * DAY_S + DAYLIGHT_START_S;
    const int64_t end_s = (int64_t)first_sunday * DAY_S + DAYLIGHT_END_S;

    return standard_s >= start_s && standard_s < end_s;
}

static int32_t
zone_offset_s(uint8_t zone, int64_t utc_s)
{
    int32_t standard_s;
    uint8_t rule;

    CHECK(zone >= 1);
    CHECK(zone < ZONES_END);
    standard_s = zones[zone].standard_minutes * 60;
    rule = zones[zone].rule;
    for (int i = 0; i < LAWS_COUNT; i++) {
        if (laws[i].zone == zone && utc_s >= laws[i].from_s) {
            standard_s = laws[i].standard_minutes * 60;
            rule = laws[i].rule;
        }
    }
    if (rule == RULE_US && second_is_daylight(utc_s + standard_s)) {
        return standard_s + HOUR_S;
    }
    return standard_s;
}

/* What no calendar here holds counts as the last instant that it does. */
static uint64_t
ms_within_calendar(uint64_t utc_ms)
{
    return utc_ms < LOCALTIME_MS_MAX ? utc_ms : LOCALTIME_MS_MAX;
}

int32_t
localtime_offset_s(uint8_t zone, uint64_t utc_ms)
{
    return zone_offset_s(zone, (int64_t)(ms_within_calendar(utc_ms) / 1000));
}

/* ---- an instant on the clock ---------------------------------------------------------------- */

void
localtime_at(struct local_time *local, uint8_t zone, uint64_t utc_ms)
{
    const uint64_t at_ms = ms_within_calendar(utc_ms);
    const int64_t utc_s = (int64_t)(at_ms / 1000);
    const int64_t local_s = utc_s + zone_offset_s(zone, utc_s);
    const int32_t day = day_of_second(local_s);
    const struct civil_date date = civil_from_days(day);
    const uint32_t second_of_day = (uint32_t)(local_s - (int64_t)day * DAY_S);

    local->day = day;
    local->month = (date.year - 1970) * MONTHS + date.month - 1;
    local->ms_of_day = second_of_day * 1000 + (uint32_t)(at_ms % 1000);
    local->quarter_of_week = (uint16_t)(day_of_week(day) * LOCALTIME_DAY_QUARTERS +
                                        (int32_t)(local->ms_of_day / LOCALTIME_QUARTER_MS));
    local->day_of_month = date.day;
    CHECK(second_of_day < DAY_S);
    CHECK(local->quarter_of_week < LOCALTIME_WEEK_QUARTERS);
}

int32_t
localtime_hour(uint8_t zone, uint64_t utc_ms)
{
    const int64_t utc_s = (int64_t)(ms_within_calendar(utc_ms) / 1000);
    const int64_t local_s = utc_s + zone_offset_s(zone, utc_s);

    return (int32_t)((local_s + DAY_S) / HOUR_S) - HOURS_OF_DAY;
}

/* ---- the clock's next instants -------------------------------------------------------------- */

uint64_t
localtime_day_start_ms(uint8_t zone, int32_t day)
{
    int64_t midnight_s;
    int64_t utc_s;

    if (day < 0) {
        return 0;
    }
    if (day > DAYS_MAX) {
        return UINT64_MAX;
    }
    midnight_s = (int64_t)day * DAY_S;
    /*
     * The first turn may take the offset of the wrong side of a change of clocks, and so miss
     * by its one or two hours. The next cannot: a change is further from midnight than that.
     */
    utc_s = midnight_s - zone_offset_s(zone, midnight_s);
    utc_s = midnight_s - zone_offset_s(zone, utc_s);
    return utc_s > 0 ? (uint64_t)utc_s * 1000 : 0;
}

uint64_t
localtime_month_start_ms(uint8_t zone, int32_t month)
{
    if (month < 0) {
        return 0;
    }
    if (month > MONTHS_MAX) {
        return UINT64_MAX;
    }
    return localtime_day_start_ms(zone, DAYS_OF(1970 + month / MONTHS, month % MONTHS + 1, 1));
}

uint64_t
localtime_next_quarter_ms(uint8_t zone, uint64_t utc_ms)
{
    CHECK(zone >= 1);
    CHECK(zone < ZONES_END);
    if (utc_ms >= LOCALTIME_MS_MAX) {
        return UINT64_MAX;
    }
    /* No look at the zone is needed (see the top), and none at its changes of clocks. */
    return (utc_ms / LOCALTIME_QUARTER_MS + 1) * LOCALTIME_QUARTER_MS;
}

uint64_t
localtime_hour_end_ms(uint8_t zone, uint64_t utc_ms)
{
    const int32_t hour = localtime_hour(zone, utc_ms);
    uint64_t next_ms = localtime_next_quarter_ms(zone, utc_ms);

    /* By quarters: an hour shown twice has eight of them, a zone off the hour's grid any four. */
    while (next_ms != UINT64_MAX && localtime_hour(zone, next_ms) == hour) {
        next_ms = localtime_next_quarter_ms(zone, next_ms);
    }
    return next_ms;
}

/* 00:00 local of the anchor day in that month. */
static uint64_t
month_anchor_ms(uint8_t zone, uint8_t anchor_day, int32_t month)
{
    const uint8_t last = month_days(month);
    const uint8_t day = anchor_day < last ? anchor_day : last;

    return localtime_day_start_ms(zone, DAYS_OF(1970 + month / MONTHS, month % MONTHS + 1, day));
}

uint64_t
localtime_period_end_ms(uint8_t zone, uint8_t anchor_day, uint64_t utc_ms)
{
    struct local_time local;
    uint64_t end_ms;
    int32_t month;

    CHECK(anchor_day >= 1);
    CHECK(anchor_day <= 31);
    localtime_at(&local, zone, utc_ms);
    month = local.month > 0 ? local.month : 0;
    /* The anchor of this local month has passed, or stands before us; the next one is ahead. */
    end_ms = month_anchor_ms(zone, anchor_day, month);
    return end_ms > utc_ms ? end_ms : month_anchor_ms(zone, anchor_day, month + 1);
}
