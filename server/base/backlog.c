/*
 * backlog.c - see backlog.h.
 */
#include "server/base/backlog.h"

#include "protocol/check.h"

uint32_t
backlog_init(struct backlog *backlog, uint32_t items_max)
{
    uint32_t capacity = 1;

    CHECK(items_max > 0);
    CHECK(items_max <= UINT32_MAX / 2);
    while (capacity < items_max) {
        capacity *= 2;
    }
    backlog->mask = capacity - 1;
    atomic_init(&backlog->pushed, 0);
    atomic_init(&backlog->taken, 0);
    atomic_init(&backlog->lost, 0);
    return capacity;
}

bool
backlog_reserve(struct backlog *backlog, uint32_t *place)
{
    const uint32_t pushed = atomic_load_explicit(&backlog->pushed, memory_order_relaxed);
    /* Acquire pairs with the release in backlog_forget: the place was read before its reuse. */
    const uint32_t taken = atomic_load_explicit(&backlog->taken, memory_order_acquire);

    if (pushed - taken > backlog->mask) {
        (void)atomic_fetch_add_explicit(&backlog->lost, 1, memory_order_relaxed);
        return false;
    }
    *place = pushed & backlog->mask;
    return true;
}

void
backlog_push(struct backlog *backlog)
{
    const uint32_t pushed = atomic_load_explicit(&backlog->pushed, memory_order_relaxed);

    /* Release pairs with the acquire in backlog_count: the item is whole before it is there. */
    atomic_store_explicit(&backlog->pushed, pushed + 1, memory_order_release);
}

uint32_t
backlog_count(const struct backlog *backlog)
{
    return atomic_load_explicit(&backlog->pushed, memory_order_acquire) -
           atomic_load_explicit(&backlog->taken, memory_order_relaxed);
}

uint32_t
backlog_place(const struct backlog *backlog, uint32_t nth)
{
    CHECK(nth < backlog_count(backlog));
    return (atomic_load_explicit(&backlog->taken, memory_order_relaxed) + nth) & backlog->mask;
}

void
backlog_forget(struct backlog *backlog, uint32_t items_count)
{
    const uint32_t taken = atomic_load_explicit(&backlog->taken, memory_order_relaxed);

    CHECK(items_count <= backlog_count(backlog));
    /* Release pairs with the acquire in backlog_reserve: the places were read before reuse. */
    atomic_store_explicit(&backlog->taken, taken + items_count, memory_order_release);
}
