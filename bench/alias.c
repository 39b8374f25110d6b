/*
 * alias.c - see alias.h.
 *
 * Each of the `count` columns has height 1 and holds at most two indices. Vose's construction
 * takes an index below the mean and fills its column up with one above it, until all are full.
 */
#include "bench/alias.h"

#include "protocol/check.h"

#include <stddef.h>
#include <stdlib.h>

#define ALIAS_FULL (UINT64_C(1) << 32)

static double
weights_sum(const double *weights, uint32_t count)
{
    double sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        CHECK(weights[i] >= 0);
        sum += weights[i];
    }
    return sum;
}

/*
 * Fill the columns. `scaled` are the weights with mean 1. `stack` holds the indices still to be
 * placed: those below 1 grow up from its front, the others down from its end.
 */
static void
columns_fill(struct alias *alias, double *scaled, uint32_t *stack)
{
    uint32_t small_count = 0;
    uint32_t large_first = alias->count;

    for (uint32_t i = 0; i < alias->count; i++) {
        if (scaled[i] < 1.0) {
            stack[small_count++] = i;
        } else {
            stack[--large_first] = i;
        }
    }
    while (small_count > 0 && large_first < alias->count) {
        const uint32_t small = stack[--small_count];
        const uint32_t large = stack[large_first];

        alias->keep[small] = (uint64_t)(scaled[small] * 0x1p32);
        alias->other[small] = large;
        scaled[large] -= 1.0 - scaled[small];
        if (scaled[large] < 1.0) {
            large_first++;
            stack[small_count++] = large;
        }
    }
    /* What is left is 1 but for rounding; a weight of 0 never is, so it was placed above. */
    while (large_first < alias->count) {
        alias->keep[stack[large_first++]] = ALIAS_FULL;
    }
    while (small_count > 0) {
        alias->keep[stack[--small_count]] = ALIAS_FULL;
    }
}

bool
alias_init(struct alias *alias, const double *weights, uint32_t count)
{
    const double sum = weights_sum(weights, count);
    double *scaled = calloc(count, sizeof *scaled);
    uint32_t *stack = calloc(count, sizeof *stack);

    CHECK(alias != NULL);
    alias->count = count;
    alias->keep = calloc(count, sizeof *alias->keep);
    alias->other = calloc(count, sizeof *alias->other);
    if (sum <= 0 || scaled == NULL || stack == NULL || alias->keep == NULL ||
        alias->other == NULL) {
        free(scaled);
        free(stack);
        alias_deinit(alias);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        scaled[i] = weights[i] * count / sum;
        alias->other[i] = i;
    }
    columns_fill(alias, scaled, stack);
    free(scaled);
    free(stack);
    return true;
}

void
alias_deinit(struct alias *alias)
{
    CHECK(alias != NULL);
    free(alias->keep);
    free(alias->other);
    alias->keep = NULL;
    alias->other = NULL;
    alias->count = 0;
}

uint32_t
alias_draw(const struct alias *alias, struct prng *prng)
{
    const uint64_t bits = prng_next(prng);
    const uint32_t column = (uint32_t)(((bits >> 32) * alias->count) >> 32);

    CHECK(alias->count > 0);
    return (bits & UINT32_MAX) < alias->keep[column] ? column : alias->other[column];
}
