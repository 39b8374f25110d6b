/*
 * test_encode.c - a frame is written whole or not at all, wherever it starts.
 */
#include "tests/lib/test.h"
#include "tests/lib/wire.h"

#include <string.h>

static union zr_any_message message;
static uint8_t frame[ZR_FRAME_BYTES_LIMIT + 8];
static uint8_t pristine[ZR_FRAME_BYTES_LIMIT];

/* Fill and encode one message into both buffers. */
static struct zr_header
prepare(uint16_t op, const struct zr_shape *shape, uint16_t elements)
{
    struct zr_header header;

    wire_fill(&message, shape, op, elements);
    header = wire_encode(frame, op, shape, &message);
    memcpy(pristine, frame, header.size);
    return header;
}

static void
check_every_capacity(const struct zr_header *header, const struct zr_shape *shape)
{
    for (size_t capacity = 0; capacity <= header->size; capacity++) {
        struct zr_builder builder;

        memset(frame, 0xEE, header->size + 8);
        zr_builder_init(&builder, frame, capacity);
        zr_message_encode(&builder, header, shape, &message);
        assert_int_equal(builder.failed, capacity < header->size);
        for (size_t i = capacity; i < header->size + 8; i++) {
            assert_int_equal(frame[i], 0xEE);
        }
    }
    assert_memory_equal(frame, pristine, header->size);
}

static void
test_encode_fails_in_every_buffer_that_is_too_small(void **state)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);

    (void)state;
    for (size_t i = 0; i < operations_count; i++) {
        const uint16_t op = (uint16_t)operations[i].op;
        struct zr_header header = prepare(op, operations[i].request, 1);

        check_every_capacity(&header, operations[i].request);
        header = prepare((uint16_t)(op | ZR_OP_RESPONSE), operations[i].reply, 1);
        check_every_capacity(&header, operations[i].reply);
    }
}

/* A refusal carries no body: whatever the operation, the frame is its header. */
static void
test_encode_without_a_body_writes_the_header(void **state)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);

    (void)state;
    for (size_t i = 0; i < operations_count; i++) {
        struct zr_header header = prepare(ZR_OP_RESPONSE | 1, operations[i].reply, 1);
        struct zr_builder builder;

        zr_builder_init(&builder, frame, sizeof frame);
        zr_message_encode(&builder, &header, operations[i].reply, NULL);
        zr_header_decode(&header, frame);
        assert_int_equal(builder.length, ZR_HEADER_BYTES);
        assert_int_equal(header.size, ZR_HEADER_BYTES);
        assert_int_equal(header.block, 0);
    }
}

/* Frames are appended to a connection's buffer: padding counts from the frame, not the buffer. */
static void
test_encode_appends_behind_other_bytes(void **state)
{
    const struct zr_header header = prepare(ZR_OP_ROUTE_NEXT, &zr_route_next_request_shape, 1);
    struct zr_builder builder;

    (void)state;
    zr_builder_init(&builder, frame, sizeof frame);
    zr_builder_put_zeros(&builder, 3);
    zr_message_encode(&builder, &header, &zr_route_next_request_shape, &message);
    assert_int_equal(builder.length, 3 + header.size);
    assert_memory_equal(frame + 3, pristine, header.size);
}

/* A text that its writer did not end fills its field and no more. */
static void
test_encode_stops_a_text_at_its_field(void **state)
{
    struct zr_category_put_request *request = &message.category_put_request;
    struct zr_category_put_request decoded;
    struct zr_header header;
    uint16_t invalid_at;

    (void)state;
    (void)prepare(ZR_OP_CATEGORY_PUT, &zr_category_put_request_shape, 0);
    memset(request->name, 'x', sizeof request->name);
    header = wire_encode(frame, ZR_OP_CATEGORY_PUT, &zr_category_put_request_shape, request);
    request->name[sizeof request->name - 1] = '\0';
    assert_int_equal(zr_category_put_request_decode(&decoded, &invalid_at, &header, frame),
                     ZR_DECODE_OK);
    assert_memory_equal(&decoded, request, sizeof decoded);
}

/* A caller's count past its max is his bug, not a frame that does not fit. */
static void
test_encode_checks_its_arguments(void **state)
{
    struct zr_claim_request request = {.slots_count = 65};
    const struct zr_header header = {.op = ZR_OP_CLAIM};
    struct zr_builder builder;

    (void)state;
    zr_builder_init(&builder, frame, sizeof frame);
    expect_assert_failure(zr_claim_request_encode(&builder, &header, &request));
    expect_assert_failure(zr_message_encode(&builder, &header, NULL, &request));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode_fails_in_every_buffer_that_is_too_small),
        cmocka_unit_test(test_encode_without_a_body_writes_the_header),
        cmocka_unit_test(test_encode_appends_behind_other_bytes),
        cmocka_unit_test(test_encode_stops_a_text_at_its_field),
        cmocka_unit_test(test_encode_checks_its_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
