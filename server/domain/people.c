/*
 * people.c - see people.h.
 */
#include "server/domain/people.h"

#include "protocol/check.h"
#include "server/domain/localtime.h"
#include "server/domain/schedule.h"
#include "server/domain/usage.h"

#include <stdio.h>
#include <string.h>

enum { CONCURRENCY_MAX = 1000 };

bool
command_owns(const struct command *command, uint32_t contractor, const struct contractor_row *row)
{
    switch ((enum zr_role)command->role) {
    case ZR_ROLE_PORTAL:
        return row->tenant == command->tenant;
    case ZR_ROLE_CONTRACTOR:
        return command->contractor == contractor;
    case ZR_ROLE_PAYMENTS:
    case ZR_ROLE_ADMIN:
    case ZR_ROLE_AUDITOR:
        return true;
    case ZR_ROLE_SWITCH:
    case ZR_ROLE_CALLCENTER:
    case ZR_ROLE_BENCH:
        break;
    }
    return false;
}

/* ---- principals ------------------------------------------------------------------------------ */

uint16_t
people_principal_put_apply(struct state *state, const struct command *command,
                           const struct zr_principal_put_request *request,
                           struct zr_put_reply *reply, struct effects *effects)
{
    struct contractor_row contractor;
    struct principal_row row = {0};
    const bool exists = state_principal_get(state, &request->key_hash, &row);
    const bool is_contractor = request->role == ZR_ROLE_CONTRACTOR;

    if (request->tenant == 0) {
        return command_invalid(effects, &zr_principal_put_request_shape, "tenant");
    }
    if (is_contractor != (request->contractor != 0)) {
        return command_invalid(effects, &zr_principal_put_request_shape, "contractor");
    }
    if (is_contractor && (!state_contractor_get(state, request->contractor, &contractor) ||
                          contractor.tenant != request->tenant)) {
        return ZR_STATUS_NOT_FOUND;
    }
    reply->version = row.version;
    if ((exists ? row.version : 0) != request->expected_version) {
        return ZR_STATUS_VERSION_CONFLICT;
    }
    row.version++;
    row.tenant = request->tenant;
    row.contractor = request->contractor;
    row.role = request->role;
    memcpy(row.name, request->name, sizeof row.name);
    state_principal_put(state, &request->key_hash, &row);
    (void)state_counter_next(state, COUNTER_AUTH_EPOCH);
    reply->version = row.version;
    reply->commit_seq = command->seq;
    return ZR_STATUS_OK;
}

uint16_t
people_principal_revoke_apply(struct state *state, const struct command *command,
                              const struct zr_principal_revoke_request *request,
                              struct zr_put_reply *reply)
{
    struct principal_row row;

    if (!state_principal_get(state, &request->key_hash, &row)) {
        return ZR_STATUS_NOT_FOUND;
    }
    state_principal_del(state, &request->key_hash);
    (void)state_counter_next(state, COUNTER_AUTH_EPOCH);
    reply->version = 0;
    reply->commit_seq = command->seq;
    return ZR_STATUS_OK;
}

/* ---- contractors ----------------------------------------------------------------------------- */

/* The first wrong field, or NULL. */
static const char *
contractor_wrong_field(const struct zr_contractor_put_request *request)
{
    static const struct zr_id none = {{0}};

    if (memcmp(&request->contractor_id, &none, sizeof none) == 0) {
        return "contractor_id";
    }
    if (request->max_concurrency > CONCURRENCY_MAX) {
        return "max_concurrency";
    }
    for (uint16_t i = 0; i < request->phones_count; i++) {
        if (request->phones[i].phone == 0) {
            return "phones";
        }
    }
    return request->phones_count > 0 ? NULL : "phones";
}

/* M1 "Defaults": 1 SINGLE, 3 MULTI, 10 REGIONAL. */
static uint16_t
default_concurrency(uint8_t size_class)
{
    switch ((enum zr_size_class)size_class) {
    case ZR_SIZE_MULTI:
        return 3;
    case ZR_SIZE_REGIONAL:
        return 10;
    case ZR_SIZE_SINGLE:
        break;
    }
    return 1;
}

static void
contractor_fill(struct contractor_row *row, const struct zr_contractor_put_request *request)
{
    row->contractor_id = request->contractor_id;
    row->office_zip = request->office_zip;
    row->max_concurrency = request->max_concurrency != 0 ? request->max_concurrency
                                                         : default_concurrency(request->size_class);
    row->size_class = request->size_class;
    row->has_dispatch = request->has_dispatch;
    row->phones_count = (uint8_t)request->phones_count;
    for (int i = 0; i < CONTRACTOR_PHONES_MAX; i++) {
        const uint64_t phone = i < request->phones_count ? request->phones[i].phone : 0;

        if (phone != row->phones[i]) {
            row->phones_down &= (uint8_t) ~(1u << i); /* It was another phone that is down. */
        }
        row->phones[i] = phone;
    }
    memcpy(row->name, request->name, sizeof row->name);
    row->version++;
}

uint16_t
people_contractor_put_apply(struct state *state, const struct command *command,
                            const struct zr_contractor_put_request *request,
                            struct zr_contractor_put_reply *reply, struct effects *effects)
{
    struct contractor_row row = {0};
    uint32_t contractor = 0;
    const bool exists = state_contractor_find(state, &request->contractor_id, &contractor);
    const char *wrong = contractor_wrong_field(request);
    uint8_t zone_before;
    struct zip_row zip;

