/*
 * clocks.h - the log clock of the world, for cases that name an instant instead of a distance.
 */
#ifndef ZR_TEST_CLOCKS_H
#define ZR_TEST_CLOCKS_H

#include "tests/integration/cases.h"

static inline uint64_t
now_ms(void)
{
    return world_advance(&world, 0);
}

/* Move to that instant. */
static inline void
move_to(uint64_t at_ms)
{
    const uint64_t now = now_ms();

    assert_true(at_ms >= now);
    (void)world_advance(&world, at_ms - now);
}

#endif
