/*
 * histogram.c - see histogram.h.
 */
#include "bench/histogram.h"

#include "protocol/check.h"

#include <stddef.h>
#include <string.h>

enum { HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS };

#define HISTOGRAM_VALUE_MAX ((UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1)

static uint32_t
bucket_of_value(uint64_t value)
{
    uint32_t shift;
    uint32_t bucket;

    if (value < HISTOGRAM_STEPS) {
        return (uint32_t)value;
    }
    shift = 63 - (uint32_t)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
    /* The top bit of the shifted value is always set: it becomes the +1 of the power. */
    bucket = (shift << HISTOGRAM_STEP_BITS) + (uint32_t)(value >> shift);
    CHECK(bucket < HISTOGRAM_BUCKETS);
    return bucket;
}

static uint64_t
value_of_bucket(uint32_t bucket)
{
    uint32_t shift;
    uint64_t low;

    CHECK(bucket < HISTOGRAM_BUCKETS);
    if (bucket < 2 * HISTOGRAM_STEPS) {
        return bucket;
    }
    shift = (bucket >> HISTOGRAM_STEP_BITS) - 1;
    low = (uint64_t)(HISTOGRAM_STEPS + (bucket & (HISTOGRAM_STEPS - 1))) << shift;
    return low + ((UINT64_C(1) << shift) >> 1);
}

void
histogram_init(struct histogram *histogram)
{
    CHECK(histogram != NULL);
    memset(histogram, 0, sizeof *histogram);
}

void
histogram_record(struct histogram *histogram, uint64_t value)
{
    CHECK(histogram != NULL);
    if (value > HISTOGRAM_VALUE_MAX) {
        value = HISTOGRAM_VALUE_MAX;
    }
    histogram->counts[bucket_of_value(value)]++;
    if (histogram->total == 0 || value < histogram->min) {
        histogram->min = value;
    }
    if (value > histogram->max) {
        histogram->max = value;
    }
    histogram->total++;
    histogram->sum += value;
}

void
histogram_add(struct histogram *histogram, const struct histogram *from)
{
    CHECK(histogram != NULL);
    CHECK(from != NULL);
    if (from->total == 0) {
        return;
    }
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        histogram->counts[i] += from->counts[i];
    }
    if (histogram->total == 0 || from->min < histogram->min) {
        histogram->min = from->min;
    }
    if (from->max > histogram->max) {
        histogram->max = from->max;
    }
    histogram->total += from->total;
    histogram->sum += from->sum;
}

uint64_t
histogram_percentile(const struct histogram *histogram, uint32_t ppm)
{
    uint64_t rank;
    uint64_t seen = 0;
    uint64_t value = 0;

    CHECK(histogram != NULL);
    CHECK(ppm <= HISTOGRAM_PPM);
    if (histogram->total == 0) {
        return 0;
    }
    rank = (histogram->total * ppm + HISTOGRAM_PPM - 1) / HISTOGRAM_PPM;
    if (rank >= histogram->total) {
        return histogram->max;
    }
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (histogram->counts[i] > 0 && seen >= rank) {
            value = value_of_bucket(i);
            break;
        }
    }
    /* The middle of the outermost buckets may lie outside of what was seen. */
    value = value < histogram->min ? histogram->min : value;
    return value > histogram->max ? histogram->max : value;
}

uint64_t
histogram_mean(const struct histogram *histogram)
{
    CHECK(histogram != NULL);
    return histogram->total == 0 ? 0 : histogram->sum / histogram->total;
}
