/*
 * usage.c - see usage.h.
 */
#include "server/domain/usage.h"

#include "protocol/check.h"
#include "server/domain/answer_rate.h"
#include "server/domain/event.h"
#include "server/domain/localtime.h"
#include "server/domain/people.h"
#include "server/domain/policy.h"
#include "server/domain/schedule.h"

enum { MS_PER_S = 1000 };

/* ---- windows --------------------------------------------------------------------------------- */

/* The clock that windows end by: a zone's, and from change_ms on another's (next_zone 0: none). */
struct window_clock {
    uint64_t change_ms;
    uint8_t zone;
    uint8_t next_zone;
};

static struct window_clock
window_clock(struct state *state, const struct command *command, uint32_t contractor,
             const struct contractor_row *row)
{
    struct window_clock clock = {.zone = contractor_zone(state, contractor, row, command->time_ms)};
    struct schedule_row schedule;

    if ((row->profile & PROFILE_SCHEDULE) != 0 &&
        state_schedule_get(state, contractor, &schedule) &&
        schedule_zone_change_ms(&schedule) > command->time_ms) {
        clock.next_zone = schedule.next_zone;
        clock.change_ms = schedule_zone_change_ms(&schedule);
    }
    return clock;
}

static uint64_t
window_end_in(enum zr_cap_window window, uint8_t zone, const struct local_time *local,
              uint64_t now_ms)
{
    switch (window) {
    case ZR_CAP_WINDOW_HOUR:
        return localtime_hour_end_ms(zone, now_ms);
    case ZR_CAP_WINDOW_DAY:
        return localtime_day_start_ms(zone, local->day + 1);
    case ZR_CAP_WINDOW_MONTH:
        return localtime_month_start_ms(zone, local->month + 1);
    case ZR_CAP_WINDOW_TOTAL:
        break;
    }
    return UINT64_MAX;
}

/*
 * A date or month that another zone finds unfinished goes on by that zone's clock, for it is the
 * same one (M3 "keyed by local date"): moving west late in the evening makes no second day, and a
 * month ends where the contractor is by then. One that is over there is over at the change.
 */
static uint64_t
window_end_ms(enum zr_cap_window window, const struct window_clock *clock, uint64_t now_ms)
{
    struct local_time local;
    uint64_t end_ms;
    uint64_t next_ms;

    localtime_at(&local, clock->zone, now_ms);
    end_ms = window_end_in(window, clock->zone, &local, now_ms);
    if (clock->next_zone == 0 || end_ms < clock->change_ms || window == ZR_CAP_WINDOW_HOUR) {
        return end_ms;
    }
    next_ms = window_end_in(window, clock->next_zone, &local, now_ms);
    return next_ms > clock->change_ms ? next_ms : clock->change_ms;
}

/* Begin the windows that are over anew. */
static void
windows_turn(struct usage_row *usage, const struct window_clock *clock, uint64_t now_ms)
{
    for (unsigned i = 0; i < CAP_WINDOWS; i++) {
        if (now_ms >= usage->windows[i].end_ms) {
            usage->windows[i] = (struct usage_window){
                .start_ms = now_ms,
                .end_ms = window_end_ms((enum zr_cap_window)(i + 1), clock, now_ms),
            };
        }
    }
}

/* Has the window's date or month of the zone before gone by in that of now? */
static bool
window_is_over(enum zr_cap_window window, const struct local_time *before,
               const struct local_time *now)
{
    return (window == ZR_CAP_WINDOW_DAY && now->day > before->day) ||
           (window == ZR_CAP_WINDOW_MONTH && now->month > before->month);
}

void
usage_zone_changed(struct state *state, const struct command *command, uint32_t contractor,
                   const struct contractor_row *row, uint8_t zone_before)
{
    const struct window_clock clock = window_clock(state, command, contractor, row);
    struct local_time before;
    struct local_time now;
    struct usage_row usage;

    if (!state_usage_get(state, contractor, &usage)) {
        return;
    }
    localtime_at(&before, zone_before, command->time_ms);
    localtime_at(&now, clock.zone, command->time_ms);
    for (unsigned i = 0; i < CAP_WINDOWS; i++) {
        const enum zr_cap_window window = (enum zr_cap_window)(i + 1);
        uint64_t *end_ms = &usage.windows[i].end_ms;

        if (command->time_ms < *end_ms) {
            *end_ms = window_is_over(window, &before, &now)
                          ? command->time_ms
                          : window_end_ms(window, &clock, command->time_ms);
        }
    }
    state_usage_put(state, contractor, &usage);
}

static int64_t
window_used(const struct usage_window *window, enum zr_cap_measure measure)
{
    switch (measure) {
    case ZR_CAP_MEASURE_CALLS:
        return window->calls;
    case ZR_CAP_MEASURE_CONNECTS:
        return window->connects;
    case ZR_CAP_MEASURE_SPEND:
        break;
    }
    return window->spend_cents;
}

/* ---- a change of the row --------------------------------------------------------------------- */

