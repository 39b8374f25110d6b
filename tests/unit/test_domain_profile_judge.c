/*
 * test_domain_profile_judge.c - what a contractor's caps and filters say about a call (M3, R13,
 * R36, E26, E40), the pure part.
 */
#include "server/domain/eligibility.h"
#include "tests/lib/test.h"

#include <string.h>

enum { NOW = 1000000, RATE = 2000, TENANT = 7, OTHER_TENANT = 8 };

/* A profile without limits, and a call. */
struct scene {
    struct eligibility_profile profile;
    struct eligibility_load load;
    struct eligibility_call call;
};

static struct scene
scene_make(void)
{
    struct scene scene = {
        .profile = {.bits = PROFILE_CAPS | PROFILE_USAGE | PROFILE_FILTERS},
        .call = {.now_ms = NOW, .rate_cents = RATE, .tenant = TENANT, .caller_hash = 4711},
    };

    for (unsigned i = 0; i < CAP_WINDOWS * CAP_MEASURES; i++) {
        scene.profile.caps.limits[i / CAP_MEASURES][i % CAP_MEASURES] = -1;
    }
    for (unsigned i = 0; i < CAP_WINDOWS; i++) {
        scene.profile.usage.windows[i].end_ms = NOW + 1;
    }
    return scene;
}

static uint32_t
judge(const struct scene *scene)
{
    struct eligibility_digest digest;

    eligibility_digest_make(&digest, &scene->profile, scene->call.now_ms);
    return eligibility_judge_profile(&digest, &scene->profile, &scene->load, &scene->call);
}

/* R13: each of the twelve caps alone, at its last unit and past it. */
static void
test_each_cap_stops_at_its_limit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CAP_WINDOWS * CAP_MEASURES; i++) {
        struct scene scene = scene_make();
        struct usage_window *used = &scene.profile.usage.windows[i / CAP_MEASURES];
        int64_t *limit = &scene.profile.caps.limits[i / CAP_MEASURES][i % CAP_MEASURES];
        const bool spend = i % CAP_MEASURES == ZR_CAP_MEASURE_SPEND - 1;

        *limit = spend ? 5 * RATE : 5;
        used->calls = 4;
        used->connects = 4;
        used->spend_cents = 4 * RATE;
        assert_int_equal(judge(&scene), 0);
        used->calls = 5;
        used->connects = 5;
        used->spend_cents = 4 * RATE + 1; /* The next charge would pass it. */
        assert_int_equal(judge(&scene), REASON_CAP_REACHED);
        scene.call.now_ms = used->end_ms; /* E25: the window is over, nothing was used since. */
        assert_int_equal(judge(&scene), 0);
        *limit = 0;
        assert_int_equal(judge(&scene), REASON_CAP_REACHED);
    }
}

/* E26: what rings now counts as if it were connected and charged already. */
static void
test_leases_count_against_caps(void **state)
{
    struct scene scene = scene_make();

    (void)state;
    scene.profile.caps.limits[1][ZR_CAP_MEASURE_CONNECTS - 1] = 1;
    assert_int_equal(judge(&scene), 0);
    scene.load.leases = 1;
    assert_int_equal(judge(&scene), REASON_CAP_REACHED);
    scene = scene_make();
    scene.profile.caps.limits[2][ZR_CAP_MEASURE_SPEND - 1] = 2 * RATE - 1;
    assert_int_equal(judge(&scene), 0);
    scene.load.leased_cents = RATE;
    assert_int_equal(judge(&scene), REASON_CAP_REACHED);
    scene = scene_make();
    scene.profile.caps.limits[0][ZR_CAP_MEASURE_CALLS - 1] = 1;
    scene.load.leases = 1; /* A ring is counted as such, not by its lease. */
    assert_int_equal(judge(&scene), 0);
    scene.load.rings = 1;
    assert_int_equal(judge(&scene), REASON_CAP_REACHED);
}

/* M3 SPACING, COOLDOWN, DEST_DOWN: exclusive deadlines. */
static void
test_rests_end_at_their_instant(void **state)
{
    struct scene scene = scene_make();

    (void)state;
    scene.profile.caps.spacing_s = 60;
    assert_int_equal(judge(&scene), 0); /* It never rang. */
    scene.load.last_ring_ms = NOW - 59999;
    assert_int_equal(judge(&scene), REASON_SPACING);
    scene.load.last_ring_ms = NOW - 60000;
    assert_int_equal(judge(&scene), 0);
    scene.profile.usage.cooldown_until_ms = NOW + 1;
    scene.profile.usage.down_until_ms = NOW + 1;
    assert_int_equal(judge(&scene), REASON_COOLDOWN | REASON_DEST_DOWN);
    scene.call.now_ms = NOW + 1;
    assert_int_equal(judge(&scene), 0);
}

