/*
 * test_units.c - the set of (call, contractor) that talk: a set, with a lifetime (M3).
 */
#include "server/commit/units.h"
#include "tests/lib/test.h"

#include <string.h>

enum { UNITS_MAX = 8, ROUNDS = 200000, CALLS = 24, CONTRACTORS = 3, TTL_MS = 50 };

static struct arena arena;
static struct units *units;

static int
setup(void **state)
{
    (void)state;
    arena_init(&arena);
    units = units_open(&arena, UNITS_MAX);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static struct zr_id
ref(uint8_t number)
{
    return (struct zr_id){{number}};
}

/* A member of the long ttl, seen then. */
static bool
add(uint8_t call, uint32_t contractor, uint64_t seen_ms)
{
    const struct zr_id id = ref(call);

    return units_add(units, &id, contractor, UNIT_TTL_LONG, seen_ms);
}

static bool
add_as(uint8_t call, uint32_t contractor, enum unit_ttl ttl, uint64_t seen_ms)
{
    const struct zr_id id = ref(call);

    return units_add(units, &id, contractor, ttl, seen_ms);
}

static void
see(uint8_t call, uint32_t contractor, uint64_t seen_ms)
{
    const struct zr_id id = ref(call);

    units_seen(units, &id, contractor, seen_ms);
}

/* By an offset from UNIT_TTL_LONG_MS: what was seen at n ends at n. */
static uint32_t
expire(uint64_t offset_ms)
{
    return units_expire(units, UNIT_TTL_LONG_MS + offset_ms);
}

static bool
take_out(uint8_t call, uint32_t contractor)
{
    const struct zr_id id = ref(call);

    return units_remove(units, &id, contractor);
}

/* A repeated CONNECT counts once, a repeated END frees once. */
static void
test_units_are_a_set_and_no_counter(void **state)
{
    (void)state;
    assert_true(add(1, 7, 100));
    assert_false(add(1, 7, 100));
    assert_true(add(1, 8, 100));
    assert_true(add(2, 7, 100));
    assert_true(take_out(1, 7));
    assert_false(take_out(1, 7));
    assert_true(add(1, 7, 100));
    assert_false(take_out(3, 7));
}

/* A lost END mutes nobody for longer than the ttl. */
static void
test_units_end_when_their_time_is_over(void **state)
{
    (void)state;
    assert_true(add(1, 7, 100));
    assert_true(add(2, 8, 101));
    assert_int_equal(expire(99), 0);
    assert_int_equal(expire(100), 7);
    assert_int_equal(expire(100), 0);
    assert_false(take_out(1, 7));
    assert_int_equal(expire(1000000), 8);
    assert_int_equal(expire(1000000), 0);
}

static void
test_units_that_ended_early_do_not_expire(void **state)
{
    (void)state;
    assert_true(add(1, 7, 100));
    assert_true(add(2, 8, 101));
    assert_true(add(3, 9, 102));
    assert_true(take_out(2, 8));
    assert_true(take_out(1, 7));
    assert_int_equal(expire(1000), 9);
    assert_int_equal(expire(1000), 0);
}

static void
test_units_refuse_one_too_many(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < UNITS_MAX; i++) {
        assert_true(add(i, 7, 100));
    }
    assert_false(add(UNITS_MAX, 7, 100));
    assert_true(take_out(3, 7));
    assert_true(add(UNITS_MAX, 7, 100));
    assert_false(add(UNITS_MAX + 1, 7, 100));
}

/* Room is for calls that talk, not for calls that talked: a long one must not hold the others'. */
static void
test_units_ended_calls_take_no_room(void **state)
{
    (void)state;
    assert_true(add(0, 9, 1000));
    for (int round = 0; round < 100; round++) {
        for (uint8_t i = 1; i < UNITS_MAX; i++) {
            assert_true(add(i, 7, 1000));
        }
        for (uint8_t i = 1; i < UNITS_MAX; i++) {
            assert_true(take_out(i, 7));
        }
    }
    assert_true(take_out(0, 9));
    assert_int_equal(expire(2000), 0);
}

/* M3: 5 min where KEEPALIVE was negotiated, else 30; the two do not wait for each other. */
static void
test_units_of_two_ttls_end_each_in_its_time(void **state)
{
    (void)state;
    assert_true(add_as(1, 7, UNIT_TTL_LONG, 0));
    assert_true(add_as(2, 8, UNIT_TTL_SHORT, 10));
    assert_true(add_as(3, 9, UNIT_TTL_SHORT, 20));
    assert_int_equal(units_expire(units, UNIT_TTL_SHORT_MS + 9), 0);
    assert_int_equal(units_expire(units, UNIT_TTL_SHORT_MS + 10), 8);
    assert_int_equal(units_expire(units, UNIT_TTL_SHORT_MS + 10), 0);
    assert_int_equal(units_expire(units, UNIT_TTL_LONG_MS - 1), 9);
    assert_int_equal(units_expire(units, UNIT_TTL_LONG_MS - 1), 0);
    assert_int_equal(units_expire(units, UNIT_TTL_LONG_MS), 7);
}

