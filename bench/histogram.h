/*
 * histogram.h - latencies by value, to within 0.4 %, in constant time and 34 KiB.
 *
 * Log-linear, as HdrHistogram is: each power of two is cut into 128 equal steps, so a bucket is
 * never wider than 1/128 of its own value, and a value is reported as the middle of its bucket.
 * Below 256 ns it is exact. It holds counts only: two histograms add up, and a percentile of
 * the sum is what one histogram of both would have said. The largest and smallest value are
 * kept as they were.
 *
 * Why not the HdrHistogram library: it is not in Debian 12, and this is all of it that a load
 * tester asks for.
 */
#ifndef ZR_BENCH_HISTOGRAM_H
#define ZR_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 7,   /* 2^7 buckets per power of two. */
    HISTOGRAM_VALUE_BITS = 40, /* Up to 2^40 ns, 18 minutes; what is longer counts as that. */
    HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1) << HISTOGRAM_STEP_BITS,
    HISTOGRAM_PPM = 1000000, /* A percentile is asked for in parts per million. */
};

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total; /* Sum of counts. */
    uint64_t sum;   /* Of the values themselves. */
    uint64_t min;   /* Of an empty one: 0. */
    uint64_t max;
};

/* Empty it. */
void histogram_init(struct histogram *histogram);

/* Count one value. */
void histogram_record(struct histogram *histogram, uint64_t value);

/* Add all of `from`. */
void histogram_add(struct histogram *histogram, const struct histogram *from);

/*
 * The value that `ppm` of 1,000,000 recorded values do not exceed: 990,000 = p99. Nearest rank:
 * an actual observation, never an interpolation. 1,000,000 = the exact maximum. Empty: 0.
 */
uint64_t histogram_percentile(const struct histogram *histogram, uint32_t ppm);

/* Mean, rounded down. Empty: 0. */
uint64_t histogram_mean(const struct histogram *histogram);

#endif
