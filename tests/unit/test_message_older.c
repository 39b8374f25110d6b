/*
 * test_message_older.c - a request of an older version is the newest one with zeros where it ends
 * (PROTOCOL.md, evolution).
 *
 * Which rows an older version lacks is not written down anywhere, so every operation with more
 * than one version is tried without the last eight bytes of its block.
 */
#include "protocol/bytes.h"
#include "tests/lib/test.h"
#include "tests/lib/wire.h"

#include <string.h>

enum { ELEMENTS = 2 };

static uint8_t frame[ZR_FRAME_BYTES_LIMIT];
static union zr_any_message message;
static union zr_any_message whole;
static union zr_any_message older;

static void
check_older_block(const struct zr_operation *operation)
{
    const struct zr_shape *shape = operation->request;
    uint8_t *cut = frame + ZR_HEADER_BYTES + shape->block_bytes - ZR_FRAME_ALIGN;
    struct zr_header header;
    uint16_t invalid_at;
    enum zr_decode verdict;

    wire_fill(&message, shape, operation->op, ELEMENTS);
    header = wire_encode(frame, (uint16_t)operation->op, shape, &message);
    header.version = operation->version;
    memset(cut, 0, ZR_FRAME_ALIGN);
    verdict = zr_message_decode(&whole, &invalid_at, shape, &header, frame);

    memmove(cut, cut + ZR_FRAME_ALIGN, header.size - ZR_HEADER_BYTES - header.block);
    header.block = (uint16_t)(header.block - ZR_FRAME_ALIGN);
    header.size -= ZR_FRAME_ALIGN;
    assert_int_equal(zr_message_decode(&older, &invalid_at, shape, &header, frame),
                     ZR_DECODE_MALFORMED);
    header.version--;
    assert_int_equal(zr_message_decode(&older, &invalid_at, shape, &header, frame), verdict);
    assert_memory_equal(&older, &whole, shape->struct_bytes);
}

static void
test_request_of_an_older_version_has_zeros(void **state)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);
    int tried = 0;

    (void)state;
    for (size_t i = 0; i < operations_count; i++) {
        if (operations[i].version > 1 && operations[i].request->block_bytes > 0) {
            check_older_block(&operations[i]);
            tried++;
        }
    }
    assert_true(tried > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_of_an_older_version_has_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
