/*
 * clock.c - see clock.h.
 */
#include "server/base/clock.h"

#include "protocol/check.h"

#include <stddef.h>
#include <time.h>

static uint64_t
read_ns(clockid_t id)
{
    struct timespec now;

    CHECK(clock_gettime(id, &now) == 0);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t
clock_monotonic_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

void
clock_init(struct clock *clock, bool manual, uint64_t log_ms)
{
    CHECK(clock != NULL);
    clock->manual = manual;
    clock->base_us = read_ns(CLOCK_REALTIME) / 1000;
    /* Log time never runs back. A manual clock goes on exactly where its log stopped, or a
     * restart would move time by itself. */
    if (clock->base_us < log_ms * 1000 || (manual && log_ms != 0)) {
        clock->base_us = log_ms * 1000;
    }
    clock->base_monotonic_ns = clock_monotonic_ns();
    atomic_init(&clock->advanced_us, 0);
}

uint64_t
clock_now_us(const struct clock *clock)
{
    if (clock->manual) {
        /* Pairs with the release in clock_advance_ms: a reply sent after it sees the new time. */
        return clock->base_us + atomic_load_explicit(&clock->advanced_us, memory_order_acquire);
    }
    return clock->base_us + (clock_monotonic_ns() - clock->base_monotonic_ns) / 1000;
}

uint64_t
clock_now_ms(const struct clock *clock)
{
    return clock_now_us(clock) / 1000;
}

void
clock_advance_ms(struct clock *clock, uint64_t advance_ms)
{
    CHECK(clock->manual);
    (void)atomic_fetch_add_explicit(&clock->advanced_us, advance_ms * 1000, memory_order_release);
}
