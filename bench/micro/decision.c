/*
 * decision.c - how long one ROUTE decision takes in process, at national scale.
 *
 *   bench-decision [--zips FILE] [--categories N] [--depth N] [--decisions N] [--profiles PERCENT]
 *                  [--seed N] [--lmdb]
 *
 * Fills a database in a temporary folder with one cascade of `depth` claims for every ZIP and
 * category, and the hot array with their contractors, then decides one call at a time, at ZIPs
 * weighted by their people: read the slot, judge every claim, pick. No network, no ticket, no
 * lease. PERCENT of the contractors have hours, caps and filters on top of standing, money and
 * trucks, so that every rule of M3 is judged for them. With --lmdb the slot is read from the
 * snapshot instead of from its line (cascades.h). Prints p50, p90, p99 in ns as JSON; the cost of
 * reading the clock twice is measured and taken off.
 *
 * The one hard idea: a cold cache is the thing measured. Deciding twice for the same slot in a
 * row would measure the CPU instead of the layout, so ZIPs and categories are drawn anew each time.
 */
// NOLINTBEGIN(concurrency-mt-unsafe): one thread.
#include "protocol/check.h"
#include "server/base/clock.h"
#include "server/commit/cascades.h"
#include "server/commit/hot.h"
#include "server/domain/cascade.h"
#include "server/domain/localtime.h"
#include "server/domain/policy.h"
#include "server/store/state.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum {
    ZIPS_MAX = 40000,
    POPULATION_COLUMN = 8,
    CONTRACTORS = 300000,
    TAIL_ROWS = 4096,
    ZIPS_A_COMMIT = 5000,
    RATE_CENTS = 2000,
    TENANT = 7,
    CLOCK_READS = 100000,
};

struct options {
    const char *zips_file;
    unsigned categories;
    unsigned depth;
    unsigned decisions;
    unsigned profiles;
    uint64_t seed;
    bool lmdb;
};

struct world {
    struct options options;
    uint32_t zips[ZIPS_MAX];
    uint64_t people[ZIPS_MAX]; /* Running sum: a draw is a binary search. */
    uint32_t zips_count;
    uint64_t random;
    struct arena arena;
    struct store *store;
    struct hot *hot;
    struct cascades *cascades;
    char folder[64];
};

static uint64_t
random_next(struct world *world)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return world->random;
}

/* ZIP and people of one line of the table; the file is the committed one, without quotes. */
static void
zip_add(struct world *world, char *line)
{
    char *field = line;
    uint64_t people;

    for (int column = 0; column < POPULATION_COLUMN && field != NULL; column++) {
        field = strchr(field, ',');
        field = field == NULL ? NULL : field + 1;
    }
    CHECK(field != NULL);
    CHECK(world->zips_count < ZIPS_MAX);
    people = strtoull(field, NULL, 10) + 1;
    if (world->zips_count > 0) {
        people += world->people[world->zips_count - 1];
    }
    world->zips[world->zips_count] = (uint32_t)strtoul(line, NULL, 10);
    world->people[world->zips_count] = people;
    world->zips_count++;
}

static void
zips_read(struct world *world)
{
    char line[512];
    gzFile file = gzopen(world->options.zips_file, "rb");

    if (file == NULL || gzgets(file, line, sizeof line) == NULL) {
        (void)fprintf(stderr, "bench-decision: %s: cannot be read\n", world->options.zips_file);
        exit(EXIT_FAILURE);
    }
    while (gzgets(file, line, sizeof line) != NULL) {
        zip_add(world, line);
    }
    (void)gzclose(file);
}

