/*
 * arrivals.h - when an open loop means to send: a schedule that no answer can slow down.
 *
 * The schedule is fixed by the rate and the seed alone. Latency is taken from it, so a server
 * that stalls is charged for every request that should have been sent meanwhile (coordinated
 * omission cannot hide it).
 */
#ifndef ZR_BENCH_ARRIVALS_H
#define ZR_BENCH_ARRIVALS_H

#include "bench/prng.h"

#include <stdint.h>

enum arrival_kind {
    ARRIVALS_POISSON, /* Independent callers: exponential gaps. */
    ARRIVALS_UNIFORM, /* Equal gaps. */
};

struct arrivals {
    struct prng prng;
    enum arrival_kind kind;
    double gap_ns;    /* Mean, 1e9 / rate. */
    double offset_ns; /* Of the next arrival from start_ns; 2^53 ns are 104 days, so it is exact. */
    uint64_t start_ns; /* Offset 0. */
};

/* per_s > 0. The first arrival is one gap after start_ns. */
void arrivals_init(struct arrivals *arrivals, enum arrival_kind kind, double per_s, uint64_t seed);

/* Begin at `start_ns`. */
void arrivals_start(struct arrivals *arrivals, uint64_t start_ns);

/* When the next one is due. */
uint64_t arrivals_next_ns(const struct arrivals *arrivals);

/* The next one was taken: move on to the one after it. */
void arrivals_advance(struct arrivals *arrivals);

#endif
