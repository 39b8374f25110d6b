/*
 * test_year.c - a year in a minute (issue 3, point 4): 500 contractors of a metro, 365 virtual days
 * with calls, top-ups, vacations, disputes, restarts and both changes of the clocks, on the real
 * rules and the real store; no network, one thread, no wall clock. run.sh: timeout 300
 *
 * Proves, every week: postings sum to 0 and wallets are the sum of their chains (I10), no hold on
 * a leg whose sweep is past due, no timer overdue, I1-I14 by AUDIT, at most one charge per call
 * (I7) and charges = revenue, exactly one SLOT_OPENED per opening (R64). At every offer: the
 * contractor's hours by the C library's calendar (R34, E24, E25), and its caps by local date (R13,
 * E26). At the end: no hold is left, and the journal replayed into an empty store gives the same
 * state (E64).
 *
 *     SIM_DAYS    virtual days (365)
 *     SIM_CALLS   calls a day on average (500; 100 where CHECK_SLOW is on: fewer calls, not fewer
 *                 days, so that both changes of the clocks are always in it)
 *     TEST_SEED   the same year again
 */
#include "server/base/log.h"
#include "tests/lib/test.h"
#include "tests/sim/lib/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef ZR_CHECK_SLOW
enum { CALLS_A_DAY = 100, WEEKS_BETWEEN = 4 };
#else
enum { CALLS_A_DAY = 500, WEEKS_BETWEEN = 1 };
#endif
enum { DAYS = 365, DAYS_AFTER = 10, DAYS_BETWEEN = 7 * WEEKS_BETWEEN };

static struct sim sim;

static uint32_t
number_of(const char *name, uint32_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : (uint32_t)strtoul(text, NULL, 10);
}

/* ---- the year -------------------------------------------------------------------------------- */

/* Time goes on to the entry, timers and their events first. An outage may have passed it. */
static void
year_step(const struct agenda_entry *entry)
{
    if (entry->at_ms > sim_now(&sim)) {
        engine_advance(&sim.engine, entry->at_ms);
    }
    switch (entry->kind / 100 * 100) {
    case SIM_TRAFFIC:
        traffic_do(&sim, entry);
        break;
    case SIM_PEOPLE:
        people_do(&sim, entry);
        break;
    case SIM_MONEY:
        money_do(&sim, entry);
        break;
    default:
        operator_do(&sim, entry);
    }
    inbox_read(&sim);
}

static void
day_begin(uint32_t day)
{
    sim.day = day;
    sim.day_ms = SIM_START_MS + day * SIM_DAY_MS;
    if (sim.day_ms > sim_now(&sim)) {
        engine_advance(&sim.engine, sim.day_ms);
    }
}

static void
day_run(uint32_t day)
{
    struct agenda_entry entry;

    day_begin(day);
    judge_day(&sim);
    traffic_plan_day(&sim);
    people_plan_day(&sim);
    money_plan_day(&sim);
    operator_plan_day(&sim);
    while (agenda_take(&sim.agenda, sim.day_ms + SIM_DAY_MS, &entry)) {
        year_step(&entry);
    }
    if (day % DAYS_BETWEEN == DAYS_BETWEEN - 1) {
        judge_state(&sim, false);
    }
}

/* Nobody calls any more; what was begun ends, or is swept. */
static void
year_end(void)
{
    struct agenda_entry entry;

    day_begin(sim.days);
    while (agenda_take(&sim.agenda, sim.day_ms + DAYS_AFTER * SIM_DAY_MS, &entry)) {
        year_step(&entry);
    }
    day_begin(sim.days + DAYS_AFTER);
    judge_state(&sim, true);
}

static void
year_print(void)
{
    const struct sim_counts *counts = &sim.counts;

    (void)printf("year: %u days, %" PRIu64 " calls, %" PRIu64 " decisions, %" PRIu64
                 " connects, %" PRIu64 " charges of %" PRIu64 " cents, %" PRIu64 " + %" PRIu64
                 " top-ups, %" PRIu64 " openings, %" PRIu64 " offers, %" PRIu64
                 " forfeits, %" PRIu64 " DST days, %" PRIu64 " ticks, %" PRIu64
                 " commands in %" PRIu64 " commits, %" PRIu64 " events, %" PRIu64 " restarts\n",
                 sim.days, counts->calls, counts->decisions, counts->connects, counts->charges,
                 counts->charged_cents, counts->topups, counts->topups_done, counts->opened,
                 counts->offers, counts->forfeits, counts->dst_days, engine_ticks(&sim.engine),
                 sim.engine.commands, sim.engine.commits, counts->events, counts->restarts);
    (void)printf("      %" PRIu64 " unserved, %" PRIu64 " refused, %" PRIu64 " stale, %" PRIu64
                 " too late, %" PRIu64 " duplicates, %" PRIu64 " disputes, %" PRIu64
                 " dry, %" PRIu64 " waits, %" PRIu64 " turns, %" PRIu64 " claims, %" PRIu64
                 " cool-downs, %" PRIu64 " caps, %" PRIu64 " closed, %" PRIu64 " audits\n",
                 counts->unserved, counts->connects_refused, counts->stale, counts->too_late,
                 counts->free_duplicate, counts->disputes, counts->dry, counts->waits,
                 counts->waits_open, counts->claims, counts->cooldowns, counts->caps_told,
                 counts->closed, counts->audits);
}

int
main(void)
{
    bool passed;

    sim.seed = test_seed();
    sim.random = sim.seed;
    sim.days = number_of("SIM_DAYS", DAYS);
    sim.calls_a_day = number_of("SIM_CALLS", CALLS_A_DAY);
    for (uint32_t i = 0; i < SIM_CALLS_MAX; i++) {
        sim.calls_free[sim.calls_free_count++] = SIM_CALLS_MAX - 1 - i;
    }
    log_set_level(LOG_LEVEL_ERROR);
    engine_open(&sim.engine, SIM_START_MS);
    market_open(&sim);
    for (uint32_t day = 0; day < sim.days; day++) {
        day_run(day);
    }
    year_end();
    year_print();
    passed = sim.days < DAYS || judge_counts(&sim);
    sim_require_ok(&sim, engine_replay(&sim.engine) == STATUS_OK ? ZR_STATUS_OK : 1,
                   "E64: a replay of the whole year gives the same state");
    engine_close(&sim.engine);
    agenda_deinit(&sim.agenda);
    (void)printf("%d passed, %d failed\n", passed ? 1 : 0, passed ? 0 : 1);
    return passed ? EXIT_SUCCESS : EXIT_FAILURE;
}
