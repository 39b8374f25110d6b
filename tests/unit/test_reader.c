/*
 * test_reader.c - the cursor fails once, stays failed, and never reads past its end.
 */
#include "protocol/reader.h"
#include "tests/lib/test.h"

#include <string.h>

static const uint8_t frame[] = {0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0F,
                                0x0E, 0x0D, 0x0C, 0x0B, 0x0A, 0x09, 0x08, 0xEE};

static void
test_reader_takes_little_endian_integers_in_order(void **state)
{
    struct zr_reader reader;

    (void)state;
    zr_reader_init(&reader, frame, sizeof frame);
    assert_int_equal(zr_reader_left(&reader), 16);
    assert_int_equal(zr_reader_take_u8(&reader), 0x01);
    assert_int_equal(zr_reader_take_u16(&reader), 0x0203);
    assert_int_equal(zr_reader_take_u32(&reader), 0x04050607);
    assert_true(zr_reader_take_u64(&reader) == UINT64_C(0x08090A0B0C0D0E0F));
    assert_int_equal(zr_reader_left(&reader), 1);
    assert_false(zr_reader_done(&reader));
    assert_ptr_equal(zr_reader_take_bytes(&reader, 1), frame + 15);
    assert_true(zr_reader_done(&reader));
    assert_int_equal(reader.invalid_at, ZR_READER_NOTHING_INVALID);
}

/* Method: each kind of take with one byte too few; then everything else must give nothing. */
static void
test_reader_that_ran_short_stays_failed(void **state)
{
    (void)state;
    for (int take = 0; take < 5; take++) {
        static const size_t needs[] = {1, 2, 4, 8, 3};
        struct zr_reader reader;

        zr_reader_init(&reader, frame, needs[take] - 1);
        if (take == 0) {
            assert_int_equal(zr_reader_take_u8(&reader), 0);
        } else if (take == 1) {
            assert_int_equal(zr_reader_take_u16(&reader), 0);
        } else if (take == 2) {
            assert_int_equal(zr_reader_take_u32(&reader), 0);
        } else if (take == 3) {
            assert_true(zr_reader_take_u64(&reader) == 0);
        } else {
            assert_null(zr_reader_take_bytes(&reader, 3));
        }
        assert_true(reader.failed);
        assert_int_equal(zr_reader_left(&reader), needs[take] - 1);
        assert_int_equal(zr_reader_take_u8(&reader), 0);
        assert_null(zr_reader_take_bytes(&reader, 0));
        zr_reader_take_zeros(&reader, 1);
        zr_reader_mark_invalid(&reader, 0);
        assert_int_equal(reader.invalid_at, ZR_READER_NOTHING_INVALID);
        assert_false(zr_reader_done(&reader));
    }
}

static void
test_reader_does_not_wrap_on_a_huge_length(void **state)
{
    struct zr_reader reader;

    (void)state;
    zr_reader_init(&reader, frame, sizeof frame);
    (void)zr_reader_take_u8(&reader);
    assert_null(zr_reader_take_bytes(&reader, SIZE_MAX));
    assert_true(reader.failed);
}

static void
test_reader_of_nothing_is_done(void **state)
{
    struct zr_reader reader;

    (void)state;
    zr_reader_init(&reader, NULL, 0);
    assert_true(zr_reader_done(&reader));
    assert_null(zr_reader_take_bytes(&reader, 0));
    assert_true(zr_reader_done(&reader));
    zr_reader_take_zeros(&reader, 0);
    assert_true(zr_reader_done(&reader));
}

/* Every bit of every reserved byte counts; the offset is that of the whole field. */
static void
test_reader_marks_a_set_reserved_bit(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 24; bit++) {
        uint8_t bytes[6] = {0};
        struct zr_reader reader;

        bytes[2 + bit / 8] = (uint8_t)(1u << bit % 8);
        zr_reader_init(&reader, bytes, sizeof bytes);
        (void)zr_reader_take_u16(&reader);
        zr_reader_take_zeros(&reader, 3);
        assert_int_equal(reader.invalid_at, 2);
        assert_false(reader.failed);
        assert_int_equal(zr_reader_left(&reader), 1);
    }
}

static void
test_reader_keeps_the_first_invalid_field(void **state)
{
    struct zr_reader reader;

    (void)state;
    zr_reader_init(&reader, frame, sizeof frame);
    (void)zr_reader_take_u32(&reader);
    zr_reader_mark_invalid(&reader, 4);
    (void)zr_reader_take_u32(&reader);
    zr_reader_mark_invalid(&reader, 4);
    assert_int_equal(reader.invalid_at, 0);
    (void)zr_reader_take_bytes(&reader, 8);
    assert_true(zr_reader_done(&reader)); /* Invalid is not short: the verdict is the caller's. */
}

static void
test_reader_checks_its_arguments(void **state)
{
    struct zr_reader reader;

    (void)state;
    expect_assert_failure(zr_reader_init(NULL, frame, 1));
    expect_assert_failure(zr_reader_init(&reader, NULL, 1));
    zr_reader_init(&reader, frame, sizeof frame);
    (void)zr_reader_take_u8(&reader);
    expect_assert_failure(zr_reader_mark_invalid(&reader, 2));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_takes_little_endian_integers_in_order),
        cmocka_unit_test(test_reader_that_ran_short_stays_failed),
        cmocka_unit_test(test_reader_does_not_wrap_on_a_huge_length),
        cmocka_unit_test(test_reader_of_nothing_is_done),
        cmocka_unit_test(test_reader_marks_a_set_reserved_bit),
        cmocka_unit_test(test_reader_keeps_the_first_invalid_field),
        cmocka_unit_test(test_reader_checks_its_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
