/*
 * prng.h - two kinds of randomness that must never be mixed up.
 *
 * struct prng is what the load looks like (arrivals, ZIPs, talk times): repeatable from --seed.
 * struct run_ids is what a run calls its things (call ids, payment references): never repeated,
 * whatever the seed. A fixed seed that also made the keys would turn every second run into
 * replays of stored replies, which are faster than the work itself and would double the figures
 * (performance.md "Traps met").
 */
#ifndef ZR_BENCH_PRNG_H
#define ZR_BENCH_PRNG_H

#include "bench/fault.h"
#include "protocol/types.h"

#include <stdbool.h>
#include <stdint.h>

/* xoshiro256** by Blackman and Vigna, seeded through splitmix64. */
struct prng {
    uint64_t state[4];
};

void prng_init(struct prng *prng, uint64_t seed);

uint64_t prng_next(struct prng *prng);

/* Uniform in 0 .. below - 1; below >= 1. The bias is under 2^-32. */
uint32_t prng_below(struct prng *prng, uint32_t below);

/* Uniform in [0, 1). */
double prng_unit(struct prng *prng);

/* True in `bp` of 10,000 draws. */
bool prng_chance(struct prng *prng, uint32_t bp);

/* A seed from the system; false with the reason when it has none. */
bool prng_seed_fresh(uint64_t *seed, struct fault *fault);

struct run_ids {
    uint64_t run;   /* Random, names this run. */
    uint64_t taken; /* Ids given out so far. */
};

bool run_ids_init(struct run_ids *ids, struct fault *fault);

/* An id that no other run and no other call of this one has. Never zero. */
struct zr_id run_ids_take(struct run_ids *ids);

#endif
