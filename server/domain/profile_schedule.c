/*
 * profile_schedule.c - SCHEDULE_PUT and SCHEDULE_GET: a contractor's hours (R34). See profile.h.
 */
#include "protocol/check.h"
#include "server/domain/condition.h"
#include "server/domain/localtime.h"
#include "server/domain/people.h"
#include "server/domain/profile.h"
#include "server/domain/schedule.h"
#include "server/domain/timer.h"
#include "server/domain/usage.h"

#include <string.h>

/* No date beyond the year 9999 is meant. */
enum { DAY_MAX = 2932896, HOURS_OPEN = 0xFF };

static bool
exceptions_are_valid(const struct zr_schedule_put_request *request)
{
    for (uint16_t i = 0; i < request->exceptions_count; i++) {
        const struct zr_schedule_exception *row = &request->exceptions[i];

        if (row->day > DAY_MAX || row->open_quarter > row->close_quarter ||
            row->close_quarter > LOCALTIME_DAY_QUARTERS ||
            (i > 0 && row->day < request->exceptions[i - 1].day)) {
            return false;
        }
    }
    return true;
}

static bool
vacations_are_valid(const struct zr_schedule_put_request *request)
{
    for (uint16_t i = 0; i < request->vacations_count; i++) {
        const struct zr_schedule_vacation *row = &request->vacations[i];

        if (row->last_day > DAY_MAX || row->first_day > row->last_day) {
            return false;
        }
    }
    return true;
}

/* The first wrong field, or NULL. */
static const char *
schedule_wrong_field(const struct zr_schedule_put_request *request)
{
    if (request->timezone[0] != '\0' && localtime_zone_find(request->timezone) == 0) {
        return "timezone";
    }
    if (request->hours_length != 0 && request->hours_length != SCHEDULE_HOURS_BYTES) {
        return "hours";
    }
    if (!exceptions_are_valid(request)) {
        return "exceptions";
    }
    return vacations_are_valid(request) ? NULL : "vacations";
}

static void
schedule_from_wire(struct schedule_row *row, const struct zr_schedule_put_request *request)
{
    if (request->hours_length == 0) {
        memset(row->hours, HOURS_OPEN, sizeof row->hours);
    } else {
        memcpy(row->hours, request->hours, sizeof row->hours);
    }
    row->unavailable_until_ms = request->unavailable_until_ms;
    row->exceptions_count = (uint8_t)request->exceptions_count;
    memset(row->exceptions, 0, sizeof row->exceptions);
    for (uint16_t i = 0; i < request->exceptions_count; i++) {
        row->exceptions[i] = (struct schedule_exception){
            .day = (int32_t)request->exceptions[i].day,
            .open_quarter = request->exceptions[i].open_quarter,
            .close_quarter = request->exceptions[i].close_quarter,
        };
    }
    row->vacations_count = (uint8_t)request->vacations_count;
    memset(row->vacations, 0, sizeof row->vacations);
    for (uint16_t i = 0; i < request->vacations_count; i++) {
        row->vacations[i] = (struct schedule_vacation){
            .first_day = (int32_t)request->vacations[i].first_day,
            .last_day = (int32_t)request->vacations[i].last_day,
        };
    }
}

void
profile_schedule_arm(struct state *state, const struct command *command, uint32_t contractor,
                     struct schedule_row *row)
{
    const uint64_t edge_ms = schedule_next_edge_ms(row, command->time_ms);

    if (edge_ms == UINT64_MAX || edge_ms == row->armed_ms) {
        row->armed_ms = edge_ms == UINT64_MAX ? 0 : edge_ms;
        return;
    }
    row->armed_ms = edge_ms;
    timer_set(state, edge_ms,
              &(struct timer_row){
                  .kind = TIMER_SCHEDULE, .contractor = contractor, .deadline_ms = edge_ms});
}

uint16_t
profile_schedule_put_apply(struct state *state, const struct command *command,
                           const struct zr_schedule_put_request *request,
                           struct zr_put_reply *reply, struct effects *effects)
{
    const char *wrong = schedule_wrong_field(request);
    struct contractor_row contractor;
    struct schedule_row row = {.version = 0};
    uint8_t zone_before;
    uint8_t zone;

    if (wrong != NULL) {
        return command_invalid(effects, &zr_schedule_put_request_shape, wrong);
    }
    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    (void)state_schedule_get(state, request->contractor, &row);
    reply->version = row.version;
    if (row.version != request->expected_version) {
        return ZR_STATUS_VERSION_CONFLICT;
    }
    zone_before = contractor_zone(state, request->contractor, &contractor, command->time_ms);
    zone = request->timezone[0] != '\0' ? localtime_zone_find(request->timezone) : contractor.zone;
    schedule_set_zone(&row, zone != 0 ? zone : localtime_zone_find("UTC"), command->time_ms);
    schedule_from_wire(&row, request);
    row.version++;
    schedule_check(&row);
    profile_schedule_arm(state, command, request->contractor, &row);
    state_schedule_put(state, request->contractor, &row);
    contractor.profile |= PROFILE_SCHEDULE;
    state_contractor_put(state, request->contractor, &contractor);
    usage_zone_changed(state, command, request->contractor, &contractor, zone_before);
    condition_unavailable_judge(state, command, request->contractor);
    *reply = (struct zr_put_reply){.commit_seq = command->seq, .version = row.version};
    return ZR_STATUS_OK;
}

static void
schedule_to_wire(struct zr_schedule_get_reply *reply, const struct schedule_row *row)
{
    reply->unavailable_until_ms = row->unavailable_until_ms;
    reply->version = row->version;
    reply->hours_length = SCHEDULE_HOURS_BYTES;
    memcpy(reply->hours, row->hours, SCHEDULE_HOURS_BYTES);
    for (uint8_t i = 0; i < row->exceptions_count; i++) {
        reply->exceptions[reply->exceptions_count++] = (struct zr_schedule_exception){
            .day = (uint32_t)row->exceptions[i].day,
            .open_quarter = row->exceptions[i].open_quarter,
            .close_quarter = row->exceptions[i].close_quarter,
        };
    }
    for (uint8_t i = 0; i < row->vacations_count; i++) {
        reply->vacations[reply->vacations_count++] = (struct zr_schedule_vacation){
            .first_day = (uint32_t)row->vacations[i].first_day,
            .last_day = (uint32_t)row->vacations[i].last_day,
        };
    }
}

uint16_t
profile_schedule_get(struct state *state, const struct command *command,
                     const struct zr_profile_get_request *request,
                     struct zr_schedule_get_reply *reply)
{
    struct contractor_row contractor;
    struct schedule_row row;
    uint64_t until_ms;
    uint8_t zone;

    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    reply->contractor = request->contractor;
    zone = contractor.zone != 0 ? contractor.zone : localtime_zone_find("UTC");
    if (state_schedule_get(state, request->contractor, &row)) {
        schedule_to_wire(reply, &row);
        schedule_judge(&row, command->time_ms, &reply->reasons, &until_ms);
        /* Where it moves to: putting back what was read must not take the move back. */
        zone = row.next_zone != 0 ? row.next_zone : row.zone;
    }
    (void)strncpy(reply->timezone, localtime_zone_name(zone), sizeof reply->timezone - 1);
    return ZR_STATUS_OK;
}
