/*
 * run_options.c - see run_options.h. Three groups of options, a parser each: how requests are
 * timed, what they ask, what is reported.
 */
#include "bench/run_options.h"

#include "bench/clock.h"
#include "bench/options.h"
#include "bench/parse.h"
#include "protocol/check.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_RATE = 0x300,
    KEY_CLOSED,
    KEY_ARRIVALS,
    KEY_WARMUP,
    KEY_DURATION,
    KEY_SEED,
    KEY_INFLIGHT,
    KEY_OP,
    KEY_MIX,
    KEY_HOLD,
    KEY_WANT,
    KEY_ECHO_BYTES,
    KEY_ZIPS,
    KEY_ZIP_DIST,
    KEY_CATEGORIES,
    KEY_SLOTS,
    KEY_JSON,
    KEY_INTERVAL,
    KEY_FAIL_IF,
    KEY_SERVER_PID,
    KEY_CONNECTIONS = 'c',
    KEY_PIPELINE = 'P',
};

enum {
    INFLIGHT_MAX = 4096,
    INFLIGHT_DEFAULT = 256,
    ECHO_BYTES_MIN = 32, /* Header and block: an empty payload. */
    ECHO_BYTES_MAX = 3104,
    ECHO_BYTES_DEFAULT = 360, /* ROUTE's reply with four candidates. */
};

