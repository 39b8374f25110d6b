/*
 * schedule.c - see schedule.h.
 */
#include "server/domain/schedule.h"

#include "protocol/check.h"
#include "server/domain/eligibility.h"
#include "server/domain/localtime.h"

#include <stddef.h>

enum { DAY_MS = LOCALTIME_DAY_QUARTERS * LOCALTIME_QUARTER_MS };

_Static_assert(SCHEDULE_HOURS_BYTES * 8 == LOCALTIME_WEEK_QUARTERS, "a bit per quarter");
_Static_assert(offsetof(struct schedule_row, unavailable_until_ms) ==
                   offsetof(struct schedule_row, armed_ms) + sizeof(uint64_t),
               "no hidden bytes in what is stored");

static uint64_t
time_earliest(uint64_t left, uint64_t right)
{
    return left < right ? left : right;
}

uint64_t
schedule_zone_change_ms(const struct schedule_row *row)
{
    return row->next_zone != 0 ? localtime_day_start_ms(row->zone, row->next_zone_day) : UINT64_MAX;
}

uint8_t
schedule_zone_at(const struct schedule_row *row, uint64_t now_ms)
{
    return now_ms < schedule_zone_change_ms(row) ? row->zone : row->next_zone;
}

void
schedule_set_zone(struct schedule_row *row, uint8_t zone, uint64_t now_ms)
{
    struct local_time local;

    CHECK(zone != 0);
    if (row->zone == 0) {
        row->zone = zone;
        return;
    }
    row->zone = schedule_zone_at(row, now_ms);
    row->next_zone = 0;
    row->next_zone_day = 0;
    if (row->zone == zone) {
        return;
    }
    localtime_at(&local, row->zone, now_ms);
    row->next_zone = zone;
    row->next_zone_day = local.day + 1;
    CHECK(schedule_zone_change_ms(row) > now_ms);
}

/* ---- hours ---------------------------------------------------------------------------------- */

bool
schedule_never_open(const struct schedule_row *row)
{
    for (int i = 0; i < SCHEDULE_HOURS_BYTES; i++) {
        if (row->hours[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Do the hours, weekly or of the date, hold the quarter that the clock shows? */
static bool
hours_are_open(const struct schedule_row *row, const struct local_time *local)
{
    const uint32_t quarter = local->ms_of_day / LOCALTIME_QUARTER_MS;
    bool dated = false;

    for (int i = 0; i < row->exceptions_count; i++) {
        const struct schedule_exception *exception = &row->exceptions[i];

        if (exception->day != local->day) {
            continue;
        }
        if (quarter >= exception->open_quarter && quarter < exception->close_quarter) {
            return true;
        }
        dated = true;
    }
    if (dated) {
        return false;
    }
    return (row->hours[local->quarter_of_week / 8] >> (local->quarter_of_week % 8) & 1) != 0;
}

/* The quarter before bound_ms in which the hours no longer are `open`, else bound_ms. */
static uint64_t
hours_same_until(const struct schedule_row *row, uint64_t now_ms, bool open, uint64_t bound_ms)
{
    const uint8_t zone = schedule_zone_at(row, now_ms);
    uint64_t quarter_ms = localtime_next_quarter_ms(zone, now_ms);

    while (quarter_ms < bound_ms) {
        struct local_time local;

        localtime_at(&local, zone, quarter_ms);
        if (hours_are_open(row, &local) != open) {
            return quarter_ms;
        }
        quarter_ms = localtime_next_quarter_ms(zone, quarter_ms);
    }
    return bound_ms;
}

/* ---- absence -------------------------------------------------------------------------------- */

static bool
row_is_absent(const struct schedule_row *row, int32_t day, uint64_t now_ms)
{
    for (int i = 0; i < row->vacations_count; i++) {
        if (day >= row->vacations[i].first_day && day <= row->vacations[i].last_day) {
            return true;
        }
    }
    return now_ms < row->unavailable_until_ms;
}

bool
schedule_is_unavailable(const struct schedule_row *row, uint64_t now_ms)
{
    struct local_time local;

    localtime_at(&local, schedule_zone_at(row, now_ms), now_ms);
    return schedule_never_open(row) || row_is_absent(row, local.day, now_ms);
}

uint64_t
schedule_next_edge_ms(const struct schedule_row *row, uint64_t now_ms)
{
    const uint8_t zone = schedule_zone_at(row, now_ms);
    const uint64_t change_ms = schedule_zone_change_ms(row);
    uint64_t edge_ms = UINT64_MAX;

    if (change_ms > now_ms) {
        /* Days of the next zone need no look: they begin at the change, which is an edge. */
        edge_ms = change_ms;
    }
    if (row->unavailable_until_ms > now_ms) {
        edge_ms = time_earliest(edge_ms, row->unavailable_until_ms);
    }
    for (int i = 0; i < row->vacations_count; i++) {
        const struct schedule_vacation *vacation = &row->vacations[i];
        const uint64_t start_ms = localtime_day_start_ms(zone, vacation->first_day);
        const uint64_t end_ms = localtime_day_start_ms(zone, vacation->last_day + 1);

        if (start_ms > now_ms) {
            edge_ms = time_earliest(edge_ms, start_ms);
        } else if (end_ms > now_ms) {
            edge_ms = time_earliest(edge_ms, end_ms);
        }
    }
    return edge_ms;
}

/* ---- the judgement -------------------------------------------------------------------------- */

void
schedule_judge(const struct schedule_row *row, uint64_t now_ms, uint32_t *reasons,
               uint64_t *until_ms)
{
    struct local_time local;
    uint64_t bound_ms;
    bool open;

    CHECK(now_ms < LOCALTIME_MS_MAX);
    localtime_at(&local, schedule_zone_at(row, now_ms), now_ms);
    open = hours_are_open(row, &local);
    /* Absence changes at edges only, so up to the next one the hours alone decide. */
    bound_ms = time_earliest(schedule_next_edge_ms(row, now_ms), now_ms + DAY_MS);

    *reasons = open ? 0 : REASON_OUT_OF_HOURS;
    *reasons |= row_is_absent(row, local.day, now_ms) ? REASON_VACATION : 0;
    *until_ms = hours_same_until(row, now_ms, open, bound_ms);
    CHECK(*until_ms > now_ms);
}

void
schedule_check(const struct schedule_row *row)
{
    CHECK(row->exceptions_count <= SCHEDULE_EXCEPTIONS_MAX);
    CHECK(row->vacations_count <= SCHEDULE_VACATIONS_MAX);
    CHECK(row->zone != 0);
    CHECK(row->next_zone_day >= 0);
    CHECK(row->next_zone_day == 0 || row->next_zone != 0); /* Day 0 is 1970-01-01. */
    for (int i = 0; i < row->exceptions_count; i++) {
        CHECK(row->exceptions[i].open_quarter <= row->exceptions[i].close_quarter);
        CHECK(row->exceptions[i].close_quarter <= LOCALTIME_DAY_QUARTERS);
    }
    for (int i = 0; i < row->vacations_count; i++) {
        CHECK(row->vacations[i].first_day <= row->vacations[i].last_day);
        CHECK(row->vacations[i].last_day < INT32_MAX);
    }
}
