/*
 * condition.h - `--fail-if 'route.p99>5ms,errors>0'`: what makes a run fail.
 *
 *   STEP.pNN>DURATION    latency from the intended time; STEP.max too
 *   errors>N dropped>N   counts in the window
 *   achieved<RATE        flights per second
 */
#ifndef ZR_BENCH_CONDITION_H
#define ZR_BENCH_CONDITION_H

#include "bench/recorder.h"

#include <stdbool.h>
#include <stdint.h>

enum { CONDITIONS_MAX = 16 };

enum condition_kind {
    CONDITION_PERCENTILE,
    CONDITION_ERRORS,
    CONDITION_DROPPED,
    CONDITION_ACHIEVED,
};

struct condition {
    enum condition_kind kind;
    enum step step; /* PERCENTILE. */
    uint32_t ppm;   /* PERCENTILE. */
    bool above;     /* Fires above the limit, else below it. */
    double limit;   /* Nanoseconds, a count or a rate. */
    char text[64];  /* As it was written. */
};

struct conditions {
    struct condition list[CONDITIONS_MAX];
    uint32_t count;
};

/* False: not understood. */
bool conditions_parse(struct conditions *conditions, const char *text);

/* True when the run is to fail for it; *value is what was measured, in the unit of limit. */
bool condition_fires(const struct condition *condition, const struct recorder *recorder,
                     double *value);

/* "p99.9" -> 999,000; "max" -> 1,000,000; false for anything else. */
bool percentile_parse(const char *text, uint32_t *ppm);

#endif
