/*
 * demo.c - `zipring-bench demo`: a made-up network from nothing to audited books.
 *
 * Set-up, then a surge of calls in an open loop (routed, perhaps passed on, connected, ended),
 * then the question that matters: does the server's ledger say to the cent what the client
 * added up from its answers? It exits with 0 only if every invariant holds, and its last line
 * is one JSON object for scripts.
 */
#include "bench/demo.h"

#include "bench/clock.h"
#include "bench/commands.h"
#include "bench/demo_report.h"
#include "bench/environment.h"
#include "bench/options.h"
#include "bench/parse.h"
#include "bench/report.h"
#include "protocol/check.h"

#include <argp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KEY_RATE = 0x400,
    KEY_DURATION,
    KEY_WARMUP,
    KEY_SEED,
    KEY_CONTRACTORS,
    KEY_TOPUP,
    KEY_CONCURRENCY,
    KEY_ZIPS,
    KEY_JSON,
    KEY_INTERVAL,
    KEY_SETUP_ONLY,
    KEY_CONNECTIONS = 'c',
};

enum {
    CALLS_TIMEOUT_MS = 10000,
    CALLS_INFLIGHT = 512, /* Calls at once per connection. */
    UNCOVERED_BP = 200,   /* Calls for slots that nobody claimed. */
    TOPUP_CENTS_MIN = 2500,
    CONCURRENCY_MAX = 1000, /* The server takes no more. */
};