/* One contractor's row being changed by a command. */
struct counting {
    struct state *state;
    const struct command *command;
    uint32_t contractor;
    struct contractor_row row;
    struct usage_row usage;
    struct usage_row before;
};

static void
counting_begin(struct counting *counting, struct state *state, const struct command *command,
               uint32_t contractor, const struct contractor_row *row)
{
    const struct window_clock clock = window_clock(state, command, contractor, row);

    *counting = (struct counting){
        .state = state, .command = command, .contractor = contractor, .row = *row};
    (void)state_usage_get(state, contractor, &counting->usage);
    windows_turn(&counting->usage, &clock, command->time_ms);
    counting->before = counting->usage;
}

/* The highest of 75, 90, 100 % that `used` has reached, as an event; 0 = none. */
static uint8_t
cap_level(int64_t used, int64_t limit)
{
    if (limit <= 0 || used <= 0) {
        return 0; /* Not capped, or never open: nothing is ever crossed. */
    }
    if (used >= limit) {
        return ZR_EVENT_CAP_100;
    }
    /* By what is left, since a multiple of the largest limit is no number any more. */
    if (limit - used <= limit / 10) {
        return ZR_EVENT_CAP_90;
    }
    return limit - used <= limit / 4 ? ZR_EVENT_CAP_75 : 0;
}

/* Say once that a cap is nearly or wholly used (R13). */
static void
counting_tell_caps(const struct counting *counting, const struct caps_row *caps)
{
    for (unsigned i = 0; i < CAP_WINDOWS * CAP_MEASURES; i++) {
        const unsigned window = i / CAP_MEASURES;
        const unsigned measure = i % CAP_MEASURES;
        const int64_t limit = caps->limits[window][measure];
        const uint8_t before = cap_level(
            window_used(&counting->before.windows[window], (enum zr_cap_measure)(measure + 1)),
            limit);
        const uint8_t after = cap_level(
            window_used(&counting->usage.windows[window], (enum zr_cap_measure)(measure + 1)),
            limit);

        if (after > before) {
            event_emit(counting->state, counting->command,
                       &(struct event_row){.type = after,
                                           .contractor = counting->contractor,
                                           .amount_cents = limit,
                                           .code = (uint8_t)((window + 1) << 4 | (measure + 1))});
        }
    }
}

static void
counting_end(struct counting *counting)
{
    struct caps_row caps;

    if ((counting->row.profile & PROFILE_CAPS) != 0 &&
        state_caps_get(counting->state, counting->contractor, &caps)) {
        counting_tell_caps(counting, &caps);
    }
    state_usage_put(counting->state, counting->contractor, &counting->usage);
}

/* ---- rings ----------------------------------------------------------------------------------- */

/* From now on whoever routes has to look at the row: for spacing, a rest, or a phone that is down.
 */
static void
counting_mark(struct counting *counting)
{
    if ((counting->row.profile & PROFILE_USAGE) == 0) {
        counting->row.profile |= PROFILE_USAGE;
        state_contractor_put(counting->state, counting->contractor, &counting->row);
    }
}

static void
count_ring(struct counting *counting, const struct zr_ring_fact *ring)
{
    for (unsigned i = 0; i < CAP_WINDOWS; i++) {
        counting->usage.windows[i].calls++;
    }
    if (ring->time_ms > counting->usage.last_ring_ms) {
        counting->usage.last_ring_ms = ring->time_ms;
    }
}

/* The phone did not do its work: after some in a row it is let alone for a while (M3). */
static void
count_failure(struct counting *counting, const struct zr_ring_fact *ring)
{
    struct usage_row *usage = &counting->usage;

    if (ring->outcome != ZR_OUTCOME_FAILED) {
        usage->failures = 0; /* It rang. */
        return;
    }
    usage->failures++;
    if (usage->failures < USAGE_FAILURES_MAX) {
        return;
    }
    usage->failures = 0;
    usage->down_until_ms = ring->time_ms + USAGE_DOWN_MS;
    event_emit(counting->state, counting->command,
               &(struct event_row){.type = ZR_EVENT_DESTINATION_DOWN,
                                   .contractor = counting->contractor,
                                   .deadline_ms = usage->down_until_ms});
}

static void
count_miss(struct counting *counting, const struct zr_ring_fact *ring,
           const struct policy_row *policy)
{
    struct usage_row *usage = &counting->usage;

    count_failure(counting, ring);
    if (policy->cooldown_misses == 0) {
        return; /* Some of these come here for other reasons, some never do: none is counted. */
    }
    if (usage->misses < UINT16_MAX) {
        usage->misses++;
    }
    if (usage->misses < policy->cooldown_misses) {
        return;
    }
    usage->misses = 0;
    usage->cooldown_until_ms = ring->time_ms + (uint64_t)policy->cooldown_s * MS_PER_S;
    event_emit(counting->state, counting->command,
               &(struct event_row){.type = ZR_EVENT_COOLDOWN,
                                   .contractor = counting->contractor,
                                   .deadline_ms = usage->cooldown_until_ms});
}

