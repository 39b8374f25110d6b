/*
 * report.c - see report.h: the verdict and the JSON; report_text.c prints it for people.
 */
#include "bench/report.h"

#include "protocol/check.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

const struct percentile report_percentiles[PERCENTILES_COUNT] = {
    {"p50", 500000},   {"p90", 900000},    {"p95", 950000}, {"p99", 990000},
    {"p99.9", 999000}, {"p99.99", 999900}, {"max", 1000000}};

#define LAG_P99_US_MAX 1000.0
#define CPU_MAX        0.95

void
report_judge(struct verdict *verdict, const struct driver *driver, const struct meter_result *meter)
{
    const struct recorder *recorder = &driver->recorder;

    CHECK(verdict != NULL);
    *verdict = (struct verdict){.valid = true};
    verdict->lag_p99_us = (double)histogram_percentile(&recorder->lag, 990000) / 1e3;
    verdict->generator_bound = meter->self_cpu > CPU_MAX;
    if (!driver->drive->open_loop) {
        if (verdict->generator_bound) {
            (void)snprintf(
                verdict->why, sizeof verdict->why,
                "the generator used %.0f %% of its core: throughput may be its own limit",
                meter->self_cpu * 100);
        }
        return;
    }
    if (verdict->generator_bound) {
        verdict->valid = false;
        (void)snprintf(verdict->why, sizeof verdict->why,
                       "the generator used %.0f %% of its core (limit %.0f %%)",
                       meter->self_cpu * 100, CPU_MAX * 100);
    } else if (verdict->lag_p99_us > LAG_P99_US_MAX) {
        verdict->valid = false;
        (void)snprintf(verdict->why, sizeof verdict->why,
                       "the generator sent late: p99 lag %.0f us (limit %.0f us)",
                       verdict->lag_p99_us, LAG_P99_US_MAX);
    }
}

json_t *
report_latency_json(const struct histogram *histogram)
{
    json_t *latency = json_object();

    CHECK(latency != NULL);
    for (uint32_t i = 0; i < PERCENTILES_COUNT; i++) {
        const uint64_t ns = histogram_percentile(histogram, report_percentiles[i].ppm);

        (void)json_object_set_new(latency, report_percentiles[i].name, json_real((double)ns / 1e3));
    }
    (void)json_object_set_new(latency, "mean", json_real((double)histogram_mean(histogram) / 1e3));
    return latency;
}

/* "OK", "NO_COVERAGE", "ZR_ETIMEDOUT", or the number of one that this build does not know. */
static void
results_add(json_t *object, const struct step_record *record, bool errors_only)
{
    for (uint32_t i = 0; i < record->results_count; i++) {
        const struct result_count *counted = &record->results[i];
        const char *name = zr_result_name(counted->result);
        char number[32];
        json_int_t before;

        if (errors_only && !result_is_error(counted->result)) {
            continue;
        }
        (void)snprintf(number, sizeof number, "0x%04X", (unsigned)counted->result);
        name = name != NULL ? name : number;
        before = json_integer_value(json_object_get(object, name));
        (void)json_object_set_new(object, name, json_integer(before + (json_int_t)counted->count));
    }
}

static json_t *
steps_json(const struct recorder *recorder)
{
    const double window_s = recorder_window_s(recorder);
    json_t *steps = json_object();

    for (uint32_t i = 0; i < STEPS_COUNT; i++) {
        const struct step_record *record = &recorder->steps[i];
        json_t *step;
        json_t *results;

        if (record->answered == 0 && record->answered_in_window == 0) {
            continue;
        }
        step = json_object();
        results = json_object();
        results_add(results, record, false);
        (void)json_object_set_new(step, "answered", json_integer((json_int_t)record->answered));
        (void)json_object_set_new(step, "errors", json_integer((json_int_t)record->errors));
        (void)json_object_set_new(step, "per_s",
                                  json_real((double)record->answered_in_window / window_s));
        (void)json_object_set_new(step, "ok_per_s",
                                  json_real((double)record->ok_in_window / window_s));
        (void)json_object_set_new(step, "results", results);
        (void)json_object_set_new(step, "intended_us", report_latency_json(&record->intended));
        (void)json_object_set_new(step, "sent_us", report_latency_json(&record->sent));
        (void)json_object_set_new(steps, step_name((enum step)i), step);
    }
    return steps;
}

json_t *
report_calls_json(const struct tally *tally)
{
    json_t *calls = json_object();
    json_t *settlements = json_object();

    CHECK(calls != NULL);
    for (uint32_t i = 1; i < TALLY_SETTLEMENTS; i++) {
        const char *name = zr_settlement_name((uint8_t)i);

        if (tally->settlements[i] > 0 && name != NULL) {
            (void)json_object_set_new(settlements, name,
                                      json_integer((json_int_t)tally->settlements[i]));
        }
    }
    (void)json_object_set_new(calls, "begun", json_integer((json_int_t)tally->calls));
    (void)json_object_set_new(calls, "ended", json_integer((json_int_t)tally->ended));
    (void)json_object_set_new(calls, "uncovered", json_integer((json_int_t)tally->uncovered));
    (void)json_object_set_new(calls, "exhausted", json_integer((json_int_t)tally->exhausted));
    (void)json_object_set_new(calls, "abandoned", json_integer((json_int_t)tally->abandoned));
    (void)json_object_set_new(calls, "broken", json_integer((json_int_t)tally->broken));
    (void)json_object_set_new(calls, "charged_cents", json_integer(tally->charged_cents));
    (void)json_object_set_new(calls, "settlements", settlements);
    return calls;
}

