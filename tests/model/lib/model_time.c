/*
 * model_time.c - wall clocks, conditions with their graces, and what falls due (M2, M3).
 *
 * The hard idea: there is no table of timers. Whoever wants to know what falls due next looks at
 * every row and asks; the earliest wins, and among equals the one whose clock was set first.
 */
#include "tests/model/lib/model.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAUSE_RESUME_DAYS = 7, /* Resuming for less than this continues the old clock. */
    UNAVAILABLE_DAYS = 14,
    DEADLINES_MAX = 1024,
    COARSE_MS = 100, /* The server gives leases and units back in such steps. */
};
/* ---- conditions --------------------------------------------------------------------------------
 */

/* GRACE_WARNINGs come when a half and when a tenth of the grace is left. */
static const uint64_t warning_parts[] = {2, 10};

void
model_condition_set(struct model *model, struct model_condition *condition, uint64_t deadline_ms,
                    uint64_t grace_ms)
{
    /* The same clock again, lifted or not meanwhile, keeps its turn among those of that time. */
    const bool waits = condition->deadline_ms == deadline_ms && deadline_ms > model->now_ms;

    condition->on = true;
    condition->passed = false;
    condition->deferred = false;
    condition->warned = 0;
    condition->grace_ms = grace_ms;
    condition->deadline_ms = deadline_ms;
    condition->stamp = waits ? condition->stamp : ++model->stamp;
    while (condition->warned < 2 && /* Their time is over already. */
           deadline_ms <= model->now_ms + grace_ms / warning_parts[condition->warned]) {
        condition->warned++;
    }
}

void
model_condition_clear(struct model_condition *condition)
{
    *condition =
        (struct model_condition){.deadline_ms = condition->deadline_ms, .stamp = condition->stamp};
}

void
model_pause(struct model *model, struct model_condition *condition, uint64_t grace_ms)
{
    const uint64_t lifted_ms = condition->lifted_ms;

    if (condition->on) {
        return;
    }
    if (lifted_ms != 0 && lifted_ms < condition->deadline_ms && /* Else it is over, not old. */
        model->now_ms - lifted_ms < PAUSE_RESUME_DAYS * MODEL_DAY_MS) {
        model_condition_set(model, condition, condition->deadline_ms, condition->grace_ms);
        return;
    }
    model_condition_set(model, condition, model->now_ms + grace_ms, grace_ms);
}

void
model_unavailable_judge(struct model *model, int contractor)
{
    struct model_contractor *who = &model->contractors[contractor];
    bool unavailable = model_on_vacation(who, model->now_ms);
    bool closed = who->schedule.hours_length != 0;

    for (int i = 0; i < who->schedule.hours_length; i++) {
        closed = closed && who->schedule.hours[i] == 0;
    }
    for (int i = 0; i < who->caps.caps_count; i++) {
        unavailable = unavailable || who->caps.caps[i].limit == 0;
    }
    unavailable = unavailable || closed;
    if (unavailable && !who->unavailable.on) {
        model_condition_set(model, &who->unavailable,
                            model->now_ms + UNAVAILABLE_DAYS * MODEL_DAY_MS,
                            UNAVAILABLE_DAYS * MODEL_DAY_MS);
    } else if (!unavailable) {
        model_condition_clear(&who->unavailable);
    }
}

static void
edge_earlier(const struct model *model, uint64_t *earliest_ms, uint64_t edge_ms)
{
    if (edge_ms > model->now_ms && (*earliest_ms == 0 || edge_ms < *earliest_ms)) {
        *earliest_ms = edge_ms;
    }
}

void
model_edge_arm(struct model *model, int contractor)
{
    struct model_contractor *who = &model->contractors[contractor];
    uint64_t next_ms = 0;

    edge_earlier(model, &next_ms, who->schedule.unavailable_until_ms);
    for (int i = 0; i < who->schedule.vacations_count; i++) {
        const struct zr_schedule_vacation *vacation = &who->schedule.vacations[i];

        edge_earlier(model, &next_ms, model_midnight_ms(who->zone, vacation->first_day));
        edge_earlier(model, &next_ms, model_midnight_ms(who->zone, vacation->last_day + 1));
    }
    if (next_ms != who->edge_ms) { /* Else that timer waits already. */
        who->edge_ms = next_ms;
        who->edge_stamp = ++model->stamp;
    }
}

static void
condition_restart(struct model *model, struct model_condition *condition)
{
    if (!condition->passed && condition->deadline_ms == model->now_ms + condition->grace_ms) {
        return; /* It was restarted in this very command: that timer waits already. */
    }
    /* Exclusive: it has passed at its very instant, also before its timer's turn has come. */
    if (condition->on && (condition->passed || condition->deadline_ms <= model->now_ms)) {
        model_condition_set(model, condition, model->now_ms + condition->grace_ms,
                            condition->grace_ms);
    }
}

