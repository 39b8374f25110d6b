/*
 * frame.c - header and frame cutter. See frame.h.
 */
#include "protocol/frame.h"

#include "protocol/bytes.h"
#include "protocol/check.h"

void
zr_header_encode(uint8_t *bytes, const struct zr_header *header)
{
    const bool response = (header->op & ZR_OP_RESPONSE) != 0;

    CHECK(header->size >= ZR_HEADER_BYTES);
    CHECK(header->size % ZR_FRAME_ALIGN == 0);

    zr_store_u32(bytes, header->size);
    zr_store_u16(bytes + 4, header->op);
    bytes[6] = header->version;
    bytes[7] = header->flags;
    zr_store_u64(bytes + 8, header->id);
    if (response) {
        zr_store_u16(bytes + 16, header->status);
        zr_store_u16(bytes + 18, header->detail);
    } else {
        zr_store_u32(bytes + 16, header->timeout_us);
    }
    zr_store_u16(bytes + 20, header->block);
    zr_store_u16(bytes + 22, response ? header->credit : 0);
}

void
zr_header_decode(struct zr_header *header, const uint8_t *bytes)
{
    CHECK(header != NULL);
    CHECK(bytes != NULL);

    *header = (struct zr_header){
        .size = zr_load_u32(bytes),
        .op = zr_load_u16(bytes + 4),
        .version = bytes[6],
        .flags = bytes[7],
        .id = zr_load_u64(bytes + 8),
        .block = zr_load_u16(bytes + 20),
        .credit = zr_load_u16(bytes + 22),
    };
    if ((header->op & ZR_OP_RESPONSE) != 0) {
        header->status = zr_load_u16(bytes + 16);
        header->detail = zr_load_u16(bytes + 18);
    } else {
        header->timeout_us = zr_load_u32(bytes + 16);
    }
}

static bool
header_is_consistent(const struct zr_header *header)
{
    if ((header->op & ~ZR_OP_RESPONSE) < ZR_OP_MIN) {
        return false;
    }
    if (header->block % ZR_FRAME_ALIGN != 0) {
        return false;
    }
    if (header->block > header->size - ZR_HEADER_BYTES) {
        return false;
    }
    /* Bytes 22..23 of a request are reserved: zero, or a later meaning we would misread. */
    return (header->op & ZR_OP_RESPONSE) != 0 || header->credit == 0;
}

enum zr_cut
zr_frame_cut(struct zr_header *header, const uint8_t *bytes, size_t bytes_count,
             uint32_t frame_bytes_max)
{
    struct zr_header found;
    uint32_t size;

    CHECK(frame_bytes_max >= ZR_HEADER_BYTES);
    CHECK(frame_bytes_max <= ZR_FRAME_BYTES_LIMIT);

    if (bytes_count < sizeof size) {
        return ZR_CUT_INCOMPLETE;
    }
    size = zr_load_u32(bytes);
    if (size < ZR_HEADER_BYTES || size > frame_bytes_max || size % ZR_FRAME_ALIGN != 0) {
        return ZR_CUT_BAD;
    }
    if (bytes_count < ZR_HEADER_BYTES) {
        return ZR_CUT_INCOMPLETE;
    }
    zr_header_decode(&found, bytes);
    if (!header_is_consistent(&found)) {
        return ZR_CUT_BAD;
    }
    if (bytes_count < size) {
        return ZR_CUT_INCOMPLETE;
    }
    *header = found;
    return ZR_CUT_FRAME;
}