static const struct argp_option demo_argp_options[] = {
    {"rate", KEY_RATE, "N/s", 0, "Calls per second (2500)", 0},
    {"duration", KEY_DURATION, "TIME", 0, "How long calls come (20s)", 0},
    {"warmup", KEY_WARMUP, "TIME", 0, "Before that, not measured (1s)", 0},
    {"connections", KEY_CONNECTIONS, "N", 0, "Of the switch (8)", 0},
    {"contractors", KEY_CONTRACTORS, "N", 0, "Contractors to create (10000)", 0},
    {"topup", KEY_TOPUP, "CENTS", 0, "In every wallet (default: mixed, some run dry)", 0},
    {"concurrency", KEY_CONCURRENCY, "N", 0, "Calls at once per contractor (by size: 1, 3, 10)", 0},
    {"zips", KEY_ZIPS, "FILE", 0, "ZIP table that was imported (bench/data/zips.csv.gz)", 0},
    {"seed", KEY_SEED, "N", 0, "Of the network and the calls (1)", 0},
    {"setup-only", KEY_SETUP_ONLY, NULL, 0, "Create the data, let no calls run", 0},
    {"json", KEY_JSON, "FILE", 0, "Write the report of the calls there", 0},
    {"interval", KEY_INTERVAL, "TIME", 0, "Between live lines on stderr, 0 = none (1s)", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static bool
seed_take(struct demo_options *options, const char *argument)
{
    uint32_t seed = 0;

    if (!parse_count(argument, 0, UINT32_MAX, &seed)) {
        return false;
    }
    options->drive.seed = seed;
    return true;
}

static error_t
demo_option(int key, char *argument, struct argp_state *state)
{
    struct demo_options *options = state->input;
    struct drive *drive = &options->drive;
    bool good = true;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->endpoint;
        break;
    case KEY_RATE:
        good = parse_rate(argument, &drive->rate_per_s);
        break;
    case KEY_DURATION:
        good = parse_duration(argument, &drive->duration_ns) && drive->duration_ns > 0;
        break;
    case KEY_WARMUP:
        good = parse_duration(argument, &drive->warmup_ns);
        break;
    case KEY_SEED:
        good = seed_take(options, argument);
        break;
    case KEY_CONNECTIONS:
        good = parse_count(argument, 1, FLEET_LINKS_MAX, &options->connections);
        break;
    case KEY_CONTRACTORS:
        good = parse_count(argument, 1, WORLD_CONTRACTORS_MAX, &options->contractors);
        break;
    case KEY_TOPUP:
        good = parse_count(argument, TOPUP_CENTS_MIN, INT32_MAX, &options->topup_cents);
        break;
    case KEY_CONCURRENCY:
        good = parse_count(argument, 1, CONCURRENCY_MAX, &options->concurrency);
        break;
    case KEY_ZIPS:
        options->zips = argument;
        break;
    case KEY_JSON:
        options->json = argument;
        break;
    case KEY_INTERVAL:
        good = parse_duration(argument, &drive->interval_ns);
        break;
    case KEY_SETUP_ONLY:
        options->setup_only = true;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return good ? 0 : options_refuse(state, argument, "another value (see --help)");
}

static const struct argp_child demo_children[] = {
    {&endpoint_argp, 0, "Connection", 4},
    {NULL, 0, NULL, 0},
};

static const struct argp demo_argp = {
    .options = demo_argp_options,
    .parser = demo_option,
    .doc = "Set up a network on a running dev server, let calls run, audit the books.",
    .children = demo_children,
};

static bool
demo_options_parse(struct demo_options *options, int argc, char **argv, struct fault *fault)
{
    *options = (struct demo_options){
        .contractors = 10000,
        .connections = 8,
        .zips = "bench/data/zips.csv.gz",
        .drive = {.open_loop = true,
                  .rate_per_s = 2500,
                  .arrivals = ARRIVALS_POISSON,
                  .flights_per_link = CALLS_INFLIGHT,
                  .warmup_ns = NS_PER_S,
                  .duration_ns = 20 * NS_PER_S,
                  .interval_ns = NS_PER_S,
                  .seed = 1},
    };
    if (!options_parse(&demo_argp, argc, argv, options, fault)) {
        return false;
    }
    if (options->endpoint.role != NULL || options->endpoint.cert != NULL ||
        options->endpoint.key != NULL) {
        return fault_set(fault, BENCH_EXIT_USAGE,
                         "demo speaks as several roles: give it --dev DIR, not a certificate");
    }
    return true;
}

/* Room for the client's own sums, by the server's contractor numbers. */
static bool
sums_reserve(struct demo *demo, struct fault *fault)
{
    uint32_t number_max = 0;

    for (uint32_t i = 0; i < demo->world.contractors_count; i++) {
        if (demo->world.contractors[i].number > number_max) {
            number_max = demo->world.contractors[i].number;
        }
    }
    if (number_max < TALLY_CONTRACTORS_MAX) {
        demo->charged = calloc((size_t)number_max + 1, sizeof *demo->charged);
    }
    if (demo->charged == NULL) {
        return fault_set(fault, BENCH_EXIT_USAGE, "no memory for the sums of %u contractors",
                         number_max);
    }
    demo->driver.tally.charged_by_contractor = demo->charged;
    demo->driver.tally.contractors_count = number_max + 1;
    return true;
}

static bool
calls_prepare(struct demo *demo, struct fault *fault)
{
    const struct fleet_options fleet_options = {
        .endpoint = &demo->endpoint,
        .links_count = demo->options.connections,
        .inflight_max = CALLS_INFLIGHT,
        .request_timeout_ms = CALLS_TIMEOUT_MS,
    };

    demo->load = (struct load){
        .habits = {.no_answer_bp = 1200,
                   .abandon_bp = 150,
                   .voicemail_bp = 500,
                   .short_bp = 1200,
                   .repeat_bp = 200},
        .slots = &demo->slots,
    };
    demo->load.weights[LOAD_CALL] = 1;
    demo->slots.zips = &demo->zips;
    if (!world_list_calls(&demo->world, &demo->slots, demo->options.drive.seed, UNCOVERED_BP)) {
        return fault_set(fault, BENCH_EXIT_USAGE, "no memory for the list of calls");
    }
    return endpoint_resolve(&demo->endpoint, &demo->options.endpoint, "switch", fault) &&
           fleet_open(&demo->fleet, &fleet_options, fault);
}

static bool
calls_run(struct demo *demo, struct fault *fault)
{
    struct driver *driver = &demo->driver;

    if (!calls_prepare(demo, fault) ||
        !driver_init(driver, &demo->options.drive, &demo->load, &demo->fleet, fault) ||
        !sums_reserve(demo, fault) || !demo_audit(demo, &demo->audit_before, fault)) {
        return false;
    }
    (void)fprintf(stderr, "calls, %.0f/s for %.0f s, over %u connections\n",
                  demo->options.drive.rate_per_s, (double)demo->options.drive.duration_ns / 1e9,
                  demo->options.connections);
    return driver_run(driver, fault) && demo_audit(demo, &demo->audit_after, fault) &&
           demo_check_wallets(demo, fault);
}

static bool
demo_run(struct demo *demo, struct fault *fault)
{
    return zips_open(&demo->zips, demo->options.zips, fault) &&
           world_init(&demo->world, &demo->zips, demo->options.contractors, fault) &&
           demo_connect(demo, fault) && demo_setup(demo, fault) &&
           (demo->options.setup_only || calls_run(demo, fault));
}

static void
demo_close(struct demo *demo)
{
    fleet_close(&demo->fleet);
    for (uint32_t i = 0; i < DEMO_ROLES; i++) {
        zr_client_close(demo->clients[i]);
    }
    driver_deinit(&demo->driver);
    slots_deinit(&demo->slots);
    world_deinit(&demo->world);
    zips_close(&demo->zips);
    free(demo->charged);
}

enum bench_exit
command_demo(int argc, char **argv, struct fault *fault)
{
    struct demo *demo = calloc(1, sizeof *demo);
    enum bench_exit code;

    CHECK(demo != NULL);
    demo->fleet.epoll_fd = -1;
    if (demo_options_parse(&demo->options, argc, argv, fault) && demo_run(demo, fault)) {
        code = demo_report(demo, fault);
    } else {
        code = fault->exit_code;
    }
    demo_close(demo);
    free(demo);
    return code;
}
