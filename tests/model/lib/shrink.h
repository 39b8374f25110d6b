/*
 * shrink.h - one run of operations against a fresh server, and the shortest list that still fails.
 */
#ifndef ZR_TEST_MODEL_SHRINK_H
#define ZR_TEST_MODEL_SHRINK_H

#include "tests/model/lib/operation.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { RUN_EVENT_TYPES = 64 };

struct run_totals {
    uint64_t steps, skipped, restarts, runs, failed;
    uint64_t played[PLAY_KINDS];
    uint64_t events[RUN_EVENT_TYPES]; /* Compared, by type. */
};

/*
 * Play the list. Returns its length when model and server agreed all the way, the books balanced
 * and the replay was equal; else the place of the operation at which they differed. `output` is
 * told what differed, NULL = nobody is; `totals` may be NULL.
 */
uint32_t run_play(const struct operation *operations, uint32_t count, uint64_t seed, FILE *output,
                  struct run_totals *totals);

/*
 * Take out what is not needed for a failure (ddmin), in place, with at most runs_max runs. Returns
 * the new length; the list still fails.
 */
uint32_t shrink(struct operation *operations, uint32_t count, uint64_t seed, uint32_t runs_max);

#endif
