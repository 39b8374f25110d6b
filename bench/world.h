/*
 * world.h - the made-up network of the demo: trades, contractors, and the slots they claim.
 *
 * Deterministic from its seed and the ZIP table: who sits where, in which trades, how big, and
 * which ZIPs around the office it claims. Offices follow the population, so that cities have
 * many contractors for a slot and the country few, as a real network would.
 */
#ifndef ZR_BENCH_WORLD_H
#define ZR_BENCH_WORLD_H

#include "bench/fault.h"
#include "bench/slots.h"
#include "bench/zips.h"
#include "protocol/message.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TRADES_COUNT = 24,
    WORLD_CONTRACTORS_MAX = 100000,
    WORLD_CLAIM_ZIPS_MIN = 10,
    WORLD_CLAIM_ZIPS_MAX = 30,
    WORLD_TRADES_MAX = 3,  /* Per contractor. */
    WORLD_SLOTS_CLAIM = 64 /* Per CLAIM request: its limit. */
};

struct trade {
    const char *name; /* As a category: lower case and hyphens. */
    int64_t rate_cents;
    uint32_t weight; /* How often people need it, and contractors do it. */
};

extern const struct trade world_trades[TRADES_COUNT];

struct world_contractor {
    struct zr_id id;
    uint32_t number; /* The server's, once it said so. */
    uint32_t office; /* Index into places. */
    uint32_t first;  /* Its ZIPs: world->near[first .. first + zips_count - 1]. */
    uint32_t zips_count;
    int64_t topup_cents;
    uint64_t phone;
    uint8_t size_class; /* enum zr_size_class. */
    uint8_t trades_count;
    uint8_t trades[WORLD_TRADES_MAX];
    bool has_dispatch;
};

/* Slots of one CLAIM: the contractor's slots slot_first .. slot_first + slots_count - 1. */
struct world_batch {
    uint32_t contractor; /* Index. */
    uint32_t slot_first;
    uint32_t slots_count;
};

struct world {
    const struct zips *zips;
    bool *known; /* [place]: it is in the server's table and can be claimed. */
    uint16_t categories[TRADES_COUNT]; /* The server's number of each trade. */
    struct world_contractor *contractors;
    uint32_t contractors_count;
    uint32_t *near; /* Places, all contractors' one after the other. */
    uint32_t near_count;
    struct world_batch *batches;
    uint32_t batches_count;
    bool *covered; /* [place * TRADES_COUNT + trade]: a claim was accepted. */
};

/* Allocate for `contractors_count`; `zips` must outlive it. */
bool world_init(struct world *world, const struct zips *zips, uint32_t contractors_count,
                struct fault *fault);

void world_deinit(struct world *world);

struct world_plan {
    uint64_t seed;
    int64_t topup_cents; /* Of every wallet; 0 = mixed, some of them small. */
};

/* Decide everything, over the known ZIPs. False: none is known. */
bool world_plan(struct world *world, const struct world_plan *plan, struct fault *fault);

/* Place and trade of a contractor's slot number `slot`. */
void world_slot(const struct world *world, const struct world_contractor *contractor, uint32_t slot,
                uint32_t *place, uint8_t *trade);

/*
 * Fill `slots->list` with what people call for: ZIPs by population, trades by weight, covered
 * ones but for uncovered_bp in 10,000.
 */
bool world_list_calls(const struct world *world, struct slots *slots, uint64_t seed,
                      uint32_t uncovered_bp);

#endif
