/*
 * test_ring.c - the queue between two threads: bounded, in order, and nothing lost.
 */
#include "server/base/ring.h"
#include "tests/lib/test.h"

#include <pthread.h>
#include <sched.h>

enum { ITEMS_MAX = 5, CAPACITY = 8, PASSED_MAX = 200000 };

static struct arena arena;
static struct ring ring;
static char items[PASSED_MAX];

static int
setup(void **state)
{
    (void)state;
    arena_init(&arena);
    ring_init(&ring, &arena, ITEMS_MAX, "test: ring");
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

static void
test_ring_is_empty_at_first(void **state)
{
    (void)state;
    assert_int_equal(ring_count(&ring), 0);
    assert_null(ring_take(&ring));
}

/* Room for at least what was asked: the next power of two, and not one more. */
static void
test_ring_full_is_an_answer(void **state)
{
    (void)state;
    for (int i = 0; i < CAPACITY; i++) {
        assert_true(ring_push(&ring, &items[i]));
    }
    assert_int_equal(ring_count(&ring), CAPACITY);
    assert_false(ring_push(&ring, &items[CAPACITY]));
    assert_int_equal(ring_count(&ring), CAPACITY);
    assert_ptr_equal(ring_take(&ring), &items[0]);
    assert_true(ring_push(&ring, &items[CAPACITY]));
    for (int i = 1; i <= CAPACITY; i++) {
        assert_ptr_equal(ring_take(&ring), &items[i]);
    }
    assert_null(ring_take(&ring));
}

/* The counters run over 2^32 once in some minutes of load: order and bound must hold there. */
static void
test_ring_wraps_with_its_counters(void **state)
{
    (void)state;
    atomic_store(&ring.pushed, UINT32_MAX - 2);
    atomic_store(&ring.taken, UINT32_MAX - 2);
    for (int i = 0; i < CAPACITY; i++) {
        assert_true(ring_push(&ring, &items[i]));
        assert_int_equal(ring_count(&ring), i + 1);
    }
    assert_false(ring_push(&ring, &items[CAPACITY]));
    for (int i = 0; i < CAPACITY; i++) {
        assert_ptr_equal(ring_take(&ring), &items[i]);
    }
    assert_int_equal(ring_count(&ring), 0);
}

static void *
push_all(void *context)
{
    (void)context;
    for (int i = 0; i < PASSED_MAX; i++) {
        items[i] = (char)(i * 7);
        while (!ring_push(&ring, &items[i])) {
            (void)sched_yield();
        }
    }
    return NULL;
}

/* Every item arrives once, in order, with the bytes that were written before it was pushed. */
static void
test_ring_passes_items_between_two_threads(void **state)
{
    pthread_t producer;

    (void)state;
    assert_int_equal(pthread_create(&producer, NULL, push_all, NULL), 0);
    for (int i = 0; i < PASSED_MAX; i++) {
        char *item;

        while ((item = ring_take(&ring)) == NULL) {
            (void)sched_yield();
        }
        assert_ptr_equal(item, &items[i]);
        assert_int_equal(*item, (char)(i * 7));
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_int_equal(ring_count(&ring), 0);
}

static void
test_ring_checks_its_arguments(void **state)
{
    struct ring other;

    (void)state;
    expect_assert_failure((void)ring_push(&ring, NULL));
    expect_assert_failure(ring_init(&other, &arena, 0, "none"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ring_is_empty_at_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring_full_is_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring_wraps_with_its_counters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring_passes_items_between_two_threads, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ring_checks_its_arguments, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
