/*
 * world.c - see world.h.
 */
#include "bench/world.h"

#include "bench/alias.h"
#include "protocol/check.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { CALLS_LISTED = 1 << 17, CALL_DRAWS_MAX = 64 };

#define DEGREE_RADIANS 0.017453292519943295
#define REACH_DEGREES  3.0 /* ZIPs further north or south are not looked at. */

const struct trade world_trades[TRADES_COUNT] = {
    {"plumbing", 4500, 10},       {"hvac", 6500, 9},          {"electrical", 4200, 8},
    {"roofing", 9500, 7},         {"garage-doors", 3200, 5},  {"pest-control", 2800, 6},
    {"locksmith", 2400, 6},       {"water-damage", 12500, 5}, {"appliance-repair", 2600, 7},
    {"tree-service", 3800, 5},    {"landscaping", 2200, 6},   {"house-cleaning", 1800, 7},
    {"carpet-cleaning", 2000, 4}, {"painting", 3500, 5},      {"flooring", 4800, 4},
    {"remodeling", 8800, 5},      {"windows", 7200, 4},       {"gutters", 2500, 3},
    {"fencing", 3600, 3},         {"concrete", 5200, 3},      {"septic", 4700, 2},
    {"pool-service", 2900, 2},    {"moving", 3900, 5},        {"handyman", 1500, 8},
};

bool
world_init(struct world *world, const struct zips *zips, uint32_t contractors_count,
           struct fault *fault)
{
    /* 30 ZIPs in 3 trades are 90 slots, so two CLAIMs. */
    const size_t batches_max = (size_t)contractors_count * 2;

    CHECK(contractors_count > 0);
    CHECK(contractors_count <= WORLD_CONTRACTORS_MAX);
    *world = (struct world){.zips = zips, .contractors_count = contractors_count};
    world->known = calloc(zips->count, sizeof *world->known);
    world->contractors = calloc(contractors_count, sizeof *world->contractors);
    world->near = calloc((size_t)contractors_count * WORLD_CLAIM_ZIPS_MAX, sizeof *world->near);
    world->batches = calloc(batches_max, sizeof *world->batches);
    world->covered = calloc((size_t)zips->count * TRADES_COUNT, sizeof *world->covered);
    if (world->known == NULL || world->contractors == NULL || world->near == NULL ||
        world->batches == NULL || world->covered == NULL) {
        world_deinit(world);
        (void)fault_set(fault, BENCH_EXIT_USAGE, "no memory for %u contractors", contractors_count);
        return false;
    }
    return true;
}

void
world_deinit(struct world *world)
{
    CHECK(world != NULL);
    free(world->known);
    free(world->contractors);
    free(world->near);
    free(world->batches);
    free(world->covered);
    *world = (struct world){.zips = NULL};
}

/* ---- who is near --------------------------------------------------------------------------- */

/* The nearest places so far, ascending by distance. */
struct nearest {
    uint32_t places[WORLD_CLAIM_ZIPS_MAX];
    double distances[WORLD_CLAIM_ZIPS_MAX];
    uint32_t count;
    uint32_t wanted;
};

static void
nearest_offer(struct nearest *nearest, uint32_t place, double distance)
{
    uint32_t at = nearest->count;

    if (nearest->count == nearest->wanted) {
        if (distance >= nearest->distances[nearest->count - 1]) {
            return;
        }
        at = nearest->count - 1;
    } else {
        nearest->count++;
    }
    while (at > 0 && nearest->distances[at - 1] > distance) {
        nearest->places[at] = nearest->places[at - 1];
        nearest->distances[at] = nearest->distances[at - 1];
        at--;
    }
    nearest->places[at] = place;
    nearest->distances[at] = distance;
}

/* Flat-earth distance is good enough over a few dozen ZIPs; squared, it only has to sort. */
static void
nearest_find(struct nearest *nearest, const struct world *world, uint32_t office)
{
    const struct zip_place *places = world->zips->places;
    const double latitude = places[office].latitude;
    const double longitude = places[office].longitude;
    const double shrink = cos(latitude * DEGREE_RADIANS);

    for (uint32_t i = 0; i < world->zips->count; i++) {
        const double north = places[i].latitude - latitude;
        const double east = (places[i].longitude - longitude) * shrink;

        if (world->known[i] && fabs(north) < REACH_DEGREES) {
            nearest_offer(nearest, i, north * north + east * east);
        }
    }
}

/* ---- the plan ------------------------------------------------------------------------------ */

/* What the plan is drawn from. */
struct dice {
    struct prng prng;
    struct alias offices; /* Known places by population. */
    struct alias trades;
    int64_t topup_cents;
};

static bool
dice_init(struct dice *dice, const struct world *world, const struct world_plan *plan)
{
    double trades[TRADES_COUNT];
    double *weights = calloc(world->zips->count, sizeof *weights);
    bool built;

    if (weights == NULL) {
        return false;
    }
    prng_init(&dice->prng, plan->seed);
    dice->topup_cents = plan->topup_cents;
    for (uint32_t i = 0; i < world->zips->count; i++) {
        weights[i] = world->known[i] ? (double)world->zips->places[i].population : 0;
    }
    for (uint32_t i = 0; i < TRADES_COUNT; i++) {
        trades[i] = (double)world_trades[i].weight;
    }
    built = alias_init(&dice->offices, weights, world->zips->count) &&
            alias_init(&dice->trades, trades, TRADES_COUNT);
    free(weights);
    return built;
}

static void
dice_deinit(struct dice *dice)
{
    alias_deinit(&dice->offices);
    alias_deinit(&dice->trades);
}

