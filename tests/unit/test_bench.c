/*
 * test_bench.c - the arithmetic of the load tester: what its figures rest on.
 *
 * A load tester that is wrong is believed. So: percentiles against a sorted list, schedules and
 * draws against their laws, options to their last character, keys that no two runs share.
 * The units are included as source: the Makefile links unit tests with server and protocol
 * only, and this way no object of bench/ ends up beside the server's.
 */
#include "bench/alias.c"
#include "bench/arrivals.c"
#include "bench/condition.c"
#include "bench/fault.c"
#include "bench/histogram.c"
#include "bench/meter.c"
#include "bench/parse.c"
#include "bench/prng.c"
#include "bench/recorder.c"
#include "bench/slots.c"
#include "bench/tally.c"
#include "bench/world.c"
#include "bench/zips.c"
#include "tests/lib/test.h"

#include <inttypes.h>

/* ---- histogram ------------------------------------------------------------------------------ */

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

/* Method: both sides of every power of two; buckets never overlap and never leave a gap. */
static void
test_histogram_buckets_are_contiguous(void **state)
{
    uint32_t before = 0;

    (void)state;
    for (uint32_t bit = 1; bit < HISTOGRAM_VALUE_BITS; bit++) {
        const uint64_t power = UINT64_C(1) << bit;
        const uint32_t below = bucket_of_value(power - 1);

        assert_int_equal(bucket_of_value(power), below + 1);
        assert_true(below >= before);
        before = below;
    }
    assert_int_equal(bucket_of_value(HISTOGRAM_VALUE_MAX), HISTOGRAM_BUCKETS - 1);
    for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        assert_int_equal(bucket_of_value(value_of_bucket(bucket)), bucket);
    }
}

static void
test_histogram_takes_what_is_too_long_as_its_longest(void **state)
{
    static struct histogram histogram;

    (void)state;
    histogram_init(&histogram);
    histogram_record(&histogram, UINT64_MAX);
    assert_int_equal(histogram_percentile(&histogram, HISTOGRAM_PPM), HISTOGRAM_VALUE_MAX);
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
    expect_assert_failure((void)histogram_percentile(&histogram, HISTOGRAM_PPM + 1));
}

/* ---- randomness -------------------------------------------------------------------------------
 */

