/*
 * test_frame.c - header v1, frozen byte by byte, and the cutter: whole, incomplete or bad.
 */
#include "protocol/bytes.h"
#include "protocol/frame.h"
#include "tests/lib/test.h"

#include <string.h>

/* These bytes are the contract: a change here breaks every client (protocol.md "Header v1"). */
static const uint8_t request_bytes[ZR_HEADER_BYTES] = {
    0x20, 0x00, 0x00, 0x00, 0x60, 0x00, 0x01, 0x11, 0x08, 0x07, 0x06, 0x05,
    0x04, 0x03, 0x02, 0x01, 0x40, 0x42, 0x0F, 0x00, 0x08, 0x00, 0x00, 0x00,
};
static const struct zr_header request_header = {
    .size = 32,
    .op = 0x0060,
    .version = 1,
    .flags = ZR_FLAG_RETRY | ZR_FLAG_TRACE,
    .id = UINT64_C(0x0102030405060708),
    .timeout_us = 1000000,
    .block = 8,
};
static const uint8_t reply_bytes[ZR_HEADER_BYTES] = {
    0x18, 0x00, 0x00, 0x00, 0x60, 0x80, 0x01, 0x03, 0x08, 0x07, 0x06, 0x05,
    0x04, 0x03, 0x02, 0x01, 0x02, 0x30, 0x2C, 0x01, 0x00, 0x00, 0x40, 0x00,
};
static const struct zr_header reply_header = {
    .size = 24,
    .op = 0x8060,
    .version = 1,
    .flags = ZR_FLAG_DUPLICATE | ZR_FLAG_MORE,
    .id = UINT64_C(0x0102030405060708),
    .status = 0x3002,
    .detail = 300,
    .credit = 64,
};

/* Field by field: a struct's padding has no value. */
static void
assert_headers_equal(const struct zr_header *a, const struct zr_header *b)
{
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->op, b->op);
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->flags, b->flags);
    assert_true(a->id == b->id);
    assert_int_equal(a->timeout_us, b->timeout_us);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->detail, b->detail);
    assert_int_equal(a->block, b->block);
    assert_int_equal(a->credit, b->credit);
}

static void
test_header_is_frozen(void **state)
{
    uint8_t bytes[ZR_HEADER_BYTES];
    struct zr_header header;

    (void)state;
    zr_header_encode(bytes, &request_header);
    assert_memory_equal(bytes, request_bytes, sizeof bytes);
    zr_header_decode(&header, request_bytes);
    assert_headers_equal(&header, &request_header);

    zr_header_encode(bytes, &reply_header);
    assert_memory_equal(bytes, reply_bytes, sizeof bytes);
    zr_header_decode(&header, reply_bytes);
    assert_headers_equal(&header, &reply_header);
}

/* A request has no credit and no status: what a caller left there must not reach the wire. */
static void
test_header_encode_writes_only_what_its_direction_has(void **state)
{
    struct zr_header header = request_header;
    uint8_t bytes[ZR_HEADER_BYTES];

    (void)state;
    header.credit = 9;
    header.status = 9;
    header.detail = 9;
    zr_header_encode(bytes, &header);
    assert_memory_equal(bytes, request_bytes, sizeof bytes);

    header = reply_header;
    header.timeout_us = 9;
    zr_header_encode(bytes, &header);
    assert_memory_equal(bytes, reply_bytes, sizeof bytes);
}

static void
test_header_checks_its_arguments(void **state)
{
    struct zr_header header = request_header;
    uint8_t bytes[ZR_HEADER_BYTES];

    (void)state;
    header.size = 16;
    expect_assert_failure(zr_header_encode(bytes, &header));
    header.size = 28;
    expect_assert_failure(zr_header_encode(bytes, &header));
    expect_assert_failure(zr_header_decode(NULL, bytes));
    expect_assert_failure(zr_header_decode(&header, NULL));
    expect_assert_failure(
        (void)zr_frame_cut(&header, bytes, sizeof bytes, ZR_FRAME_BYTES_LIMIT + 1));
    expect_assert_failure((void)zr_frame_cut(&header, bytes, sizeof bytes, ZR_HEADER_BYTES - 1));
}

/* Method: every length from empty to two frames; only a whole frame is one, and the header that
 * the caller holds stays alone until then. */