/* Different trades, one to three. */
static void
trades_choose(struct world_contractor *contractor, struct dice *dice)
{
    const uint32_t wanted = 1 + prng_below(&dice->prng, WORLD_TRADES_MAX);

    while (contractor->trades_count < wanted) {
        const uint8_t trade = (uint8_t)alias_draw(&dice->trades, &dice->prng);

        if (memchr(contractor->trades, trade, contractor->trades_count) == NULL) {
            contractor->trades[contractor->trades_count++] = trade;
        }
    }
}

/* Six in ten are one truck, three a few, one a regional shop: more ZIPs, more money. */
static uint32_t
size_choose(struct world_contractor *contractor, struct dice *dice)
{
    const uint32_t draw = prng_below(&dice->prng, 10);

    contractor->has_dispatch = draw >= 6;
    if (draw < 6) {
        contractor->size_class = ZR_SIZE_SINGLE;
        contractor->topup_cents = 50000 + prng_below(&dice->prng, 150000);
        return WORLD_CLAIM_ZIPS_MIN + prng_below(&dice->prng, 7);
    }
    if (draw < 9) {
        contractor->size_class = ZR_SIZE_MULTI;
        contractor->topup_cents = 200000 + prng_below(&dice->prng, 400000);
        return 14 + prng_below(&dice->prng, 11);
    }
    contractor->size_class = ZR_SIZE_REGIONAL;
    contractor->topup_cents = 600000 + prng_below(&dice->prng, 1400000);
    return 20 + prng_below(&dice->prng, WORLD_CLAIM_ZIPS_MAX - 20 + 1);
}

/* Some wallets run dry during the surge, so that calls go on to backups. */
static void
topup_choose(struct world_contractor *contractor, struct dice *dice)
{
    if (prng_chance(&dice->prng, 500)) {
        contractor->topup_cents = 2500 + prng_below(&dice->prng, 7500);
    }
    if (dice->topup_cents > 0) {
        contractor->topup_cents = dice->topup_cents;
    }
}

static void
contractor_plan(struct world *world, uint32_t index, struct dice *dice)
{
    struct world_contractor *contractor = &world->contractors[index];
    struct nearest nearest = {.count = 0};

    contractor->office = alias_draw(&dice->offices, &dice->prng);
    nearest.wanted = size_choose(contractor, dice);
    topup_choose(contractor, dice);
    trades_choose(contractor, dice);
    /* 555 numbers ring nobody. */
    contractor->phone = UINT64_C(12015550000) + (uint64_t)(index % 700) * 10000000 + index / 700;
    nearest_find(&nearest, world, contractor->office);
    contractor->first = world->near_count;
    contractor->zips_count = nearest.count;
    memcpy(world->near + world->near_count, nearest.places, nearest.count * sizeof *world->near);
    world->near_count += nearest.count;
}

static void
batches_plan(struct world *world)
{
    for (uint32_t i = 0; i < world->contractors_count; i++) {
        const struct world_contractor *contractor = &world->contractors[i];
        const uint32_t slots_count = contractor->zips_count * contractor->trades_count;

        for (uint32_t slot = 0; slot < slots_count; slot += WORLD_SLOTS_CLAIM) {
            const uint32_t left = slots_count - slot;

            CHECK(world->batches_count < 2 * world->contractors_count);
            world->batches[world->batches_count++] = (struct world_batch){
                .contractor = i,
                .slot_first = slot,
                .slots_count = left < WORLD_SLOTS_CLAIM ? left : WORLD_SLOTS_CLAIM,
            };
        }
    }
}

bool
world_plan(struct world *world, const struct world_plan *plan, struct fault *fault)
{
    struct dice dice = {.topup_cents = 0};

    CHECK(world->near_count == 0);
    if (!dice_init(&dice, world, plan)) {
        dice_deinit(&dice);
        return fault_set(
            fault, BENCH_EXIT_USAGE,
            "the server knows none of these ZIPs: run `zipring import zips FILE` first");
    }
    for (uint32_t i = 0; i < world->contractors_count; i++) {
        contractor_plan(world, i, &dice);
    }
    batches_plan(world);
    dice_deinit(&dice);
    return true;
}

void
world_slot(const struct world *world, const struct world_contractor *contractor, uint32_t slot,
           uint32_t *place, uint8_t *trade)
{
    CHECK(slot < contractor->zips_count * contractor->trades_count);
    *place = world->near[contractor->first + slot % contractor->zips_count];
    *trade = contractor->trades[slot / contractor->zips_count];
}

/* ---- what people call for ------------------------------------------------------------------ */

static struct slot_pick
call_draw(const struct world *world, struct dice *dice, bool want_covered)
{
    uint32_t place = 0;
    uint32_t trade = 0;

    for (uint32_t i = 0; i < CALL_DRAWS_MAX; i++) {
        place = alias_draw(&dice->offices, &dice->prng);
        trade = alias_draw(&dice->trades, &dice->prng);
        if (world->covered[(size_t)place * TRADES_COUNT + trade] == want_covered) {
            break;
        }
    }
    return (struct slot_pick){world->zips->places[place].zip, world->categories[trade]};
}

bool
world_list_calls(const struct world *world, struct slots *slots, uint64_t seed,
                 uint32_t uncovered_bp)
{
    const struct world_plan plan = {.seed = seed};
    struct dice dice = {.topup_cents = 0};

    CHECK(slots->list == NULL);
    slots->list = calloc(CALLS_LISTED, sizeof *slots->list);
    if (slots->list == NULL || !dice_init(&dice, world, &plan)) {
        dice_deinit(&dice);
        return false;
    }
    slots->list_count = CALLS_LISTED;
    for (uint32_t i = 0; i < CALLS_LISTED; i++) {
        slots->list[i] = call_draw(world, &dice, !prng_chance(&dice.prng, uncovered_bp));
    }
    dice_deinit(&dice);
    return true;
}