bool
usage_ring_matters(const struct caps_row *caps, uint8_t modes)
{
    bool matters = (modes & MODE_APP) != 0 || (caps != NULL && caps->spacing_s > 0);

    for (unsigned window = 0; caps != NULL && window < CAP_WINDOWS; window++) {
        matters = matters || caps->limits[window][ZR_CAP_MEASURE_CALLS - 1] >= 0;
    }
    return matters;
}

/* Is this miss more than a figure of the answer rate? Where nobody looks at misses in a row none
 * are counted: a plain miss leaves row and profile as they are, and routing as fast as it was. */
static bool
miss_matters(struct state *state, const struct zr_ring_fact *ring, const struct contractor_row *row,
             const struct policy_row *policy)
{
    struct usage_row usage;
    struct caps_row caps;

    if (policy->cooldown_misses > 0 || ring->outcome == ZR_OUTCOME_FAILED) {
        return true;
    }
    if (state_usage_get(state, ring->contractor, &usage) && usage.failures > 0) {
        return true; /* It rang, which ends a row of failures. */
    }
    return usage_ring_matters(
        (row->profile & PROFILE_CAPS) != 0 && state_caps_get(state, ring->contractor, &caps) ? &caps
                                                                                             : NULL,
        row->modes);
}

static void
begin_apply(struct state *state, const struct command *command, const struct zr_ring_fact *ring,
            const struct contractor_row *row)
{
    struct counting counting;

    counting_begin(&counting, state, command, ring->contractor, row);
    count_ring(&counting, ring);
    counting_mark(&counting);
    counting_end(&counting);
}

static void
miss_apply(struct state *state, const struct command *command, const struct zr_ring_fact *ring,
           const struct contractor_row *row)
{
    struct policy_row policy;
    struct counting counting;

    (void)policy_for_slot(state, ring->zip, ring->category, &policy);
    if (miss_matters(state, ring, row, &policy)) {
        counting_begin(&counting, state, command, ring->contractor, row);
        count_miss(&counting, ring, &policy);
        counting_mark(&counting);
        counting_end(&counting);
    }
    answer_rate_count(state, command, ring->contractor, false);
}

static void
ring_apply(struct state *state, const struct command *command, const struct zr_ring_fact *ring)
{
    struct contractor_row row;

    if (!state_contractor_get(state, ring->contractor, &row)) {
        return;
    }
    event_emit(state, command,
               &(struct event_row){.type = ring->outcome == 0 ? ZR_EVENT_CALL_OFFERED
                                                              : ZR_EVENT_CALL_MISSED,
                                   .contractor = ring->contractor,
                                   .tenant = row.tenant,
                                   .call_ref = ring->call_ref,
                                   .zip = ring->zip,
                                   .category = ring->category,
                                   .code = ring->outcome == 0 ? ring->rank : ring->outcome});
    if (ring->outcome == 0) {
        begin_apply(state, command, ring, &row);
    } else if (ring->outcome != ZR_OUTCOME_CALLER_CANCELLED) { /* That is the caller's doing. */
        miss_apply(state, command, ring, &row);
    }
}

uint16_t
usage_rings_apply(struct state *state, const struct command *command,
                  const struct zr_rings_request *request, struct zr_commit_reply *reply,
                  struct effects *effects)
{
    CHECK(request->rings_count > 0);
    for (uint16_t i = 0; i < request->rings_count; i++) {
        ring_apply(state, command, &request->rings[i]);
    }
    effects->journal = true;
    reply->commit_seq = command->seq;
    return ZR_STATUS_OK;
}

/* ---- connected calls ------------------------------------------------------------------------- */

void
usage_connect(struct state *state, const struct command *command, uint32_t contractor,
              const struct contractor_row *row, int64_t hold_cents)
{
    struct counting counting;

    CHECK(hold_cents >= 0);
    counting_begin(&counting, state, command, contractor, row);
    for (unsigned i = 0; i < CAP_WINDOWS; i++) {
        counting.usage.windows[i].connects++;
        counting.usage.windows[i].spend_cents += hold_cents;
    }
    counting.usage.misses = 0;
    counting.usage.failures = 0;
    counting_end(&counting);
    answer_rate_count(state, command, contractor, true);
}

void
usage_settle(struct state *state, const struct command *command, uint32_t contractor,
             const struct contractor_row *row, const struct usage_settlement *settlement)
{
    const bool counted = settlement->connected_ms != 0;
    const uint64_t counted_ms = counted ? settlement->connected_ms : command->time_ms;
    const int64_t change_cents = settlement->charged_cents - (counted ? settlement->held_cents : 0);
    struct counting counting;

    if (change_cents == 0) {
        return;
    }
    counting_begin(&counting, state, command, contractor, row);
    for (unsigned i = 0; i < CAP_WINDOWS; i++) {
        struct usage_window *window = &counting.usage.windows[i];

        if (counted_ms >= window->start_ms) {
            window->spend_cents += change_cents;
        }
    }
    counting_end(&counting);
}
