/*
 * live.c - see live.h.
 */
#include "bench/live.h"

#include "bench/clock.h"
#include "bench/driver.h"
#include "protocol/check.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

void
live_print(struct driver *driver, uint64_t now_ns)
{
    struct recorder *recorder = &driver->recorder;
    const double interval_s = (double)driver->drive->interval_ns / 1e9;
    const double p50_us = (double)histogram_percentile(&recorder->interval, 500000) / 1e3;
    const double p99_us = (double)histogram_percentile(&recorder->interval, 990000) / 1e3;

    CHECK(interval_s > 0);
    (void)fprintf(stderr,
                  "%7.1f s %s  %9.0f answers/s  p50 %8.0f us  p99 %8.0f us  errors %" PRIu64
                  "  in flight %" PRIu32 "  dropped %" PRIu64 "\n",
                  (double)(now_ns - driver->start_ns) / 1e9,
                  now_ns < recorder->begin_ns ? "warm-up " : "measured",
                  (double)recorder->interval_answered / interval_s, p50_us, p99_us,
                  recorder->interval_errors, driver->flights_busy, recorder->dropped);
    recorder_reset_interval(recorder);
}
