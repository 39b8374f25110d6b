/*
 * test_calls.c - what a worker remembers of calls that ring: bounded, and on the log clock.
 */
#include "server/handlers/calls.h"
#include "tests/lib/test.h"

#include <string.h>

enum {
    CALLS_MAX = 6,
    TENANT = 2,
    TRUCK = 3,
    RATE = 2000,
    ROUNDS = 40000,
    IDS = 12,
    LATE_MS = 5200
};
#define START_MS UINT64_C(1700000000000)
#define DAY_MS   UINT64_C(86400000)

static struct arena arena;
static struct hot *hot;
static struct calls *calls;

static const struct eligibility_call question = {.now_ms = START_MS, .rate_cents = RATE};

static int
setup(void **state)
{
    const struct hot_change change = {
        .contractor = TRUCK,
        .with_rows = true,
        .rows = {.phone = 1,
                 .available_cents = INT64_C(1000000) * RATE,
                 .rate_max_cents = RATE,
                 .max_concurrency = 1000,
                 .status = ZR_CONTRACTOR_APPROVED},
    };

    (void)state;
    arena_init(&arena);
    hot = hot_open(&arena, 16);
    hot_publish(hot, &change);
    calls = calls_open(&arena, hot, CALLS_MAX);
    calls_tick(calls, START_MS);
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
id_of(uint8_t number)
{
    return (struct zr_id){{number, 1}};
}

static struct remembered_call *
find(uint8_t number)
{
    const struct zr_id id = id_of(number);

    return calls_find(calls, TENANT, &id);
}

/* A call that rings from now on, its ticket good until then. */
static struct remembered_call *
add(uint8_t number, uint64_t now_ms, uint64_t expires_ms)
{
    const struct zr_id id = id_of(number);
    struct remembered_call *call = calls_add(calls, TENANT, &id, now_ms);

    if (call != NULL) {
        call->state = REMEMBERED_RINGING;
        call->expires_ms = expires_ms;
    }
    return call;
}

static void
lease(struct remembered_call *call, uint64_t expires_ms)
{
    uint32_t reasons;

    assert_true(hot_lease_take(hot, TRUCK, &question, &reasons));
    calls_set_lease(calls, call, TRUCK, RATE, expires_ms);
}

static uint16_t
leases(void)
{
    struct eligibility_contractor known;

    hot_look(hot, TRUCK, &known);
    return (uint16_t)known.leases;
}

static void
test_calls_are_found_by_tenant_and_id(void **state)
{
    const struct zr_id id = id_of(1);
    struct remembered_call *call = add(1, START_MS, START_MS + 1000);

    (void)state;
    assert_ptr_equal(find(1), call);
    assert_null(find(2));
    assert_null(calls_find(calls, TENANT + 1, &id));
    expect_assert_failure((void)calls_add(calls, TENANT, &id, START_MS));
    assert_non_null(calls_add(calls, TENANT + 1, &id, START_MS));
    assert_int_equal(calls_count(calls), 2);
}

/* M1: contractors know a call by its call_ref. It may get another one (a ticket of before a
 * restart); a call that is forgotten is not found by either. */
static void
test_calls_are_found_by_their_name(void **state)
{
    const struct zr_id names[] = {{{9}}, {{8}}};
    struct remembered_call *first = add(1, START_MS, START_MS + 1000);
    struct remembered_call *second = add(2, START_MS, START_MS + 900000);

    (void)state;
    assert_null(calls_find_ref(calls, &names[0]));
    calls_name(calls, first, &names[0]);
    calls_name(calls, first, &names[0]);
    calls_name(calls, second, &names[1]);
    assert_ptr_equal(calls_find_ref(calls, &names[0]), first);
    assert_ptr_equal(calls_find_ref(calls, &names[1]), second);
    calls_tick(calls, START_MS + 1000 + CALL_FORGET_AFTER_MS + LATE_MS);
    assert_null(find(1));
    assert_null(calls_find_ref(calls, &names[0]));
    calls_name(calls, second, &names[0]);
    assert_ptr_equal(calls_find_ref(calls, &names[0]), second);
    assert_null(calls_find_ref(calls, &names[1]));
}

/* Full is an answer; what was forgotten makes room, again and again. */
static void
test_calls_full_pool_refuses_and_reuses_its_slots(void **state)
{
    uint64_t now_ms = START_MS;

    (void)state;
    for (int round = 0; round < 5; round++) {
        for (uint8_t i = 0; i < CALLS_MAX; i++) {
            assert_non_null(add(i, now_ms, now_ms + 1000));
        }
        assert_null(add(CALLS_MAX, now_ms, now_ms + 1000));
        assert_int_equal(calls_count(calls), CALLS_MAX);
        now_ms += 1000 + CALL_FORGET_AFTER_MS + LATE_MS;
        calls_tick(calls, now_ms);
        assert_int_equal(calls_count(calls), 0);
    }
}

static void
test_calls_are_forgotten_a_while_after_their_ticket(void **state)
{
    (void)state;
    (void)add(1, START_MS, START_MS + 1000);
    calls_tick(calls, START_MS + 1000 + CALL_FORGET_AFTER_MS - 1);
    assert_non_null(find(1));
    calls_tick(calls, START_MS + 1000 + CALL_FORGET_AFTER_MS + LATE_MS);
    assert_null(find(1));
}

/* A newer ticket keeps the call; its old place in the wheel does not end it. */
static void
test_calls_live_as_long_as_their_newest_ticket(void **state)
{
    struct remembered_call *call = add(1, START_MS, START_MS + 1000);

    (void)state;
    calls_tick(calls, START_MS + 30000);
    call->expires_ms = START_MS + 600000;
    for (uint64_t t = START_MS + 30000; t < START_MS + 600000; t += 777) {
        calls_tick(calls, t);
        assert_ptr_equal(find(1), call);
    }
}

static void
test_lease_is_given_back_when_its_time_is_over(void **state)
{
    struct remembered_call *call = add(1, START_MS, START_MS + 180000);

    (void)state;
    lease(call, START_MS + 25000);
    for (uint64_t t = START_MS; t < START_MS + 25000; t += 100) {
        calls_tick(calls, t);
        assert_int_equal(leases(), 1);
    }
    calls_tick(calls, START_MS + 25200);
    assert_int_equal(leases(), 0);
    assert_int_equal(call->lease_contractor, 0);
    assert_non_null(find(1));
}

/* ROUTE_NEXT after the first lease had ended: the second one's time is looked at, too. */
static void
test_later_lease_of_a_call_ends_at_its_own_time(void **state)
{
    struct remembered_call *call = add(1, START_MS, START_MS + 300000);

    (void)state;
    lease(call, START_MS + 25000);
    calls_tick(calls, START_MS + 40000);
    assert_int_equal(leases(), 0);
    lease(call, START_MS + 65000);
    calls_tick(calls, START_MS + 64999);
    assert_int_equal(leases(), 1);
    calls_tick(calls, START_MS + 65000 + LATE_MS);
    assert_int_equal(leases(), 0);
}

/* M3, E47: a call that talked rings again; the lease that it takes then ends at its own time. */
static void
test_lease_of_a_call_that_talked_before_ends_at_its_own_time(void **state)
{
    struct remembered_call *call = add(1, START_MS, START_MS + 300000);

    (void)state;
    call->state = REMEMBERED_CONNECTED;
    calls_tick(calls, START_MS + 40000);
    call->state = REMEMBERED_RINGING;
    lease(call, START_MS + 65000);
    for (uint64_t now_ms = START_MS + 40100; now_ms < START_MS + 65000; now_ms += 100) {
        calls_tick(calls, now_ms);
        assert_int_equal(leases(), 1);
    }
    calls_tick(calls, START_MS + 65000 + LATE_MS);
    assert_int_equal(leases(), 0);
}

/* One lease a call: the one before it is given back, and a job may take it along. */
static void
test_call_has_one_lease(void **state)
{
    struct remembered_call *call = add(1, START_MS, START_MS + 180000);
    uint32_t contractor;
    int64_t cents;

    (void)state;
    lease(call, START_MS + 25000);
    lease(call, START_MS + 25000);
    assert_int_equal(leases(), 1);
    calls_hand_over_lease(call, &contractor, &cents);
    assert_int_equal(contractor, TRUCK);
    assert_int_equal(cents, RATE);
    assert_int_equal(leases(), 1);
    calls_set_lease(calls, call, 0, 0, 0);
    assert_int_equal(leases(), 1);
    hot_lease_give(hot, contractor, cents);
    assert_int_equal(leases(), 0);
}

/* Tests move the clock by days; the wheel has seven minutes. One turn sees everything. */
static void
test_calls_clock_jumps_lose_nothing(void **state)
{
    static const uint64_t jumps[] = {1,          99,         100,         409500,
                                     409600,     409700,     DAY_MS,      30 * DAY_MS,
                                     DAY_MS - 1, 2 * 409600, 366 * DAY_MS};
    uint64_t now_ms = START_MS;

    (void)state;
    for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
        for (uint8_t n = 0; n < CALLS_MAX; n++) {
            lease(add(n, now_ms, now_ms + n * 100000u), now_ms + n * 1000u);
        }
        now_ms += jumps[i];
        calls_tick(calls, now_ms);
        for (uint8_t n = 0; n < CALLS_MAX; n++) {
            const struct remembered_call *call = find(n);

            if (jumps[i] < n * 1000u) {
                assert_int_equal(call->lease_contractor, TRUCK);
            } else if (jumps[i] >= n * 1000u + LATE_MS && call != NULL) {
                assert_int_equal(call->lease_contractor, 0);
            }
        }
        now_ms += DAY_MS;
        calls_tick(calls, now_ms);
        assert_int_equal(calls_count(calls), 0);
        assert_int_equal(leases(), 0);
    }
}