static uint32_t
zip_draw(struct world *world)
{
    const uint64_t target = random_next(world) % world->people[world->zips_count - 1];
    uint32_t low = 0;
    uint32_t high = world->zips_count - 1;

    while (low < high) {
        const uint32_t middle = (low + high) / 2;

        if (world->people[middle] > target) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return world->zips[low];
}

/* ---- filling --------------------------------------------------------------------------------- */

/* Office hours all week but Sunday, a cap on each day's connects and each month's spend, and lists
 * of partners and of blocked callers as long as they get, the caller's partner at the end: what
 * the most careful contractor sets. */
static void
profile_fill(struct world *world, struct eligibility_profile *profile)
{
    profile->bits = PROFILE_SCHEDULE | PROFILE_CAPS | PROFILE_USAGE | PROFILE_FILTERS;
    memset(profile->schedule.hours, 0xFF, sizeof profile->schedule.hours - 12);
    profile->schedule.zone = localtime_zone_find("America/Chicago");
    for (unsigned i = 0; i < CAP_WINDOWS * CAP_MEASURES; i++) {
        profile->caps.limits[i / CAP_MEASURES][i % CAP_MEASURES] = -1;
    }
    profile->caps.limits[ZR_CAP_WINDOW_DAY - 1][ZR_CAP_MEASURE_CONNECTS - 1] = 1000;
    profile->caps.limits[ZR_CAP_WINDOW_MONTH - 1][ZR_CAP_MEASURE_SPEND - 1] = 100000000;
    profile->filters.partners_rule = 1;
    profile->filters.partners_count = FILTER_PARTNERS_MAX;
    for (uint32_t i = 0; i < FILTER_PARTNERS_MAX; i++) {
        profile->filters.partners[i] = TENANT + FILTER_PARTNERS_MAX - 1 - i;
    }
    for (unsigned i = 0; i < FILTER_CALLERS_MAX; i++) {
        profile->filters.blocked[i] = random_next(world); /* Hashes. */
    }
}

static void
hot_fill(struct world *world)
{
    struct eligibility_contractor known;

    for (uint32_t i = 1; i < CONTRACTORS; i++) {
        struct hot_change change = {
            .contractor = i,
            .with_rows = true,
            .with_profile = i % 100 < world->options.profiles,
            .rows = {.phone = 17135550000 + i,
                     .available_cents = i % 16 == 0 ? 0 : 1000000,
                     .rate_max_cents = RATE_CENTS,
                     .max_concurrency = 3,
                     .status = i % 64 == 0 ? ZR_CONTRACTOR_SUSPENDED : ZR_CONTRACTOR_APPROVED},
        };

        if (change.with_profile) {
            profile_fill(world, &change.profile);
        }
        hot_publish(world->hot, &change);
        /* Its digest is made a few times a day: not what a call costs. */
        hot_look_for(world->hot, i, &(struct eligibility_call){.now_ms = 1}, &known);
    }
}

static void
slot_fill(struct world *world, struct slot_row *slot, uint64_t *claim_id)
{
    *slot = (struct slot_row){.version = 1};
    while (slot->claims_count < world->options.depth) {
        const uint32_t contractor = 1 + (uint32_t)(random_next(world) % (CONTRACTORS - 1));

        if (slot_find_contractor(slot, contractor) == SLOT_NO_CLAIM) {
            slot_append(slot, ++*claim_id, contractor,
                        slot->claims_count == 0 ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP);
        }
    }
}

static void
commit(struct world *world, struct store_view *view)
{
    struct store_head head = *store_head(world->store);

    CHECK(store_commit(view, &head) == STATUS_OK);
    CHECK(store_write_begin(world->store, view) == STATUS_OK);
}

static void
zip_fill(struct world *world, struct state *state, uint32_t zip, uint64_t *claim_id)
{
    struct slot_row slot;

    for (unsigned category = 1; category <= world->options.categories; category++) {
        slot_fill(world, &slot, claim_id);
        state_begin(state, 1);
        state_slot_put(state, zip, (uint16_t)category, &slot);
        cascades_publish(world->cascades, zip, (uint16_t)category, &slot);
    }
}

static void
slots_fill(struct world *world)
{
    struct store_view view;
    struct state state = {.view = &view, .tail = tail_open(&world->arena, TAIL_ROWS)};
    uint64_t claim_id = 0;

    CHECK(store_write_begin(world->store, &view) == STATUS_OK);
    for (uint32_t i = 0; i < world->zips_count; i++) {
        zip_fill(world, &state, world->zips[i], &claim_id);
        if (i % ZIPS_A_COMMIT == 0) {
            commit(world, &view);
        }
    }
    commit(world, &view);
    store_abort(&view);
}

/* ---- measuring ------------------------------------------------------------------------------- */

static void
look(void *context, uint32_t contractor, const struct eligibility_call *call,
     struct eligibility_contractor *known)
{
    hot_look_for(context, contractor, call, known);
}

static uint64_t
clock_cost_ns(void)
{
    const uint64_t start = clock_monotonic_ns();

    for (int i = 0; i < CLOCK_READS; i++) {
        (void)clock_monotonic_ns();
    }
    return (clock_monotonic_ns() - start) / CLOCK_READS;
}

static int
by_size(const void *left, const void *right)
{
    const uint32_t l = *(const uint32_t *)left;
    const uint32_t r = *(const uint32_t *)right;

    return (l > r) - (l < r);
}

static uint32_t
decide_once(struct world *world, struct state *state, uint64_t now_ms)
{
    const uint32_t zip = zip_draw(world);
    const uint16_t category = (uint16_t)(1 + random_next(world) % world->options.categories);
    const struct cascade_call call = {.now_ms = now_ms,
                                      .want = TICKET_CANDIDATES_MAX,
                                      .tenant = TENANT,
                                      .caller_hash = random_next(world)};
    const uint64_t start = clock_monotonic_ns();
    struct cascade_decision decision;
    struct slot_row slot;
    const struct cascade_slot where = {&slot, &policy_default, RATE_CENTS};

    if (world->options.lmdb || !cascades_get(world->cascades, zip, category, &slot)) {
        state_slot_get(state, zip, category, &slot);
    }
    hot_prefetch(world->hot, &slot);
    cascade_decide(&decision, &where, &call, look, world->hot);
    CHECK(decision.judged_count == world->options.depth);
    return (uint32_t)(clock_monotonic_ns() - start);
}

static void
measure(struct world *world)
{
    const uint32_t count = world->options.decisions;
    const uint64_t cost_ns = clock_cost_ns();
    uint32_t *samples = calloc(count, sizeof *samples);
    struct store_view view = {0};
    struct state state = {.view = &view};

    CHECK(samples != NULL);
    CHECK(store_read_begin(world->store, &view) == STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        (void)decide_once(world, &state, i); /* Warm: the map is paged in once. */
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t ns = decide_once(world, &state, i);

        samples[i] = ns > cost_ns ? ns - (uint32_t)cost_ns : 0;
    }
    store_read_close(&view);
    qsort(samples, count, sizeof *samples, by_size);
    (void)printf(
        "{\"zips\":%u,\"categories\":%u,\"depth\":%u,\"claims\":%llu,\"decisions\":%u,"
        "\"profiles\":%u,\"source\":\"%s\",\"p50_ns\":%u,\"p90_ns\":%u,\"p99_ns\":%u,\"clock_ns\":%"
        "llu,"
        "\"seed\":%llu}\n",
        world->zips_count, world->options.categories, world->options.depth,
        (unsigned long long)world->zips_count * world->options.categories * world->options.depth,
        count, world->options.profiles, world->options.lmdb ? "lmdb" : "line", samples[count / 2],
        samples[(size_t)count / 10 * 9], samples[(size_t)count / 100 * 99],
        (unsigned long long)cost_ns, (unsigned long long)world->options.seed);
    free(samples);
}

/* ---- main ------------------------------------------------------------------------------------ */

static const struct argp_option known_options[] = {
    {"zips", 'z', "FILE", 0, "ZIP table, CSV in gzip", 0},
    {"categories", 'c', "N", 0, "categories (20)", 0},
    {"depth", 'd', "N", 0, "claims in each slot (3)", 0},
    {"decisions", 'n', "N", 0, "decisions to measure (1,000,000)", 0},
    {"profiles", 'p', "PERCENT", 0, "of contractors with hours, caps and filters (25)", 0},
    {"seed", 's', "N", 0, "of contractors, ZIPs and categories (1)", 0},
    {"lmdb", 'l', NULL, 0, "read slots from the snapshot, not from their lines", 0},
    {0},
};

static error_t
parse_option(int option, char *value, struct argp_state *state)
{
    struct options *options = state->input;
    const unsigned number = value == NULL ? 0 : (unsigned)strtoul(value, NULL, 10);

    switch (option) {
    case 'z':
        options->zips_file = value;
        break;
    case 'c':
        options->categories = number;
        break;
    case 'd':
        options->depth = number;
        break;
    case 'n':
        options->decisions = number;
        break;
    case 'p':
        options->profiles = number;
        break;
    case 's':
        options->seed = number;
        break;
    case 'l':
        options->lmdb = true;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void
folder_remove(const struct world *world)
{
    static const char *const files[] = {"zipring.mdb", "zipring.mdb-lock", "lock"};
    char path[128];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", world->folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(world->folder);
}

int
main(int argc, char **argv)
{
    static const struct argp argp = {
        known_options, parse_option, NULL, "One ROUTE decision in process, at national scale.",
        NULL,          NULL,         NULL};
    static struct world world = {
        .options = {"bench/data/zips.csv.gz", 20, 3, 1000000, 25, 1, false},
        .folder = "/tmp/zipring-decision-XXXXXX"};

    if (argp_parse(&argp, argc, argv, 0, NULL, &world.options) != 0 ||
        world.options.categories < 1 || world.options.categories >= CATEGORIES_MAX ||
        world.options.depth < 1 || world.options.depth > SLOT_CLAIMS_MAX ||
        world.options.decisions < 100 || world.options.profiles > 100) {
        (void)fprintf(stderr, "bench-decision: a number is out of its range; see --help\n");
        return 2;
    }
    world.random = world.options.seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    CHECK(mkdtemp(world.folder) != NULL);
    arena_init(&world.arena);
    zips_read(&world);
    world.hot = hot_open(&world.arena, CONTRACTORS);
    world.cascades = cascades_open(&world.arena);
    CHECK(store_open(&world.store, &(struct store_options){.folder = world.folder,
                                                           .map_bytes = UINT64_C(8) << 30,
                                                           .readers_max = 4,
                                                           .create = true}) == STATUS_OK);
    hot_fill(&world);
    slots_fill(&world);
    measure(&world);
    store_close(world.store);
    arena_deinit(&world.arena);
    folder_remove(&world);
    return EXIT_SUCCESS;
}
// NOLINTEND(concurrency-mt-unsafe)
