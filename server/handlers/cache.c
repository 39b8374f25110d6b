/*
 * cache.c - see cache.h.
 */
#include "server/handlers/cache.h"

#include "protocol/check.h"
#include "server/domain/policy.h"

#include <string.h>

enum { WORD_BITS = 64 };

struct cache *
cache_open(struct arena *arena)
{
    return arena_take(arena, sizeof(struct cache), "cache: territory and policies of a worker");
}

static void
bit_set(uint64_t *words, uint32_t bit)
{
    words[bit / WORD_BITS] |= UINT64_C(1) << bit % WORD_BITS;
}

static bool
bit_get(const uint64_t *words, uint32_t bit)
{
    return (words[bit / WORD_BITS] >> bit % WORD_BITS & 1) != 0;
}

static bool
load_zip(void *context, struct store_value key, struct store_value row)
{
    struct cache *cache = context;
    struct zip_row zip;
    uint64_t number;

    CHECK(row.bytes_count == sizeof zip);
    memcpy(&number, key.bytes, sizeof number);
    memcpy(&zip, row.bytes, sizeof zip);
    if (number <= ZR_ZIP_MAX) {
        bit_set(cache->known, (uint32_t)number);
        if (zip.claimable) {
            bit_set(cache->claimable, (uint32_t)number);
        }
    }
    return true;
}

static bool
load_offered(void *context, struct store_value key, struct store_value row)
{
    struct cache *cache = context;
    uint64_t number;

    (void)row;
    memcpy(&number, key.bytes, sizeof number);
    if (number >> 32 < CATEGORIES_MAX && (uint32_t)number <= ZR_ZIP_MAX) {
        bit_set(cache->offered[number >> 32], (uint32_t)number);
    }
    return true;
}

static bool
load_policy(void *context, struct store_value key, struct store_value row)
{
    struct cache *cache = context;
    uint64_t number;

    (void)row;
    memcpy(&number, key.bytes, sizeof number);
    cache->slot_policies = cache->slot_policies || number >> 40 == ZR_SCOPE_SLOT;
    return true;
}

void
cache_refresh(struct cache *cache, struct state *state, uint64_t version)
{
    if (cache->loaded && cache->version == version) {
        return;
    }
    memset(cache, 0, sizeof *cache);
    store_scan(state->view, TABLE_ZIP, load_zip, cache);
    store_scan(state->view, TABLE_OFFERED, load_offered, cache);
    store_scan(state->view, TABLE_POLICY, load_policy, cache);
    cache->suppresses = store_count(state->view, TABLE_SUPPRESS) > 0;
    (void)policy_for_slot(state, 0, 0, &cache->network_policy);
    for (unsigned i = 1; i < CATEGORIES_MAX; i++) {
        const uint16_t category = (uint16_t)i;
        const struct policy_key key = {ZR_SCOPE_CATEGORY, category, 0};

        cache->category_exists[i] = state_category_get(state, category, &cache->categories[i]);
        cache->categories_count += cache->category_exists[i];
        cache->category_policy[i] = state_policy_get(state, key, &cache->category_policies[i]);
    }
    cache->version = version;
    cache->loaded = true;
}

bool
cache_zip_is_known(const struct cache *cache, uint32_t zip)
{
    return zip <= ZR_ZIP_MAX && bit_get(cache->known, zip);
}

bool
cache_is_offered(const struct cache *cache, uint32_t zip, uint16_t category)
{
    if (category == 0 || category >= CATEGORIES_MAX || !cache->category_exists[category] ||
        !cache->categories[category].offered || !bit_get(cache->claimable, zip)) {
        return false;
    }
    return cache->categories[category].everywhere || bit_get(cache->offered[category], zip);
}

void
cache_policy(const struct cache *cache, uint16_t category, struct policy_row *policy)
{
    CHECK(category < CATEGORIES_MAX);
    *policy = cache->category_policy[category] ? cache->category_policies[category]
                                               : cache->network_policy;
}