    if (wrong != NULL) {
        return command_invalid(effects, &zr_contractor_put_request_shape, wrong);
    }
    if (exists && !state_contractor_get(state, contractor, &row)) {
        CHECK(state_failed(state));
        return ZR_STATUS_NOT_FOUND;
    }
    /* Another tenant's id, or a CONTRACTOR that is not itself: nothing leaks. */
    if (exists ? !command_owns(command, contractor, &row) : command->role != ZR_ROLE_PORTAL) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (!state_zip_get(state, request->office_zip, &zip)) {
        return ZR_STATUS_UNKNOWN_ZIP;
    }
    reply->contractor = contractor;
    reply->version = row.version;
    if (row.version != request->expected_version) {
        return ZR_STATUS_VERSION_CONFLICT;
    }
    if (!exists) {
        contractor = (uint32_t)state_counter_next(state, COUNTER_CONTRACTOR);
        row.tenant = command->tenant;
        row.status = ZR_CONTRACTOR_PENDING;
        state_contractor_bind(state, &request->contractor_id, contractor);
    }
    zone_before = contractor_zone(state, contractor, &row, command->time_ms);
    contractor_fill(&row, request);
    row.zone = localtime_zone_find(zip.timezone);
    state_contractor_put(state, contractor, &row);
    if (contractor_zone(state, contractor, &row, command->time_ms) != zone_before) {
        usage_zone_changed(state, command, contractor, &row, zone_before);
    }
    *reply = (struct zr_contractor_put_reply){
        .commit_seq = command->seq, .contractor = contractor, .version = row.version};
    return ZR_STATUS_OK;
}

uint8_t
contractor_zone(struct state *state, uint32_t contractor, const struct contractor_row *row,
                uint64_t now_ms)
{
    struct schedule_row schedule;

    if ((row->profile & PROFILE_SCHEDULE) != 0 &&
        state_schedule_get(state, contractor, &schedule)) {
        return schedule_zone_at(&schedule, now_ms);
    }
    /* A ZIP table may name a zone that this server does not know. */
    return row->zone != 0 ? row->zone : localtime_zone_find("UTC");
}

uint16_t
people_contractor_get(struct state *state, const struct command *command,
                      const struct zr_contractor_get_request *request,
                      struct zr_contractor_get_reply *reply, struct effects *effects)
{
    uint32_t contractor = request->contractor;
    struct contractor_row row;

    if (contractor != 0 && !command_id_is_none(&request->contractor_id)) {
        return command_invalid(effects, &zr_contractor_get_request_shape, "contractor");
    }
    if (contractor == 0 && !state_contractor_find(state, &request->contractor_id, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (!state_contractor_get(state, contractor, &row) ||
        !command_owns(command, contractor, &row)) {
        return ZR_STATUS_NOT_FOUND;
    }
    *reply = (struct zr_contractor_get_reply){
        .contractor_id = row.contractor_id,
        .licence_expires_ms = row.licence_expires_ms,
        .contractor = contractor,
        .version = row.version,
        .tenant = row.tenant,
        .office_zip = row.office_zip,
        .claims = row.claims,
        .max_concurrency = row.max_concurrency,
        .contractor_status = row.status,
        .size_class = row.size_class,
        .has_dispatch = row.has_dispatch != 0,
        .paused = row.paused != 0,
        .phones_count = row.phones_count,
        .paused_deadline_ms = row.paused ? row.pause.deadline_ms : 0,
        .suspended_deadline_ms = row.suspended_deadline_ms,
        .licence_deadline_ms = row.licence_deadline_ms,
        .unavailable_deadline_ms = row.unavailable_deadline_ms,
        .modes = row.modes != 0 ? row.modes : (uint8_t)MODE_PHONE,
        .phones_down = row.phones_down,
    };
    memcpy(reply->name, row.name, sizeof row.name);
    (void)snprintf(reply->timezone, sizeof reply->timezone, "%s",
                   localtime_zone_name(contractor_zone(state, contractor, &row, command->time_ms)));
    for (uint8_t i = 0; i < row.phones_count; i++) {
        reply->phones[i].phone = row.phones[i];
    }
    return ZR_STATUS_OK;
}

uint16_t
people_contractor_list(struct state *state, const struct command *command,
                       const struct zr_contractor_list_request *request,
                       struct zr_contractor_list_reply *reply)
{
    enum { PAGE = sizeof reply->contractors / sizeof reply->contractors[0], SCAN_MAX = 1024 };
    const uint64_t last = state_counter_now(state, COUNTER_CONTRACTOR);
    uint32_t contractor = request->after;
    struct contractor_row row;

    /* A page may come short: another tenant's thousands must not hold up the worker. */
    for (int scanned = 0; scanned < SCAN_MAX && reply->contractors_count < PAGE; scanned++) {
        struct zr_contractor_row *wire = &reply->contractors[reply->contractors_count];

        if (contractor >= last) {
            return ZR_STATUS_OK;
        }
        contractor++;
        if (!state_contractor_get(state, contractor, &row) ||
            !command_owns(command, contractor, &row)) {
            continue;
        }
        *wire = (struct zr_contractor_row){
            .contractor_id = row.contractor_id,
            .contractor = contractor,
            .tenant = row.tenant,
            .office_zip = row.office_zip,
            .version = row.version,
            .contractor_status = row.status,
            .paused = row.paused != 0,
        };
        memcpy(wire->name, row.name, sizeof row.name);
        reply->contractors_count++;
    }
    reply->next = contractor;
    return ZR_STATUS_OK;
}