/* The generator's own published vectors: state 1, 2, 3, 4. */
static void
test_prng_is_xoshiro256starstar(void **state)
{
    static const uint64_t expected[] = {UINT64_C(11520), UINT64_C(0), UINT64_C(1509978240),
                                        UINT64_C(1215971899390074240)};
    struct prng prng = {{1, 2, 3, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(prng_next(&prng) == expected[i]);
    }
}

static void
test_prng_repeats_from_its_seed(void **state)
{
    const uint64_t seed = test_seed();
    struct prng first;
    struct prng second;
    struct prng other;
    bool differs = false;

    (void)state;
    prng_init(&first, seed);
    prng_init(&second, seed);
    prng_init(&other, seed + 1);
    for (uint32_t i = 0; i < 100; i++) {
        const uint64_t value = prng_next(&first);

        assert_true(value == prng_next(&second));
        differs = differs || value != prng_next(&other);
    }
    assert_true(differs);
}

static void
test_prng_stays_in_range(void **state)
{
    struct prng prng;

    (void)state;
    prng_init(&prng, test_seed());
    for (uint32_t i = 0; i < 10000; i++) {
        const double unit = prng_unit(&prng);

        assert_true(unit >= 0 && unit < 1);
        assert_in_range(prng_below(&prng, 7), 0, 6);
        assert_int_equal(prng_below(&prng, 1), 0);
        assert_false(prng_chance(&prng, 0));
        assert_true(prng_chance(&prng, 10000));
    }
}

/* performance.md "Traps met": keys that repeat between runs doubled the figures. */
static void
test_run_ids_never_repeat_whatever_the_seed(void **state)
{
    const struct zr_id zero = {{0}};
    struct run_ids first;
    struct run_ids second;
    struct fault fault;

    (void)state;
    assert_true(run_ids_init(&first, &fault));
    assert_true(run_ids_init(&second, &fault));
    assert_true(first.run != second.run);
    for (uint32_t i = 0; i < 100; i++) {
        const struct zr_id a = run_ids_take(&first);
        const struct zr_id b = run_ids_take(&first);
        const struct zr_id c = run_ids_take(&second);

        assert_memory_not_equal(&a, &b, sizeof a);
        assert_memory_not_equal(&a, &c, sizeof a);
        assert_memory_not_equal(&a, &zero, sizeof a);
    }
}

/* ---- arrivals ---------------------------------------------------------------------------------
 */

static void
test_arrivals_uniform_are_equally_far_apart(void **state)
{
    struct arrivals arrivals;

    (void)state;
    arrivals_init(&arrivals, ARRIVALS_UNIFORM, 20000, 1);
    arrivals_start(&arrivals, 1000);
    for (uint64_t i = 1; i < 1000; i++) {
        assert_int_equal(arrivals_next_ns(&arrivals), 1000 + i * 50000);
        arrivals_advance(&arrivals);
    }
}

/*
 * Goal: Poisson. Over 200,000 gaps of mean 1: the mean is 1 +- 0.01 (4.5 sigma), the share of
 * gaps above the mean is 1/e +- 0.005, and the squared gaps have mean 2 +- 0.06.
 */
static void
test_arrivals_poisson_have_exponential_gaps(void **state)
{
    enum { GAPS = 200000 };
    struct arrivals arrivals;
    double sum = 0;
    double squares = 0;
    uint32_t above = 0;
    uint64_t before = 0;

    (void)state;
    arrivals_init(&arrivals, ARRIVALS_POISSON, 1000, 7);
    arrivals_start(&arrivals, 0);
    for (uint32_t i = 0; i < GAPS; i++) {
        const uint64_t next = arrivals_next_ns(&arrivals);
        const double gap = (double)(next - before) / 1e6;

        assert_true(next >= before);
        sum += gap;
        squares += gap * gap;
        above += gap > 1 ? 1 : 0;
        before = next;
        arrivals_advance(&arrivals);
    }
    assert_true(fabs(sum / GAPS - 1) < 0.01);
    assert_true(fabs(squares / GAPS - 2) < 0.06);
    assert_true(fabs((double)above / GAPS - 0.36788) < 0.005);
}

/* ---- weights ----------------------------------------------------------------------------------
 */

static void
test_alias_draws_by_weight_and_never_a_zero(void **state)
{
    enum { DRAWS = 400000, COUNT = 6 };
    static const double weights[COUNT] = {0, 1, 2, 0, 13, 4};
    uint32_t drawn[COUNT] = {0};
    struct alias alias;
    struct prng prng;

    (void)state;
    prng_init(&prng, 11);
    assert_true(alias_init(&alias, weights, COUNT));
    for (uint32_t i = 0; i < DRAWS; i++) {
        drawn[alias_draw(&alias, &prng)]++;
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_true(fabs((double)drawn[i] / DRAWS - weights[i] / 20) < 0.005);
    }
    assert_int_equal(drawn[0], 0);
    assert_int_equal(drawn[3], 0);
    alias_deinit(&alias);
}

static void
test_alias_refuses_weights_that_are_all_zero(void **state)
{
    static const double weights[3] = {0, 0, 0};
    struct alias alias;

    (void)state;
    assert_false(alias_init(&alias, weights, 3));
    assert_null(alias.keep);
}

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

/* ---- ZIPs and the demo's network ----------------------------------------------------------------
 */

static bool
zips_read_text(struct zips *zips, struct fault *fault, const char *text)
{
    char folder[128];
    char path[160];
    FILE *file;
    bool read;

    test_make_dir(folder, sizeof folder);
    (void)snprintf(path, sizeof path, "%s/zips.csv", folder);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    read = zips_open(zips, path, fault);
    test_remove_dir(folder);
    return read;
}

/* ecosystem.md "Data": leading zeros, no population, quoted commas, columns in any order. */
static void
test_zips_are_read_by_the_names_of_their_columns(void **state)
{
    struct zips zips;
    struct fault fault;

    (void)state;
    assert_true(zips_read_text(&zips, &fault,
                               "city,population,zip,lon,lat,more\n"
                               "\"Adjuntas, upper\",16834,00601,-66.75266,18.18027,x\n"
                               "Nowhere,,99950,-131.5,55.5,"));
    assert_int_equal(zips.count, 2);
    assert_int_equal(zips.places[0].zip, 601);
    assert_int_equal(zips.places[0].population, 16834);
    assert_string_equal(zips.places[0].city, "Adjuntas, upper");
    assert_true(fabs(zips.places[0].latitude - 18.18027) < 1e-9);
    assert_int_equal(zips.places[1].zip, 99950);
    assert_int_equal(zips.places[1].population, 0);
    assert_int_equal(zips.population, 16834);
    zips_close(&zips);
}

static void
test_zips_that_are_bad_name_their_line(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } bad[] = {
        {"zip,population,lat\n00601,1,18\n", "csv:1: the first row must name"},
        {"zip,population,lat,lon\n601,1,18,-66\n", "csv:2: zip is not"},
        {"zip,population,lat,lon\n00601,1,18,-66\n00602,x,18,-66\n", "csv:3: population"},
        {"zip,population,lat,lon\n00601,1,91,-66\n", "csv:2: lat or lon"},
        {"zip,population,lat,lon\n", "no ZIPs"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct zips zips;
        struct fault fault;

        assert_false(zips_read_text(&zips, &fault, bad[i].text));
        assert_non_null(strstr(fault.text, bad[i].why));
        assert_null(zips.places);
    }
}

enum { GRID = 20 };

/* A square country of 20 x 20 ZIPs, the last row unknown to the server. */
static void
grid_make(struct zips *zips, struct zip_place *places)
{
    *zips = (struct zips){.places = places, .count = GRID * GRID};
    for (uint32_t i = 0; i < GRID * GRID; i++) {
        places[i] = (struct zip_place){.zip = 1000 + i,
                                       .population = 100 + i,
                                       .latitude = 30 + 0.1 * (i / GRID),
                                       .longitude = -90 + 0.1 * (i % GRID)};
        zips->population += places[i].population;
    }
}

static void
world_make(struct world *world, const struct zips *zips, uint64_t seed)
{
    const struct world_plan plan = {.seed = seed};
    struct fault fault;

    assert_true(world_init(world, zips, 200, &fault));
    for (uint32_t i = 0; i < GRID * (GRID - 1); i++) {
        world->known[i] = true;
    }
    assert_true(world_plan(world, &plan, &fault));
}

static void
contractor_judge(const struct world *world, const struct world_contractor *contractor)
{
    assert_in_range(contractor->zips_count, WORLD_CLAIM_ZIPS_MIN, WORLD_CLAIM_ZIPS_MAX);
    assert_in_range(contractor->trades_count, 1, WORLD_TRADES_MAX);
    assert_true(contractor->topup_cents >= 2500);
    assert_true(world->known[contractor->office]);
    assert_int_equal(world->near[contractor->first], contractor->office);
    for (uint32_t i = 0; i < contractor->zips_count; i++) {
        assert_true(world->known[world->near[contractor->first + i]]);
    }
}

static void
test_world_is_the_same_for_the_same_seed(void **state)
{
    static struct zip_place places[GRID * GRID];
    const uint64_t seed = test_seed();
    struct zips zips;
    struct world first;
    struct world second;

    (void)state;
    grid_make(&zips, places);
    world_make(&first, &zips, seed);
    world_make(&second, &zips, seed);
    assert_int_equal(first.near_count, second.near_count);
    assert_memory_equal(first.near, second.near, first.near_count * sizeof *first.near);
    assert_memory_equal(first.batches, second.batches, first.batches_count * sizeof *first.batches);
    for (uint32_t i = 0; i < first.contractors_count; i++) {
        contractor_judge(&first, &first.contractors[i]);
    }
    world_deinit(&first);
    world_deinit(&second);
}

/* A CLAIM names no slot twice, and at most 64. */
static void
test_world_batches_cover_every_slot_once(void **state)
{
    static struct zip_place places[GRID * GRID];
    static uint8_t seen[GRID * GRID][TRADES_COUNT];
    struct zips zips;
    struct world world;
    uint32_t next_slot = 0;

    (void)state;
    grid_make(&zips, places);
    world_make(&world, &zips, test_seed());
    for (uint32_t i = 0; i < world.batches_count; i++) {
        const struct world_batch *batch = &world.batches[i];
        const struct world_contractor *contractor = &world.contractors[batch->contractor];

        if (batch->slot_first == 0) {
            memset(seen, 0, sizeof seen);
            next_slot = 0;
        }
        assert_int_equal(batch->slot_first, next_slot);
        assert_in_range(batch->slots_count, 1, WORLD_SLOTS_CLAIM);
        for (uint32_t slot = 0; slot < batch->slots_count; slot++) {
            uint32_t place = 0;
            uint8_t trade = 0;

            world_slot(&world, contractor, batch->slot_first + slot, &place, &trade);
            assert_int_equal(seen[place][trade]++, 0);
        }
        next_slot += batch->slots_count;
    }
    world_deinit(&world);
}

static void
test_world_calls_go_to_covered_slots(void **state)
{
    static struct zip_place places[GRID * GRID];
    struct zips zips;
    struct world world;
    struct slots slots;
    uint32_t uncovered = 0;

    (void)state;
    grid_make(&zips, places);
    world_make(&world, &zips, 5);
    for (uint16_t i = 0; i < TRADES_COUNT; i++) {
        world.categories[i] = (uint16_t)(i + 1);
    }
    for (uint32_t i = 0; i < GRID * GRID; i++) {
        world.covered[i * TRADES_COUNT + 3] = true;
    }
    assert_true(slots_init(&slots, &zips, true));
    assert_true(world_list_calls(&world, &slots, 5, 200));
    for (uint32_t i = 0; i < slots.list_count; i++) {
        uncovered += slots.list[i].category != 4 ? 1 : 0;
    }
    /* 2 % are meant to be, and a draw gives up after 64 tries. */
    assert_true(uncovered > slots.list_count / 100);
    assert_true(uncovered < slots.list_count / 10);
    slots_deinit(&slots);
    world_deinit(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram_percentile_is_within_its_error_of_the_sorted_list),
        cmocka_unit_test(test_histogram_is_exact_below_256),
        cmocka_unit_test(test_histogram_buckets_are_contiguous),
        cmocka_unit_test(test_histogram_takes_what_is_too_long_as_its_longest),
        cmocka_unit_test(test_histogram_of_a_sum_is_the_sum_of_histograms),
        cmocka_unit_test(test_histogram_that_is_empty_says_zero),
        cmocka_unit_test(test_prng_is_xoshiro256starstar),
        cmocka_unit_test(test_prng_repeats_from_its_seed),
        cmocka_unit_test(test_prng_stays_in_range),
        cmocka_unit_test(test_run_ids_never_repeat_whatever_the_seed),
        cmocka_unit_test(test_arrivals_uniform_are_equally_far_apart),
        cmocka_unit_test(test_arrivals_poisson_have_exponential_gaps),
        cmocka_unit_test(test_alias_draws_by_weight_and_never_a_zero),
        cmocka_unit_test(test_alias_refuses_weights_that_are_all_zero),
        cmocka_unit_test(test_parse_rate_takes_its_units_and_nothing_else),
        cmocka_unit_test(test_parse_duration_takes_its_units_and_nothing_else),
        cmocka_unit_test(test_parse_count_holds_its_bounds),
        cmocka_unit_test(test_parse_mix_reads_names_and_weights),
        cmocka_unit_test(test_conditions_fire_on_the_side_they_name),
        cmocka_unit_test(test_percentile_parse_rounds_to_parts_per_million),
        cmocka_unit_test(test_recorder_counts_what_belongs_to_the_window),
        cmocka_unit_test(test_recorder_keeps_refusals_apart_from_errors),
        cmocka_unit_test(test_tally_adds_up_charges_only),
        cmocka_unit_test(test_meter_divides_cpu_by_requests),
        cmocka_unit_test(test_zips_are_read_by_the_names_of_their_columns),
        cmocka_unit_test(test_zips_that_are_bad_name_their_line),
        cmocka_unit_test(test_world_is_the_same_for_the_same_seed),
        cmocka_unit_test(test_world_batches_cover_every_slot_once),
        cmocka_unit_test(test_world_calls_go_to_covered_slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
