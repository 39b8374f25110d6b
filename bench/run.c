/*
 * run.c - `zipring-bench run`: options, connections, load, report, verdict; torn down in reverse.
 */
#include "bench/catalog.h"
#include "bench/commands.h"
#include "bench/environment.h"
#include "bench/report.h"
#include "bench/run_options.h"
#include "protocol/check.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    REQUEST_TIMEOUT_MS = 5000,
    LINK_INFLIGHT_MIN = 64, /* Setting up pipelines queries even when the load does not. */
    ECHO_FRAME_BYTES = 32,  /* Of ECHO's reply without payload. */
};

/* The parts of a run, so that they can be torn down together. Large: it holds histograms. */
struct run {
    struct run_options options;
    struct endpoint endpoint;
    struct fleet fleet;
    struct zips zips;
    struct slots slots;
    struct catalog catalog;
    struct load load;
    struct driver driver;
};

static bool
run_connect(struct run *run, struct fault *fault)
{
    const uint32_t flights = run->options.drive.flights_per_link;
    const struct fleet_options fleet_options = {
        .endpoint = &run->endpoint,
        .links_count = run->options.connections,
        .inflight_max = flights > LINK_INFLIGHT_MIN ? flights : LINK_INFLIGHT_MIN,
        .request_timeout_ms = REQUEST_TIMEOUT_MS,
    };

    return endpoint_resolve(&run->endpoint, &run->options.endpoint, run_options_role(&run->options),
                            fault) &&
           fleet_open(&run->fleet, &fleet_options, fault);
}

/* ROUTE and calls need ZIPs, the server's categories and, if asked, which slots are covered. */
static bool
run_learn_slots(struct run *run, struct fault *fault)
{
    struct zr_client *client = run->fleet.links[0].client;
    struct slots *slots = &run->slots;

    if (!zips_open(&run->zips, run->options.zips, fault)) {
        return false;
    }
    if (!slots_init(slots, &run->zips, run->options.by_population)) {
        return fault_set(fault, BENCH_EXIT_USAGE, "%s: nobody lives in these ZIPs",
                         run->options.zips);
    }
    if (!catalog_read(&run->catalog, client, fault)) {
        return false;
    }
    for (uint32_t i = 0; i < run->catalog.count; i++) {
        if (run->catalog.rows[i].offered && slots->categories_count < run->options.categories) {
            slots->categories[slots->categories_count++] = run->catalog.rows[i].category;
        }
    }
    if (slots->categories_count == 0) {
        return fault_set(fault, BENCH_EXIT_USAGE,
                         "the server offers no category: load data first (zipring-bench demo "
                         "--setup-only)");
    }
    return !run->options.covered ||
           catalog_cover_slots(slots, client, run->options.drive.seed, fault);
}

static bool
run_prepare(struct run *run, struct fault *fault)
{
    const struct run_options *options = &run->options;

    for (uint32_t i = 0; i < LOAD_KINDS; i++) {
        run->load.weights[i] = options->weights[i];
    }
    run->load.hold = options->hold;
    run->load.want = (uint8_t)options->want;
    run->load.echo_bytes = (uint16_t)(options->echo_bytes - ECHO_FRAME_BYTES);
    run->load.slots = &run->slots;
    if (options->weights[LOAD_ROUTE] + options->weights[LOAD_CALL] == 0) {
        return true;
    }
    return run_learn_slots(run, fault);
}

/* Print the conditions that fire. True when one did. */
static bool
conditions_judge(const struct conditions *conditions, const struct recorder *recorder)
{
    bool fired = false;

    for (uint32_t i = 0; i < conditions->count; i++) {
        const struct condition *condition = &conditions->list[i];
        double value = 0;

        if (condition_fires(condition, recorder, &value)) {
            (void)printf("FAILED       %s: it was %.1f%s\n", condition->text,
                         condition->kind == CONDITION_PERCENTILE ? value / 1e3 : value,
                         condition->kind == CONDITION_PERCENTILE ? " us" : "");
            fired = true;
        }
    }
    return fired;
}

/* A window without answers, or with errors only, says nothing about the server's speed. */
static bool
something_was_measured(const struct recorder *recorder, struct fault *fault)
{
    uint64_t answered = 0;

    for (uint32_t i = 0; i < STEP_CALL; i++) {
        answered += recorder->steps[i].answered;
    }
    if (answered == 0) {
        return fault_set(fault, BENCH_EXIT_TRANSPORT, "nothing was answered in the window");
    }
    return answered > recorder_errors(recorder) ||
           fault_set(fault, BENCH_EXIT_TRANSPORT, "every request failed: see the results above");
}

static enum bench_exit
run_report(struct run *run, struct fault *fault)
{
    const struct driver *driver = &run->driver;
    struct meter_result meter;
    struct verdict verdict;
    json_t *report;
    bool saved = true;

    meter_between(&meter, &driver->meter_begin, &driver->meter_end);
    report_judge(&verdict, driver, &meter);
    report_print(driver, &meter, &verdict);
    if (run->options.json != NULL) {
        report = report_json(driver, &meter, &verdict);
        (void)json_object_set_new(report, "environment",
                                  environment_json(zr_client_hello(run->fleet.links[0].client)));
        saved = report_save(report, run->options.json, fault);
        json_decref(report);
    }
    if (!saved || !something_was_measured(&driver->recorder, fault)) {
        return fault->exit_code;
    }
    if (!verdict.valid) {
        return BENCH_EXIT_INVALID;
    }
    return conditions_judge(&run->options.fail_if, &driver->recorder) ? BENCH_EXIT_FAILED
                                                                      : BENCH_EXIT_DONE;
}

/* With the fleet open. */
static enum bench_exit
run_measure(struct run *run, struct fault *fault)
{
    if (!run_prepare(run, fault) ||
        !driver_init(&run->driver, &run->options.drive, &run->load, &run->fleet, fault)) {
        return fault->exit_code;
    }
    (void)fprintf(stderr, "seed %llu, %u connections to %s as %s\n",
                  (unsigned long long)run->options.drive.seed, run->options.connections,
                  run->endpoint.uri, run->endpoint.role);
    if (!driver_run(&run->driver, fault)) {
        return fault->exit_code;
    }
    return run_report(run, fault);
}

enum bench_exit
command_run(int argc, char **argv, struct fault *fault)
{
    struct run *run = calloc(1, sizeof *run);
    enum bench_exit code = BENCH_EXIT_USAGE;

    CHECK(run != NULL);
    if (!run_options_parse(&run->options, argc, argv, fault) || !run_connect(run, fault)) {
        code = fault->exit_code;
        goto free_run;
    }
    code = run_measure(run, fault);
    fleet_close(&run->fleet);
    driver_deinit(&run->driver);
    slots_deinit(&run->slots);
    zips_close(&run->zips);

free_run:
    free(run);
    return code;
}
