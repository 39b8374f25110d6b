/*
 * cache.h - what a worker keeps of the territory and the policies between commits.
 *
 * A decision needs to know of a ZIP that it exists, of a category its rate and where it is
 * offered, and the policy of the slot: five B-tree descents, for rows that change once a month.
 * They are read again when the committer publishes a new catalogue version.
 */
#ifndef ZR_CACHE_H
#define ZR_CACHE_H

#include "server/base/arena.h"
#include "server/store/state.h"

enum { ZIP_BITMAP_WORDS = (ZIPS_COUNT + 63) / 64 };

struct cache {
    uint64_t version; /* Of the catalogue that it holds. */
    bool loaded;
    bool slot_policies; /* Some slot has its own: then it must be looked up. */
    bool suppresses;    /* So with callers that nobody is rung for. */
    uint16_t categories_count;
    bool category_policy[CATEGORIES_MAX];
    bool category_exists[CATEGORIES_MAX];
    struct category_row categories[CATEGORIES_MAX];
    struct policy_row network_policy;
    struct policy_row category_policies[CATEGORIES_MAX];
    uint64_t known[ZIP_BITMAP_WORDS];                   /* In the table. */
    uint64_t claimable[ZIP_BITMAP_WORDS];               /* And not marked as not offered. */
    uint64_t offered[CATEGORIES_MAX][ZIP_BITMAP_WORDS]; /* Of categories not everywhere. */
};

struct cache *cache_open(struct arena *arena);

/* Read everything again if `version` is another one. */
void cache_refresh(struct cache *cache, struct state *state, uint64_t version);

bool cache_zip_is_known(const struct cache *cache, uint32_t zip);
bool cache_is_offered(const struct cache *cache, uint32_t zip, uint16_t category);

/* The policy in force in a category where the slot has none of its own. */
void cache_policy(const struct cache *cache, uint16_t category, struct policy_row *policy);

#endif
