/*
 * test_message_older.c - a request of an older version ends where that version ended, to the byte,
 * and is the newest one with zeros behind it (PROTOCOL.md, evolution rule 8).
 *
 * What version 1 had is written down here a second time, as numbers: the page says them too.
 */
#include "tests/lib/test.h"
#include "tests/lib/wire.h"

#include <string.h>

enum { ELEMENTS = 1 };

/* Every operation with more than one version, and the bytes of version 1's rows. */
static const struct {
    enum zr_op op;
    uint16_t rows_bytes;
} firsts[] = {
    {ZR_OP_POLICY_PUT, 34},
    {ZR_OP_CLAIM, 26},
    {ZR_OP_RELEASE, 25},
    {ZR_OP_AUDIT, 0},
};

static uint8_t frame[ZR_FRAME_BYTES_LIMIT];
static union zr_any_message message;
static union zr_any_message whole;
static union zr_any_message older;
static const union zr_any_message nothing;

static uint16_t
padded(uint16_t bytes)
{
    return (uint16_t)((bytes + ZR_FRAME_ALIGN - 1) / ZR_FRAME_ALIGN * ZR_FRAME_ALIGN);
}

/*
 * A frame of the newest version, whose rows that version 1 lacks are zero; *whole is what it says.
 * RELEASE says NOW: version 1 knew nothing else.
 */
static struct zr_header
encode_newest(const struct zr_operation *operation, uint16_t rows_bytes)
{
    const struct zr_shape *shape = operation->request;
    struct zr_header header;
    uint16_t invalid_at;

    wire_fill(&message, shape, operation->op, ELEMENTS);
    if (operation->op == ZR_OP_RELEASE) {
        message.release_request.when = ZR_RELEASE_NOW;
    }
    header = wire_encode(frame, (uint16_t)operation->op, shape, &message);
    header.version = operation->version;
    memset(frame + ZR_HEADER_BYTES + rows_bytes, 0, (size_t)(header.block - rows_bytes));
    assert_int_equal(zr_message_decode(&whole, &invalid_at, shape, &header, frame), ZR_DECODE_OK);
    return header;
}

/* The same as version 1 sends it. */
static struct zr_header
encode_first(const struct zr_operation *operation, uint16_t rows_bytes)
{
    struct zr_header header = encode_newest(operation, rows_bytes);
    const uint16_t cut = (uint16_t)(header.block - padded(rows_bytes));
    uint8_t *tail = frame + ZR_HEADER_BYTES + header.block;

    memmove(tail - cut, tail, header.size - ZR_HEADER_BYTES - header.block);
    header.version = 1;
    header.block = (uint16_t)(header.block - cut);
    header.size -= cut;
    return header;
}

static void
assert_refused(const struct zr_operation *operation, const struct zr_header *header,
               enum zr_decode wanted, uint16_t wanted_at)
{
    uint16_t invalid_at = UINT16_MAX;

    assert_int_equal(zr_message_decode(&older, &invalid_at, operation->request, header, frame),
                     wanted);
    assert_int_equal(invalid_at, wanted_at);
    assert_memory_equal(&older, &nothing, operation->request->struct_bytes);
}

static void
test_request_of_an_older_version_has_zeros(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        const struct zr_operation *operation = zr_operation_find((uint16_t)firsts[i].op);
        const struct zr_header header = encode_first(operation, firsts[i].rows_bytes);
        uint16_t invalid_at;

        assert_int_equal(zr_message_decode(&older, &invalid_at, operation->request, &header, frame),
                         ZR_DECODE_OK);
        assert_memory_equal(&older, &whole, operation->request->struct_bytes);
    }
}

/* The list above has every operation that has an older version. */
static void
test_every_operation_with_versions_is_tried(void **state)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);
    size_t older_count = 0;

    (void)state;
    for (size_t i = 0; i < operations_count; i++) {
        older_count += operations[i].version > 1;
    }
    assert_int_equal(older_count, sizeof firsts / sizeof firsts[0]);
}

