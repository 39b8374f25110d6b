/*
 * test_clock.c - the log clock: never back, and still while it is manual (P12).
 */
#include "server/base/clock.h"
#include "tests/lib/test.h"

enum { READS = 10000 };
#define YEAR_MS UINT64_C(31536000000)

/* What the wall clock says, to compare a start with. */
static uint64_t
wall_ms(void)
{
    struct clock clock;

    clock_init(&clock, true, 0);
    return clock_now_ms(&clock);
}

static void
test_manual_clock_stands_until_it_is_moved(void **state)
{
    struct clock clock;
    uint64_t start_us;

    (void)state;
    clock_init(&clock, true, 0);
    start_us = clock_now_us(&clock);
    for (int i = 0; i < READS; i++) {
        assert_int_equal(clock_now_us(&clock), start_us);
    }
    clock_advance_ms(&clock, 86400000);
    assert_int_equal(clock_now_us(&clock), start_us + UINT64_C(86400000000));
    clock_advance_ms(&clock, 0);
    assert_int_equal(clock_now_ms(&clock), (start_us + UINT64_C(86400000000)) / 1000);
}

/* Whatever the log says, later or earlier than the wall: a restart moves no time by itself. */
static void
test_manual_clock_goes_on_where_its_log_stopped(void **state)
{
    const uint64_t now_ms = wall_ms();
    const uint64_t logs_ms[] = {now_ms - YEAR_MS, now_ms + YEAR_MS};
    struct clock clock;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        clock_init(&clock, true, logs_ms[i]);
        assert_int_equal(clock_now_ms(&clock), logs_ms[i]);
    }
}

static void
test_real_clock_starts_no_earlier_than_its_log(void **state)
{
    const uint64_t now_ms = wall_ms();
    struct clock clock;

    (void)state;
    clock_init(&clock, false, now_ms + YEAR_MS);
    assert_true(clock_now_ms(&clock) >= now_ms + YEAR_MS);
    clock_init(&clock, false, now_ms - YEAR_MS);
    assert_true(clock_now_ms(&clock) >= now_ms);
    assert_true(clock_now_ms(&clock) < now_ms + YEAR_MS);
}

static void
test_real_clock_never_runs_back(void **state)
{
    struct clock clock;
    uint64_t last_us = 0;

    (void)state;
    clock_init(&clock, false, 0);
    for (int i = 0; i < READS; i++) {
        const uint64_t now_us = clock_now_us(&clock);

        assert_true(now_us >= last_us);
        last_us = now_us;
    }
}

static void
test_real_clock_cannot_be_moved(void **state)
{
    struct clock clock;

    (void)state;
    clock_init(&clock, false, 0);
    expect_assert_failure(clock_advance_ms(&clock, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manual_clock_stands_until_it_is_moved),
        cmocka_unit_test(test_manual_clock_goes_on_where_its_log_stopped),
        cmocka_unit_test(test_real_clock_starts_no_earlier_than_its_log),
        cmocka_unit_test(test_real_clock_never_runs_back),
        cmocka_unit_test(test_real_clock_cannot_be_moved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
