/*
 * summary.c - `zipring-bench summary DIR`: medians over the alternating runs of bench.sh.
 *
 * DIR holds LOAD-POINT.ROUND.json, each a report of run: echo-64x1.1.json, route-64x1.1.json,
 * echo-64x16.1.json ... What counts is the ratio between ECHO's and ROUTE's server CPU per
 * request inside one round, taken minutes apart at most on the same machine, and the median
 * of it over the rounds; the absolute figures stand beside it with their conditions.
 */
#include "bench/commands.h"
#include "bench/options.h"
#include "bench/report.h"
#include "protocol/check.h"

#include <argp.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_OUTPUT = 'o', KEY_DECISION = 0x600, ROUNDS_MAX = 64 };

static const char *const points[] = {"64x1", "64x16"};

enum { POINTS_COUNT = sizeof points / sizeof points[0] };

struct summary {
    const char *folder;
    const char *output;   /* NULL = none. */
    const char *decision; /* Output of bench-decision, NULL = none. */
    json_t *report;
};

static const struct argp_option summary_options[] = {
    {"output", KEY_OUTPUT, "FILE", 0, "Write the summary there, as JSON", 0},
    {"decision", KEY_DECISION, "FILE", 0, "Add the last line (JSON) of this file", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static error_t
// NOLINTNEXTLINE(readability-non-const-parameter): the type is argp's.
summary_option(int key, char *argument, struct argp_state *state)
{
    struct summary *summary = state->input;

    switch (key) {
    case KEY_OUTPUT:
        summary->output = argument;
        return 0;
    case KEY_DECISION:
        summary->decision = argument;
        return 0;
    case ARGP_KEY_ARG:
        summary->folder = argument;
        return 0;
    case ARGP_KEY_END:
        if (summary->folder == NULL) {
            return options_refuse(state, "summary", "the folder of the reports");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp summary_argp = {
    .options = summary_options,
    .parser = summary_option,
    .args_doc = "DIR",
    .doc = "Medians over the alternating runs of bench.sh.",
};

/* One figure of each round. */
struct series {
    double values[ROUNDS_MAX];
    uint32_t count;
};

static void
series_add(struct series *series, double value)
{
    if (series->count < ROUNDS_MAX) {
        series->values[series->count++] = value;
    }
}

static int
double_compare(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;

    return (a > b) - (a < b);
}

static double
series_median(const struct series *series)
{
    struct series sorted = *series;

    if (sorted.count == 0) {
        return 0;
    }
    qsort(sorted.values, sorted.count, sizeof sorted.values[0], double_compare);
    return (sorted.values[(sorted.count - 1) / 2] + sorted.values[sorted.count / 2]) / 2;
}

static json_t *
series_json(const struct series *series)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < series->count; i++) {
        (void)json_array_append_new(list, json_real(series->values[i]));
    }
    return list;
}

/* The report of one run; NULL when there is none. New reference. */
static json_t *
round_load(const struct summary *summary, const char *load, const char *point, uint32_t round)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/%s-%s.%u.json", summary->folder, load, point, round) >=
        PATH_MAX) {
        return NULL;
    }
    return json_load_file(path, 0, NULL);
}

/* What a round says about a load. */
struct figures {
    double cpu_us;
    double per_s;
    double p50_us;
    double p99_us;
};

static bool
figures_read(struct figures *figures, const json_t *report, const char *step, const char *rate)
{
    const json_t *server = json_object_get(report, "server");
    const json_t *found = json_object_get(json_object_get(report, "steps"), step);
    const json_t *latency = json_object_get(found, "sent_us");

    if (found == NULL) {
        return false;
    }
    figures->cpu_us = json_number_value(json_object_get(server, "cpu_us_per_request"));
    figures->per_s = json_number_value(json_object_get(found, rate));
    figures->p50_us = json_number_value(json_object_get(latency, "p50"));
    figures->p99_us = json_number_value(json_object_get(latency, "p99"));
    return true;
}

/* A load at a point, over its rounds. */
struct table_row {
    const char *load;
    const char *point;
    const char *step; /* Whose latency and rate are shown. */
    const char *rate; /* Key of the rate: "per_s", or "ok_per_s" where refusals do not count. */
    struct series cpu_us;
    struct series per_s;
    struct series p50_us;
    struct series p99_us;
};

static void
row_read(struct table_row *row, const struct summary *summary)
{
    for (uint32_t round = 1; round <= ROUNDS_MAX; round++) {
        json_t *report = round_load(summary, row->load, row->point, round);
        struct figures figures = {.cpu_us = 0};

        if (report == NULL) {
            break;
        }
        if (figures_read(&figures, report, row->step, row->rate)) {
            series_add(&row->cpu_us, figures.cpu_us);
            series_add(&row->per_s, figures.per_s);
            series_add(&row->p50_us, figures.p50_us);
            series_add(&row->p99_us, figures.p99_us);
        }
        json_decref(report);
    }
}

static json_t *
row_report(const struct table_row *row)
{
    json_t *object = json_object();

    (void)printf("%-9s %-6s %7u %14.0f %14.3f %12.1f %12.1f\n", row->load, row->point,
                 row->per_s.count, series_median(&row->per_s), series_median(&row->cpu_us),
                 series_median(&row->p50_us), series_median(&row->p99_us));
    (void)json_object_set_new(object, "rounds", json_integer(row->per_s.count));
    (void)json_object_set_new(object, "per_s", json_real(series_median(&row->per_s)));
    (void)json_object_set_new(object, "server_cpu_us_per_request",
                              json_real(series_median(&row->cpu_us)));
    (void)json_object_set_new(object, "p50_us", json_real(series_median(&row->p50_us)));
    (void)json_object_set_new(object, "p99_us", json_real(series_median(&row->p99_us)));
    return object;
}

/* ECHO's server CPU over ROUTE's, round by round. */
static void
ratio_report(json_t *object, const struct table_row *echo, const struct table_row *route)
{
    const uint32_t rounds =
        echo->cpu_us.count < route->cpu_us.count ? echo->cpu_us.count : route->cpu_us.count;
    struct series ratios = {.count = 0};

    for (uint32_t i = 0; i < rounds; i++) {
        if (route->cpu_us.values[i] > 0) {
            series_add(&ratios, echo->cpu_us.values[i] / route->cpu_us.values[i]);
        }
    }
    (void)printf("  null server / ROUTE, server CPU per request at %s: %.3f (median of %u)\n",
                 echo->point, series_median(&ratios), ratios.count);
    (void)json_object_set_new(object, "null_to_route_cpu_ratio", json_real(series_median(&ratios)));
    (void)json_object_set_new(object, "null_to_route_cpu_ratios", series_json(&ratios));
}

/* Both loads at one point; the ratio of the two is the point's own. */
static void
point_report(const struct summary *summary, const char *point)
{
    struct table_row echo = {.load = "echo", .point = point, .step = "echo", .rate = "per_s"};
    struct table_row route = {.load = "route", .point = point, .step = "route", .rate = "per_s"};
    json_t *object = json_object();

    row_read(&echo, summary);
    row_read(&route, summary);
    (void)json_object_set_new(object, "echo", row_report(&echo));
    (void)json_object_set_new(object, "route", row_report(&route));
    ratio_report(object, &echo, &route);
    (void)json_object_set_new(summary->report, point, object);
}

static void
connect_report(const struct summary *summary)
{
    struct table_row connect = {
        .load = "connect", .point = "64x1", .step = "connect", .rate = "ok_per_s"};

    row_read(&connect, summary);
    (void)json_object_set_new(summary->report, "connect-64x1", row_report(&connect));
}

/* ROUTE as a call: remembered and leased. Few rounds: the server remembers a million calls. */
static void
hold_report(const struct summary *summary)
{
    for (size_t i = 0; i < POINTS_COUNT; i++) {
        struct table_row hold = {
            .load = "hold", .point = points[i], .step = "route", .rate = "ok_per_s"};
        char key[32];

        row_read(&hold, summary);
        if (hold.per_s.count > 0) {
            (void)snprintf(key, sizeof key, "route-hold-%s", points[i]);
            (void)json_object_set_new(summary->report, key, row_report(&hold));
        }
    }
}

static void
environment_print(json_t *environment)
{
    const char *key;
    json_t *value;

    (void)printf("\nconditions (of the first run)\n");
    json_object_foreach(environment, key, value)
    {
        if (json_is_string(value)) {
            (void)printf("  %-18s %s\n", key, json_string_value(value));
        } else if (json_is_number(value)) {
            (void)printf("  %-18s %g\n", key, json_number_value(value));
        }
    }
}

/* The conditions of the first run stand for all of them. */
static void
conditions_report(const struct summary *summary)
{
    json_t *first = round_load(summary, "route", points[0], 1);
    json_t *environment = json_object_get(first, "environment");

    if (environment != NULL) {
        environment_print(environment);
        (void)json_object_set(summary->report, "environment", environment);
    }
    json_decref(first);
}

/* bench-decision prints for people and ends with one line of JSON. */
static void
decision_report(const struct summary *summary)
{
    char line[8192];
    char last[8192] = "";
    FILE *file;
    json_t *found;

    if (summary->decision == NULL) {
        return;
    }
    file = fopen(summary->decision, "re");
    if (file == NULL) {
        return;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        memcpy(last, line, sizeof last);
    }
    (void)fclose(file);
    found = json_loads(last, 0, NULL);
    if (found != NULL) {
        (void)printf("decision     %s", last);
        (void)json_object_set_new(summary->report, "decision", found);
    }
}

enum bench_exit
command_summary(int argc, char **argv, struct fault *fault)
{
    struct summary summary = {.folder = NULL};
    enum bench_exit code = BENCH_EXIT_DONE;

    if (!options_parse(&summary_argp, argc, argv, &summary, fault)) {
        return BENCH_EXIT_USAGE;
    }
    summary.report = json_object();
    CHECK(summary.report != NULL);
    (void)printf("%-9s %-6s %7s %14s %14s %12s %12s\n", "load", "point", "rounds", "answers/s",
                 "server us/req", "p50 us", "p99 us");
    for (size_t i = 0; i < POINTS_COUNT; i++) {
        point_report(&summary, points[i]);
    }
    hold_report(&summary);
    connect_report(&summary);
    decision_report(&summary);
    conditions_report(&summary);
    if (summary.output != NULL && !report_save(summary.report, summary.output, fault)) {
        code = fault->exit_code;
    }
    json_decref(summary.report);
    return code;
}
