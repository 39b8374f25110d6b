/*
 * reader.c - the bounds-checked cursor. See reader.h for the one idea: it fails once.
 */
#include "protocol/reader.h"

#include "protocol/bytes.h"
#include "protocol/check.h"

void
zr_reader_init(struct zr_reader *reader, const uint8_t *bytes, size_t bytes_count)
{
    CHECK(reader != NULL);
    CHECK(bytes != NULL || bytes_count == 0);

    reader->start = bytes;
    reader->next = bytes;
    reader->end = bytes_count == 0 ? bytes : bytes + bytes_count;
    reader->invalid_at = ZR_READER_NOTHING_INVALID;
    reader->failed = false;
}

size_t
zr_reader_left(const struct zr_reader *reader)
{
    return (size_t)(reader->end - reader->next);
}

const uint8_t *
zr_reader_take_bytes(struct zr_reader *reader, size_t bytes_count)
{
    const uint8_t *taken = reader->next;

    if (reader->failed || bytes_count > zr_reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    if (bytes_count != 0) {
        reader->next += bytes_count;
    }
    return taken;
}

uint8_t
zr_reader_take_u8(struct zr_reader *reader)
{
    const uint8_t *bytes = zr_reader_take_bytes(reader, 1);

    return bytes == NULL ? 0 : bytes[0];
}

uint16_t
zr_reader_take_u16(struct zr_reader *reader)
{
    const uint8_t *bytes = zr_reader_take_bytes(reader, 2);

    return bytes == NULL ? 0 : zr_load_u16(bytes);
}

uint32_t
zr_reader_take_u32(struct zr_reader *reader)
{
    const uint8_t *bytes = zr_reader_take_bytes(reader, 4);

    return bytes == NULL ? 0 : zr_load_u32(bytes);
}

uint64_t
zr_reader_take_u64(struct zr_reader *reader)
{
    const uint8_t *bytes = zr_reader_take_bytes(reader, 8);

    return bytes == NULL ? 0 : zr_load_u64(bytes);
}

void
zr_reader_take_zeros(struct zr_reader *reader, size_t bytes_count)
{
    const uint8_t *bytes = zr_reader_take_bytes(reader, bytes_count);
    uint8_t seen = 0;

    if (bytes == NULL) {
        return;
    }
    for (size_t i = 0; i < bytes_count; i++) {
        seen |= bytes[i];
    }
    if (seen != 0) {
        zr_reader_mark_invalid(reader, bytes_count);
    }
}

void
zr_reader_mark_invalid(struct zr_reader *reader, size_t bytes_count)
{
    size_t offset;

    if (reader->failed || reader->invalid_at != ZR_READER_NOTHING_INVALID) {
        return;
    }
    offset = (size_t)(reader->next - reader->start);
    CHECK(offset >= bytes_count);
    reader->invalid_at = (uint16_t)(offset - bytes_count);
}

bool
zr_reader_done(const struct zr_reader *reader)
{
    return !reader->failed && reader->next == reader->end;
}
