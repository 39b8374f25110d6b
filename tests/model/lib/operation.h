/*
 * operation.h - one step of a run: a record of a few small numbers, made from a seed alone.
 */
#ifndef ZR_TEST_MODEL_OPERATION_H
#define ZR_TEST_MODEL_OPERATION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum operation_kind {
#define OPERATION(name, group, weight, rush, labels) PLAY_##name,
#include "tests/model/lib/operations.def"
    PLAY_KINDS,
};

enum operation_group {
    GROUP_TIME = 1 << 0,
    GROUP_CLAIMS = 1 << 1,
    GROUP_PEOPLE = 1 << 2,
    GROUP_MONEY = 1 << 3,
    GROUP_TOPUPS = 1 << 4,
    GROUP_DISPUTES = 1 << 5,
    GROUP_CALLS = 1 << 6,
    GROUP_RETRIES = 1 << 7,
    GROUP_RESTARTS = 1 << 8,
    GROUP_ALL = (1 << 9) - 1,
};

struct operation {
    uint32_t step; /* Place in the run that it was made for. */
    uint32_t n;
    uint8_t kind, a, b, c, d;
};

/* The whole run of this seed; only operations of these groups (enum operation_group bits). */
void operations_make(struct operation *operations, uint32_t count, uint64_t seed, unsigned groups);

/* Is the run of this seed a rush: seconds and minutes instead of days? */
bool operations_rush(uint64_t seed);

/* "  17 CLAIM contractor=3 slot=5 more=0 flags=1" */
void operation_print(FILE *file, const struct operation *operation);

const char *operation_name(uint8_t kind);

/* A group by its name in lower case ("claims"), 0 = no such group. */
unsigned operation_group_of(const char *name);

#endif
