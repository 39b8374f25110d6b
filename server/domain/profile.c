/*
 * profile.c - caps, destinations, filters, and callers that nobody is rung for. See profile.h;
 * the schedule is in profile_schedule.c.
 */
#include "server/domain/profile.h"

#include "protocol/check.h"
#include "server/domain/answer_rate.h"
#include "server/domain/condition.h"
#include "server/domain/usage.h"

#include <string.h>

enum { MODES_ALL = MODE_PHONE | MODE_APP | MODE_SMS, ATTESTATION_MAX = 3, PARTNERS_RULE_MAX = 2 };

/* The contractor, if the asker may act for it. */
static bool
contractor_find_own(struct state *state, const struct command *command, uint32_t contractor,
                    struct contractor_row *row)
{
    return state_contractor_get(state, contractor, row) && command_owns(command, contractor, row);
}

/* ---- caps ------------------------------------------------------------------------------------ */

/* No window and measure twice, and no limit that a signed number cannot hold. */
static bool
caps_are_valid(const struct zr_caps_put_request *request)
{
    uint32_t seen = 0;

    _Static_assert(CAP_WINDOWS * CAP_MEASURES < 32, "one bit each");
    for (uint16_t i = 0; i < request->caps_count; i++) {
        const struct zr_cap *cap = &request->caps[i];
        const uint32_t bit = 1u << ((cap->window - 1) * CAP_MEASURES + cap->measure - 1);

        if (cap->limit > INT64_MAX || cap->used != 0 || (seen & bit) != 0) {
            return false;
        }
        seen |= bit;
    }
    return true;
}

static void
caps_from_wire(struct caps_row *row, const struct zr_caps_put_request *request)
{
    for (unsigned window = 0; window < CAP_WINDOWS; window++) {
        for (unsigned measure = 0; measure < CAP_MEASURES; measure++) {
            row->limits[window][measure] = -1;
        }
    }
    for (uint16_t i = 0; i < request->caps_count; i++) {
        const struct zr_cap *cap = &request->caps[i];

        row->limits[cap->window - 1][cap->measure - 1] = (int64_t)cap->limit;
    }
    row->spacing_s = request->spacing_s;
}

uint16_t
profile_caps_put_apply(struct state *state, const struct command *command,
                       const struct zr_caps_put_request *request, struct zr_put_reply *reply,
                       struct effects *effects)
{
    struct contractor_row contractor;
    struct caps_row row = {.version = 0};

