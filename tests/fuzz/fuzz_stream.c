/*
 * fuzz_stream.c - the frame cutter over a stream that arrives in pieces.
 *
 * However a stream is cut up, it has the same frames: what the cutter says of a prefix never
 * contradicts what it says once more bytes are there. The pieces come from the input itself.
 */
#include "protocol/check.h"
#include "protocol/frame.h"

#include <string.h>

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A frame that was accepted holds what frame.h promises. */
static void
check_frame(const struct zr_header *header, const uint8_t *frame, size_t left)
{
    uint8_t again[ZR_HEADER_BYTES];

    CHECK(header->size >= ZR_HEADER_BYTES);
    CHECK(header->size <= left);
    CHECK(header->size % ZR_FRAME_ALIGN == 0);
    CHECK(header->block % ZR_FRAME_ALIGN == 0);
    CHECK(header->block <= header->size - ZR_HEADER_BYTES);
    zr_header_encode(again, header);
    CHECK(memcmp(again, frame, sizeof again) == 0);
}

/* Feed the bytes from `data` on one piece at a time until the cutter decides. */
static enum zr_cut
cut_slowly(struct zr_header *header, const uint8_t *data, size_t size, size_t piece)
{
    enum zr_cut cut = ZR_CUT_INCOMPLETE;

    for (size_t seen = 0; cut == ZR_CUT_INCOMPLETE; seen += piece) {
        if (seen >= size) {
            return zr_frame_cut(header, data, size, ZR_FRAME_BYTES_DEFAULT);
        }
        cut = zr_frame_cut(header, data, seen, ZR_FRAME_BYTES_DEFAULT);
    }
    return cut;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t piece = size == 0 ? 1 : 1 + data[size - 1] % 64;

    while (size > 0) {
        struct zr_header whole = {0};
        struct zr_header slow = {0};
        const enum zr_cut cut = zr_frame_cut(&whole, data, size, ZR_FRAME_BYTES_DEFAULT);

        CHECK(cut_slowly(&slow, data, size, piece) == cut);
        if (cut != ZR_CUT_FRAME) {
            return 0;
        }
        CHECK(slow.size == whole.size);
        check_frame(&whole, data, size);
        data += whole.size;
        size -= whole.size;
    }
    return 0;
}
