/*
 * condition.c - see condition.h.
 */
#include "server/domain/condition.h"

#include "protocol/check.h"
#include "server/domain/autotopup.h"
#include "server/domain/claim.h"
#include "server/domain/event.h"
#include "server/domain/localtime.h"
#include "server/domain/policy.h"
#include "server/domain/profile.h"
#include "server/domain/schedule.h"
#include "server/domain/timer.h"

#include <string.h>

enum { MS_PER_S = 1000, TWIN_LOOKS_MAX = 64, WARNING_READS_MAX = 512 };

/* ---- where a deadline stands ------------------------------------------------------------------
 */

/* The claim's own condition; NULL when it does not stand. */
static uint64_t *
claim_deadline(struct claim_row *claim, unsigned condition)
{
    uint64_t *deadline = NULL;

    if (condition == CONDITION_PAUSED && claim->state == ZR_CLAIM_PAUSED) {
        deadline = &claim->pause.deadline_ms; /* Kept after a RESUME, so not by itself. */
    } else if (condition == CONDITION_DRY) {
        deadline = &claim->dry_deadline_ms;
    } else if (condition == CONDITION_LAPSING) {
        deadline = &claim->lapse_ms;
    }
    return deadline != NULL && *deadline != 0 ? deadline : NULL;
}

static uint64_t *
contractor_deadline(struct contractor_row *row, unsigned condition)
{
    uint64_t *deadline = NULL;

    if (condition == CONDITION_PAUSED && row->paused) {
        deadline = &row->pause.deadline_ms;
    } else if (condition == CONDITION_SUSPENDED) {
        deadline = &row->suspended_deadline_ms;
    } else if (condition == CONDITION_LICENCE_LAPSED) {
        deadline = &row->licence_deadline_ms;
    } else if (condition == CONDITION_UNAVAILABLE) {
        deadline = &row->unavailable_deadline_ms;
    }
    return deadline != NULL && *deadline != 0 ? deadline : NULL;
}

static void
deadline_earlier(uint64_t *earliest_ms, uint64_t deadline_ms)
{
    if (*earliest_ms == 0 || deadline_ms < *earliest_ms) {
        *earliest_ms = deadline_ms;
    }
}

uint8_t
condition_bits(const struct claim_row *claim, const struct contractor_row *contractor,
               uint64_t *deadline_ms)
{
    struct claim_row own = *claim;
    struct contractor_row of_all = *contractor;
    unsigned bits = 0;

    *deadline_ms = 0;
    for (unsigned bit = CONDITION_PAUSED; bit <= CONDITION_LAPSING; bit <<= 1) {
        const uint64_t *mine = claim_deadline(&own, bit);
        const uint64_t *ours = contractor_deadline(&of_all, bit);

        bits |= mine != NULL || ours != NULL ? bit : 0;
        if (mine != NULL && bit != CONDITION_LAPSING) { /* That one ends any claim. */
            deadline_earlier(deadline_ms, *mine);
        }
        if (ours != NULL) {
            deadline_earlier(deadline_ms, *ours);
        }
    }
    return (uint8_t)bits;
}

bool
condition_has_run_out(struct state *state, const struct command *command, uint32_t contractor,
                      unsigned condition)
{
    struct contractor_row row;
    const uint64_t *deadline_ms;

    if (!state_contractor_get(state, contractor, &row)) {
        return false; /* The storage failed: this batch is thrown away. */
    }
    deadline_ms = contractor_deadline(&row, condition);
    return deadline_ms != NULL && *deadline_ms <= command->time_ms;
}

/* ---- clocks -----------------------------------------------------------------------------------
 */

/*
 * Set the timer unless the very same waits already: a clock that goes on has its timers. In a
 * crowd, as when a contractor's thousands of claims fall dry in one instant, only its first are
 * looked at, or each would look at all before it. A twin does no harm: at worst a warning is told
 * twice.
 */