static json_t *
generator_json(const struct driver *driver, const struct meter_result *meter,
               const struct verdict *verdict)
{
    json_t *generator = json_object();

    if (driver->drive->open_loop) {
        (void)json_object_set_new(generator, "lag_us", report_latency_json(&driver->recorder.lag));
    }
    (void)json_object_set_new(generator, "cpu", json_real(meter->self_cpu));
    (void)json_object_set_new(generator, "bound", json_boolean(verdict->generator_bound));
    return generator;
}

static json_t *
server_json(const struct meter_result *meter, pid_t pid)
{
    json_t *server = json_object();

    (void)json_object_set_new(server, "pid", json_integer(pid));
    (void)json_object_set_new(server, "cpu", json_real(meter->server_cpu));
    (void)json_object_set_new(server, "cpu_us", json_real(meter->server_us));
    (void)json_object_set_new(server, "requests", json_integer((json_int_t)meter->requests));
    (void)json_object_set_new(server, "cpu_us_per_request",
                              json_real(meter->server_us_per_request));
    (void)json_object_set_new(server, "system_share", json_real(meter->server_system_share));
    (void)json_object_set_new(server, "source",
                              json_string(meter->from_schedstat ? "schedstat" : "stat"));
    return server;
}

static void
totals_add(json_t *report, const struct recorder *recorder)
{
    const double window_s = recorder_window_s(recorder);
    json_t *errors = json_object();

    for (uint32_t i = 0; i < STEP_CALL; i++) {
        results_add(errors, &recorder->steps[i], true);
    }
    if (recorder->open_loop) {
        (void)json_object_set_new(report, "offered_per_s",
                                  json_real((double)recorder->offered / window_s));
    }
    (void)json_object_set_new(report, "achieved_per_s",
                              json_real((double)recorder->landed / window_s));
    (void)json_object_set_new(report, "requests_per_s",
                              json_real((double)recorder_requests(recorder) / window_s));
    (void)json_object_set_new(report, "dropped", json_integer((json_int_t)recorder->dropped));
    (void)json_object_set_new(report, "errors_count",
                              json_integer((json_int_t)recorder_errors(recorder)));
    (void)json_object_set_new(report, "errors", errors);
}

json_t *
report_json(const struct driver *driver, const struct meter_result *meter,
            const struct verdict *verdict)
{
    const struct drive *drive = driver->drive;
    json_t *report = json_object();

    CHECK(report != NULL);
    (void)json_object_set_new(report, "tool", json_string("zipring-bench"));
    (void)json_object_set_new(report, "loop", json_string(drive->open_loop ? "open" : "closed"));
    if (drive->open_loop) {
        (void)json_object_set_new(report, "rate_per_s", json_real(drive->rate_per_s));
        (void)json_object_set_new(
            report, "arrivals",
            json_string(drive->arrivals == ARRIVALS_POISSON ? "poisson" : "uniform"));
    }
    (void)json_object_set_new(report, "connections", json_integer(driver->fleet->links_count));
    (void)json_object_set_new(report, drive->open_loop ? "inflight_max" : "pipeline",
                              json_integer(drive->flights_per_link));
    (void)json_object_set_new(report, "warmup_s", json_real((double)drive->warmup_ns / 1e9));
    (void)json_object_set_new(report, "duration_s",
                              json_real(recorder_window_s(&driver->recorder)));
    /* As text: a seed has 64 bits, a JSON number in many readers 53. */
    (void)json_object_set_new(report, "seed",
                              json_sprintf("%llu", (unsigned long long)drive->seed));
    totals_add(report, &driver->recorder);
    (void)json_object_set_new(report, "steps", steps_json(&driver->recorder));
    if (driver->tally.calls > 0) {
        (void)json_object_set_new(report, "calls", report_calls_json(&driver->tally));
    }
    (void)json_object_set_new(report, "generator", generator_json(driver, meter, verdict));
    if (meter->server_known) {
        (void)json_object_set_new(report, "server", server_json(meter, drive->server_pid));
    }
    (void)json_object_set_new(report, "valid", json_boolean(verdict->valid));
    (void)json_object_set_new(report, "generator_bound", json_boolean(verdict->generator_bound));
    (void)json_object_set_new(report, "remark", json_string(verdict->why));
    return report;
}

bool
report_save(json_t *report, const char *path, struct fault *fault)
{
    int rc;

    CHECK(report != NULL);
    if (strcmp(path, "-") == 0) {
        rc = json_dumpf(report, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10));
        (void)putchar('\n');
    } else {
        rc = json_dump_file(report, path, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    }
    return rc == 0 || fault_set(fault, BENCH_EXIT_USAGE, "%s: cannot be written", path);
}
