/*
 * calendar.c - see calendar.h.
 */
#include "client/cli/calendar.h"

#include "protocol/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { DAYS = 7, WEEK_QUARTERS = DAYS * CALENDAR_QUARTERS, SECONDS_PER_DAY = 86400 };

static const char *const day_names[DAYS] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

/* ---- clock times ------------------------------------------------------------------------- */

/* "08:15" at *text; it is moved behind it. */
static bool
quarter_take(uint16_t *quarter, const char **text)
{
    const char *at = *text;
    unsigned hour;
    unsigned minute;

    for (int i = 0; i < 5; i++) {
        if (i == 2 ? at[i] != ':' : (at[i] < '0' || at[i] > '9')) {
            return false;
        }
    }
    hour = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
    minute = (unsigned)(at[3] - '0') * 10 + (unsigned)(at[4] - '0');
    if (minute % 15 != 0 || minute > 45 || hour * 4 + minute / 15 > CALENDAR_QUARTERS) {
        return false;
    }
    *quarter = (uint16_t)(hour * 4 + minute / 15);
    *text = at + 5;
    return true;
}

static bool
span_take(uint16_t *open_quarter, uint16_t *close_quarter, const char **text)
{
    if (!quarter_take(open_quarter, text) || **text != '-') {
        return false;
    }
    (*text)++;
    return quarter_take(close_quarter, text) && *open_quarter != *close_quarter &&
           *open_quarter < CALENDAR_QUARTERS;
}

bool
calendar_to_span(uint16_t *open_quarter, uint16_t *close_quarter, const char *text)
{
    uint16_t open = 0;
    uint16_t close = 0;

    if (!span_take(&open, &close, &text) || *text != '\0' || open > close) {
        return false;
    }
    *open_quarter = open;
    *close_quarter = close;
    return true;
}

void
calendar_from_quarter(char text[CALENDAR_CLOCK_BYTES], uint16_t quarter)
{
    /* A server may say anything; a clock has two digits. */
    (void)snprintf(text, CALENDAR_CLOCK_BYTES, "%02u:%02u", quarter / 4u % 100u, quarter % 4u * 15);
}

/* ---- hours to bits ----------------------------------------------------------------------- */

/* "mon" at *text. */
static bool
day_take(unsigned *day, const char **text)
{
    for (unsigned i = 0; i < DAYS; i++) {
        if (strncasecmp(*text, day_names[i], 3) == 0) {
            *day = i;
            *text += 3;
            return true;
        }
    }
    return false;
}

/* "mon" or "mon-fri", and the blanks behind it. */
static bool
days_take(unsigned *first, unsigned *last, const char **text)
{
    if (!day_take(first, text)) {
        return false;
    }
    *last = *first;
    if (**text == '-') {
        (*text)++;
        if (!day_take(last, text)) {
            return false;
        }
    }
    if (**text != ' ') {
        return false;
    }
    *text += strspn(*text, " ");
    return true;
}

/* Open a span on each of the days; one that ends before it begins runs into the next day. */
static void
span_set(uint8_t hours[CALENDAR_HOURS_BYTES], const unsigned days[2], const uint16_t span[2])
{
    const unsigned length =
        (unsigned)(span[1] - span[0] + (span[1] < span[0] ? CALENDAR_QUARTERS : 0));
    const unsigned days_count = (days[1] + DAYS - days[0]) % DAYS + 1;

    for (unsigned d = 0; d < days_count; d++) {
        for (unsigned q = 0; q < length; q++) {
            const unsigned bit =
                ((days[0] + d) * CALENDAR_QUARTERS + span[0] + q) % (unsigned)WEEK_QUARTERS;

            hours[bit / 8] |= (uint8_t)(1u << bit % 8);
        }
    }
}

bool
calendar_to_hours(uint8_t hours[CALENDAR_HOURS_BYTES], const char *text)
{
    uint8_t parsed[CALENDAR_HOURS_BYTES] = {0};
    unsigned days[2] = {0, 0};
    bool days_known = false;
    bool more = true;

    if (strcasecmp(text, "always") == 0 || strcasecmp(text, "closed") == 0) {
        memset(hours, (text[0] | 0x20) == 'a' ? 0xFF : 0, CALENDAR_HOURS_BYTES);
        return true;
    }
    while (more) {
        uint16_t span[2];

        text += strspn(text, " ");
        if (*text < '0' || *text > '9') {
            days_known = days_take(&days[0], &days[1], &text);
        }
        if (!days_known || !span_take(&span[0], &span[1], &text) ||
            (*text != ',' && *text != '\0')) {
            return false;
        }
        span_set(parsed, days, span);
        more = *text == ',';
        text += more ? 1 : 0;
    }
    memcpy(hours, parsed, sizeof parsed);
    return true;
}