static void
timer_set_once(struct state *state, uint64_t due_ms, const struct timer_row *row)
{
    struct timer_row other;
    uint64_t other_ms = due_ms;
    uint64_t seq = 0;

    for (int looked = 0; looked < TWIN_LOOKS_MAX &&
                         state_timer_next(state, &other_ms, &seq, &other) && other_ms == due_ms;
         looked++) {
        if (memcmp(&other, row, sizeof other) == 0) {
            return;
        }
        seq++;
    }
    timer_set(state, due_ms, row);
}

/* `row` is the deadline's timer but for what the clock says. */
static void
clock_arm(struct state *state, const struct command *command, struct timer_row row,
          const struct condition_clock *clock)
{
    /* Shares of the grace that are left when a warning is due: a half, a tenth. */
    static const uint64_t shares[] = {2, 10};
    const uint64_t now_ms = command->time_ms;

    CHECK(clock->deadline_ms != 0);
    row.code = (uint8_t)clock->condition;
    row.deadline_ms = clock->deadline_ms;
    timer_set_once(state, clock->deadline_ms > now_ms ? clock->deadline_ms : now_ms, &row);
    row.kind = TIMER_WARNING;
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        const uint64_t left_ms = clock->grace_ms / shares[i];

        if (left_ms > 0 && clock->deadline_ms > now_ms + left_ms) {
            timer_set_once(state, clock->deadline_ms - left_ms, &row);
        }
    }
}

void
condition_arm_claim(struct state *state, const struct command *command, uint64_t claim_id,
                    const struct condition_clock *clock)
{
    CHECK(claim_id != 0);
    clock_arm(state, command, (struct timer_row){.kind = TIMER_CLAIM, .number = claim_id}, clock);
}

void
condition_arm_contractor(struct state *state, const struct command *command, uint32_t contractor,
                         const struct condition_clock *clock)
{
    CHECK(contractor != 0);
    clock_arm(state, command,
              (struct timer_row){.kind = TIMER_CONTRACTOR, .contractor = contractor}, clock);
}

/* How long a condition is borne; a contractor's pause by the network's policy (zip, category 0). */
static uint64_t
grace_ms(struct state *state, unsigned condition, uint32_t zip, uint16_t category)
{
    struct policy_row policy;

    (void)policy_for_slot(state, zip, category, &policy);
    switch ((enum condition)condition) {
    case CONDITION_PAUSED:
        return (uint64_t)policy.pause_grace_s * MS_PER_S;
    case CONDITION_DRY:
        return (uint64_t)policy.funds_grace_s * MS_PER_S;
    case CONDITION_SUSPENDED:
        return CONDITION_SUSPENDED_MS;
    case CONDITION_LICENCE_LAPSED:
        return CONDITION_LICENCE_MS;
    case CONDITION_UNAVAILABLE:
        return CONDITION_UNAVAILABLE_MS;
    case CONDITION_LAPSING:
        break;
    }
    return 0;
}

/* A new clock in *deadline_ms, when the old one has run out. */
static bool
clock_restart(const struct command *command, uint64_t *deadline_ms, struct condition_clock *clock)
{
    if (deadline_ms == NULL || *deadline_ms > command->time_ms) {
        return false;
    }
    *deadline_ms = command->time_ms + clock->grace_ms;
    clock->deadline_ms = *deadline_ms;
    return true;
}

static void
restart_claim(struct state *state, const struct command *command, uint64_t claim_id,
              struct claim_row *claim)
{
    static const enum condition own[] = {CONDITION_PAUSED, CONDITION_DRY};

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        struct condition_clock clock = {
            .condition = own[i],
            .grace_ms = grace_ms(state, own[i], claim->zip, claim->category),
        };

        if (clock_restart(command, claim_deadline(claim, own[i]), &clock)) {
            claim->dry_deferred = own[i] == CONDITION_DRY ? 0 : claim->dry_deferred;
            state_claim_put(state, claim_id, claim);
            condition_arm_claim(state, command, claim_id, &clock);
        }
    }
}

