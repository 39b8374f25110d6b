/*
 * test_bench_figures.c - what the load tester's figures rest on: percentiles, windows, sums.
 *
 * A load tester that is wrong is believed, so percentiles are judged against a sorted list.
 */
#include "bench/clock.h"
#include "bench/histogram.h"
#include "bench/meter.h"
#include "bench/recorder.h"
#include "bench/tally.h"
#include "protocol/status.h"
#include "tests/lib/test.h"

#include <math.h>
#include <stdlib.h>

/* ---- histogram ------------------------------------------------------------------------------ */

#define LONGEST ((UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1)

static int
u64_compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* Goal: within 0.4 % of the true nearest rank, over seven orders of magnitude. */
static void
test_histogram_percentile_is_within_its_error_of_the_sorted_list(void **state)
{
    enum { VALUES = 20000 };
    static struct histogram histogram;
    static uint64_t values[VALUES];
    static const uint32_t ppms[] = {1, 10000, 500000, 900000, 990000, 999000, 999900, 1000000};
    uint64_t seed = test_seed();

    (void)state;
    histogram_init(&histogram);
    for (uint32_t i = 0; i < VALUES; i++) {
        values[i] = test_random(&seed) >> (30 + test_random_below(&seed, 30));
        histogram_record(&histogram, values[i]);
    }
    qsort(values, VALUES, sizeof values[0], u64_compare);
    for (size_t i = 0; i < sizeof ppms / sizeof ppms[0]; i++) {
        const uint64_t rank = ((uint64_t)VALUES * ppms[i] + 999999) / 1000000;
        const uint64_t expected = values[rank == 0 ? 0 : rank - 1];
        const uint64_t found = histogram_percentile(&histogram, ppms[i]);
        const uint64_t error = found > expected ? found - expected : expected - found;

        assert_true(error <= expected / 250);
    }
    assert_int_equal(histogram_percentile(&histogram, HISTOGRAM_PPM), values[VALUES - 1]);
    assert_int_equal(histogram.total, VALUES);
}

static void
test_histogram_is_exact_below_256(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 256; value++) {
        static struct histogram histogram;

        histogram_init(&histogram);
        histogram_record(&histogram, value);
        histogram_record(&histogram, 1 << 20);
        assert_int_equal(histogram_percentile(&histogram, 500000), value);
    }
}

/* Method: both sides of every power of two, each alone above a smaller half of all values. */
static void
test_histogram_keeps_its_error_where_steps_double(void **state)
{
    (void)state;
    for (uint32_t bit = 1; bit < HISTOGRAM_VALUE_BITS; bit++) {
        for (uint64_t value = (UINT64_C(1) << bit) - 1; value <= UINT64_C(1) << bit; value++) {
            static struct histogram histogram;
            uint64_t found;

            histogram_init(&histogram);
            histogram_record(&histogram, 0);
            histogram_record(&histogram, value);
            histogram_record(&histogram, LONGEST);
            found = histogram_percentile(&histogram, 600000);
            assert_true(found <= value + value / 250);
            assert_true(found + value / 250 >= value);
        }
    }
}

static void
test_histogram_takes_what_is_too_long_as_its_longest(void **state)
{
    static struct histogram histogram;

    (void)state;
    histogram_init(&histogram);
    histogram_record(&histogram, UINT64_MAX);
    assert_int_equal(histogram_percentile(&histogram, HISTOGRAM_PPM), LONGEST);
}

static void
test_histogram_of_a_sum_is_the_sum_of_histograms(void **state)
{
    static struct histogram first;
    static struct histogram second;
    static struct histogram both;
    uint64_t seed = test_seed();

    (void)state;
    histogram_init(&first);
    histogram_init(&second);
    histogram_init(&both);
    histogram_add(&first, &second);
    assert_int_equal(first.min, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        const uint64_t value = test_random_below(&seed, 1000000000);

        histogram_record(i % 3 == 0 ? &first : &second, value);
        histogram_record(&both, value);
    }
    histogram_add(&first, &second);
    assert_memory_equal(&first, &both, sizeof both);
}

static void
test_histogram_that_is_empty_says_zero(void **state)
{
    static struct histogram histogram;

    (void)state;
    histogram_init(&histogram);
    assert_int_equal(histogram_percentile(&histogram, 990000), 0);
    assert_int_equal(histogram_mean(&histogram), 0);
}

static void
test_histogram_checks_its_arguments(void **state)
{
    static struct histogram histogram;

    (void)state;
    expect_assert_failure((void)histogram_percentile(&histogram, HISTOGRAM_PPM + 1));
}

/* ---- what is counted --------------------------------------------------------------------------
 */

/* An open loop counts by the schedule, so a late answer still counts; a closed one by the answer.
 */
