/*
 * test_hot.c - the hot line of a contractor: judged and leased in one step (M3).
 */
#include "server/commit/hot.h"
#include "tests/lib/test.h"

#include <pthread.h>

enum { CONTRACTORS_MAX = 16, TRUCK = 3, RATE = 2000, TAKES = 100000, CONCURRENCY = 5 };
enum { UNITS_MANY = UINT16_MAX + 1 };

static struct arena arena;
static struct hot *hot;

static const struct eligibility_call question = {.now_ms = 1000, .rate_cents = RATE};

/* What the committer would publish of an approved contractor. */
static struct hot_change
change_of(uint16_t concurrency, int64_t available_cents)
{
    return (struct hot_change){
        .contractor = TRUCK,
        .with_rows = true,
        .rows = {.phone = 12815550100,
                 .available_cents = available_cents,
                 .rate_max_cents = RATE,
                 .max_concurrency = concurrency,
                 .status = ZR_CONTRACTOR_APPROVED},
    };
}

static int
setup(void **state)
{
    (void)state;
    arena_init(&arena);
    hot = hot_open(&arena, CONTRACTORS_MAX);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static struct eligibility_contractor
look(void)
{
    struct eligibility_contractor known;

    hot_look(hot, TRUCK, &known);
    return known;
}

static void
test_hot_unknown_contractor_is_not_approved(void **state)
{
    uint32_t reasons = 0;

    (void)state;
    assert_false(hot_lease_take(hot, TRUCK, &question, &reasons));
    assert_int_not_equal(reasons, 0);
    assert_int_equal(hot_leases_count(hot), 0);
}

/* A surge must not offer one truck to ten calls. */
static void
test_hot_one_truck_is_leased_once(void **state)
{
    const struct hot_change change = change_of(1, 100 * RATE);
    uint32_t reasons;

    (void)state;
    hot_publish(hot, &change);
    assert_true(hot_lease_take(hot, TRUCK, &question, &reasons));
    assert_false(hot_lease_take(hot, TRUCK, &question, &reasons));
    assert_int_equal(reasons, REASON_AT_CONCURRENCY);
    assert_int_equal(look().leases, 1);
    assert_int_equal(look().leased_cents, RATE);
    hot_lease_give(hot, TRUCK, RATE);
    assert_int_equal(hot_leases_count(hot), 0);
    assert_true(hot_lease_take(hot, TRUCK, &question, &reasons));
}

/* Money that rings is not offered again: two calls for the money of one. */
static void
test_hot_leased_money_is_not_offered_twice(void **state)
{
    const struct hot_change change = change_of(10, RATE + RATE / 2);
    uint32_t reasons;

    (void)state;
    hot_publish(hot, &change);
    assert_true(hot_lease_take(hot, TRUCK, &question, &reasons));
    assert_false(hot_lease_take(hot, TRUCK, &question, &reasons));
    assert_int_equal(reasons, REASON_NO_FUNDS);
}

/* A CONNECT turns its lease into a unit in one step: the truck is never free in between. */
static void
test_hot_connect_turns_a_lease_into_a_unit(void **state)
{
    struct hot_change change = change_of(1, 100 * RATE);
    uint32_t reasons;

    (void)state;
    hot_publish(hot, &change);
    assert_true(hot_lease_take(hot, TRUCK, &question, &reasons));
    change.units = 1;
    change.leases = 1;
    change.lease_cents = RATE;
    hot_publish(hot, &change);
    assert_int_equal(look().units, 1);
    assert_int_equal(look().leases, 0);
    assert_int_equal(look().leased_cents, 0);
    assert_false(hot_lease_take(hot, TRUCK, &question, &reasons));
    assert_int_equal(reasons, REASON_AT_CONCURRENCY);
    change = (struct hot_change){.contractor = TRUCK, .units = -1};
    hot_publish(hot, &change);
    assert_int_equal(look().available_cents, 100 * RATE); /* No rows in it: they stay. */
    assert_true(hot_lease_take(hot, TRUCK, &question, &reasons));
}

/* CONNECT by a valid ticket asks for no concurrency (M3): whoever kept tickets for one truck
 * connects them all, and that many units are counted, not the end of the server. */
static void
test_hot_counts_more_units_than_16_bits(void **state)
{
    struct hot_change change = change_of(1, 100 * RATE);
    uint32_t reasons;

    (void)state;
    change.units = UNITS_MANY;
    hot_publish(hot, &change);
    assert_int_equal(look().units, UNITS_MANY);
    assert_false(hot_lease_take(hot, TRUCK, &question, &reasons));
    assert_int_equal(reasons, REASON_AT_CONCURRENCY);
    change = (struct hot_change){.contractor = TRUCK, .units = -UNITS_MANY};
    hot_publish(hot, &change);
    assert_int_equal(look().units, 0);
    assert_true(hot_lease_take(hot, TRUCK, &question, &reasons));
}

static void
test_hot_checks_what_cannot_be(void **state)
{
    const struct hot_change change = {.contractor = TRUCK, .units = -1};
    struct eligibility_contractor known;

    (void)state;
    expect_assert_failure(hot_look(hot, CONTRACTORS_MAX, &known));
    expect_assert_failure(hot_lease_give(hot, TRUCK, RATE));
    (void)teardown(NULL);
    (void)setup(NULL);
    expect_assert_failure(hot_publish(hot, &change));
}

/* ---- two threads ------------------------------------------------------------------------- */

/* The committer's side: rows come and go, and each connected lease ends again. */
static void *
publish_all(void *context)
{
    (void)context;
    for (int i = 0; i < TAKES; i++) {
        struct hot_change change = change_of(CONCURRENCY, 100 * RATE);

        change.units = i % 2 == 0 ? 1 : -1;
        hot_publish(hot, &change);
    }
    return NULL;
}

/* Judged under the lock, units and leases together never pass the limit. */
static void
test_hot_never_passes_concurrency_between_two_threads(void **state)
{
    const struct hot_change first = change_of(CONCURRENCY, 100 * RATE);
    pthread_t committer;
    int held = 0;

    (void)state;
    hot_publish(hot, &first);
    assert_int_equal(pthread_create(&committer, NULL, publish_all, NULL), 0);
    for (int i = 0; i < TAKES; i++) {
        struct eligibility_contractor known;
        uint32_t reasons;

        if (hot_lease_take(hot, TRUCK, &question, &reasons)) {
            held++;
        } else if (held > 0) {
            hot_lease_give(hot, TRUCK, RATE);
            held--;
        }
        known = look();
        assert_int_equal(known.leases, held);
        assert_int_equal(known.leased_cents, held * RATE);
        assert_true(known.leases <= CONCURRENCY);
        assert_true(known.units <= 1);
    }
    assert_int_equal(pthread_join(committer, NULL), 0);
    assert_int_equal(look().units, 0);
    assert_int_equal(hot_leases_count(hot), held);
}

int
main(void)
{
#define HOT_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        HOT_TEST(test_hot_unknown_contractor_is_not_approved),
        HOT_TEST(test_hot_one_truck_is_leased_once),
        HOT_TEST(test_hot_leased_money_is_not_offered_twice),
        HOT_TEST(test_hot_connect_turns_a_lease_into_a_unit),
        HOT_TEST(test_hot_counts_more_units_than_16_bits),
        HOT_TEST(test_hot_checks_what_cannot_be),
        HOT_TEST(test_hot_never_passes_concurrency_between_two_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
