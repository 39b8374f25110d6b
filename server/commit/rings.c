/*
 * rings.c - see rings.h.
 */
#include "server/commit/rings.h"

#include "protocol/check.h"

void
ring_facts_init(struct ring_facts *rings, struct arena *arena, uint32_t facts_max)
{
    uint32_t capacity = 1;

    while (capacity < facts_max) {
        capacity *= 2;
    }
    rings->facts = arena_take(arena, (size_t)capacity * sizeof *rings->facts,
                              "rings: facts waiting for the committer (rings_max)");
    rings->mask = capacity - 1;
    atomic_init(&rings->pushed, 0);
    atomic_init(&rings->taken, 0);
    atomic_init(&rings->lost, 0);
}

bool
ring_facts_push(struct ring_facts *rings, const struct zr_ring_fact *fact)
{
    const uint32_t pushed = atomic_load_explicit(&rings->pushed, memory_order_relaxed);
    const uint32_t taken = atomic_load_explicit(&rings->taken, memory_order_acquire);

    if (pushed - taken > rings->mask) {
        (void)atomic_fetch_add_explicit(&rings->lost, 1, memory_order_relaxed);
        return false;
    }
    rings->facts[pushed & rings->mask] = *fact;
    /* Release pairs with the acquire in ring_facts_count: the fact is whole before it is there. */
    atomic_store_explicit(&rings->pushed, pushed + 1, memory_order_release);
    return true;
}

uint32_t
ring_facts_count(const struct ring_facts *rings)
{
    return atomic_load_explicit(&rings->pushed, memory_order_acquire) -
           atomic_load_explicit(&rings->taken, memory_order_acquire);
}

void
ring_facts_copy(const struct ring_facts *rings, uint32_t skip, struct zr_rings_request *request)
{
    const uint32_t facts_max = sizeof request->rings / sizeof request->rings[0];
    const uint32_t first = atomic_load_explicit(&rings->taken, memory_order_relaxed) + skip;
    const uint32_t waiting = ring_facts_count(rings) - skip;
    const uint32_t count = waiting < facts_max ? waiting : facts_max;

    CHECK(skip <= ring_facts_count(rings));
    for (uint32_t i = 0; i < count; i++) {
        request->rings[i] = rings->facts[(first + i) & rings->mask];
    }
    request->rings_count = (uint16_t)count;
}

void
ring_facts_forget(struct ring_facts *rings, uint32_t facts_count)
{
    const uint32_t taken = atomic_load_explicit(&rings->taken, memory_order_relaxed);

    CHECK(facts_count <= ring_facts_count(rings));
    /* Release pairs with the acquire in ring_facts_push: the places were read before reuse. */
    atomic_store_explicit(&rings->taken, taken + facts_count, memory_order_release);
}
