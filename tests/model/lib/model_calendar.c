/*
 * model_calendar.c - dates, clocks and clock changes, as a wall calendar has them (R34, E25).
 */
#include "tests/model/lib/model.h"

#include <stdlib.h>
#include <string.h>

enum {
    DAYS_PER_WEEK = 7,
    QUARTERS_PER_DAY = 96,
};
#define QUARTER_MS (15 * MODEL_MINUTE_MS)

/* ---- the calendar ------------------------------------------------------------------------------
 */

static const int zone_minutes[] = {-5 * 60, -6 * 60, -8 * 60, -4 * 60};
static const bool zone_has_dst[] = {true, true, true, false};

static bool
year_is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && year_is_leap(year) ? 1 : 0);
}

uint64_t
model_day(int year, int month, int month_day)
{
    uint64_t day = 0;

    for (int y = 1970; y < year; y++) {
        day += year_is_leap(y) ? 366 : 365;
    }
    for (int m = 1; m < month; m++) {
        day += (uint64_t)month_days(year, m);
    }
    return day + (uint64_t)(month_day - 1);
}

void
model_date(uint64_t day, int *year, int *month, int *month_day)
{
    *year = 1970;
    *month = 1;
    while (day >= (year_is_leap(*year) ? 366U : 365U)) {
        day -= year_is_leap(*year) ? 366 : 365;
        (*year)++;
    }
    while (day >= (uint64_t)month_days(*year, *month)) {
        day -= (uint64_t)month_days(*year, *month);
        (*month)++;
    }
    *month_day = (int)day + 1;
}

/* The n-th Sunday of a month; 1970-01-01 was a Thursday. */
static uint64_t
sunday(int year, int month, int nth)
{
    uint64_t day = model_day(year, month, 1);

    while ((day + 4) % DAYS_PER_WEEK != 0) {
        day++;
    }
    return day + (uint64_t)(nth - 1) * DAYS_PER_WEEK;
}

/* Minutes from UTC: the rule of the USA since 2007, 02:00 by the clock that is in force. */
static int
zone_offset(int zone, uint64_t time_ms)
{
    const int standard = zone_minutes[zone];
    const uint64_t local_ms = time_ms - (uint64_t)(-standard) * MODEL_MINUTE_MS;
    uint64_t begins_ms;
    uint64_t ends_ms;
    int year;
    int month;
    int month_day;

    if (!zone_has_dst[zone]) {
        return standard;
    }
    model_date(local_ms / MODEL_DAY_MS, &year, &month, &month_day);
    begins_ms = sunday(year, 3, 2) * MODEL_DAY_MS + 2 * MODEL_HOUR_MS;
    ends_ms = sunday(year, 11, 1) * MODEL_DAY_MS + MODEL_HOUR_MS; /* 02:00 daylight time. */
    return local_ms >= begins_ms && local_ms < ends_ms ? standard + 60 : standard;
}

uint64_t
model_local_ms(int zone, uint64_t time_ms)
{
    return time_ms - (uint64_t)(-zone_offset(zone, time_ms)) * MODEL_MINUTE_MS;
}

uint64_t
model_midnight_ms(int zone, uint64_t day)
{
    const uint64_t standard_ms =
        day * MODEL_DAY_MS + (uint64_t)(-zone_minutes[zone]) * MODEL_MINUTE_MS;
    const uint64_t daylight_ms = standard_ms - MODEL_HOUR_MS;

    return model_local_ms(zone, daylight_ms) == day * MODEL_DAY_MS ? daylight_ms : standard_ms;
}

uint64_t
model_period_end(int zone, uint64_t claimed_ms, uint64_t after_ms)
{
    uint64_t end_ms = 0;
    int anchor;
    int year;
    int month;
    int month_day;

    model_date(model_local_ms(zone, claimed_ms) / MODEL_DAY_MS, &year, &month, &anchor);
    model_date(model_local_ms(zone, after_ms) / MODEL_DAY_MS, &year, &month, &month_day);
    while (end_ms <= after_ms) {
        const int last = month_days(year, month);

        end_ms = model_midnight_ms(zone, model_day(year, month, anchor < last ? anchor : last));
        month++;
        if (month > 12) {
            month = 1;
            year++;
        }
    }
    return end_ms;
}

void
model_window(int zone, uint8_t window, uint64_t time_ms, uint64_t *start, uint64_t *end)
{
    const uint64_t local_ms = model_local_ms(zone, time_ms);
    int year;
    int month;
    int month_day;

    *start = 0;
    *end = UINT64_MAX;
    if (window == ZR_CAP_WINDOW_HOUR) {
        /* Keyed by what the wall clock says: the hour that comes twice is one window. */
        *start = local_ms / MODEL_HOUR_MS;
        *end = *start + 1;
    } else if (window == ZR_CAP_WINDOW_DAY) {
        *start = local_ms / MODEL_DAY_MS;
        *end = *start + 1;
    } else if (window == ZR_CAP_WINDOW_MONTH) {
        model_date(local_ms / MODEL_DAY_MS, &year, &month, &month_day);
        *start = (uint64_t)year * 12 + (uint64_t)month;
        *end = *start + 1;
    }
}

/* ---- hours and vacations -----------------------------------------------------------------------
 */

bool
model_on_vacation(const struct model_contractor *who, uint64_t time_ms)
{
    const uint64_t day = model_local_ms(who->zone, time_ms) / MODEL_DAY_MS;

    for (int i = 0; i < who->schedule.vacations_count; i++) {
        const struct zr_schedule_vacation *vacation = &who->schedule.vacations[i];

        if (day >= vacation->first_day && day <= vacation->last_day) {
            return true;
        }
    }
    return time_ms < who->schedule.unavailable_until_ms;
}

static bool
is_open(const struct model_contractor *who, uint64_t time_ms)
{
    const uint64_t local_ms = model_local_ms(who->zone, time_ms);
    const uint64_t day = local_ms / MODEL_DAY_MS;
    const uint64_t quarter = local_ms % MODEL_DAY_MS / QUARTER_MS;
    const uint64_t monday_based = (day + 3) % DAYS_PER_WEEK;
    const uint64_t bit = monday_based * QUARTERS_PER_DAY + quarter;

    for (int i = 0; i < who->schedule.exceptions_count; i++) {
        const struct zr_schedule_exception *exception = &who->schedule.exceptions[i];

        if (exception->day == day) {
            return quarter >= exception->open_quarter && quarter < exception->close_quarter;
        }
    }
    return who->schedule.hours_length == 0 || (who->schedule.hours[bit / 8] >> (bit % 8) & 1) != 0;
}

uint32_t
model_schedule_reasons(const struct model *model, int contractor)
{
    const struct model_contractor *who = &model->contractors[contractor];

    return (is_open(who, model->now_ms) ? 0 : 1U << 3) |
           (model_on_vacation(who, model->now_ms) ? 1U << 4 : 0);
}
