/*
 * test_builder.c - the builder writes what fits, and after the first misfit nothing more.
 */
#include "protocol/builder.h"
#include "tests/lib/test.h"

#include <string.h>

static void
put(struct zr_builder *builder, int which)
{
    static const uint8_t text[3] = {'a', 'b', 'c'};

    if (which == 0) {
        zr_builder_put_u8(builder, 0x11);
    } else if (which == 1) {
        zr_builder_put_u16(builder, 0x2221);
    } else if (which == 2) {
        zr_builder_put_u32(builder, 0x34333231);
    } else if (which == 3) {
        zr_builder_put_u64(builder, UINT64_C(0x4847464544434241));
    } else if (which == 4) {
        zr_builder_put_bytes(builder, text, sizeof text);
    } else {
        zr_builder_put_zeros(builder, 5);
    }
}

static const size_t put_bytes[] = {1, 2, 4, 8, 3, 5};
enum { PUTS = 6 };

static void
test_builder_writes_little_endian_in_order(void **state)
{
    static const uint8_t expected[23] = {0x11, 0x21, 0x22, 0x31, 0x32, 0x33, 0x34, 0x41,
                                         0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 'a',
                                         'b',  'c',  0,    0,    0,    0,    0};
    uint8_t bytes[24];
    struct zr_builder builder;

    (void)state;
    memset(bytes, 0xEE, sizeof bytes);
    zr_builder_init(&builder, bytes, sizeof bytes);
    for (int which = 0; which < PUTS; which++) {
        put(&builder, which);
    }
    assert_false(builder.failed);
    assert_int_equal(builder.length, sizeof expected);
    assert_memory_equal(bytes, expected, sizeof expected);
    assert_int_equal(bytes[23], 0xEE);
}

/* Method: for each put, every capacity up to one byte too few; a guard byte stands behind. */
static void
test_builder_that_overflowed_stays_failed(void **state)
{
    (void)state;
    for (int which = 0; which < PUTS; which++) {
        for (size_t capacity = 0; capacity < put_bytes[which]; capacity++) {
            uint8_t bytes[16];
            struct zr_builder builder;

            memset(bytes, 0xEE, sizeof bytes);
            zr_builder_init(&builder, bytes, capacity);
            put(&builder, which);
            assert_true(builder.failed);
            for (int after = 0; after < PUTS; after++) {
                put(&builder, after);
            }
            zr_builder_put_bytes(&builder, NULL, 0);
            zr_builder_put_zeros(&builder, 0);
            assert_null(zr_builder_reserve(&builder, 0));
            assert_int_equal(builder.length, 0);
            assert_true(builder.failed);
            for (size_t i = 0; i < sizeof bytes; i++) {
                assert_int_equal(bytes[i], 0xEE);
            }
        }
    }
}

static void
test_builder_takes_an_exact_fit_and_empty_puts(void **state)
{
    (void)state;
    for (int which = 0; which < PUTS; which++) {
        uint8_t bytes[8];
        struct zr_builder builder;

        zr_builder_init(&builder, bytes, put_bytes[which]);
        zr_builder_put_bytes(&builder, NULL, 0);
        put(&builder, which);
        zr_builder_put_zeros(&builder, 0);
        assert_false(builder.failed);
        assert_int_equal(builder.length, builder.capacity);
    }
}

/* No buffer at all is one without room: the first real put fails, an empty one does not. */
static void
test_builder_without_a_buffer_has_no_room(void **state)
{
    struct zr_builder builder;

    (void)state;
    zr_builder_init(&builder, NULL, 0);
    zr_builder_put_bytes(&builder, NULL, 0);
    zr_builder_put_zeros(&builder, 0);
    assert_false(builder.failed);
    zr_builder_put_u8(&builder, 1);
    assert_true(builder.failed);
    assert_int_equal(builder.length, 0);
}

static void
test_builder_reserve_hands_out_consecutive_bytes(void **state)
{
    uint8_t bytes[8];
    struct zr_builder builder;

    (void)state;
    zr_builder_init(&builder, bytes, sizeof bytes);
    assert_ptr_equal(zr_builder_reserve(&builder, 3), bytes);
    assert_ptr_equal(zr_builder_reserve(&builder, 5), bytes + 3);
    assert_null(zr_builder_reserve(&builder, SIZE_MAX));
    assert_true(builder.failed);
}

static void
test_builder_checks_its_arguments(void **state)
{
    uint8_t bytes[4];
    struct zr_builder builder;

    (void)state;
    expect_assert_failure(zr_builder_init(NULL, bytes, sizeof bytes));
    expect_assert_failure(zr_builder_init(&builder, NULL, 1));
    zr_builder_init(&builder, bytes, sizeof bytes);
    builder.length = 5;
    expect_assert_failure((void)zr_builder_reserve(&builder, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builder_writes_little_endian_in_order),
        cmocka_unit_test(test_builder_that_overflowed_stays_failed),
        cmocka_unit_test(test_builder_takes_an_exact_fit_and_empty_puts),
        cmocka_unit_test(test_builder_without_a_buffer_has_no_room),
        cmocka_unit_test(test_builder_reserve_hands_out_consecutive_bytes),
        cmocka_unit_test(test_builder_checks_its_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
