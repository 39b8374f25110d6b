/*
 * schedule.c - contractor hours: weekly hours, dated exceptions, vacations (R34). See profile.h.
 */
#include "client/cli/calendar.h"
#include "client/cli/families.h"
#include "client/cli/fields.h"
#include "client/cli/profile.h"
#include "protocol/check.h"

#include <stdlib.h>
#include <string.h>

enum {
    EXCEPTIONS_MAX = sizeof((struct zr_schedule_put_request *)0)->exceptions /
                     sizeof(struct zr_schedule_exception),
    VACATIONS_MAX = sizeof((struct zr_schedule_put_request *)0)->vacations /
                    sizeof(struct zr_schedule_vacation),
    ITEM_BYTES = 40,
};

const struct param contractor_hours_params[] = {
    PROFILE_CONTRACTOR,
    {"hours", NULL, "HOURS", "Of the week: 'mon-fri 08:00-17:00,sat 09:00-12:00'", PARAM_LIST, NULL,
     NULL},
    {"always", NULL, NULL, "Open day and night", 0, NULL, NULL},
    {"closed", NULL, NULL, "Never open: a primary loses its titles after 14 days of it", 0, NULL,
     NULL},
    {"exception", NULL, "DATE=SPAN", "That date instead: 08:00-12:00, open, closed; or none",
     PARAM_LIST, NULL, NULL},
    {"vacation", NULL, "DATE[..DATE]", "Not rung on these dates; or none", PARAM_LIST, NULL, NULL},
    {"add", NULL, NULL, "Keep the exceptions and vacations that are there", 0, NULL, NULL},
    {"unavailable-until", "unavailable_until_ms", "TIME", "Not rung before it; 0 ends it", 0, NULL,
     NULL},
    {"timezone", "timezone", "ZONE", "IANA name (that of the office ZIP)", 0, NULL, NULL},
    PROFILE_VERSION,
    PROFILE_END};

/* ---- hours ------------------------------------------------------------------------------- */

static enum cli_exit
hours_fill(const struct cli *cli, struct zr_schedule_put_request *request)
{
    const int given = cli_given(cli, "hours") + cli_given(cli, "always") + cli_given(cli, "closed");
    const char *text = cli_given(cli, "always")   ? "always"
                       : cli_given(cli, "closed") ? "closed"
                                                  : cli_value(cli, "hours");

    if (given > 1) {
        return cli_misused(cli, "--hours, --always and --closed contradict each other");
    }
    if (given == 0) {
        return CLI_DONE;
    }
    if (!calendar_to_hours(request->hours, text)) {
        return cli_misused(cli,
                           "--hours %s: expected days and quarter hours, such as "
                           "'mon-fri 08:00-12:00,13:00-17:00,sat 09:00-12:00'",
                           text);
    }
    request->hours_length = CALENDAR_HOURS_BYTES;
    return CLI_DONE;
}

/* ---- exceptions -------------------------------------------------------------------------- */

/* "2027-07-04=closed" */
static bool
exception_parse(struct zr_schedule_exception *exception, char item[ITEM_BYTES])
{
    char *span = strchr(item, '=');

    *exception = (struct zr_schedule_exception){0};
    if (span == NULL) {
        return false;
    }
    *span++ = '\0';
    if (!calendar_to_day(&exception->day, item)) {
        return false;
    }
    if (strcmp(span, "open") == 0) {
        exception->close_quarter = CALENDAR_QUARTERS;
        return true;
    }
    return strcmp(span, "closed") == 0 ||
           calendar_to_span(&exception->open_quarter, &exception->close_quarter, span);
}

/* The wire wants them ascending; a date may come twice, with a break between its spans. */
static int
exception_compare(const void *left, const void *right)
{
    const struct zr_schedule_exception *a = left;
    const struct zr_schedule_exception *b = right;

    if (a->day != b->day) {
        return a->day < b->day ? -1 : 1;
    }
    return (a->open_quarter > b->open_quarter) - (a->open_quarter < b->open_quarter);
}

static bool
exceptions_hold(const struct zr_schedule_exception *exceptions, uint16_t count, uint32_t day)
{
    for (uint16_t i = 0; i < count; i++) {
        if (exceptions[i].day == day) {
            return true;
        }
    }
    return false;
}

/* After what was given: what was there, but for dates that are told anew. False: too many. */
static bool
exceptions_keep(struct zr_schedule_put_request *request, const struct zr_schedule_exception *old,
                uint16_t old_count)
{
    const uint16_t given = request->exceptions_count;

    for (uint16_t i = 0; i < old_count; i++) {
        if (exceptions_hold(request->exceptions, given, old[i].day)) {
            continue;
        }
        if (request->exceptions_count == EXCEPTIONS_MAX) {
            return false;
        }
        request->exceptions[request->exceptions_count++] = old[i];
    }
    return true;
}

