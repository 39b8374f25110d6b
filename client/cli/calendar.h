/*
 * calendar.h - a week's hours and dates as people write them, and as SCHEDULE_PUT carries them.
 *
 *     hours   always | closed | DAYS SPAN[,SPAN...][,DAYS SPAN...]
 *     DAYS    mon, mon-fri, sat-sun
 *     SPAN    08:00-17:00, [open, close) on quarter hours; 22:00-02:00 ends the day after
 *     date    2027-07-04
 *
 * What is written here can be read here: hours that were shown can be given back as they are.
 */
#ifndef ZR_CLI_CALENDAR_H
#define ZR_CLI_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CALENDAR_QUARTERS = 96,    /* Of a day. */
    CALENDAR_HOURS_BYTES = 84, /* 672 bits, one per quarter hour from Monday 00:00. */
    CALENDAR_DATE_BYTES = 16,  /* "2027-07-04", with its NUL. */
    CALENDAR_CLOCK_BYTES = 8,  /* "08:00", with its NUL. */
};

/* Hours to bits. False when the text is none; hours is written only on success. */
bool calendar_to_hours(uint8_t hours[CALENDAR_HOURS_BYTES], const char *text);

/* Bits to hours, days that are alike together. NULL without memory; the caller frees it. */
char *calendar_from_hours(const uint8_t hours[CALENDAR_HOURS_BYTES]);

/* "08:00-12:00" within one day, in quarter hours; 24:00 is its end. */
bool calendar_to_span(uint16_t *open_quarter, uint16_t *close_quarter, const char *text);

/* 32 -> "08:00". */
void calendar_from_quarter(char text[CALENDAR_CLOCK_BYTES], uint16_t quarter);

/* "2027-07-04" in days since 1970-01-01. */
bool calendar_to_day(uint32_t *day, const char *text);
void calendar_from_day(char text[CALENDAR_DATE_BYTES], uint32_t day);

#endif
