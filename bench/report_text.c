/*
 * report_text.c - a report for people: one table of latencies, then who was the limit.
 *
 * Microseconds throughout, so that columns can be compared by eye.
 */
#include "bench/report.h"
#include "protocol/check.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

static void
latency_print(const char *from, const struct histogram *histogram)
{
    (void)printf("  %-9s", from);
    for (uint32_t i = 0; i < PERCENTILES_COUNT; i++) {
        const uint64_t ns = histogram_percentile(histogram, report_percentiles[i].ppm);

        (void)printf(" %10.1f", (double)ns / 1e3);
    }
    (void)printf("\n");
}

static void
step_print(const struct recorder *recorder, enum step step)
{
    const struct step_record *record = &recorder->steps[step];

    (void)printf("%-11s %12" PRIu64 " answers, %.1f/s:", step_name(step), record->answered,
                 (double)record->answered_in_window / recorder_window_s(recorder));
    for (uint32_t i = 0; i < record->results_count; i++) {
        const char *name = zr_result_name(record->results[i].result);

        (void)printf(" %s %" PRIu64, name != NULL ? name : "unknown", record->results[i].count);
    }
    (void)printf("\n");
    if (recorder->open_loop) {
        latency_print("intended", &record->intended);
    }
    latency_print("sent", &record->sent);
}

static void
steps_print(const struct recorder *recorder)
{
    (void)printf("latency, us");
    for (uint32_t i = 0; i < PERCENTILES_COUNT; i++) {
        (void)printf(" %10s", report_percentiles[i].name);
    }
    (void)printf("\n");
    for (uint32_t i = 0; i < STEPS_COUNT; i++) {
        if (recorder->steps[i].answered > 0) {
            step_print(recorder, (enum step)i);
        }
    }
}

static void
calls_print(const struct tally *tally)
{
    (void)printf("calls        %" PRIu64 " begun, %" PRIu64 " connected and ended, %" PRIu64
                 " uncovered, %" PRIu64 " exhausted, %" PRIu64 " abandoned, %" PRIu64 " broken\n",
                 tally->calls, tally->ended, tally->uncovered, tally->exhausted, tally->abandoned,
                 tally->broken);
    (void)printf("settled     ");
    for (uint32_t i = 1; i < TALLY_SETTLEMENTS; i++) {
        const char *name = zr_settlement_name((uint8_t)i);

        if (tally->settlements[i] > 0 && name != NULL) {
            (void)printf(" %s %" PRIu64, name, tally->settlements[i]);
        }
    }
    (void)printf("; charged %.2f dollars\n", (double)tally->charged_cents / 100);
}

static void
limits_print(const struct driver *driver, const struct meter_result *meter,
             const struct verdict *verdict)
{
    const struct histogram *lag = &driver->recorder.lag;

    (void)printf("generator    CPU %.0f %% of a core", meter->self_cpu * 100);
    if (driver->drive->open_loop) {
        (void)printf(", lag p50 %.1f us, p99 %.1f us, max %.1f us",
                     (double)histogram_percentile(lag, 500000) / 1e3, verdict->lag_p99_us,
                     (double)lag->max / 1e3);
    }
    (void)printf("\n");
    if (meter->server_known) {
        (void)printf("server       CPU %.0f %% of a core, %.3f us per request over %" PRIu64
                     " requests (%s), %.0f %% of it in the kernel\n",
                     meter->server_cpu * 100, meter->server_us_per_request, meter->requests,
                     meter->from_schedstat ? "schedstat" : "stat",
                     meter->server_system_share * 100);
    }
    if (verdict->why[0] != '\0') {
        (void)printf("%s %s\n", verdict->valid ? "note        " : "INVALID     ", verdict->why);
    }
}

void
report_print(const struct driver *driver, const struct meter_result *meter,
             const struct verdict *verdict)
{
    const struct recorder *recorder = &driver->recorder;
    const struct drive *drive = driver->drive;
    const double window_s = recorder_window_s(recorder);

    CHECK(window_s > 0);
    if (drive->open_loop) {
        (void)printf("open loop    %.1f/s asked, %.1f/s offered, %.1f/s achieved, %" PRIu64
                     " dropped, %" PRIu64 " errors\n",
                     drive->rate_per_s, (double)recorder->offered / window_s,
                     (double)recorder->landed / window_s, recorder->dropped,
                     recorder_errors(recorder));
    } else {
        (void)printf("closed loop  %" PRIu32 " connections x %" PRIu32
                     " in flight, %.1f/s achieved (%.1f requests/s), %" PRIu64 " errors\n",
                     driver->fleet->links_count, drive->flights_per_link,
                     (double)recorder->landed / window_s,
                     (double)recorder_requests(recorder) / window_s, recorder_errors(recorder));
    }
    steps_print(recorder);
    if (driver->tally.calls > 0) {
        calls_print(&driver->tally);
    }
    limits_print(driver, meter, verdict);
}