    if (!caps_are_valid(request)) {
        return command_invalid(effects, &zr_caps_put_request_shape, "caps");
    }
    if (!contractor_find_own(state, command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    (void)state_caps_get(state, request->contractor, &row);
    reply->version = row.version;
    if (row.version != request->expected_version) {
        return ZR_STATUS_VERSION_CONFLICT;
    }
    caps_from_wire(&row, request);
    row.version++;
    state_caps_put(state, request->contractor, &row);
    contractor.profile |= PROFILE_CAPS;
    state_contractor_put(state, request->contractor, &contractor);
    condition_unavailable_judge(state, command, request->contractor);
    *reply = (struct zr_put_reply){.commit_seq = command->seq, .version = row.version};
    return ZR_STATUS_OK;
}

static uint64_t
window_measure(const struct usage_window *window, unsigned measure)
{
    if (measure == ZR_CAP_MEASURE_CALLS) {
        return window->calls;
    }
    if (measure == ZR_CAP_MEASURE_CONNECTS) {
        return window->connects;
    }
    return window->spend_cents > 0 ? (uint64_t)window->spend_cents : 0;
}

uint16_t
profile_caps_get(struct state *state, const struct command *command,
                 const struct zr_profile_get_request *request, struct zr_caps_get_reply *reply)
{
    struct contractor_row contractor;
    struct usage_row usage = {0};
    struct answer_rate rate;
    struct caps_row row;

    if (!contractor_find_own(state, command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    (void)state_usage_get(state, request->contractor, &usage);
    rate = answer_rate_of(state, command, request->contractor);
    reply->contractor = request->contractor;
    reply->rings_30d = rate.rings;
    reply->answered_30d = rate.answered;
    if (usage.cooldown_until_ms > command->time_ms) {
        reply->cooldown_until_ms = usage.cooldown_until_ms;
    }
    if (!state_caps_get(state, request->contractor, &row)) {
        return ZR_STATUS_OK;
    }
    reply->version = row.version;
    reply->spacing_s = row.spacing_s;
    for (unsigned i = 0; i < CAP_WINDOWS * CAP_MEASURES; i++) {
        const unsigned window = i / CAP_MEASURES;
        const unsigned measure = i % CAP_MEASURES;
        const bool over = command->time_ms >= usage.windows[window].end_ms;

        if (row.limits[window][measure] >= 0) {
            reply->caps[reply->caps_count++] = (struct zr_cap){
                .limit = (uint64_t)row.limits[window][measure],
                .used = over ? 0 : window_measure(&usage.windows[window], measure + 1),
                .window = (uint8_t)(window + 1),
                .measure = (uint8_t)(measure + 1),
            };
        }
    }
    return ZR_STATUS_OK;
}

/* ---- destinations ---------------------------------------------------------------------------- */

static const char *
dest_wrong_field(const struct zr_dest_put_request *request)
{
    if (request->modes == 0 || request->modes > MODES_ALL) {
        return "modes";
    }
    if (request->phones_count == 0) {
        return "phones";
    }
    for (uint16_t i = 0; i < request->phones_count; i++) {
        if (request->phones[i].phone == 0) {
            return "phones";
        }
    }
    return request->phones_down >> request->phones_count != 0 ? "phones_down" : NULL;
}

uint16_t
profile_dest_put_apply(struct state *state, const struct command *command,
                       const struct zr_dest_put_request *request, struct zr_put_reply *reply,
                       struct effects *effects)
{
    const char *wrong = dest_wrong_field(request);
    struct contractor_row row;

    if (wrong != NULL) {
        return command_invalid(effects, &zr_dest_put_request_shape, wrong);
    }
    if (!contractor_find_own(state, command, request->contractor, &row)) {
        return ZR_STATUS_NOT_FOUND;
    }
    reply->version = row.version;
    if (row.version != request->expected_version) {
        return ZR_STATUS_VERSION_CONFLICT;
    }
    row.modes = request->modes;
    row.phones_down = request->phones_down;
    row.phones_count = (uint8_t)request->phones_count;
    for (int i = 0; i < CONTRACTOR_PHONES_MAX; i++) {
        row.phones[i] = i < request->phones_count ? request->phones[i].phone : 0;
    }
    row.version++;
    state_contractor_put(state, request->contractor, &row);
    *reply = (struct zr_put_reply){.commit_seq = command->seq, .version = row.version};
    return ZR_STATUS_OK;
}

/* ---- filters --------------------------------------------------------------------------------- */

static const char *
filters_wrong_field(const struct zr_filters_put_request *request)
{
    if (request->attestation_min > ATTESTATION_MAX) {
        return "attestation_min";
    }
    if (request->partners_rule > PARTNERS_RULE_MAX) {
        return "partners_rule";
    }
    for (uint16_t i = 0; i < request->blocked_count; i++) {
        if (request->blocked[i].phone == 0) {
            return "blocked";
        }
    }
    return NULL;
}

uint16_t
profile_filters_put_apply(struct state *state, const struct command *command,
                          const struct zr_filters_put_request *request, struct zr_put_reply *reply,
                          struct effects *effects)
{
    const char *wrong = filters_wrong_field(request);
    struct contractor_row contractor;
    struct filters_row row = {.version = 0};
    uint32_t version;

    if (wrong != NULL) {
        return command_invalid(effects, &zr_filters_put_request_shape, wrong);
    }
    if (!contractor_find_own(state, command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    (void)state_filters_get(state, request->contractor, &row);
    version = row.version;
    reply->version = version;
    if (version != request->expected_version) {
        return ZR_STATUS_VERSION_CONFLICT;
    }
    row = (struct filters_row){
        .version = version + 1,
        .attestation_min = request->attestation_min,
        .no_duplicates = request->no_duplicates,
        .partners_rule = request->partners_rule,
        .partners_count = (uint8_t)request->partners_count,
    };
    for (uint16_t i = 0; i < request->partners_count; i++) {
        row.partners[i] = request->partners[i].tenant;
    }
    for (uint16_t i = 0; i < request->blocked_count; i++) {
        row.blocked[i] = request->blocked[i].phone;
    }
    state_filters_put(state, request->contractor, &row);
    contractor.profile |= PROFILE_FILTERS;
    state_contractor_put(state, request->contractor, &contractor);
    *reply = (struct zr_put_reply){.commit_seq = command->seq, .version = row.version};
    return ZR_STATUS_OK;
}

uint16_t
profile_filters_get(struct state *state, const struct command *command,
                    const struct zr_profile_get_request *request,
                    struct zr_filters_get_reply *reply)
{
    struct contractor_row contractor;
    struct filters_row row = {.version = 0};

    if (!contractor_find_own(state, command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    (void)state_filters_get(state, request->contractor, &row);
    reply->contractor = request->contractor;
    reply->version = row.version;
    reply->attestation_min = row.attestation_min;
    reply->no_duplicates = row.no_duplicates != 0;
    reply->partners_rule = row.partners_rule;
    for (int i = 0; i < FILTER_CALLERS_MAX && row.blocked[i] != 0; i++) {
        reply->blocked[reply->blocked_count++].phone = row.blocked[i];
    }
    for (uint8_t i = 0; i < row.partners_count; i++) {
        reply->partners[reply->partners_count++].tenant = row.partners[i];
    }
    return ZR_STATUS_OK;
}

/* ---- callers of the whole network ------------------------------------------------------------ */

uint16_t
profile_suppress_put_apply(struct state *state, const struct command *command,
                           const struct zr_suppress_put_request *request,
                           struct zr_put_reply *reply, struct effects *effects)
{
    uint32_t version = 0;

    if (request->caller == 0) {
        return command_invalid(effects, &zr_suppress_put_request_shape, "caller");
    }
    if (state_suppress_get(state, request->caller, &version) == request->blocked) {
        effects->duplicate = true; /* The wish is true already. */
    } else if (request->blocked) {
        version = 1;
        state_suppress_put(state, request->caller, version);
        (void)state_counter_next(state, COUNTER_CATALOGUE);
    } else {
        version = 0;
        state_suppress_del(state, request->caller);
        (void)state_counter_next(state, COUNTER_CATALOGUE);
    }
    *reply = (struct zr_put_reply){.commit_seq = command->seq, .version = version};
    return ZR_STATUS_OK;
}
