/*
 * test_arena.c - the server's memory: zeroed, billed, and none after the seal (P8).
 */
#include "server/base/arena.h"
#include "server/base/log.h"
#include "tests/lib/test.h"

enum { PAGE_BYTES = 4096 };

static void
test_arena_memory_is_zero_and_page_aligned(void **state)
{
    struct arena arena;
    uint8_t *bytes;

    (void)state;
    arena_init(&arena);
    bytes = arena_take(&arena, 3 * PAGE_BYTES + 1, "three pages and a byte");
    assert_int_equal((uintptr_t)bytes % PAGE_BYTES, 0);
    for (size_t i = 0; i <= 3 * PAGE_BYTES; i++) {
        assert_int_equal(bytes[i], 0);
    }
    bytes[0] = 1;
    bytes[3 * PAGE_BYTES] = 2;
    arena_deinit(&arena);
}

static void
test_arena_bill_names_every_item(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena);
    (void)arena_take(&arena, 10, "ten");
    (void)arena_take(&arena, 20, "twenty");
    assert_int_equal(arena.items_count, 2);
    assert_string_equal(arena.items[0].what, "ten");
    assert_int_equal(arena.items[0].bytes, 10);
    assert_string_equal(arena.items[1].what, "twenty");
    assert_int_equal(arena.items[1].bytes, 20);
    arena_deinit(&arena);
    assert_int_equal(arena.items_count, 0);
}

/* The promise of P8: what is not taken before the seal is never taken. */
static void
test_arena_gives_nothing_after_the_seal(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena);
    (void)arena_take(&arena, 1, "before");
    arena_seal(&arena);
    assert_true(arena.sealed);
    expect_assert_failure((void)arena_take(&arena, 1, "after"));
    expect_assert_failure(arena_seal(&arena));
    arena_deinit(&arena);
    assert_false(arena.sealed);
}

static void
test_arena_checks_what_it_is_asked(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena);
    expect_assert_failure((void)arena_take(&arena, 0, "nothing"));
    for (unsigned i = 0; i < ARENA_ITEMS_MAX; i++) {
        (void)arena_take(&arena, 1, "one more");
    }
    expect_assert_failure((void)arena_take(&arena, 1, "one too many"));
    arena_deinit(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_memory_is_zero_and_page_aligned),
        cmocka_unit_test(test_arena_bill_names_every_item),
        cmocka_unit_test(test_arena_gives_nothing_after_the_seal),
        cmocka_unit_test(test_arena_checks_what_it_is_asked),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
