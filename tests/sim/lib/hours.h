/*
 * hours.h - when a contractor of the simulation wants to be called, and whether it is so now.
 *
 * The other half of a test: what a contractor asked for is kept here as people say it (weekdays,
 * calendar dates), sent as SCHEDULE_PUT wants it, and judged with the C library's calendar and the
 * machine's time zones. Nothing of server/domain/schedule.c or localtime.c is used.
 */
#ifndef ZR_SIM_HOURS_H
#define ZR_SIM_HOURS_H

#include "protocol/message.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { HOURS_EXCEPTIONS_MAX = 6, HOURS_VACATIONS_MAX = 4, HOURS_INTERVALS_MAX = 2 };

/* Quarter hours of the day, [open, close). */
struct hours_interval {
    uint8_t open;
    uint8_t close;
};

/* Dates are year * 10,000 + month * 100 + day: they compare like dates. */
struct hours_exception {
    uint32_t date;
    struct hours_interval interval;
};

struct hours_vacation {
    uint32_t first;
    uint32_t last;
};

struct hours {
    struct hours_interval week[7][HOURS_INTERVALS_MAX];      /* From Monday; open == close: none. */
    struct hours_exception exceptions[HOURS_EXCEPTIONS_MAX]; /* Ascending. */
    struct hours_vacation vacations[HOURS_VACATIONS_MAX];
    uint64_t unavailable_until_ms;
    const char *zone;      /* IANA name. */
    const char *zone_next; /* From the local day after zone_date on; NULL = none. */
    uint32_t zone_date;
    uint8_t exceptions_count;
    uint8_t vacations_count;
    bool always;  /* Every hour of the week. */
    bool is_sent; /* A contractor without a schedule takes calls at any time. */
};

/* Calendar and clock of the zone at that instant, by the C library. */
void hours_local(struct tm *local, const char *zone, uint64_t now_ms);

uint32_t hours_date(const struct tm *local);

/* The date so many days later. */
uint32_t hours_date_add(uint32_t date, int days);

/* The zone in force. */
const char *hours_zone(const struct hours *hours, uint64_t now_ms);

/* Does it want calls now? */
bool hours_are_open(const struct hours *hours, uint64_t now_ms);

/* Is it away: on vacation, or unavailable? */
bool hours_are_away(const struct hours *hours, uint64_t now_ms);

/* Forget what is over: a schedule has room for so many dates only. */
void hours_prune(struct hours *hours, uint64_t now_ms);

/* As SCHEDULE_PUT has it; op_id, contractor and expected_version are the caller's. */
void hours_to_wire(const struct hours *hours, struct zr_schedule_put_request *request);

#endif