static void
test_recorder_counts_what_belongs_to_the_window(void **state)
{
    static struct recorder open;
    static struct recorder closed;
    static const struct sample samples[] = {
        {STEP_ECHO, 0, 50, 50, 150},   /* Meant before the window, answered inside. */
        {STEP_ECHO, 0, 150, 150, 160}, /* Inside. */
        {STEP_ECHO, 0, 190, 195, 260}, /* Meant inside, answered behind. */
        {STEP_ECHO, 0, 200, 200, 210}, /* The end is exclusive. */
    };

    (void)state;
    recorder_init(&open, true, 100, 200);
    recorder_init(&closed, false, 100, 200);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        recorder_take(&open, &samples[i]);
        recorder_take(&closed, &samples[i]);
    }
    assert_int_equal(open.steps[STEP_ECHO].answered, 2);
    assert_int_equal(open.steps[STEP_ECHO].intended.max, 70);
    assert_int_equal(open.steps[STEP_ECHO].sent.max, 65);
    assert_int_equal(open.steps[STEP_ECHO].answered_in_window, 2);
    assert_int_equal(closed.steps[STEP_ECHO].answered, 2);
    assert_int_equal(closed.steps[STEP_ECHO].sent.max, 100);
    assert_int_equal(open.requests_answered, 4);
}

static void
test_recorder_keeps_refusals_apart_from_errors(void **state)
{
    static struct recorder recorder;
    static const int results[] = {0,  ZR_STATUS_NO_COVERAGE, ZR_STATUS_OVERLOADED, -1,
                                  -1, ZR_STATUS_FORBIDDEN};

    (void)state;
    recorder_init(&recorder, false, 0, 100);
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        recorder_take(&recorder, &(struct sample){STEP_ROUTE, results[i], 1, 1, 2});
    }
    assert_int_equal(recorder.steps[STEP_ROUTE].answered, 6);
    assert_int_equal(recorder_errors(&recorder), 4);
    assert_int_equal(recorder.steps[STEP_ROUTE].results_count, 5);
    assert_int_equal(recorder.steps[STEP_ROUTE].sent.total, 2);
    assert_int_equal(recorder.steps[STEP_ROUTE].ok_in_window, 1);
}

static void
test_tally_adds_up_charges_only(void **state)
{
    int64_t charged[3] = {0, 0, 0};
    struct tally tally = {.charged_by_contractor = charged, .contractors_count = 3};
    struct zr_settlement_reply reply = {
        .settlement = ZR_SETTLEMENT_CHARGED, .contractor = 2, .amount_cents = 4500};

    (void)state;
    tally_take_settlement(&tally, &reply);
    reply.contractor = 3; /* Not one of ours: in the sum only. */
    tally_take_settlement(&tally, &reply);
    reply.settlement = ZR_SETTLEMENT_FREE_SHORT;
    tally_take_settlement(&tally, &reply);
    assert_int_equal(tally.charged_cents, 9000);
    assert_int_equal(charged[2], 4500);
    assert_int_equal(tally.ends, 3);
    assert_int_equal(tally.settlements[ZR_SETTLEMENT_FREE_SHORT], 1);
}

static void
test_meter_divides_cpu_by_requests(void **state)
{
    const struct meter_sample begin = {.time_ns = 1000, .requests = 10, .server_known = true};
    struct meter_sample end = {.time_ns = 1000 + NS_PER_S,
                               .requests = 1010,
                               .self_ns = NS_PER_S / 4,
                               .server_run_ns = NS_PER_S / 2,
                               .server_user_ns = 300 * NS_PER_MS,
                               .server_system_ns = 100 * NS_PER_MS,
                               .server_known = true};
    struct meter_result result;

    (void)state;
    meter_between(&result, &begin, &end);
    assert_true(fabs(result.self_cpu - 0.25) < 1e-9);
    assert_true(fabs(result.server_us_per_request - 500) < 1e-9);
    assert_true(fabs(result.server_system_share - 0.25) < 1e-9);
    assert_true(result.from_schedstat);
    end.server_run_ns = 0;
    meter_between(&result, &begin, &end);
    assert_true(fabs(result.server_us_per_request - 400) < 1e-9);
    assert_false(result.from_schedstat);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram_percentile_is_within_its_error_of_the_sorted_list),
        cmocka_unit_test(test_histogram_is_exact_below_256),
        cmocka_unit_test(test_histogram_keeps_its_error_where_steps_double),
        cmocka_unit_test(test_histogram_takes_what_is_too_long_as_its_longest),
        cmocka_unit_test(test_histogram_of_a_sum_is_the_sum_of_histograms),
        cmocka_unit_test(test_histogram_that_is_empty_says_zero),
        cmocka_unit_test(test_histogram_checks_its_arguments),
        cmocka_unit_test(test_recorder_counts_what_belongs_to_the_window),
        cmocka_unit_test(test_recorder_keeps_refusals_apart_from_errors),
        cmocka_unit_test(test_tally_adds_up_charges_only),
        cmocka_unit_test(test_meter_divides_cpu_by_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
