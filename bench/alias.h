/*
 * alias.h - draw from a weighted list in constant time (Walker's alias method, built by Vose's).
 *
 * Half of all people live in a ninth of the ZIPs, so load is drawn by population and never
 * uniformly. Prefix sums would need 15 steps per draw over 33,787 ZIPs; this needs one.
 */
#ifndef ZR_BENCH_ALIAS_H
#define ZR_BENCH_ALIAS_H

#include "bench/prng.h"

#include <stdbool.h>
#include <stdint.h>

struct alias {
    uint64_t *keep;  /* Column i keeps a draw when its coin is below keep[i], of 2^32. */
    uint32_t *other; /* Otherwise this index is drawn. */
    uint32_t count;
};

/*
 * Build from `count` weights >= 0, at least one of them above 0; an index of weight 0 is never
 * drawn. False: no memory, or no weight above 0. Free with alias_deinit().
 */
bool alias_init(struct alias *alias, const double *weights, uint32_t count);

void alias_deinit(struct alias *alias);

uint32_t alias_draw(const struct alias *alias, struct prng *prng);

#endif
