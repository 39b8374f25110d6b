/*
 * fuzz_message.c - every body decoder, requests and replies; the op is the input's own.
 *
 * The input is one frame, whose size is set right so that no input is lost on it. An unknown op
 * picks one of those there are. Held against every input:
 *
 *   - a refused message is zeroed, and an invalid field lies inside the frame
 *   - a request of the newest version that is taken has one spelling: encoded again, the same bytes
 *   - a reply, or an older request, means the same once it was encoded and decoded again
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

/* The message comes back out of our own frame of it, in the newest version. */
static void
check_again(const struct zr_header *header, const struct zr_operation *operation,
            const struct zr_shape *shape)
{
    struct zr_header own = *header;
    uint16_t invalid_at;

    own.version = operation->version;
    encode(&own, shape);
    zr_header_decode(&own, frame);
    CHECK(zr_message_decode(&again, &invalid_at, shape, &own, frame) == ZR_DECODE_OK);
    CHECK(memcmp(&again, &message, shape->struct_bytes) == 0);
}

static void
check_request(const struct zr_header *header, const struct zr_operation *operation,
              const uint8_t *data)
{
    if (header->version < operation->version) {
        check_again(header, operation, operation->request);
        return;
    }
    encode(header, operation->request);
    CHECK(memcmp(frame + ZR_HEADER_BYTES, data + ZR_HEADER_BYTES, header->size - ZR_HEADER_BYTES) ==
          0);
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
        check_request(&header, operation, data);
    } else {
        check_again(&header, operation, shape);
    }
    (void)zr_shape_field_at(shape, invalid_at);
    return 0;
}