/* Time that stands, or that a restart set back: nothing ends early. */
static void
test_calls_tick_ignores_a_clock_that_stands(void **state)
{
    (void)state;
    lease(add(1, START_MS, START_MS + 1000), START_MS + 1000);
    calls_tick(calls, START_MS);
    calls_tick(calls, START_MS - DAY_MS);
    assert_int_equal(leases(), 1);
    assert_non_null(find(1));
}

/* Random calls, leases, hand-overs and steps: leases out are exactly those that calls hold, none
 * is later than its time by more than the slack, and the pool never loses a slot. */
static void
test_calls_never_lose_a_lease_or_a_slot(void **state)
{
    uint64_t random = test_seed();
    uint64_t now_ms = START_MS;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const uint8_t number = (uint8_t)test_random_below(&random, IDS);
        struct remembered_call *call = find(number);
        unsigned held = 0;
        unsigned count = 0;

        if (call == NULL) {
            call = add(number, now_ms, now_ms + test_random_below(&random, 200000));
            assert_true(call != NULL || calls_count(calls) == CALLS_MAX);
            if (call != NULL) {
                calls_name(calls, call, &(struct zr_id){{number, 2}});
            }
        } else if (test_random_below(&random, 2) == 0) {
            lease(call, now_ms + test_random_below(&random, 60000));
        }
        now_ms += test_random_below(&random, 30) == 0 ? test_random_below(&random, DAY_MS)
                                                      : test_random_below(&random, 3000);
        calls_tick(calls, now_ms);
        for (uint8_t n = 0; n < IDS; n++) {
            call = find(n);
            count += call != NULL;
            assert_ptr_equal(calls_find_ref(calls, &(struct zr_id){{n, 2}}), call);
            held += call != NULL && call->lease_contractor != 0;
            assert_true(call == NULL || call->lease_contractor == 0 ||
                        now_ms < call->lease_expires_ms + LATE_MS);
        }
        assert_int_equal(count, calls_count(calls));
        assert_int_equal(held, leases());
    }
}

int
main(void)
{
#define CALLS_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CALLS_TEST(test_calls_are_found_by_tenant_and_id),
        CALLS_TEST(test_calls_are_found_by_their_name),
        CALLS_TEST(test_calls_full_pool_refuses_and_reuses_its_slots),
        CALLS_TEST(test_calls_are_forgotten_a_while_after_their_ticket),
        CALLS_TEST(test_calls_live_as_long_as_their_newest_ticket),
        CALLS_TEST(test_lease_is_given_back_when_its_time_is_over),
        CALLS_TEST(test_later_lease_of_a_call_ends_at_its_own_time),
        CALLS_TEST(test_lease_of_a_call_that_talked_before_ends_at_its_own_time),
        CALLS_TEST(test_call_has_one_lease),
        CALLS_TEST(test_calls_clock_jumps_lose_nothing),
        CALLS_TEST(test_calls_tick_ignores_a_clock_that_stands),
        CALLS_TEST(test_calls_never_lose_a_lease_or_a_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
