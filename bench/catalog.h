/*
 * catalog.h - what the server has: its categories, and which slots are covered.
 */
#ifndef ZR_BENCH_CATALOG_H
#define ZR_BENCH_CATALOG_H

#include "bench/fault.h"
#include "bench/slots.h"

#include <stdbool.h>
#include <stdint.h>
#include <zipring.h>

struct catalog {
    struct zr_category_row rows[SLOTS_CATEGORIES_MAX];
    uint32_t count;
};

/* Every category, ascending by number; those past SLOTS_CATEGORIES_MAX are left out. Blocks. */
bool catalog_read(struct catalog *catalog, struct zr_client *client, struct fault *fault);

/* The row of that name, or NULL. */
const struct zr_category_row *catalog_find(const struct catalog *catalog, const char *name);

/*
 * Ask (ROUTE, a query) for many slots drawn from `slots` and keep as its list those that had a
 * candidate. The client's role must be one that may ROUTE. False: none had, or the transport.
 */
bool catalog_cover_slots(struct slots *slots, struct zr_client *client, uint64_t seed,
                         struct fault *fault);

#endif