static enum cli_exit
exceptions_fill(const struct cli *cli, struct zr_schedule_put_request *request)
{
    struct zr_schedule_exception old[EXCEPTIONS_MAX];
    const uint16_t old_count = cli_given(cli, "add") ? request->exceptions_count : 0;
    const char *list = profile_list(cli, "exception");
    char item[ITEM_BYTES];

    memcpy(old, request->exceptions, sizeof old);
    request->exceptions_count = 0;
    while (profile_take_item(item, sizeof item, &list)) {
        if (request->exceptions_count == EXCEPTIONS_MAX) {
            return cli_misused(cli, "--exception: more than %d", EXCEPTIONS_MAX);
        }
        if (!exception_parse(&request->exceptions[request->exceptions_count++], item)) {
            return cli_misused(cli,
                               "--exception %s: expected DATE=08:00-12:00, DATE=open, DATE=closed "
                               "or none",
                               cli_value(cli, "exception"));
        }
    }
    if (!exceptions_keep(request, old, old_count)) {
        return cli_misused(cli, "--exception: more than %d with those that are there",
                           EXCEPTIONS_MAX);
    }
    qsort(request->exceptions, request->exceptions_count, sizeof request->exceptions[0],
          exception_compare);
    return CLI_DONE;
}

/* ---- vacations --------------------------------------------------------------------------- */

/* "2027-08-01..2027-08-14", or a single date. */
static bool
vacation_parse(struct zr_schedule_vacation *vacation, char item[ITEM_BYTES])
{
    char *last = strstr(item, "..");

    if (last != NULL) {
        *last = '\0';
        last += strlen("..");
    }
    return calendar_to_day(&vacation->first_day, item) &&
           calendar_to_day(&vacation->last_day, last != NULL ? last : item) &&
           vacation->first_day <= vacation->last_day;
}

static enum cli_exit
vacations_fill(const struct cli *cli, struct zr_schedule_put_request *request)
{
    const char *list = profile_list(cli, "vacation");
    char item[ITEM_BYTES];

    if (!cli_given(cli, "add")) {
        request->vacations_count = 0;
    }
    while (profile_take_item(item, sizeof item, &list)) {
        if (request->vacations_count == VACATIONS_MAX) {
            return cli_misused(cli, "--vacation: more than %d", VACATIONS_MAX);
        }
        if (!vacation_parse(&request->vacations[request->vacations_count++], item)) {
            return cli_misused(cli,
                               "--vacation %s: expected FIRST..LAST, such as "
                               "2027-08-01..2027-08-14, a date, or none",
                               cli_value(cli, "vacation"));
        }
    }
    return CLI_DONE;
}

/* ---- all of it --------------------------------------------------------------------------- */

/* What was given, over what stands in the request. */
static enum cli_exit
schedule_fill(struct cli *cli, struct zr_schedule_put_request *request)
{
    enum cli_exit exit_code = hours_fill(cli, request);

    if (exit_code == CLI_DONE && cli_given(cli, "exception")) {
        exit_code = exceptions_fill(cli, request);
    }
    if (exit_code == CLI_DONE && cli_given(cli, "vacation")) {
        exit_code = vacations_fill(cli, request);
    }
    return exit_code == CLI_DONE ? fields_fill(cli, request) : exit_code;
}

static void
schedule_keep(struct zr_schedule_put_request *request, const struct zr_schedule_get_reply *record)
{
    request->expected_version = record->version;
    request->unavailable_until_ms = record->unavailable_until_ms;
    /* Before the first schedule the zone is the office's, and stays so unless it is given. */
    if (record->version != 0) {
        memcpy(request->timezone, record->timezone, sizeof request->timezone);
        request->hours_length = record->hours_length;
        memcpy(request->hours, record->hours, sizeof request->hours);
    }
    request->exceptions_count = record->exceptions_count;
    memcpy(request->exceptions, record->exceptions, sizeof request->exceptions);
    request->vacations_count = record->vacations_count;
    memcpy(request->vacations, record->vacations, sizeof request->vacations);
}

enum cli_exit
contractor_hours_run(struct cli *cli)
{
    struct zr_schedule_put_request request = {0};
    struct zr_schedule_get_reply record;
    enum cli_exit exit_code;

    if (profile_is_shown(cli)) {
        return profile_show(cli, ZR_OP_SCHEDULE_GET);
    }
    /* Once for its syntax, before anything is asked. */
    exit_code = schedule_fill(cli, &request);
    exit_code = exit_code == CLI_DONE ? profile_read(cli, ZR_OP_SCHEDULE_GET, &record) : exit_code;
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    request = (struct zr_schedule_put_request){0};
    schedule_keep(&request, &record);
    exit_code = schedule_fill(cli, &request);
    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}