/* ---- bits to hours ----------------------------------------------------------------------- */

static bool
quarter_is_open(const uint8_t *hours, unsigned day, unsigned quarter)
{
    const unsigned bit = day * CALENDAR_QUARTERS + quarter;

    return (hours[bit / 8] >> bit % 8 & 1) != 0;
}

static bool
days_are_alike(const uint8_t *hours, unsigned day, unsigned other)
{
    /* A day is 12 whole bytes. */
    return memcmp(hours + (size_t)day * CALENDAR_QUARTERS / 8,
                  hours + (size_t)other * CALENDAR_QUARTERS / 8, CALENDAR_QUARTERS / 8) == 0;
}

static void
span_print(FILE *stream, unsigned open_quarter, unsigned close_quarter)
{
    char from[CALENDAR_CLOCK_BYTES];
    char to[CALENDAR_CLOCK_BYTES];

    calendar_from_quarter(from, (uint16_t)open_quarter);
    calendar_from_quarter(to, (uint16_t)close_quarter);
    (void)fprintf(stream, "%s-%s", from, to);
}

/* The comma before it where something stands already, and the days: "mon-fri ". */
static void
days_print(FILE *stream, unsigned first, unsigned last)
{
    (void)fprintf(stream, "%s%s%s%s ", ftell(stream) > 0 ? "," : "", day_names[first],
                  last > first ? "-" : "", last > first ? day_names[last] : "");
}

/* "mon-fri 08:00-12:00,13:00-17:00"; nothing for days that are closed. */
static void
day_hours_print(FILE *stream, const uint8_t *hours, unsigned first, unsigned last)
{
    unsigned quarter = 0;
    bool begun = false;

    while (quarter < CALENDAR_QUARTERS) {
        const unsigned open = quarter;

        while (quarter < CALENDAR_QUARTERS && quarter_is_open(hours, first, quarter)) {
            quarter++;
        }
        if (quarter == open) {
            quarter++;
            continue;
        }
        if (begun) {
            (void)fputc(',', stream);
        } else {
            days_print(stream, first, last);
        }
        span_print(stream, open, quarter);
        begun = true;
    }
}

static void
hours_print(FILE *stream, const uint8_t hours[CALENDAR_HOURS_BYTES])
{
    uint8_t same[CALENDAR_HOURS_BYTES];
    unsigned first = 0;

    for (int value = 0; value <= 0xFF; value += 0xFF) {
        memset(same, value, sizeof same);
        if (memcmp(same, hours, sizeof same) == 0) {
            (void)fputs(value == 0 ? "closed" : "always", stream);
            return;
        }
    }
    while (first < DAYS) {
        unsigned last = first;

        while (last + 1 < DAYS && days_are_alike(hours, first, last + 1)) {
            last++;
        }
        day_hours_print(stream, hours, first, last);
        first = last + 1;
    }
}

char *
calendar_from_hours(const uint8_t hours[CALENDAR_HOURS_BYTES])
{
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *stream = open_memstream(&text, &text_bytes);

    CHECK(hours != NULL);
    if (stream == NULL) {
        return NULL;
    }
    hours_print(stream, hours);
    if (fclose(stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- dates ------------------------------------------------------------------------------- */

bool
calendar_to_day(uint32_t *day, const char *text)
{
    struct tm parts = {0};
    const char *end = strptime(text, "%Y-%m-%d", &parts);
    const time_t seconds = end != NULL && *end == '\0' ? timegm(&parts) : -1;
    char again[CALENDAR_DATE_BYTES];

    if (seconds < 0) {
        return false;
    }
    /* timegm() takes the 31st of June for the 1st of July; a typing error is no date. */
    calendar_from_day(again, (uint32_t)(seconds / SECONDS_PER_DAY));
    if (strcmp(again, text) != 0) {
        return false;
    }
    *day = (uint32_t)(seconds / SECONDS_PER_DAY);
    return true;
}

void
calendar_from_day(char text[CALENDAR_DATE_BYTES], uint32_t day)
{
    const time_t seconds = (time_t)day * SECONDS_PER_DAY;
    struct tm parts = {0};

    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, CALENDAR_DATE_BYTES, "%Y-%m-%d", &parts) == 0) {
        (void)snprintf(text, CALENDAR_DATE_BYTES, "day %u", day);
    }
}
