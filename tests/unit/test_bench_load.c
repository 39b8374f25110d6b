/*
 * test_bench_load.c - what load looks like: schedules and draws against their laws, the demo's
 * network, and keys that no two runs share.
 */
#include "bench/alias.h"
#include "bench/arrivals.h"
#include "bench/prng.h"
#include "bench/world.h"
#include "bench/zips.h"
#include "protocol/check.h"
#include "tests/lib/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
    CHECK(alias_init(&alias, weights, COUNT));
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
    CHECK(!alias_init(&alias, weights, 3));
    assert_null(alias.keep);
}

/* ---- ZIPs and the demo's network --------------------------------------------------------------
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
        const uint32_t row = i / GRID;

        places[i] = (struct zip_place){.zip = 1000 + i,
                                       .population = 100 + i,
                                       .latitude = 30 + 0.1 * row,
                                       .longitude = -90 + 0.1 * (i % GRID)};
        zips->population += places[i].population;
    }
}

static void
world_make(struct world *world, const struct zips *zips, uint64_t seed)
{
    const struct world_plan plan = {.seed = seed};
    struct fault fault;

    CHECK(world_init(world, zips, 200, &fault));
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

/* Slots of one contractor that were claimed so far. */
static uint8_t claimed[GRID * GRID][TRADES_COUNT];

static void
batch_judge(const struct world *world, const struct world_batch *batch)
{
    const struct world_contractor *contractor = &world->contractors[batch->contractor];

    assert_in_range(batch->slots_count, 1, WORLD_SLOTS_CLAIM);
    for (uint32_t slot = 0; slot < batch->slots_count; slot++) {
        uint32_t place = 0;
        uint8_t trade = 0;

        world_slot(world, contractor, batch->slot_first + slot, &place, &trade);
        assert_int_equal(claimed[place][trade], 0);
        claimed[place][trade] = 1;
    }
}

/* A CLAIM names no slot twice, and at most 64; together they name them all. */
static void
test_world_batches_cover_every_slot_once(void **state)
{
    static struct zip_place places[GRID * GRID];
    struct zips zips;
    struct world world;
    uint32_t slots_count = 0;
    uint32_t next_slot = 0;

    (void)state;
    grid_make(&zips, places);
    world_make(&world, &zips, test_seed());
    for (uint32_t i = 0; i < world.batches_count; i++) {
        const struct world_batch *batch = &world.batches[i];

        if (batch->slot_first == 0) {
            memset(claimed, 0, sizeof claimed);
            next_slot = 0;
        }
        assert_int_equal(batch->slot_first, next_slot);
        batch_judge(&world, batch);
        next_slot += batch->slots_count;
        slots_count += batch->slots_count;
    }
    for (uint32_t i = 0; i < world.contractors_count; i++) {
        slots_count -= world.contractors[i].zips_count * world.contractors[i].trades_count;
    }
    assert_int_equal(slots_count, 0);
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
    for (uint32_t i = 0; i < TRADES_COUNT; i++) {
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
        cmocka_unit_test(test_prng_is_xoshiro256starstar),
        cmocka_unit_test(test_prng_repeats_from_its_seed),
        cmocka_unit_test(test_prng_stays_in_range),
        cmocka_unit_test(test_run_ids_never_repeat_whatever_the_seed),
        cmocka_unit_test(test_arrivals_uniform_are_equally_far_apart),
        cmocka_unit_test(test_arrivals_poisson_have_exponential_gaps),
        cmocka_unit_test(test_alias_draws_by_weight_and_never_a_zero),
        cmocka_unit_test(test_alias_refuses_weights_that_are_all_zero),
        cmocka_unit_test(test_zips_are_read_by_the_names_of_their_columns),
        cmocka_unit_test(test_zips_that_are_bad_name_their_line),
        cmocka_unit_test(test_world_is_the_same_for_the_same_seed),
        cmocka_unit_test(test_world_batches_cover_every_slot_once),
        cmocka_unit_test(test_world_calls_go_to_covered_slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
