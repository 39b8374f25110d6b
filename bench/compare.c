/*
 * compare.c - `zipring-bench compare A.json B.json`: did B become worse than A?
 *
 * Ratios of throughput, of latency per step and of the server's CPU per request. Judged are
 * throughput, p50 to p99 and CPU; p99.9 and beyond are shown but not judged, because on a
 * shared machine two runs of the same program differ there by more than any threshold.
 */
#include "bench/commands.h"
#include "bench/options.h"
#include "bench/parse.h"
#include "bench/report.h"
#include "protocol/check.h"

#include <argp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { KEY_THRESHOLD = 0x500, PERCENTILES_JUDGED = 4 };

#define THRESHOLD_DEFAULT 0.03

struct compare {
    const char *paths[2];
    uint32_t paths_count;
    double threshold; /* As a fraction. */
    json_t *before;
    json_t *after;
    uint32_t regressions;
    uint32_t compared;
};

static const struct argp_option compare_options[] = {
    {"threshold", KEY_THRESHOLD, "PERCENT", 0, "What counts as worse (3%)", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static error_t
// NOLINTNEXTLINE(readability-non-const-parameter): the type is argp's.
compare_option(int key, char *argument, struct argp_state *state)
{
    struct compare *compare = state->input;

    switch (key) {
    case KEY_THRESHOLD:
        if (!parse_percent(argument, &compare->threshold)) {
            return options_refuse(state, argument, "a percentage such as 3%");
        }
        return 0;
    case ARGP_KEY_ARG:
        if (compare->paths_count == 2) {
            return options_refuse(state, argument, "no third report");
        }
        compare->paths[compare->paths_count++] = argument;
        return 0;
    case ARGP_KEY_END:
        if (compare->paths_count != 2) {
            return options_refuse(state, "compare", "two reports, A.json B.json");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp compare_argp = {
    .options = compare_options,
    .parser = compare_option,
    .args_doc = "A.json B.json",
    .doc = "Compare two reports of run; exit 1 when B is worse than A.",
};

static bool
report_load(json_t **report, const char *path, struct fault *fault)
{
    json_error_t error;

    *report = json_load_file(path, 0, &error);
    if (*report == NULL) {
        return fault_set(fault, BENCH_EXIT_USAGE, "%s:%d: %s", path, error.line, error.text);
    }
    if (!json_is_object(json_object_get(*report, "steps"))) {
        return fault_set(fault, BENCH_EXIT_USAGE, "%s: not a report of zipring-bench run", path);
    }
    return true;
}

struct metric {
    const char *name;
    double before;
    double after;
    bool more_is_better;
    bool judged;
};

static void
metric_compare(struct compare *compare, const struct metric *metric)
{
    const char *verdict = "";
    double ratio;
    bool worse;

    if (metric->before <= 0 || metric->after <= 0) {
        return;
    }
    ratio = metric->after / metric->before;
    worse =
        metric->more_is_better ? ratio < 1 - compare->threshold : ratio > 1 + compare->threshold;
    compare->compared++;
    if (!metric->judged) {
        verdict = "not judged";
    } else if (worse) {
        verdict = "WORSE";
        compare->regressions++;
    }
    (void)printf("%-34s %14.2f %14.2f %8.3f  %s\n", metric->name, metric->before, metric->after,
                 ratio, verdict);
}

static double
number_get(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void
latencies_compare(struct compare *compare, const char *step, const json_t *before,
                  const json_t *after)
{
    for (uint32_t i = 0; i < PERCENTILES_COUNT; i++) {
        char name[96];
        const struct metric metric = {
            .name = name,
            .before = number_get(before, report_percentiles[i].name),
            .after = number_get(after, report_percentiles[i].name),
            .judged = i < PERCENTILES_JUDGED,
        };

        (void)snprintf(name, sizeof name, "%s %s us", step, report_percentiles[i].name);
        metric_compare(compare, &metric);
    }
}

static void
reports_compare(struct compare *compare)
{
    const char *loop = json_string_value(json_object_get(compare->before, "loop"));
    /* A closed loop has no schedule, so its intended times say nothing. */
    const char *from = loop != NULL && strcmp(loop, "open") == 0 ? "intended_us" : "sent_us";
    const json_t *server_before = json_object_get(compare->before, "server");
    const json_t *server_after = json_object_get(compare->after, "server");
    json_t *steps = json_object_get(compare->before, "steps");
    const json_t *steps_after = json_object_get(compare->after, "steps");
    const struct metric throughput = {
        .name = "achieved per s",
        .before = number_get(compare->before, "achieved_per_s"),
        .after = number_get(compare->after, "achieved_per_s"),
        .more_is_better = true,
        .judged = true,
    };
    const struct metric cpu = {
        .name = "server CPU us per request",
        .before = number_get(server_before, "cpu_us_per_request"),
        .after = number_get(server_after, "cpu_us_per_request"),
        .judged = true,
    };
    const char *step;
    json_t *step_before;

    (void)printf("%-34s %14s %14s %8s\n", "", "A", "B", "B/A");
    metric_compare(compare, &throughput);
    metric_compare(compare, &cpu);
    json_object_foreach(steps, step, step_before)
    {
        latencies_compare(compare, step, json_object_get(step_before, from),
                          json_object_get(json_object_get(steps_after, step), from));
    }
}

static void
validity_warn(const struct compare *compare)
{
    const json_t *reports[2] = {compare->before, compare->after};
    const char *loop_before = json_string_value(json_object_get(compare->before, "loop"));
    const char *loop_after = json_string_value(json_object_get(compare->after, "loop"));

    for (uint32_t i = 0; i < 2; i++) {
        if (json_is_false(json_object_get(reports[i], "valid"))) {
            (void)printf("note: %s is INVALID: its generator was the limit\n", compare->paths[i]);
        }
    }
    if (loop_before != NULL && loop_after != NULL && strcmp(loop_before, loop_after) != 0) {
        (void)printf("note: an open and a closed loop do not measure the same\n");
    }
}

enum bench_exit
command_compare(int argc, char **argv, struct fault *fault)
{
    struct compare compare = {.threshold = THRESHOLD_DEFAULT};
    enum bench_exit code = BENCH_EXIT_USAGE;

    CHECK(fault != NULL);
    if (!options_parse(&compare_argp, argc, argv, &compare, fault)) {
        return BENCH_EXIT_USAGE;
    }
    if (report_load(&compare.before, compare.paths[0], fault) &&
        report_load(&compare.after, compare.paths[1], fault)) {
        reports_compare(&compare);
        validity_warn(&compare);
        (void)printf("%u compared, %u worse by more than %.1f %%\n", compare.compared,
                     compare.regressions, compare.threshold * 100);
        code = compare.regressions > 0 ? BENCH_EXIT_FAILED : BENCH_EXIT_DONE;
    }
    json_decref(compare.before);
    json_decref(compare.after);
    return code;
}
