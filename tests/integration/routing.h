/*
 * routing.h - who a new call rings first, and why not the primary: what the cases of eligibility
 * over time share.
 */
#ifndef ZR_TEST_ROUTING_H
#define ZR_TEST_ROUTING_H

#include "tests/integration/clocks.h"

/* A slot with a primary and a backup. */
struct pair {
    struct world_slot slot;
    uint32_t primary;
    uint32_t backup;
    uint64_t primary_claim;
};

static inline void
pair_make_with(struct pair *pair, uint16_t concurrency, int64_t funds_cents)
{
    pair->slot = world_slot(&world);
    pair->primary = world_contractor(&world, concurrency, funds_cents);
    pair->backup = world_contractor(&world, 1000, 5000000);
    pair->primary_claim = world_claim(&world, pair->primary, pair->slot);
    (void)world_claim(&world, pair->backup, pair->slot);
}

static inline void
pair_make(struct pair *pair, uint16_t concurrency)
{
    pair_make_with(pair, concurrency, 5000000);
}

/* Whom a new call rings first, and what stood against the primary. */
static inline uint32_t
rings_first(const struct pair *pair, uint32_t *reasons)
{
    const struct zr_route_reply routed = world_call(&world, pair->slot, NULL);

    *reasons = reasons_of(&routed, pair->primary);
    return routed.candidates[0].contractor;
}

static inline void
assert_rings_primary(const struct pair *pair)
{
    uint32_t reasons;

    assert_int_equal(rings_first(pair, &reasons), pair->primary);
    assert_int_equal(reasons, 0);
}

static inline void
assert_skips_primary(const struct pair *pair, uint32_t expected)
{
    uint32_t reasons;

    assert_int_equal(rings_first(pair, &reasons), pair->backup);
    assert_int_equal(reasons, expected);
}

static inline void
caps_put(uint32_t contractor, uint8_t window, uint8_t measure, uint64_t limit, uint32_t spacing_s)
{
    struct zr_caps_put_request request = {.contractor = contractor, .spacing_s = spacing_s};
    struct zr_put_reply reply;

    if (window != 0) {
        request.caps_count = 1;
        request.caps[0] = (struct zr_cap){.limit = limit, .window = window, .measure = measure};
    }
    assert_int_equal(zr_caps_put(world.portal, &request, &reply), 0);
}

#endif
