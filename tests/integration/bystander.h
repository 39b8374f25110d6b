/*
 * bystander.h - somebody whom an attack on the server must not touch: asked again and again, he
 * must get the same right answers. Inline, like cases.h.
 */
#ifndef ZR_TEST_BYSTANDER_H
#define ZR_TEST_BYSTANDER_H

#include "tests/integration/cases.h"

/* A contractor, his slot and his money, whom nothing here may touch. */
static struct {
    struct world_slot slot;
    uint32_t contractor;
    uint64_t claim_id;
    struct zr_wallet_get_reply wallet;
} bystander;

static inline void
bystander_make(void)
{
    bystander.slot = world_slot(&world);
    bystander.slot.zip = WORLD_CHICAGO; /* Every other slot of these tests is elsewhere. */
    bystander.contractor = world_contractor(&world, 2, 30000);
    bystander.claim_id = world_claim(&world, bystander.contractor, bystander.slot);
    bystander.wallet = world_wallet(&world, bystander.contractor);
}

/* Routing, claims and money still give what they gave. */
static inline void
bystander_is_well(void)
{
    struct zr_route_request route = world_route_request(&world, bystander.slot);
    struct zr_wallet_get_reply wallet;
    struct zr_slot_get_reply slot;
    struct zr_route_reply routed;

    route.flags = 0; /* A query: who would it be? */
    assert_int_equal(zr_route(world.callcenter, &route, &routed), 0);
    assert_int_equal(routed.candidates_count, 1);
    assert_int_equal(routed.candidates[0].contractor, bystander.contractor);
    assert_int_equal(routed.candidates[0].rate_cents, WORLD_RATE);
    slot = slot_get(bystander.slot);
    assert_int_equal(slot.claims_count, 1);
    assert_int_equal(slot.claims[0].claim_id, bystander.claim_id);
    wallet = world_wallet(&world, bystander.contractor);
    assert_int_equal(wallet.posted_cents, bystander.wallet.posted_cents);
    assert_int_equal(wallet.held_cents, 0);
}

#endif
