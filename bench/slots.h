/*
 * slots.h - which slot (ZIP, category) the next call is for.
 *
 * Two sources. By people: the ZIP by population (or uniformly), the category uniformly; most of
 * such slots have no claim, as on the map. From a list: slots that are known to be covered, each
 * drawn as often as people put it there. Measurements of ROUTE use the list, since a
 * NO_COVERAGE costs less than a ticket.
 */
#ifndef ZR_BENCH_SLOTS_H
#define ZR_BENCH_SLOTS_H

#include "bench/alias.h"
#include "bench/zips.h"

#include <stdbool.h>
#include <stdint.h>

enum { SLOTS_CATEGORIES_MAX = 256 };

struct slot_pick {
    uint32_t zip;
    uint16_t category; /* The server's number. */
};

struct slots {
    const struct zips *zips;
    struct alias by_people; /* Of count 0: ZIPs are drawn uniformly. */
    uint16_t categories[SLOTS_CATEGORIES_MAX];
    uint32_t categories_count;
    struct slot_pick *list; /* Owned; when list_count > 0 all draws come from here. */
    uint32_t list_count;
};

/* Draw over `zips`, which must outlive it. False: no memory, or nobody lives there. */
bool slots_init(struct slots *slots, const struct zips *zips, bool by_population);

void slots_deinit(struct slots *slots);

/* At least one category or list entry must be there. */
struct slot_pick slots_draw(const struct slots *slots, struct prng *prng);

/* Index into zips->places, by population or uniformly: for who needs more than the ZIP. */
uint32_t slots_draw_place(const struct slots *slots, struct prng *prng);

#endif