/* A sign of life starts the ttl again; of who is no member it means nothing. */
static void
test_units_seen_live_on(void **state)
{
    (void)state;
    assert_true(add_as(1, 7, UNIT_TTL_SHORT, 0));
    assert_true(add_as(2, 8, UNIT_TTL_SHORT, 1));
    see(1, 7, 100);
    see(3, 7, 100);
    assert_int_equal(units_expire(units, UNIT_TTL_SHORT_MS), 0);
    assert_int_equal(units_expire(units, UNIT_TTL_SHORT_MS + 1), 8);
    assert_int_equal(units_expire(units, UNIT_TTL_SHORT_MS + 99), 0);
    assert_int_equal(units_expire(units, UNIT_TTL_SHORT_MS + 100), 7);
}

/* Recovery finds calls in the order of their issue, which is not that of their last sign. */
static void
test_units_sorted_end_in_their_order(void **state)
{
    static const uint64_t seen_ms[] = {5, 3, 9, 3, 7, 1, 8};
    uint64_t random = test_seed();
    uint64_t left = sizeof seen_ms / sizeof seen_ms[0];

    (void)state;
    for (uint8_t i = 0; i < left; i++) {
        const bool is_short = test_random_below(&random, 2) == 0;

        assert_true(add_as(i, 7, is_short ? UNIT_TTL_SHORT : UNIT_TTL_LONG,
                           seen_ms[i] + (is_short ? UNIT_TTL_LONG_MS - UNIT_TTL_SHORT_MS : 0)));
    }
    units_sort(units);
    for (uint64_t now_ms = 0; now_ms < 10; now_ms++) {
        uint64_t due = 0;

        for (size_t i = 0; i < sizeof seen_ms / sizeof seen_ms[0]; i++) {
            due += seen_ms[i] > now_ms;
        }
        for (; left > due; left--) {
            assert_int_equal(expire(now_ms), 7);
        }
        assert_int_equal(expire(now_ms), 0);
    }
    assert_true(add(1, 7, 10));
    assert_int_equal(expire(10), 7);
}

/* Against a plain table of expiry times, by random adds, ends and clock steps. */
static void
test_units_do_what_a_plain_table_does(void **state)
{
    static uint64_t expires[CALLS][CONTRACTORS]; /* 0 = no member. */
    uint64_t random = test_seed();
    uint64_t now_ms = 1;
    int members = 0;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const uint8_t call = (uint8_t)test_random_below(&random, CALLS);
        const uint32_t contractor = (uint32_t)test_random_below(&random, CONTRACTORS);
        uint64_t *known = &expires[call][contractor];

        if (test_random_below(&random, 2) == 0) {
            const bool added = add(call, contractor + 1, now_ms + TTL_MS);

            assert_int_equal(added, *known == 0 && members < UNITS_MAX);
            *known = added ? now_ms + TTL_MS : *known;
            members += added;
        } else {
            assert_int_equal(take_out(call, contractor + 1), *known != 0);
            members -= *known != 0;
            *known = 0;
        }
        now_ms += test_random_below(&random, 4);
        for (uint32_t ended; (ended = expire(now_ms)) != 0; members--) {
            uint8_t c = 0;

            while (expires[c][ended - 1] == 0 || expires[c][ended - 1] > now_ms) {
                assert_true(++c < CALLS);
            }
            expires[c][ended - 1] = 0;
        }
        for (int c = 0; c < CALLS * CONTRACTORS; c++) {
            const uint64_t left = expires[c / CONTRACTORS][c % CONTRACTORS];

            assert_true(left == 0 || left > now_ms);
        }
    }
}

int
main(void)
{
#define UNITS_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        UNITS_TEST(test_units_are_a_set_and_no_counter),
        UNITS_TEST(test_units_end_when_their_time_is_over),
        UNITS_TEST(test_units_that_ended_early_do_not_expire),
        UNITS_TEST(test_units_refuse_one_too_many),
        UNITS_TEST(test_units_ended_calls_take_no_room),
        UNITS_TEST(test_units_of_two_ttls_end_each_in_its_time),
        UNITS_TEST(test_units_seen_live_on),
        UNITS_TEST(test_units_sorted_end_in_their_order),
        UNITS_TEST(test_units_do_what_a_plain_table_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
