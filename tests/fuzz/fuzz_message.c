/*
 * fuzz_message.c - every body decoder, requests and replies; the op is the input's own.
 *
 * The input is one frame, whose size is set right so that no input is lost on it. An unknown op
 * picks one of those there are. Held against every input:
 *
 *   - a refused message is zeroed, and an invalid field lies inside the frame
 *   - a request that is taken has one spelling: encoded again, it is the same bytes
 *   - a reply that is taken means the same once it was encoded and decoded again
 */
#include "protocol/check.h"
#include "protocol/message.h"

#include <string.h>

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static union zr_any_message message;
static union zr_any_message again;
static const union zr_any_message nothing;
static uint8_t frame[ZR_FRAME_BYTES_LIMIT];

static const struct zr_operation *
operation_of(uint16_t op)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);
    const struct zr_operation *found = zr_operation_find(op & (uint16_t)~ZR_OP_RESPONSE);

    return found != NULL ? found : &operations[op % operations_count];
}

static void
encode(const struct zr_header *header, const struct zr_shape *shape)
{
    struct zr_builder builder;

    zr_builder_init(&builder, frame, sizeof frame);
    zr_message_encode(&builder, header, shape, &message);
    CHECK(!builder.failed);
}

static void
check_request(const struct zr_header *header, const struct zr_shape *shape, const uint8_t *data)
{
    encode(header, shape);
    CHECK(memcmp(frame + ZR_HEADER_BYTES, data + ZR_HEADER_BYTES, header->size - ZR_HEADER_BYTES) ==
          0);
}

static void
check_reply(const struct zr_header *header, const struct zr_shape *shape)
{
    struct zr_header own;
    uint16_t invalid_at;

    encode(header, shape);
    zr_header_decode(&own, frame);
    CHECK(zr_message_decode(&again, &invalid_at, shape, &own, frame) == ZR_DECODE_OK);
    CHECK(memcmp(&again, &message, shape->struct_bytes) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct zr_operation *operation;
    const struct zr_shape *shape;
    struct zr_header header;
    enum zr_decode verdict;
    uint16_t invalid_at = 0;

    if (size < ZR_HEADER_BYTES || size > ZR_FRAME_BYTES_LIMIT) {
        return -1;
    }
    zr_header_decode(&header, data);
    header.size = (uint32_t)(size - size % ZR_FRAME_ALIGN);
    operation = operation_of(header.op);
    shape = (header.op & ZR_OP_RESPONSE) != 0 ? operation->reply : operation->request;

    verdict = zr_message_decode(&message, &invalid_at, shape, &header, data);
    if (verdict != ZR_DECODE_OK) {
        CHECK(invalid_at < header.size);
        CHECK(memcmp(&message, &nothing, shape->struct_bytes) == 0);
    } else if ((header.op & ZR_OP_RESPONSE) == 0) {
        check_request(&header, shape, data);
    } else {
        check_reply(&header, shape);
    }
    (void)zr_shape_field_at(shape, invalid_at);
    return 0;
}
