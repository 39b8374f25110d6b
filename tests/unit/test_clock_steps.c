/*
 * test_clock_steps.c - E54: the wall clock is stepped while the server runs and between its runs.
 *
 * Nobody may step the machine's clock for a test, so the clock's own source is taken in here, with
 * the system's clocks replaced by two numbers that the test sets.
 */
#include "tests/lib/test.h"

#include <time.h>

#define SECOND_NS INT64_C(1000000000)
#define HOUR_NS   (3600 * SECOND_NS)

static int64_t wall_ns;
static int64_t monotonic_ns;

static int
stepped_gettime(clockid_t id, struct timespec *now)
{
    const int64_t ns = id == CLOCK_REALTIME ? wall_ns : monotonic_ns;

    assert_true(id == CLOCK_REALTIME || id == CLOCK_MONOTONIC);
    *now = (struct timespec){.tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS};
    return 0;
}

/* Under names of their own: the server's clock is in every test program, too. */
// NOLINTBEGIN(bugprone-suspicious-include,readability-identifier-naming)
#define clock_gettime      stepped_gettime
#define clock_monotonic_ns stepped_monotonic_ns
#define clock_init         stepped_init
#define clock_now_us       stepped_now_us
#define clock_now_ms       stepped_now_ms
#define clock_advance_ms   stepped_advance_ms
#include "server/base/clock.c"
// NOLINTEND(bugprone-suspicious-include,readability-identifier-naming)

enum { START_S = 1700000000 };

static const uint64_t start_ms = UINT64_C(1000) * START_S;

/* Both go on together, as they do when nobody steps anything. */
static void
pass(int64_t ns)
{
    wall_ns += ns;
    monotonic_ns += ns;
}

static int
steps_setup(void **state)
{
    (void)state;
    wall_ns = START_S * SECOND_NS;
    monotonic_ns = 7 * SECOND_NS; /* Since boot: of no year. */
    return 0;
}

/* Back 10 s, forth 1 h: durations are those of the monotonic clock, and nothing is due early. */
static void
test_e54_a_step_while_it_runs_is_not_seen(void **state)
{
    static const int64_t steps_ns[] = {-10 * SECOND_NS, HOUR_NS, -400 * 24 * HOUR_NS};
    struct clock clock;
    uint64_t passed_ms = 0;

    (void)state;
    clock_init(&clock, false, 0);
    for (size_t i = 0; i < sizeof steps_ns / sizeof steps_ns[0]; i++) {
        wall_ns += steps_ns[i];
        assert_true(clock_now_ms(&clock) == start_ms + passed_ms);
        pass(1500 * SECOND_NS / 1000);
        passed_ms += 1500;
        assert_true(clock_now_ms(&clock) == start_ms + passed_ms);
    }
}

/* Stepped back between two runs: log time stands where it was and goes on from there. */
static void
test_e54_a_step_back_over_a_restart_stands(void **state)
{
    struct clock clock;
    uint64_t log_ms;

    (void)state;
    clock_init(&clock, false, 0);
    pass(60 * SECOND_NS);
    log_ms = clock_now_ms(&clock);
    wall_ns -= 10 * SECOND_NS;
    monotonic_ns = 3 * SECOND_NS; /* The machine was booted, too. */
    clock_init(&clock, false, log_ms);
    assert_true(clock_now_ms(&clock) == log_ms);
    pass(SECOND_NS);
    assert_true(clock_now_ms(&clock) == log_ms + 1000);
}

/* Stepped forth: taken for time that passed without the server, which graces deferred by an outage
 * are for (M2); the run itself knows no such jump. */
static void
test_e54_a_step_forth_over_a_restart_is_an_outage(void **state)
{
    struct clock clock;
    uint64_t log_ms;

    (void)state;
    clock_init(&clock, false, 0);
    pass(60 * SECOND_NS);
    log_ms = clock_now_ms(&clock);
    wall_ns += HOUR_NS;
    clock_init(&clock, false, log_ms);
    assert_true(clock_now_ms(&clock) == log_ms + 3600 * 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_e54_a_step_while_it_runs_is_not_seen, steps_setup),
        cmocka_unit_test_setup(test_e54_a_step_back_over_a_restart_stands, steps_setup),
        cmocka_unit_test_setup(test_e54_a_step_forth_over_a_restart_is_an_outage, steps_setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
