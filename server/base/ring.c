/*
 * ring.c - see ring.h.
 */
#include "server/base/ring.h"

#include "protocol/check.h"

void
ring_init(struct ring *ring, struct arena *arena, uint32_t items_max, const char *what)
{
    uint32_t capacity = 1;

    CHECK(items_max > 0);
    CHECK(items_max <= UINT32_MAX / 2);
    while (capacity < items_max) {
        capacity *= 2;
    }
    ring->items = arena_take(arena, (size_t)capacity * sizeof *ring->items, what);
    ring->mask = capacity - 1;
    atomic_init(&ring->pushed, 0);
    atomic_init(&ring->taken, 0);
}

bool
ring_push(struct ring *ring, void *item)
{
    const uint32_t pushed = atomic_load_explicit(&ring->pushed, memory_order_relaxed);
    /* Acquire pairs with the release in ring_take: the slot was read before it is reused. */
    const uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);

    CHECK(item != NULL);
    if (pushed - taken > ring->mask) {
        return false;
    }
    ring->items[pushed & ring->mask] = item;
    /* Release pairs with the acquire in ring_take: the item's bytes are there before it is. */
    atomic_store_explicit(&ring->pushed, pushed + 1, memory_order_release);
    return true;
}

void *
ring_take(struct ring *ring)
{
    const uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    void *item;

    if (taken == atomic_load_explicit(&ring->pushed, memory_order_acquire)) {
        return NULL;
    }
    item = ring->items[taken & ring->mask];
    atomic_store_explicit(&ring->taken, taken + 1, memory_order_release);
    return item;
}

uint32_t
ring_count(const struct ring *ring)
{
    const uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);

    return atomic_load_explicit(&ring->pushed, memory_order_acquire) - taken;
}