void
model_conditions_restart(struct model *model, int claim)
{
    struct model_claim *row = &model->claims[claim];
    struct model_contractor *who = &model->contractors[row->contractor];

    condition_restart(model, &row->paused);
    condition_restart(model, &row->dry);
    condition_restart(model, &who->paused);
    condition_restart(model, &who->suspended);
    condition_restart(model, &who->licence);
    condition_restart(model, &who->unavailable);
}

/* ---- what falls due ----------------------------------------------------------------------------
 */

enum timer_kind {
    TIMER_NONE,
    TIMER_CLAIM_CONDITION, /* index claim, sub bit */
    TIMER_CLAIM_WARNING,
    TIMER_CONDITION, /* index contractor, sub bit */
    TIMER_WARNING,
    TIMER_LICENCE,
    TIMER_EDGE,
    TIMER_PERIOD,
    TIMER_OFFER,
    TIMER_RESERVATION,
    TIMER_SWEEP, /* index call, sub leg */
    TIMER_RETRY,
    TIMER_PAYOUT,
    TIMER_FUNDS,
    TIMER_SLOT_RATES,
};

struct timer {
    uint64_t due_ms, stamp;
    enum timer_kind kind;
    int index, sub;
};

/* Receives every timer that waits. */
typedef void (*timer_fn)(void *context, const struct timer *timer);

struct look {
    timer_fn call;
    void *context;
};

static void
tell(const struct look *look, struct timer timer)
{
    if (timer.due_ms != 0) {
        look->call(look->context, &timer);
    }
}

/* The deadline and the warnings of one condition: `kind` of the deadline, the next is WARNING. */
static void
tell_condition(const struct look *look, const struct model_condition *condition,
               enum timer_kind kind, int index, int sub)
{
    if (!condition->on || condition->passed) {
        return;
    }
    tell(look, (struct timer){condition->deadline_ms, condition->stamp, kind, index, sub});
    if (condition->warned < 2) {
        const uint64_t left_ms = condition->grace_ms / warning_parts[condition->warned];

        tell(look, (struct timer){condition->deadline_ms - left_ms, condition->stamp, kind + 1,
                                  index, sub});
    }
}

static void
tell_claims(const struct model *model, const struct look *look)
{
    for (int i = 0; i < model->live_count; i++) {
        const int index = model->live[i];
        const struct model_claim *claim = &model->claims[index];

        tell_condition(look, &claim->paused, TIMER_CLAIM_CONDITION, index, MODEL_PAUSED);
        tell_condition(look, &claim->dry, TIMER_CLAIM_CONDITION, index, MODEL_DRY);
        tell(look,
             (struct timer){claim->period_end_ms, claim->period_stamp, TIMER_PERIOD, index, 0});
    }
    for (int i = 0; i < MODEL_SLOTS; i++) {
        const struct model_slot *slot = &model->slots[i];

        tell(look, (struct timer){slot->offer_claim >= 0 ? slot->offer_deadline_ms : 0,
                                  slot->offer_stamp, TIMER_OFFER, i, 0});
        tell(look, (struct timer){slot->reserved_until_ms, slot->reserved_stamp, TIMER_RESERVATION,
                                  i, 0});
        tell(look, (struct timer){slot->rates_asked_ms, slot->rates_stamp, TIMER_SLOT_RATES, i, 0});
    }
}

static void
tell_contractors(const struct model *model, const struct look *look)
{
    for (int i = 0; i < MODEL_CONTRACTORS; i++) {
        const struct model_contractor *who = &model->contractors[i];

        tell_condition(look, &who->paused, TIMER_CONDITION, i, MODEL_PAUSED);
        tell_condition(look, &who->suspended, TIMER_CONDITION, i, MODEL_SUSPENDED);
        tell_condition(look, &who->licence, TIMER_CONDITION, i, MODEL_LICENCE);
        tell_condition(look, &who->unavailable, TIMER_CONDITION, i, MODEL_UNAVAILABLE);
        tell(look, (struct timer){who->licence.on ? 0 : who->licence_ms, who->licence_stamp,
                                  TIMER_LICENCE, i, 0});
        tell(look, (struct timer){who->edge_ms, who->edge_stamp, TIMER_EDGE, i, 0});
        tell(look, (struct timer){who->autotopup.retry_due ? who->autotopup.retry_ms : 0,
                                  who->autotopup.stamp, TIMER_RETRY, i, 0});
        tell(look, (struct timer){who->status == ZR_CONTRACTOR_CLOSING ? who->closing_ms : 0,
                                  who->closing_stamp, TIMER_PAYOUT, i, 0});
        tell(look, (struct timer){who->funds_asked_ms, who->funds_stamp, TIMER_FUNDS, i, 0});
    }
}

