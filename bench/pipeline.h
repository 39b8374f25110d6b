/*
 * pipeline.h - one operation many times over one connection, with many in flight.
 *
 * For setting up data: `fill` makes request i, `take` gets its answer. Requests start in
 * ascending order; answers may come in any.
 */
#ifndef ZR_BENCH_PIPELINE_H
#define ZR_BENCH_PIPELINE_H

#include "bench/fault.h"

#include <stdbool.h>
#include <stdint.h>
#include <zipring.h>

enum { PIPELINE_WINDOW_MAX = 1024 };

struct pipeline {
    uint16_t op;
    uint32_t count;  /* Requests in all. */
    uint32_t window; /* In flight at once, <= PIPELINE_WINDOW_MAX and the client's own. */

    /* Fill a zeroed request struct of the op. */
    void (*fill)(void *context, uint32_t index, void *request);

    /* False ends the run: nothing new is sent, what is in flight is waited for. */
    bool (*take)(void *context, uint32_t index, const struct zr_completion *completion);
    void *context;
};

/*
 * Run all of it. False with the reason when `take` said no (the first refused result is named)
 * or a request could not be submitted.
 */
bool pipeline_run(struct zr_client *client, const struct pipeline *pipeline, struct fault *fault);

/* For `take`: true when the answer is 0. */
bool pipeline_accept_ok(const struct zr_completion *completion);

#endif
