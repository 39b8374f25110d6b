/*
 * hours.c - see hours.h.
 */
#include "tests/sim/lib/hours.h"

#include "protocol/check.h"

#include <stdlib.h>
#include <string.h>

enum { DAY_S = 24 * 3600, DAY_QUARTERS = 96, WEEK_QUARTERS = 7 * DAY_QUARTERS };

/* ---- the C library's calendar -----------------------------------------------------------------
 */

void
hours_local(struct tm *local, const char *zone, uint64_t now_ms)
{
    static const char *current;
    const time_t now = (time_t)(now_ms / 1000);
    const struct tm *made;

    /* Reading a zone's file is dear, and nine of ten are the metro's. */
    if (current == NULL || strcmp(current, zone) != 0) {
        CHECK(setenv("TZ", zone, 1) == 0);
        tzset();
        current = zone;
    }
    made = localtime_r(&now, local);
    CHECK(made != NULL);
}

uint32_t
hours_date(const struct tm *local)
{
    return (uint32_t)((local->tm_year + 1900) * 10000 + (local->tm_mon + 1) * 100 + local->tm_mday);
}

/* Noon of the date, as if it were UTC's. */
static time_t
date_noon(uint32_t date)
{
    struct tm civil = {.tm_year = (int)(date / 10000) - 1900,
                       .tm_mon = (int)(date / 100 % 100) - 1,
                       .tm_mday = (int)(date % 100),
                       .tm_hour = 12};

    return timegm(&civil);
}

uint32_t
hours_date_add(uint32_t date, int days)
{
    const time_t noon = date_noon(date) + (time_t)days * DAY_S;
    struct tm civil;

    CHECK(gmtime_r(&noon, &civil) != NULL);
    return hours_date(&civil);
}

static uint32_t
date_to_day(uint32_t date)
{
    return (uint32_t)(date_noon(date) / DAY_S);
}

/* ---- the judgement --------------------------------------------------------------------------- */

const char *
hours_zone(const struct hours *hours, uint64_t now_ms)
{
    struct tm local;

    if (hours->zone_next == NULL) {
        return hours->zone;
    }
    hours_local(&local, hours->zone, now_ms);
    return hours_date(&local) > hours->zone_date ? hours->zone_next : hours->zone;
}

static bool
interval_holds(const struct hours_interval *interval, uint32_t quarter)
{
    return quarter >= interval->open && quarter < interval->close;
}

static bool
date_is_away(const struct hours *hours, uint32_t date, uint64_t now_ms)
{
    for (int i = 0; i < hours->vacations_count; i++) {
        if (date >= hours->vacations[i].first && date <= hours->vacations[i].last) {
            return true;
        }
    }
    return now_ms < hours->unavailable_until_ms;
}

static bool
clock_is_open(const struct hours *hours, const struct tm *local)
{
    const uint32_t quarter = (uint32_t)(local->tm_hour * 4 + local->tm_min / 15);
    const struct hours_interval *week = hours->week[(local->tm_wday + 6) % 7];
    const uint32_t date = hours_date(local);

    for (int i = 0; i < hours->exceptions_count; i++) {
        if (hours->exceptions[i].date == date) {
            return interval_holds(&hours->exceptions[i].interval, quarter);
        }
    }
    return hours->always || interval_holds(&week[0], quarter) || interval_holds(&week[1], quarter);
}

bool
hours_are_away(const struct hours *hours, uint64_t now_ms)
{
    struct tm local;

    hours_local(&local, hours_zone(hours, now_ms), now_ms);
    return hours->is_sent && date_is_away(hours, hours_date(&local), now_ms);
}

bool
hours_are_open(const struct hours *hours, uint64_t now_ms)
{
    struct tm local;

    if (!hours->is_sent) {
        return true;
    }
    hours_local(&local, hours_zone(hours, now_ms), now_ms);
    return !date_is_away(hours, hours_date(&local), now_ms) && clock_is_open(hours, &local);
}

void
hours_prune(struct hours *hours, uint64_t now_ms)
{
    struct tm local;
    uint32_t yesterday;
    uint8_t kept = 0;

    hours_local(&local, hours_zone(hours, now_ms), now_ms);
    yesterday = hours_date_add(hours_date(&local), -1); /* Zones may differ by a day. */
    for (uint8_t i = 0; i < hours->exceptions_count; i++) {
        if (hours->exceptions[i].date >= yesterday) {
            hours->exceptions[kept++] = hours->exceptions[i];
        }
    }
    hours->exceptions_count = kept;
    kept = 0;
    for (uint8_t i = 0; i < hours->vacations_count; i++) {
        if (hours->vacations[i].last >= yesterday) {
            hours->vacations[kept++] = hours->vacations[i];
        }
    }
    hours->vacations_count = kept;
}

/* ---- the wire -------------------------------------------------------------------------------- */

static void
week_to_wire(const struct hours *hours, struct zr_schedule_put_request *request)
{
    request->hours_length = WEEK_QUARTERS / 8;
    for (uint32_t i = 0; i < WEEK_QUARTERS; i++) {
        const struct hours_interval *day = hours->week[i / DAY_QUARTERS];
        const uint32_t quarter = i % DAY_QUARTERS;

        if (interval_holds(&day[0], quarter) || interval_holds(&day[1], quarter)) {
            request->hours[i / 8] = (uint8_t)(request->hours[i / 8] | 1u << i % 8);
        }
    }
}

void
hours_to_wire(const struct hours *hours, struct zr_schedule_put_request *request)
{
    const char *zone = hours->zone_next != NULL ? hours->zone_next : hours->zone;

    request->unavailable_until_ms = hours->unavailable_until_ms;
    CHECK(strlen(zone) < sizeof request->timezone);
    memcpy(request->timezone, zone, strlen(zone));
    if (!hours->always) {
        week_to_wire(hours, request);
    }
    for (uint8_t i = 0; i < hours->exceptions_count; i++) {
        request->exceptions[request->exceptions_count++] = (struct zr_schedule_exception){
            .day = date_to_day(hours->exceptions[i].date),
            .open_quarter = hours->exceptions[i].interval.open,
            .close_quarter = hours->exceptions[i].interval.close,
        };
    }
    for (uint8_t i = 0; i < hours->vacations_count; i++) {
        request->vacations[request->vacations_count++] = (struct zr_schedule_vacation){
            date_to_day(hours->vacations[i].first), date_to_day(hours->vacations[i].last)};
    }
}