/* R69, M1: allow and deny lists of partners. */
static void
test_partner_lists(void **state)
{
    struct scene scene = scene_make();

    (void)state;
    scene.profile.filters.partners[0] = TENANT;
    scene.profile.filters.partners_count = 1;
    assert_int_equal(judge(&scene), 0); /* No rule: the list means nothing. */
    scene.profile.filters.partners_rule = 1;
    assert_int_equal(judge(&scene), 0);
    scene.call.tenant = OTHER_TENANT;
    assert_int_equal(judge(&scene), REASON_PARTNER_NOT_ALLOWED);
    scene.profile.filters.partners_rule = 2;
    assert_int_equal(judge(&scene), 0);
    scene.call.tenant = TENANT;
    assert_int_equal(judge(&scene), REASON_PARTNER_NOT_ALLOWED);
}

/* M3 CALLER_BLOCKED: by the caller's hash; a withheld number is on no list. */
static void
test_blocked_callers(void **state)
{
    struct scene scene = scene_make();

    (void)state;
    scene.profile.filters.blocked[FILTER_CALLERS_MAX - 1] = 4711;
    assert_int_equal(judge(&scene), REASON_CALLER_BLOCKED);
    scene.call.caller_hash = 4712;
    assert_int_equal(judge(&scene), 0);
    scene.call.caller_hash = 0;
    assert_int_equal(judge(&scene), 0);
}

/* Few callers and partners, so that they meet often; and callers that share their low bits. */
static uint64_t
draw_caller(uint64_t *seed)
{
    return test_random_below(seed, 4) << 16 | test_random_below(seed, 8);
}

static void
draw_lists(struct scene *scene, uint64_t *seed)
{
    struct filters_row *filters = &scene->profile.filters;

    *filters = (struct filters_row){
        .partners_rule = (uint8_t)test_random_below(seed, 3),
        .partners_count = (uint8_t)test_random_below(seed, FILTER_PARTNERS_MAX + 1),
    };
    for (uint8_t i = 0; i < filters->partners_count; i++) {
        filters->partners[i] = (uint32_t)test_random_below(seed, 12);
    }
    for (uint64_t i = test_random_below(seed, FILTER_CALLERS_MAX + 1); i > 0; i--) {
        filters->blocked[i - 1] = draw_caller(seed);
    }
    scene->call.tenant = (uint32_t)test_random_below(seed, 12);
    scene->call.caller_hash = draw_caller(seed);
}

/* What the lists say, read from the rows without any digest. */
static uint32_t
lists_say(const struct filters_row *filters, const struct eligibility_call *call)
{
    bool blocked = false;
    bool listed = false;

    for (int i = 0; i < FILTER_CALLERS_MAX; i++) {
        blocked = blocked || (call->caller_hash != 0 && filters->blocked[i] == call->caller_hash);
    }
    for (int i = 0; i < filters->partners_count; i++) {
        listed = listed || filters->partners[i] == call->tenant;
    }
    listed = filters->partners_rule == 2 ? !listed : listed;
    return (blocked ? REASON_CALLER_BLOCKED : 0) |
           (filters->partners_rule != 0 && !listed ? REASON_PARTNER_NOT_ALLOWED : 0);
}

/* M3 CALLER_BLOCKED, R69: the digest clears nobody whom the rows do not clear, and blocks nobody
 * on the strength of some bits. */
static void
test_digest_says_what_the_lists_say(void **state)
{
    struct scene scene = scene_make();
    uint64_t seed = test_seed();

    (void)state;
    for (int i = 0; i < 100000; i++) {
        draw_lists(&scene, &seed);
        assert_int_equal(judge(&scene), lists_say(&scene.profile.filters, &scene.call));
    }
}

/* E40: A, B or C "or better"; an unknown attestation is none. */
static void
test_attestation_or_better(void **state)
{
    (void)state;
    for (uint8_t least = 0; least <= 3; least++) {
        for (uint8_t given = 0; given <= 3; given++) {
            const bool good = least == 0 || (given >= 1 && given <= least);
            struct scene scene = scene_make();

            scene.profile.filters.attestation_min = least;
            scene.call.attestation = given;
            assert_int_equal(eligibility_is_attested(given, least), good);
            assert_int_equal(judge(&scene), good ? 0 : REASON_ATTESTATION);
        }
    }
}

/* Rows that the contractor has not are not looked at, whatever they hold. */
static void
test_missing_rows_say_nothing(void **state)
{
    struct scene scene;

    (void)state;
    memset(&scene, 0, sizeof scene);
    scene.call = (struct eligibility_call){.now_ms = NOW, .rate_cents = RATE};
    scene.profile.usage.cooldown_until_ms = NOW + 1;
    scene.profile.filters.attestation_min = 1;
    assert_int_equal(judge(&scene), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_cap_stops_at_its_limit),
        cmocka_unit_test(test_leases_count_against_caps),
        cmocka_unit_test(test_rests_end_at_their_instant),
        cmocka_unit_test(test_partner_lists),
        cmocka_unit_test(test_blocked_callers),
        cmocka_unit_test(test_digest_says_what_the_lists_say),
        cmocka_unit_test(test_attestation_or_better),
        cmocka_unit_test(test_missing_rows_say_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
