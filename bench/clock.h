/*
 * clock.h - the one clock of the load tester.
 *
 * CLOCK_MONOTONIC in nanoseconds, because the client library stamps a completion's sent_ns and
 * answered_ns with it: every latency here is a difference of two readings of one clock.
 */
#ifndef ZR_BENCH_CLOCK_H
#define ZR_BENCH_CLOCK_H

#include "protocol/check.h"

#include <stdint.h>
#include <time.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

static inline uint64_t
clock_read_ns(clockid_t clock)
{
    struct timespec now;

    CHECK(clock_gettime(clock, &now) == 0);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline uint64_t
clock_now_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

#endif
