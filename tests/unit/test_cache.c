/*
 * test_cache.c - the territory and the policies that a worker keeps between commits.
 */
#include "server/handlers/cache.h"
#include "tests/unit/test_commit.h"

enum { EVERYWHERE = 1, ONLY = 2, WITHDRAWN = 3, UNKNOWN = 9, ZIP_BOX = 77588 };

static struct cache *cache;

static void
put_category(uint16_t category, bool offered, bool everywhere)
{
    const struct category_row row = {
        .rate_cents = RIG_RATE, .offered = offered, .everywhere = everywhere};

    state_category_put(&rig.executor.state, category, &row);
}

static void
put_policy(uint8_t scope, uint16_t category, uint32_t zip, uint32_t version)
{
    const struct policy_row row = {.version = version};

    state_policy_put(&rig.executor.state, (struct policy_key){scope, category, zip}, &row);
}

static int
setup(void **state)
{
    const struct zip_row box = {.claimable = 0, .state = "TX", .timezone = "US/Central"};

    if (rig_setup(state) != 0) {
        return -1;
    }
    state_zip_put(&rig.executor.state, ZIP_BOX, &box);
    state_zip_put(&rig.executor.state, ZR_ZIP_MAX, &box);
    put_category(EVERYWHERE, true, true);
    put_category(ONLY, true, false);
    put_category(WITHDRAWN, false, true);
    cache = cache_open(&rig.arena);
    return 0;
}

static int
teardown(void **state)
{
    rig_crash();
    return rig_teardown(state);
}

static void
test_cache_knows_the_zips_of_the_table(void **state)
{
    (void)state;
    cache_refresh(cache, &rig.executor.state, 1);
    assert_true(cache_zip_is_known(cache, RIG_ZIP));
    assert_true(cache_zip_is_known(cache, ZIP_BOX));
    assert_true(cache_zip_is_known(cache, ZR_ZIP_MAX));
    assert_false(cache_zip_is_known(cache, RIG_ZIP + 1));
    assert_false(cache_zip_is_known(cache, 0));
    assert_false(cache_zip_is_known(cache, ZR_ZIP_MAX + 1));
    assert_false(cache_zip_is_known(cache, UINT32_MAX));
}

/* R8, E29: claimable ZIPs only, categories that exist and are offered, everywhere or there. */
static void
test_cache_offers_what_the_catalogue_offers(void **state)
{
    (void)state;
    state_offered_put(&rig.executor.state, ONLY, ZIP_BOX);
    cache_refresh(cache, &rig.executor.state, 1);
    assert_true(cache_is_offered(cache, RIG_ZIP, EVERYWHERE));
    assert_false(cache_is_offered(cache, ZIP_BOX, EVERYWHERE));
    assert_false(cache_is_offered(cache, RIG_ZIP, ONLY));
    assert_false(cache_is_offered(cache, RIG_ZIP, WITHDRAWN));
    assert_false(cache_is_offered(cache, RIG_ZIP, UNKNOWN));
    assert_false(cache_is_offered(cache, RIG_ZIP, 0));
    assert_false(cache_is_offered(cache, RIG_ZIP, CATEGORIES_MAX));
    assert_false(cache_is_offered(cache, RIG_ZIP, UINT16_MAX));
    state_offered_put(&rig.executor.state, ONLY, RIG_ZIP);
    cache_refresh(cache, &rig.executor.state, 2);
    assert_true(cache_is_offered(cache, RIG_ZIP, ONLY));
}

/* The version is all that it looks at: reading 41,000 rows at each turn would cost too much. */
static void
test_cache_reads_again_when_the_version_changed(void **state)
{
    (void)state;
    cache_refresh(cache, &rig.executor.state, 7);
    put_category(EVERYWHERE, false, true);
    cache_refresh(cache, &rig.executor.state, 7);
    assert_true(cache_is_offered(cache, RIG_ZIP, EVERYWHERE));
    cache_refresh(cache, &rig.executor.state, 8);
    assert_false(cache_is_offered(cache, RIG_ZIP, EVERYWHERE));
    /* A first reading is one even at version 0, of a new database. */
    cache->loaded = false;
    cache_refresh(cache, &rig.executor.state, 0);
    assert_true(cache->loaded);
}

/* The narrowest record wins, whole; a slot of its own is only looked for when there is one. */
static void
test_cache_policy_is_of_the_category_or_the_network(void **state)
{
    struct policy_row policy;

    (void)state;
    cache_refresh(cache, &rig.executor.state, 1);
    cache_policy(cache, EVERYWHERE, &policy);
    assert_int_equal(policy.version, 0); /* The standard. */
    assert_false(cache->slot_policies);

    put_policy(ZR_SCOPE_NETWORK, 0, 0, 5);
    put_policy(ZR_SCOPE_CATEGORY, ONLY, 0, 6);
    cache_refresh(cache, &rig.executor.state, 2);
    cache_policy(cache, EVERYWHERE, &policy);
    assert_int_equal(policy.version, 5);
    cache_policy(cache, ONLY, &policy);
    assert_int_equal(policy.version, 6);
    assert_false(cache->slot_policies);

    put_policy(ZR_SCOPE_SLOT, ONLY, RIG_ZIP, 7);
    cache_refresh(cache, &rig.executor.state, 3);
    assert_true(cache->slot_policies);
    expect_assert_failure(cache_policy(cache, CATEGORIES_MAX, &policy));
}

int
main(void)
{
#define CACHE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_cache_knows_the_zips_of_the_table),
        CACHE_TEST(test_cache_offers_what_the_catalogue_offers),
        CACHE_TEST(test_cache_reads_again_when_the_version_changed),
        CACHE_TEST(test_cache_policy_is_of_the_category_or_the_network),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
