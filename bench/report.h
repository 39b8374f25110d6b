/*
 * report.h - what a run found, as one JSON object and as text for people.
 */
#ifndef ZR_BENCH_REPORT_H
#define ZR_BENCH_REPORT_H

#include "bench/driver.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* One percentile that reports show: {"p99", 990000}. */
struct percentile {
    const char *name;
    uint32_t ppm;
};

enum { PERCENTILES_COUNT = 7 };

extern const struct percentile report_percentiles[PERCENTILES_COUNT];

/* Is the generator to blame for the figures? */
struct verdict {
    bool valid;           /* False: open loop, and the generator was the limit. */
    bool generator_bound; /* Its CPU was above 95 %. */
    double lag_p99_us;
    char why[192]; /* Empty when nothing is to be said. */
};

void report_judge(struct verdict *verdict, const struct driver *driver,
                  const struct meter_result *meter);

/* {"p50": us, ... "max": us, "mean": us}; new reference. */
json_t *report_latency_json(const struct histogram *histogram);

/* Everything measured; new reference. `meter` and `verdict` belong to this driver. */
json_t *report_json(const struct driver *driver, const struct meter_result *meter,
                    const struct verdict *verdict);

/* What calls came to; new reference. */
json_t *report_calls_json(const struct tally *tally);

/* For people, on stdout. */
void report_print(const struct driver *driver, const struct meter_result *meter,
                  const struct verdict *verdict);

/* Write `report` to `path`, "-" = stdout; false: it cannot be written. */
bool report_save(json_t *report, const char *path, struct fault *fault);

#endif