static const struct argp_option timing_options[] = {
    {NULL, 0, NULL, 0, "Timing", 1},
    {"rate", KEY_RATE, "N/s", 0, "Open loop at this rate: 2500, 20k/s", 0},
    {"arrivals", KEY_ARRIVALS, "KIND", 0, "Of an open loop: poisson (default) or uniform", 0},
    {"inflight", KEY_INFLIGHT, "N", 0, "Open loop: most in flight per connection (256)", 0},
    {"closed", KEY_CLOSED, NULL, 0, "Closed loop: as fast as answers come", 0},
    {"pipeline", KEY_PIPELINE, "N", 0, "Closed loop: in flight per connection (1)", 0},
    {"connections", KEY_CONNECTIONS, "N", 0, "TLS connections (16)", 0},
    {"warmup", KEY_WARMUP, "TIME", 0, "Not measured (10s)", 0},
    {"duration", KEY_DURATION, "TIME", 0, "Measured (60s)", 0},
    {"seed", KEY_SEED, "N", 0, "Of arrivals and slots; ids are fresh in each run", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option load_options[] = {
    {NULL, 0, NULL, 0, "Load", 2},
    {"op", KEY_OP, "OP", 0, "echo, route (default), connect (whole calls) or noop-commit", 0},
    {"mix", KEY_MIX, "LIST", 0, "route=90,connect=10: queries and whole calls", 0},
    {"hold", KEY_HOLD, "0|1", 0, "route: 0 a query (default), 1 a call that is remembered", 0},
    {"want", KEY_WANT, "N", 0, "Candidates per ticket, 1..4 (4)", 0},
    {"echo-bytes", KEY_ECHO_BYTES, "N", 0, "Size of ECHO's reply frame (360, as ROUTE's)", 0},
    {"zips", KEY_ZIPS, "FILE", 0, "ZIP table, CSV or .gz (bench/data/zips.csv.gz)", 0},
    {"zip-dist", KEY_ZIP_DIST, "KIND", 0, "population (default) or uniform", 0},
    {"categories", KEY_CATEGORIES, "N", 0, "Use the first N of the server's (20)", 0},
    {"slots", KEY_SLOTS, "KIND", 0, "any (default), or covered: only such as have a candidate", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option output_options[] = {
    {NULL, 0, NULL, 0, "Report", 3},
    {"json", KEY_JSON, "FILE", 0, "Write the report there, - = standard output", 0},
    {"interval", KEY_INTERVAL, "TIME", 0, "Between live lines on stderr, 0 = none (1s)", 0},
    {"fail-if", KEY_FAIL_IF, "LIST", 0, "Exit 1 when one holds: 'route.p99>5ms,errors>0'", 0},
    {"server-pid", KEY_SERVER_PID, "PID", 0, "Measure that process's CPU per request", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

/* True with *second when `argument` is one of two words. */
static bool
word_parse(const char *argument, const char *first_word, const char *second_word, bool *second)
{
    *second = strcmp(argument, second_word) == 0;
    return *second || strcmp(argument, first_word) == 0;
}

static bool
seed_parse(const char *argument, uint64_t *seed)
{
    char *end = NULL;

    errno = 0;
    *seed = strtoull(argument, &end, 0);
    return errno == 0 && end != argument && *end == '\0' && argument[0] != '-';
}

static error_t
timing_parse(int key, char *argument, struct argp_state *state)
{
    struct run_options *options = state->input;
    struct drive *drive = &options->drive;
    bool uniform = false;
    bool good = true;

    switch (key) {
    case KEY_RATE:
        drive->open_loop = true;
        good = parse_rate(argument, &drive->rate_per_s);
        break;
    case KEY_CLOSED:
        options->closed = true;
        break;
    case KEY_ARRIVALS:
        good = word_parse(argument, "poisson", "uniform", &uniform);
        drive->arrivals = uniform ? ARRIVALS_UNIFORM : ARRIVALS_POISSON;
        break;
    case KEY_INFLIGHT:
        good = parse_count(argument, 1, INFLIGHT_MAX, &options->inflight);
        break;
    case KEY_PIPELINE:
        good = parse_count(argument, 1, INFLIGHT_MAX, &options->pipeline);
        break;
    case KEY_CONNECTIONS:
        good = parse_count(argument, 1, FLEET_LINKS_MAX, &options->connections);
        break;
    case KEY_WARMUP:
        good = parse_duration(argument, &drive->warmup_ns);
        break;
    case KEY_DURATION:
        good = parse_duration(argument, &drive->duration_ns) && drive->duration_ns > 0;
        break;
    case KEY_SEED:
        options->seed_given = true;
        good = seed_parse(argument, &drive->seed);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return good ? 0 : options_refuse(state, argument, "another value (see --help)");
}

static bool
op_parse(const char *argument, uint32_t *weights)
{
    static const char *const names[LOAD_KINDS] = {"echo", "noop-commit", "route", "connect"};

    for (uint32_t i = 0; i < LOAD_KINDS; i++) {
        if (strcmp(argument, names[i]) == 0) {
            memset(weights, 0, LOAD_KINDS * sizeof *weights);
            weights[i] = 1;
            return true;
        }
    }
    return false;
}

/* Only what one role may do can be mixed. */
static bool
mix_parse(const char *argument, uint32_t *weights)
{
    static const char *const names[] = {"route", "connect", NULL};
    uint32_t parsed[2];

    if (!parse_mix(argument, names, parsed)) {
        return false;
    }
    memset(weights, 0, LOAD_KINDS * sizeof *weights);
    weights[LOAD_ROUTE] = parsed[0];
    weights[LOAD_CALL] = parsed[1];
    return true;
}

static error_t
load_parse(int key, char *argument, struct argp_state *state)
{
    struct run_options *options = state->input;
    bool uniform = false;
    bool good = true;

    switch (key) {
    case KEY_OP:
        good = op_parse(argument, options->weights);
        break;
    case KEY_MIX:
        good = mix_parse(argument, options->weights);
        break;
    case KEY_HOLD:
        good = word_parse(argument, "0", "1", &options->hold);
        break;
    case KEY_WANT:
        good = parse_count(argument, 1, 4, &options->want);
        break;
    case KEY_ECHO_BYTES:
        good = parse_count(argument, ECHO_BYTES_MIN, ECHO_BYTES_MAX, &options->echo_bytes);
        break;
    case KEY_ZIPS:
        options->zips = argument;
        break;
    case KEY_ZIP_DIST:
        good = word_parse(argument, "population", "uniform", &uniform);
        options->by_population = !uniform;
        break;
    case KEY_CATEGORIES:
        good = parse_count(argument, 1, SLOTS_CATEGORIES_MAX, &options->categories);
        break;
    case KEY_SLOTS:
        good = word_parse(argument, "any", "covered", &options->covered);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return good ? 0 : options_refuse(state, argument, "another value (see --help)");
}

static error_t
// NOLINTNEXTLINE(readability-non-const-parameter): the type is argp's.
output_parse(int key, char *argument, struct argp_state *state)
{
    struct run_options *options = state->input;
    uint32_t pid = 0;

    switch (key) {
    case KEY_JSON:
        options->json = argument;
        return 0;
    case KEY_INTERVAL:
        return parse_duration(argument, &options->drive.interval_ns)
                   ? 0
                   : options_refuse(state, argument, "a time such as 1s, or 0");
    case KEY_FAIL_IF:
        return conditions_parse(&options->fail_if, argument)
                   ? 0
                   : options_refuse(state, argument,
                                    "STEP.pNN>TIME, errors>N, dropped>N or achieved<RATE");
    case KEY_SERVER_PID:
        if (!parse_count(argument, 1, INT32_MAX, &pid)) {
            return options_refuse(state, argument, "a process id");
        }
        options->drive.server_pid = (pid_t)pid;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp timing_argp = {.options = timing_options, .parser = timing_parse};
static const struct argp load_argp = {.options = load_options, .parser = load_parse};
static const struct argp output_argp = {.options = output_options, .parser = output_parse};

static const struct argp_child run_children[] = {
    {&timing_argp, 0, NULL, 1},           {&load_argp, 0, NULL, 2}, {&output_argp, 0, NULL, 3},
    {&endpoint_argp, 0, "Connection", 4}, {NULL, 0, NULL, 0},
};

static error_t
// NOLINTNEXTLINE(readability-non-const-parameter): the type is argp's.
run_parse(int key, char *argument, struct argp_state *state)
{
    struct run_options *options = state->input;

    (void)argument;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = options;
        state->child_inputs[1] = options;
        state->child_inputs[2] = options;
        state->child_inputs[3] = &options->endpoint;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp run_argp = {
    .parser = run_parse,
    .doc = "Load a server and measure it, open loop (--rate) or closed loop (--closed).",
    .children = run_children,
};

/* Relations between options, and what follows from them. */
static bool
run_options_judge(struct run_options *options, struct fault *fault)
{
    struct drive *drive = &options->drive;

    if (drive->open_loop == options->closed) {
        return fault_set(fault, BENCH_EXIT_USAGE,
                         "say --rate N/s (open loop) or --closed, one of them");
    }
    if (drive->open_loop && options->pipeline != 0) {
        return fault_set(fault, BENCH_EXIT_USAGE,
                         "-P belongs to --closed; an open loop's is --inflight");
    }
    if (drive->open_loop) {
        drive->flights_per_link = options->inflight != 0 ? options->inflight : INFLIGHT_DEFAULT;
    } else {
        drive->flights_per_link = options->pipeline != 0 ? options->pipeline : 1;
    }
    return options->seed_given || prng_seed_fresh(&drive->seed, fault);
}

bool
run_options_parse(struct run_options *options, int argc, char **argv, struct fault *fault)
{
    CHECK(options != NULL);
    *options = (struct run_options){
        .connections = 16,
        .categories = 20,
        .echo_bytes = ECHO_BYTES_DEFAULT,
        .want = 4,
        .by_population = true,
        .zips = "bench/data/zips.csv.gz",
        .drive = {.warmup_ns = 10 * NS_PER_S,
                  .duration_ns = 60 * NS_PER_S,
                  .interval_ns = NS_PER_S},
    };
    options->weights[LOAD_ROUTE] = 1;
    return options_parse(&run_argp, argc, argv, options, fault) &&
           run_options_judge(options, fault);
}

const char *
run_options_role(const struct run_options *options)
{
    return options->weights[LOAD_ECHO] + options->weights[LOAD_NOOP_COMMIT] > 0 ? "bench"
                                                                                : "switch";
}