void
condition_restart(struct state *state, const struct command *command, uint64_t claim_id)
{
    struct contractor_row contractor;
    struct claim_row claim;

    if (!state_claim_get(state, claim_id, &claim) ||
        !state_contractor_get(state, claim.contractor, &contractor)) {
        return;
    }
    CHECK(claim.title == ZR_TITLE_PRIMARY || state_failed(state));
    restart_claim(state, command, claim_id, &claim);
    for (unsigned bit = CONDITION_PAUSED; bit <= CONDITION_LAPSING; bit <<= 1) {
        struct condition_clock clock = {.condition = (enum condition)bit,
                                        .grace_ms = grace_ms(state, bit, 0, 0)};

        if (clock_restart(command, contractor_deadline(&contractor, bit), &clock)) {
            state_contractor_put(state, claim.contractor, &contractor);
            condition_arm_contractor(state, command, claim.contractor, &clock);
        }
    }
}

/* ---- the contractor's -------------------------------------------------------------------------
 */

static void
licence_lapse(struct state *state, const struct command *command, uint32_t contractor,
              struct contractor_row *row, uint64_t deadline_ms)
{
    row->licence_deadline_ms = deadline_ms;
    condition_arm_contractor(state, command, contractor,
                             &(struct condition_clock){.condition = CONDITION_LICENCE_LAPSED,
                                                       .deadline_ms = deadline_ms,
                                                       .grace_ms = CONDITION_LICENCE_MS});
}

void
condition_licence_judge(struct state *state, const struct command *command, uint32_t contractor,
                        struct contractor_row *row)
{
    const uint64_t expires_ms = row->licence_expires_ms;

    row->licence_deadline_ms = 0;
    if (expires_ms == 0 || expires_ms >= LOCALTIME_MS_MAX) {
        return; /* Never, or when no calendar goes on. */
    }
    if (command->time_ms < expires_ms) { /* Exclusive (M2). */
        timer_set_once(state, expires_ms,
                       &(struct timer_row){.kind = TIMER_LICENCE,
                                           .contractor = contractor,
                                           .deadline_ms = expires_ms});
        return;
    }
    licence_lapse(state, command, contractor, row, expires_ms + CONDITION_LICENCE_MS);
}

/* A limit of 0 is a way to take no calls at all, like empty hours. */
static bool
caps_are_shut(const struct caps_row *caps)
{
    bool shut = false;

    for (int i = 0; i < CAP_WINDOWS * CAP_MEASURES; i++) {
        shut = shut || caps->limits[i / CAP_MEASURES][i % CAP_MEASURES] == 0;
    }
    return shut;
}

void
condition_unavailable_judge(struct state *state, const struct command *command, uint32_t contractor)
{
    const struct condition_clock clock = {
        .condition = CONDITION_UNAVAILABLE,
        .deadline_ms = command->time_ms + CONDITION_UNAVAILABLE_MS,
        .grace_ms = CONDITION_UNAVAILABLE_MS,
    };
    struct contractor_row row;
    struct schedule_row schedule;
    struct caps_row caps;
    const bool unavailable = (state_caps_get(state, contractor, &caps) && caps_are_shut(&caps)) ||
                             (state_schedule_get(state, contractor, &schedule) &&
                              schedule_is_unavailable(&schedule, command->time_ms));

    if (!state_contractor_get(state, contractor, &row) ||
        unavailable == (row.unavailable_deadline_ms != 0)) {
        return; /* Without a break the old clock goes on. */
    }
    row.unavailable_deadline_ms = unavailable ? clock.deadline_ms : 0;
    state_contractor_put(state, contractor, &row);
    if (unavailable) {
        condition_arm_contractor(state, command, contractor, &clock);
    }
}

/* ---- timers -----------------------------------------------------------------------------------
 */

