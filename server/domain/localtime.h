/*
 * localtime.h - an instant on a contractor's wall clock, by IANA zone (M3, R34, E25).
 *
 * Instants are UTC ms since 1970; a zone is its stored number in zones.def. Nothing is read from
 * the machine, so that a replay gives the same answer anywhere (architecture.md: the domain has
 * no environment).
 *
 * The hard part are the two nights of a year: in spring the wall clock jumps over an hour that
 * then does not exist, in autumn it shows one hour twice. Whoever counts by the keys below
 * (local day, month, hour of the clock) counts neither night twice.
 *
 * The table holds the laws of 2007 on, those of the future as they are known. Times before 2007
 * get the rule of 2007; a time of LOCALTIME_MS_MAX or later counts as that instant, and what
 * would come next is UINT64_MAX, never. A zone number outside of zones.def is a bug.
 */
#ifndef ZR_LOCALTIME_H
#define ZR_LOCALTIME_H

#include <stdint.h>

/* 9999-12-31 00:00 UTC. */
#define LOCALTIME_MS_MAX UINT64_C(253402214400000)

enum {
    LOCALTIME_QUARTER_MS = 15 * 60 * 1000,
    LOCALTIME_DAY_QUARTERS = 96,
    LOCALTIME_WEEK_QUARTERS = 7 * LOCALTIME_DAY_QUARTERS,
    LOCALTIME_NAME_BYTES = 32, /* Of a stored or received name; a shorter one ends with a zero. */
};

/* What calendar and clock on the wall show. */
struct local_time {
    int32_t day;              /* Days since 1970-01-01 of the local date. */
    int32_t month;            /* Months since 1970-01 of the local date. */
    uint32_t ms_of_day;       /* Of the clock, not since midnight: they differ after a change. */
    uint16_t quarter_of_week; /* 0..671, Monday 00:00 is 0. */
    uint8_t day_of_month;     /* 1..31 */
};

/* A date of the Gregorian calendar. */
struct civil_date {
    int32_t year;
    uint8_t month; /* 1..12 */
    uint8_t day;   /* 1..31 */
};

/* Number of the zone of that name, 0 = unknown. At most LOCALTIME_NAME_BYTES of it are read. */
uint8_t localtime_zone_find(const char *name);

/* The zone's name: static, zero-ended, shorter than LOCALTIME_NAME_BYTES. */
const char *localtime_zone_name(uint8_t zone);

/* Seconds to add to UTC to get the wall clock. */
int32_t localtime_offset_s(uint8_t zone, uint64_t utc_ms);

/* Every field of the wall clock at that instant. */
void localtime_at(struct local_time *local, uint8_t zone, uint64_t utc_ms);

/*
 * The hour that the clock shows, as hours since 1970-01-01 00:00 of the wall clock: the key of a
 * cap per hour (R13). It never goes back; the repeated hour of an autumn night is one hour.
 */
int32_t localtime_hour(uint8_t zone, uint64_t utc_ms);

/* First instant of the local date, 0 where it would be before 1970. */
uint64_t localtime_day_start_ms(uint8_t zone, int32_t day);

/* First instant of the local month (months since 1970-01), 0 where it would be before 1970. */
uint64_t localtime_month_start_ms(uint8_t zone, int32_t month);

/* The next instant after utc_ms at which localtime_hour() changes. */
uint64_t localtime_hour_end_ms(uint8_t zone, uint64_t utc_ms);

/* The next instant after utc_ms at which the clock shows another quarter of an hour. */
uint64_t localtime_next_quarter_ms(uint8_t zone, uint64_t utc_ms);

/*
 * The end of a claim's period (M2): the next instant after utc_ms that is 00:00 local of day
 * `anchor_day` (1..31) of a month, or of the month's last day where it has no such day.
 */
uint64_t localtime_period_end_ms(uint8_t zone, uint8_t anchor_day, uint64_t utc_ms);

/* Days since 1970-01-01 of a date of the years 1..9999, and back. */
int32_t days_from_civil(int32_t year, uint8_t month, uint8_t day);
struct civil_date civil_from_days(int32_t days);

#endif