/* "block is exactly the block of that body version": both ways round. */
static void
test_block_of_another_version_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        const struct zr_operation *operation = zr_operation_find((uint16_t)firsts[i].op);
        struct zr_header header = encode_newest(operation, firsts[i].rows_bytes);

        if (header.block == padded(firsts[i].rows_bytes)) {
            continue; /* The new rows took the place of padding. */
        }
        header.version = 1;
        assert_refused(operation, &header, ZR_DECODE_MALFORMED, 0);
        header = encode_first(operation, firsts[i].rows_bytes);
        header.version = operation->version;
        assert_refused(operation, &header, ZR_DECODE_MALFORMED, 0);
    }
}

/* What was padding is judged as padding, also where the newest version has a row there. */
static void
test_padding_of_an_older_block_is_zero(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        const uint16_t rows_end = (uint16_t)(ZR_HEADER_BYTES + firsts[i].rows_bytes);
        const uint16_t block_end = (uint16_t)(ZR_HEADER_BYTES + padded(firsts[i].rows_bytes));
        const struct zr_operation *operation = zr_operation_find((uint16_t)firsts[i].op);

        for (uint16_t at = rows_end; at < block_end; at++) {
            const struct zr_header header = encode_first(operation, firsts[i].rows_bytes);

            frame[at] = 1;
            assert_refused(operation, &header, ZR_DECODE_INVALID, at);
        }
    }
}

/* The first fault of the frame is told: accept_backup (byte 44) is before the padding. */
static void
test_the_first_fault_is_told(void **state)
{
    const struct zr_operation *operation = zr_operation_find(ZR_OP_CLAIM);
    struct zr_header header;

    (void)state;
    header = encode_first(operation, 26);
    frame[44] = 2;
    frame[50] = 1;
    assert_refused(operation, &header, ZR_DECODE_INVALID, 44);
    header = encode_first(operation, 26);
    frame[50] = 1;
    frame[56] = 0xFF; /* The zip of slots[0]. */
    frame[59] = 0xFF;
    assert_refused(operation, &header, ZR_DECODE_INVALID, 50);
}

/* RELEASE learned PERIOD_END with version 2: to version 1 it is no value. */
static void
test_value_of_a_newer_version_is_refused(void **state)
{
    const struct zr_operation *operation = zr_operation_find(ZR_OP_RELEASE);
    struct zr_header header = encode_first(operation, 25);
    uint16_t invalid_at;

    (void)state;
    frame[48] = ZR_RELEASE_PERIOD_END;
    assert_refused(operation, &header, ZR_DECODE_INVALID, 48);
    header.version = 2;
    assert_int_equal(zr_message_decode(&older, &invalid_at, operation->request, &header, frame),
                     ZR_DECODE_OK);
}

/* A block that promises more than the frame has is told like any other. */
static void
test_older_block_past_the_frame_is_refused(void **state)
{
    const struct zr_operation *operation = zr_operation_find(ZR_OP_POLICY_PUT);
    struct zr_header header = encode_first(operation, 34);

    (void)state;
    header.size = ZR_HEADER_BYTES + 32;
    assert_refused(operation, &header, ZR_DECODE_MALFORMED, 0);
    header.size = ZR_HEADER_BYTES + 40; /* The policy that it counts is not there. */
    assert_refused(operation, &header, ZR_DECODE_MALFORMED, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_of_an_older_version_has_zeros),
        cmocka_unit_test(test_every_operation_with_versions_is_tried),
        cmocka_unit_test(test_block_of_another_version_is_refused),
        cmocka_unit_test(test_padding_of_an_older_block_is_zero),
        cmocka_unit_test(test_the_first_fault_is_told),
        cmocka_unit_test(test_value_of_a_newer_version_is_refused),
        cmocka_unit_test(test_older_block_past_the_frame_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