/* The live claim that the timer stands for; *deadline_ms points into it. */
static bool
claim_find(struct state *state, const struct timer_row *timer, struct claim_row *claim,
           uint64_t **deadline_ms)
{
    if (!state_claim_get(state, timer->number, claim) || claim->ended_ms != 0) {
        return false;
    }
    *deadline_ms = claim_deadline(claim, timer->code);
    return *deadline_ms != NULL && **deadline_ms == timer->deadline_ms;
}

static bool
contractor_find(struct state *state, const struct timer_row *timer, struct contractor_row *row,
                uint64_t **deadline_ms)
{
    if (!state_contractor_get(state, timer->contractor, row)) {
        return false;
    }
    *deadline_ms = contractor_deadline(row, timer->code);
    return *deadline_ms != NULL && **deadline_ms == timer->deadline_ms;
}

/* R65: money that is on its way may take an hour more, once. */
static bool
dry_defer(struct state *state, const struct command *command, uint64_t claim_id,
          struct claim_row *claim)
{
    const struct condition_clock clock = {
        .condition = CONDITION_DRY,
        .deadline_ms = claim->dry_deadline_ms + CONDITION_TOPUP_DEFERS_MS,
    };

    if (claim->dry_deferred || !autotopup_is_pending(state, claim->contractor)) {
        return false;
    }
    claim->dry_deferred = 1;
    claim->dry_deadline_ms = clock.deadline_ms;
    state_claim_put(state, claim_id, claim);
    condition_arm_claim(state, command, claim_id, &clock);
    return true;
}

static bool
claim_fire(struct state *state, const struct command *command, const struct timer_row *timer)
{
    struct claim_row claim;
    uint64_t *deadline_ms;

    if (!claim_find(state, timer, &claim, &deadline_ms)) {
        return false;
    }
    if (timer->code == CONDITION_LAPSING) {
        claim_end(state, command, timer->number, ZR_CLAIM_EXPIRED);
        return true;
    }
    if (claim.title != ZR_TITLE_PRIMARY) {
        return false; /* A backup stays, and its condition. */
    }
    if (timer->code != CONDITION_DRY || !dry_defer(state, command, timer->number, &claim)) {
        condition_forfeit(state, command, timer->number, timer->code);
    }
    return true;
}

/* The contractor's deadline: every primary of it, in steps. */
static bool
contractor_fire(struct state *state, const struct command *command, const struct timer_row *timer)
{
    const struct timer_row work = {
        .kind = TIMER_FORFEIT_CLAIMS, .contractor = timer->contractor, .code = timer->code};
    struct contractor_row row;
    uint64_t *deadline_ms;

    return contractor_find(state, timer, &row, &deadline_ms) &&
           condition_work(state, command, &work);
}

/*
 * Is there a title among the contractor's next claims behind *claim_id? It moves on to the last one
 * that was looked at, 0 = that was all: a step of bounded work, like those of condition_work.c.
 */
static bool
find_primary(struct state *state, uint32_t contractor, uint64_t *claim_id)
{
    struct claim_row claim;

    for (int read = 0; read < WARNING_READS_MAX; read++) {
        *claim_id = state_claim_next_live(state, contractor, *claim_id);
        if (*claim_id == 0) {
            return false;
        }
        if (state_claim_get(state, *claim_id, &claim) && claim.ended_ms == 0 &&
            claim.title == ZR_TITLE_PRIMARY) {
            return true;
        }
    }
    return false;
}

/* A contractor's condition: the first step that finds a title tells; `number` is its cursor. */
static bool
warning_fire_contractor(struct state *state, const struct command *command,
                        const struct timer_row *timer)
{
    struct timer_row next = *timer;
    struct contractor_row row;
    uint64_t *deadline_ms;

    if (!contractor_find(state, timer, &row, &deadline_ms)) {
        return false;
    }
    if (find_primary(state, timer->contractor, &next.number)) {
        event_emit(state, command,
                   &(struct event_row){.type = ZR_EVENT_GRACE_WARNING,
                                       .contractor = timer->contractor,
                                       .deadline_ms = timer->deadline_ms,
                                       .code = timer->code});
        return true;
    }
    if (next.number != 0) {
        timer_set_work(state, command, &next);
    }
    return next.number != 0;
}