static void
test_cut_finds_a_frame_only_when_it_is_whole(void **state)
{
    uint8_t stream[64] = {0};

    (void)state;
    memcpy(stream, request_bytes, sizeof request_bytes);
    memcpy(stream + 32, request_bytes, sizeof request_bytes);
    for (size_t bytes = 0; bytes <= sizeof stream; bytes++) {
        struct zr_header header = {.id = 99};
        const enum zr_cut cut = zr_frame_cut(&header, stream, bytes, ZR_FRAME_BYTES_DEFAULT);

        assert_int_equal(cut, bytes < 32 ? ZR_CUT_INCOMPLETE : ZR_CUT_FRAME);
        if (cut == ZR_CUT_FRAME) {
            assert_headers_equal(&header, &request_header);
        } else {
            assert_int_equal(header.id, 99);
        }
    }
}

/* The first four bytes decide: nothing of a bad frame is ever waited for. */
static void
test_cut_refuses_a_bad_size_at_once(void **state)
{
    static const uint32_t sizes[] = {0,  1,  8,    16,   23,   25,         28,
                                     31, 33, 4095, 4097, 4104, 0x80000000, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t bytes[4];
        struct zr_header header;

        zr_store_u32(bytes, sizes[i]);
        assert_int_equal(zr_frame_cut(&header, bytes, sizeof bytes, 4096), ZR_CUT_BAD);
    }
}

static void
test_cut_takes_exactly_the_largest_frame(void **state)
{
    static uint8_t bytes[ZR_FRAME_BYTES_LIMIT];
    struct zr_header header = request_header;

    (void)state;
    header.size = ZR_FRAME_BYTES_LIMIT;
    zr_header_encode(bytes, &header);
    assert_int_equal(zr_frame_cut(&header, bytes, sizeof bytes, ZR_FRAME_BYTES_LIMIT),
                     ZR_CUT_FRAME);
    assert_int_equal(zr_frame_cut(&header, bytes, sizeof bytes, ZR_FRAME_BYTES_LIMIT - 8),
                     ZR_CUT_BAD);
}

/* Method: change one thing of a good frame; state whether it still is one. */
static void
test_cut_judges_each_header_rule(void **state)
{
    static const struct {
        const char *what;
        size_t offset;
        uint16_t value;
        enum zr_cut cut;
    } rows[] = {
        {"op 0", 4, 0x0000, ZR_CUT_BAD},
        {"op 0, response", 4, 0x8000, ZR_CUT_BAD},
        {"lowest op", 4, 0x0001, ZR_CUT_FRAME},
        {"grease op", 4, 0x7FFF, ZR_CUT_FRAME},
        {"highest response", 4, 0xFFFF, ZR_CUT_FRAME},
        {"block of nothing", 20, 0, ZR_CUT_FRAME},
        {"block that fills the frame", 20, 8, ZR_CUT_FRAME},
        {"block past the frame", 20, 16, ZR_CUT_BAD},
        {"largest block", 20, 0xFFF8, ZR_CUT_BAD},
        {"crooked block", 20, 4, ZR_CUT_BAD},
        {"crooked block", 20, 7, ZR_CUT_BAD},
        {"reserved byte of a request", 22, 0x0001, ZR_CUT_BAD},
        {"reserved byte of a request", 22, 0x8000, ZR_CUT_BAD},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[32] = {0};
        struct zr_header header;

        memcpy(bytes, request_bytes, sizeof request_bytes);
        zr_store_u16(bytes + rows[i].offset, rows[i].value);
        if (zr_frame_cut(&header, bytes, sizeof bytes, 4096) != rows[i].cut) {
            fail_msg("%s", rows[i].what);
        }
    }
}

/* The same two bytes are the credit of a response. */
static void
test_cut_leaves_a_response_its_credit(void **state)
{
    struct zr_header header;

    (void)state;
    assert_int_equal(zr_frame_cut(&header, reply_bytes, sizeof reply_bytes, 4096), ZR_CUT_FRAME);
    assert_headers_equal(&header, &reply_header);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_is_frozen),
        cmocka_unit_test(test_header_encode_writes_only_what_its_direction_has),
        cmocka_unit_test(test_header_checks_its_arguments),
        cmocka_unit_test(test_cut_finds_a_frame_only_when_it_is_whole),
        cmocka_unit_test(test_cut_refuses_a_bad_size_at_once),
        cmocka_unit_test(test_cut_takes_exactly_the_largest_frame),
        cmocka_unit_test(test_cut_judges_each_header_rule),
        cmocka_unit_test(test_cut_leaves_a_response_its_credit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
