/*
 * test_bench_options.c - the load tester's options, to their last character.
 */
#include "bench/clock.h"
#include "bench/condition.h"
#include "bench/parse.h"
#include "protocol/status.h"
#include "tests/lib/test.h"

#include <math.h>

/* ---- options ----------------------------------------------------------------------------------
 */

static void
test_parse_rate_takes_its_units_and_nothing_else(void **state)
{
    static const struct {
        const char *text;
        double per_s;
    } good[] = {{"2500", 2500},      {"20k/s", 20000}, {"20k", 20000},
                {"1.5M/s", 1500000}, {"0.5/s", 0.5},   {"1/s", 1}};
    static const char *const bad[] = {"",
                                      "0",
                                      "-1",
                                      "k",
                                      "20 k",
                                      "20k/m",
                                      "nan",
                                      "inf",
                                      "0x10",
                                      "1e",
                                      "5k/",
                                      "20k/s ",
                                      "2e99999999999999999"};
    double per_s = 7;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(parse_rate(good[i].text, &per_s));
        assert_true(fabs(per_s - good[i].per_s) < 1e-9);
    }
    per_s = 7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(parse_rate(bad[i], &per_s));
    }
    assert_false(parse_rate(NULL, &per_s));
    assert_true(per_s > 6.9 && per_s < 7.1);
}

static void
test_parse_duration_takes_its_units_and_nothing_else(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {{"20s", 20000000000},
                {"500ms", 500000000},
                {"2m", 120000000000},
                {"150us", 150000},
                {"9ns", 9},
                {"20", 20000000000},
                {"0", 0},
                {"0.5s", 500000000}};
    static const char *const bad[] = {"", "s", "-1s", "5h", "1 s", "1ss", "0x1s", "25000m"};
    uint64_t ns = 0;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(parse_duration(good[i].text, &ns));
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(parse_duration(bad[i], &ns));
    }
}

static void
test_parse_count_holds_its_bounds(void **state)
{
    uint32_t count = 9;

    (void)state;
    assert_true(parse_count("4", 1, 4, &count));
    assert_int_equal(count, 4);
    assert_true(parse_count("4294967295", 0, UINT32_MAX, &count));
    assert_false(parse_count("4294967296", 0, UINT32_MAX, &count));
    assert_false(parse_count("0", 1, 4, &count));
    assert_false(parse_count("5", 1, 4, &count));
    assert_false(parse_count("+4", 1, 4, &count));
    assert_false(parse_count(" 4", 1, 4, &count));
    assert_false(parse_count("4x", 1, 4, &count));
    assert_false(parse_count("", 1, 4, &count));
    assert_int_equal(count, UINT32_MAX);
}

static void
test_parse_mix_reads_names_and_weights(void **state)
{
    static const char *const names[] = {"route", "connect", "claim", NULL};
    static const char *const bad[] = {"",         "route",    "route=",          "route=0",
                                      "other=1",  "route=1,", "route=1,route=2", "route=-1",
                                      "route=1;", "=1"};
    uint32_t weights[3] = {5, 5, 5};
    double percent = 0;

    (void)state;
    assert_true(parse_mix("connect=10,route=90", names, weights));
    assert_int_equal(weights[0], 90);
    assert_int_equal(weights[1], 10);
    assert_int_equal(weights[2], 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(parse_mix(bad[i], names, weights));
    }
    assert_true(parse_percent("3%", &percent));
    assert_true(fabs(percent - 0.03) < 1e-12);
    assert_true(parse_percent("0.5", &percent));
    assert_false(parse_percent("3%%", &percent));
}

static void
test_conditions_fire_on_the_side_they_name(void **state)
{
    static struct recorder recorder;
    static const char *const bad[] = {"",
                                      "route.p99",
                                      "route.p99>",
                                      "route.p100>1ms",
                                      "oute.p9>1ms",
                                      "route.x99>1ms",
                                      "errors>1ms",
                                      "route.p99=1ms",
                                      "errors>1,",
                                      "achieved<fast"};
    struct conditions conditions = {.count = 0};
    static const bool expected[] = {true, false, true, false, true, true};
    double value = 0;

    (void)state;
    recorder_init(&recorder, true, 0, NS_PER_S);
    for (uint32_t i = 0; i < 100; i++) {
        recorder_take(&recorder, &(struct sample){.step = STEP_ROUTE,
                                                  .result = i == 0 ? ZR_STATUS_OVERLOADED : 0,
                                                  .intended_ns = 10,
                                                  .sent_ns = 20,
                                                  .answered_ns = 10 + 2 * NS_PER_MS});
        recorder_take_landing(&recorder, 20);
    }
    assert_true(conditions_parse(
        &conditions,
        "route.p99>1ms,route.p99.9>3ms,errors>0,dropped>0,achieved<101/s,route.max<5ms"));
    assert_int_equal(conditions.count, 6);
    for (uint32_t i = 0; i < conditions.count; i++) {
        assert_int_equal(condition_fires(&conditions.list[i], &recorder, &value), expected[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct conditions none = {.count = 0};

        assert_false(conditions_parse(&none, bad[i]));
    }
}

static void
test_percentile_parse_rounds_to_parts_per_million(void **state)
{
    uint32_t ppm = 0;

    (void)state;
    assert_true(percentile_parse("p99.99", &ppm));
    assert_int_equal(ppm, 999900);
    assert_true(percentile_parse("p50", &ppm));
    assert_int_equal(ppm, 500000);
    assert_true(percentile_parse("max", &ppm));
    assert_int_equal(ppm, HISTOGRAM_PPM);
    assert_false(percentile_parse("p", &ppm));
    assert_false(percentile_parse("p0", &ppm));
    assert_false(percentile_parse("p99x", &ppm));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_rate_takes_its_units_and_nothing_else),
        cmocka_unit_test(test_parse_duration_takes_its_units_and_nothing_else),
        cmocka_unit_test(test_parse_count_holds_its_bounds),
        cmocka_unit_test(test_parse_mix_reads_names_and_weights),
        cmocka_unit_test(test_conditions_fire_on_the_side_they_name),
        cmocka_unit_test(test_percentile_parse_rounds_to_parts_per_million),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