/* GRACE_WARNING: only who has a title to lose is warned, for a contractor's condition once. */
static bool
warning_fire(struct state *state, const struct command *command, const struct timer_row *timer)
{
    struct claim_row claim;
    uint64_t *deadline_ms;

    if (timer->contractor != 0) {
        return warning_fire_contractor(state, command, timer);
    }
    if (!claim_find(state, timer, &claim, &deadline_ms) || claim.title != ZR_TITLE_PRIMARY) {
        return false;
    }
    event_emit(state, command,
               &(struct event_row){.type = ZR_EVENT_GRACE_WARNING,
                                   .contractor = claim.contractor,
                                   .claim_id = timer->number,
                                   .deadline_ms = timer->deadline_ms,
                                   .zip = claim.zip,
                                   .category = claim.category,
                                   .code = timer->code});
    return true;
}

/* So late that the grace is over, too: it ran out in an outage, where nobody could set the deadline
 * that an outage moves. It is where that one would be now (M2). */
static bool
licence_fire(struct state *state, const struct command *command, const struct timer_row *timer)
{
    struct contractor_row row;

    if (!state_contractor_get(state, timer->contractor, &row) ||
        row.licence_expires_ms != timer->deadline_ms || row.licence_deadline_ms != 0) {
        return false;
    }
    if (row.licence_expires_ms + CONDITION_LICENCE_MS <= command->time_ms) {
        licence_lapse(state, command, timer->contractor, &row,
                      command->time_ms + TIMER_OUTAGE_GRACE_MS);
    } else {
        condition_licence_judge(state, command, timer->contractor, &row);
    }
    state_contractor_put(state, timer->contractor, &row);
    return true;
}

/* A vacation begins or ends: look, and come back at the next edge. */
static bool
schedule_fire(struct state *state, const struct command *command, const struct timer_row *timer)
{
    struct schedule_row schedule;

    if (!state_schedule_get(state, timer->contractor, &schedule) ||
        schedule.armed_ms != timer->deadline_ms) {
        return false; /* Of an older schedule. */
    }
    profile_schedule_arm(state, command, timer->contractor, &schedule);
    state_schedule_put(state, timer->contractor, &schedule);
    condition_unavailable_judge(state, command, timer->contractor);
    return true;
}

bool
condition_timer(struct state *state, const struct command *command, const struct timer_row *timer)
{
    switch (timer->kind) {
    case TIMER_CLAIM:
        return claim_fire(state, command, timer);
    case TIMER_CONTRACTOR:
        return contractor_fire(state, command, timer);
    case TIMER_WARNING:
        return warning_fire(state, command, timer);
    case TIMER_LICENCE:
        return licence_fire(state, command, timer);
    case TIMER_SCHEDULE:
        return schedule_fire(state, command, timer);
    default:
        return condition_work(state, command, timer);
    }
}

bool
condition_deadline_move(struct state *state, const struct command *command,
                        const struct timer_row *timer, uint64_t deadline_ms)
{
    struct contractor_row row;
    struct claim_row claim;
    uint64_t *moved_ms;

    CHECK(deadline_ms > command->time_ms);
    if (timer->kind == TIMER_CLAIM && claim_find(state, timer, &claim, &moved_ms)) {
        *moved_ms = deadline_ms;
        state_claim_put(state, timer->number, &claim);
        return true;
    }
    if (timer->kind == TIMER_CONTRACTOR && contractor_find(state, timer, &row, &moved_ms)) {
        *moved_ms = deadline_ms;
        state_contractor_put(state, timer->contractor, &row);
        return true;
    }
    return false;
}
