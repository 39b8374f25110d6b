/*
 * arrivals.c - see arrivals.h.
 */
#include "bench/arrivals.h"

#include "protocol/check.h"

#include <math.h>
#include <stddef.h>

void
arrivals_init(struct arrivals *arrivals, enum arrival_kind kind, double per_s, uint64_t seed)
{
    CHECK(arrivals != NULL);
    CHECK(per_s > 0);
    prng_init(&arrivals->prng, seed);
    arrivals->kind = kind;
    arrivals->gap_ns = 1e9 / per_s;
    arrivals->offset_ns = 0;
    arrivals->start_ns = 0;
}

void
arrivals_start(struct arrivals *arrivals, uint64_t start_ns)
{
    CHECK(arrivals != NULL);
    CHECK(arrivals->gap_ns > 0);
    arrivals->start_ns = start_ns;
    arrivals->offset_ns = 0;
    arrivals_advance(arrivals);
}

uint64_t
arrivals_next_ns(const struct arrivals *arrivals)
{
    CHECK(arrivals != NULL);
    return arrivals->start_ns + (uint64_t)arrivals->offset_ns;
}

void
arrivals_advance(struct arrivals *arrivals)
{
    switch (arrivals->kind) {
    case ARRIVALS_UNIFORM:
        arrivals->offset_ns += arrivals->gap_ns;
        return;
    case ARRIVALS_POISSON:
        /* 1 - unit is in (0, 1], so the logarithm is finite. */
        arrivals->offset_ns -= log(1.0 - prng_unit(&arrivals->prng)) * arrivals->gap_ns;
        return;
    }
}
