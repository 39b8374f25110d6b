/*
 * slots.c - see slots.h.
 */
#include "bench/slots.h"

#include "protocol/check.h"

#include <stddef.h>
#include <stdlib.h>

bool
slots_init(struct slots *slots, const struct zips *zips, bool by_population)
{
    double *weights;
    bool built;

    CHECK(slots != NULL);
    CHECK(zips->count > 0);
    *slots = (struct slots){.zips = zips};
    if (!by_population) {
        return true;
    }
    weights = calloc(zips->count, sizeof *weights);
    if (weights == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < zips->count; i++) {
        weights[i] = (double)zips->places[i].population;
    }
    built = alias_init(&slots->by_people, weights, zips->count);
    free(weights);
    return built;
}

void
slots_deinit(struct slots *slots)
{
    CHECK(slots != NULL);
    alias_deinit(&slots->by_people);
    free(slots->list);
    slots->list = NULL;
    slots->list_count = 0;
}

uint32_t
slots_draw_place(const struct slots *slots, struct prng *prng)
{
    if (slots->by_people.count == 0) {
        return prng_below(prng, slots->zips->count);
    }
    return alias_draw(&slots->by_people, prng);
}

struct slot_pick
slots_draw(const struct slots *slots, struct prng *prng)
{
    struct slot_pick pick;

    if (slots->list_count > 0) {
        return slots->list[prng_below(prng, slots->list_count)];
    }
    CHECK(slots->categories_count > 0);
    CHECK(slots->categories_count <= SLOTS_CATEGORIES_MAX);
    pick.zip = slots->zips->places[slots_draw_place(slots, prng)].zip;
    pick.category = slots->categories[prng_below(prng, slots->categories_count)];
    return pick;
}