static void
tell_calls(const struct model *model, const struct look *look)
{
    for (int i = 0; i < model->active_count; i++) {
        const int index = model->active[i];
        const struct model_call *call = &model->calls[index];

        for (int l = 0; l < call->legs_count; l++) {
            const struct model_leg *leg = &call->legs[l];

            if (leg->connected_ms != 0 && !leg->ended && !leg->swept) {
                tell(look, (struct timer){leg->sweep_ms, leg->stamp, TIMER_SWEEP, index, l});
            }
        }
    }
}

static void
tell_all(const struct model *model, const struct look *look)
{
    tell_claims(model, look);
    tell_contractors(model, look);
    tell_calls(model, look);
}

static void
keep_earliest(void *context, const struct timer *timer)
{
    struct timer *best = context;

    if (best->kind == TIMER_NONE || timer->due_ms < best->due_ms ||
        (timer->due_ms == best->due_ms && timer->stamp < best->stamp)) {
        *best = *timer;
    }
}

/* ---- firing ------------------------------------------------------------------------------------
 */

static bool
is_primary(const struct model *model, int claim)
{
    return model->slots[model->claims[claim].slot].primary == claim;
}

static struct model_condition *
claim_condition(struct model *model, const struct timer *timer)
{
    struct model_claim *claim = &model->claims[timer->index];

    return timer->sub == MODEL_DRY ? &claim->dry : &claim->paused;
}

static struct model_condition *
contractor_condition(struct model *model, const struct timer *timer)
{
    struct model_contractor *who = &model->contractors[timer->index];

    switch (timer->sub) {
    case MODEL_SUSPENDED:
        return &who->suspended;
    case MODEL_LICENCE:
        return &who->licence;
    case MODEL_UNAVAILABLE:
        return &who->unavailable;
    default:
        return &who->paused;
    }
}

static void
fire_claim_condition(struct model *model, const struct timer *timer)
{
    struct model_condition *condition = claim_condition(model, timer);
    const struct model_contractor *who =
        &model->contractors[model->claims[timer->index].contractor];

    if (timer->sub == MODEL_DRY && !condition->deferred &&
        who->autotopup.state == ZR_TOPUP_STATE_PENDING && is_primary(model, timer->index)) {
        condition->deferred = true;
        condition->stamp = ++model->stamp; /* A clock set now: behind what else is due then. */
        condition->deadline_ms += MODEL_HOUR_MS;
        return;
    }
    condition->passed = true;
    if (is_primary(model, timer->index)) {
        model_forfeit(model, timer->index, (uint8_t)timer->sub);
    }
}

static void
fire_condition(struct model *model, const struct timer *timer)
{
    contractor_condition(model, timer)->passed = true;
    for (int i = 0; i < model->claims_count; i++) {
        const struct model_claim *claim = &model->claims[i];

        if (claim->live && claim->contractor == timer->index && is_primary(model, i)) {
            model_forfeit(model, i, (uint8_t)timer->sub);
        }
    }
}

/* GRACE_WARNING: to those whose title is at stake. */
static void
fire_warning(struct model *model, const struct timer *timer)
{
    struct model_condition *condition;
    bool holds = false;

    if (timer->kind == TIMER_CLAIM_WARNING) {
        condition = claim_condition(model, timer);
        if (is_primary(model, timer->index)) {
            model_claim_event(model, ZR_EVENT_GRACE_WARNING, timer->index, (uint8_t)timer->sub,
                              condition->deadline_ms);
        }
        condition->warned++;
        return;
    }
    condition = contractor_condition(model, timer);
    for (int i = 0; i < MODEL_SLOTS; i++) {
        const int primary = model->slots[i].primary;

        holds = holds || (primary >= 0 && model->claims[primary].contractor == timer->index);
    }
    if (holds) {
        model_event(model, ZR_EVENT_GRACE_WARNING,
                    &(struct model_event){.contractor = timer->index,
                                          .code = (uint8_t)timer->sub,
                                          .deadline_ms = condition->deadline_ms});
    }
    condition->warned++;
}

static void
fire_contractor(struct model *model, const struct timer *timer)
{
    struct model_contractor *who = &model->contractors[timer->index];

    if (timer->kind == TIMER_LICENCE) {
        model_condition_set(model, &who->licence, who->licence_ms + 30 * MODEL_DAY_MS,
                            30 * MODEL_DAY_MS);
    } else if (timer->kind == TIMER_EDGE) {
        model_edge_arm(model, timer->index);
        model_unavailable_judge(model, timer->index);
    } else if (timer->kind == TIMER_RETRY) {
        model_topup_try(model, timer->index);
    } else {
        model_payout(model, timer->index);
    }
}

