/*
 * prng.c - see prng.h.
 */
#include "bench/prng.h"

#include "protocol/bytes.h"
#include "protocol/check.h"

#include <stddef.h>
#include <sys/random.h>

static uint64_t
splitmix64_next(uint64_t *state)
{
    uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

static uint64_t
rotate_left(uint64_t value, uint32_t bits)
{
    return (value << bits) | (value >> (64 - bits));
}

void
prng_init(struct prng *prng, uint64_t seed)
{
    CHECK(prng != NULL);
    for (uint32_t i = 0; i < 4; i++) {
        prng->state[i] = splitmix64_next(&seed);
    }
}

uint64_t
prng_next(struct prng *prng)
{
    uint64_t *state = prng->state;
    const uint64_t result = rotate_left(state[1] * 5, 7) * 9;
    const uint64_t shifted = state[1] << 17;

    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    return result;
}

uint32_t
prng_below(struct prng *prng, uint32_t below)
{
    CHECK(below > 0);
    return (uint32_t)(((prng_next(prng) >> 32) * below) >> 32);
}

double
prng_unit(struct prng *prng)
{
    return (double)(prng_next(prng) >> 11) * 0x1p-53;
}

bool
prng_chance(struct prng *prng, uint32_t bp)
{
    return prng_below(prng, 10000) < bp;
}

bool
prng_seed_fresh(uint64_t *seed, struct fault *fault)
{
    CHECK(seed != NULL);
    if (getrandom(seed, sizeof *seed, 0) != (ssize_t)sizeof *seed) {
        return fault_set(fault, BENCH_EXIT_USAGE, "the system gives no random numbers");
    }
    return true;
}

bool
run_ids_init(struct run_ids *ids, struct fault *fault)
{
    CHECK(ids != NULL);
    ids->taken = 0;
    return prng_seed_fresh(&ids->run, fault);
}

struct zr_id
run_ids_take(struct run_ids *ids)
{
    struct zr_id id;

    CHECK(ids != NULL);
    ids->taken++;
    zr_store_u64(&id.bytes[0], ids->run);
    zr_store_u64(&id.bytes[8], ids->taken);
    return id;
}