static void
fire(struct model *model, const struct timer *timer)
{
    switch (timer->kind) {
    case TIMER_CLAIM_CONDITION:
        fire_claim_condition(model, timer);
        break;
    case TIMER_CONDITION:
        fire_condition(model, timer);
        break;
    case TIMER_CLAIM_WARNING:
    case TIMER_WARNING:
        fire_warning(model, timer);
        break;
    case TIMER_PERIOD:
        model_claim_end(model, timer->index, ZR_CLAIM_EXPIRED, ZR_CLAIM_EXPIRED);
        break;
    case TIMER_OFFER:
        model_offer_expire(model, timer->index);
        break;
    case TIMER_RESERVATION:
        model_reservation_end(model, timer->index);
        break;
    case TIMER_SWEEP:
        model_sweep(model, timer->index, timer->sub);
        break;
    case TIMER_LICENCE:
    case TIMER_EDGE:
    case TIMER_RETRY:
    case TIMER_PAYOUT:
        fire_contractor(model, timer);
        break;
    case TIMER_FUNDS:
        model_funds_pass(model, timer->index);
        break;
    case TIMER_SLOT_RATES:
        model_slot_rates(model, timer->index);
        break;
    case TIMER_NONE:
        break;
    }
}

void
model_advance(struct model *model, uint64_t to_ms)
{
    for (;;) {
        struct timer next = {.kind = TIMER_NONE};

        tell_all(model, &(struct look){keep_earliest, &next});
        if (next.kind == TIMER_NONE || next.due_ms > to_ms) {
            break;
        }
        if (next.due_ms > model->now_ms) {
            model->now_ms = next.due_ms;
        }
        fire(model, &next);
    }
    if (to_ms > model->now_ms) {
        model->now_ms = to_ms;
    }
}

void
model_settle(struct model *model)
{
    model_advance(model, model->now_ms);
}

/* ---- what a test wants to know of the future
 * ----------------------------------------------------- */

struct deadlines {
    uint64_t now_ms;
    uint64_t dues[DEADLINES_MAX];
    uint32_t count;
};

static void
deadlines_add(struct deadlines *all, uint64_t due_ms)
{
    if (due_ms > all->now_ms && all->count < DEADLINES_MAX) {
        all->dues[all->count++] = due_ms;
    }
}

static void
keep_all(void *context, const struct timer *timer)
{
    deadlines_add(context, timer->due_ms);
}

static int
compare_times(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;

    return a < b ? -1 : a > b ? 1 : 0;
}

/* Ends of tickets, windows and disputes of the newest calls. */
static void
deadlines_of_calls(const struct model *model, struct deadlines *all)
{
    for (int i = model->calls_count > 8 ? model->calls_count - 8 : 0; i < model->calls_count; i++) {
        const struct model_call *call = &model->calls[i];

        deadlines_add(all, call->lease_until_ms);
        if (call->tickets_count > 0) {
            const struct model_ticket *ticket = &call->tickets[call->tickets_count - 1];

            deadlines_add(all, ticket->expires_ms);
            deadlines_add(all, ticket->issued_ms + 7 * MODEL_DAY_MS);
        }
        for (int l = 0; l < call->legs_count; l++) {
            deadlines_add(all, call->legs[l].alive_ms + call->legs[l].ttl_ms);
            deadlines_add(all, call->legs[l].settled_ms + 30 * MODEL_DAY_MS);
            deadlines_add(all, call->legs[l].settled_ms + 31 * MODEL_DAY_MS);
        }
    }
}

uint64_t
model_deadline(const struct model *model, uint32_t k)
{
    static struct deadlines all;

    all.now_ms = model->now_ms;
    all.count = 0;
    tell_all(model, &(struct look){keep_all, &all});
    deadlines_of_calls(model, &all);
    for (int i = 0; i < MODEL_CONTRACTORS; i++) {
        deadlines_add(&all, model->contractors[i].cooldown_until_ms);
        deadlines_add(&all, model->contractors[i].down_until_ms);
    }
    if (all.count == 0) {
        return 0;
    }
    qsort(all.dues, all.count, sizeof all.dues[0], compare_times);
    return all.dues[k % (all.count < 6 ? all.count : 6)];
}

static bool
is_coarse(const struct model *model, uint64_t until_ms)
{
    return model->now_ms + COARSE_MS > until_ms && model->now_ms < until_ms + COARSE_MS;
}

bool
model_in_doubt(const struct model *model)
{
    for (int i = 0; i < model->active_count; i++) {
        const struct model_call *call = &model->calls[model->active[i]];

        if (call->lease_contractor >= 0 && is_coarse(model, call->lease_until_ms)) {
            return true;
        }
        for (int l = 0; l < call->legs_count; l++) {
            if (call->legs[l].unit &&
                is_coarse(model, call->legs[l].alive_ms + call->legs[l].ttl_ms)) {
                return true;
            }
        }
    }
    return false;
}
