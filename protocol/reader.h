/*
 * reader.h - bounds-checked cursor over one received frame.
 *
 * Borrows its bytes: copies nothing, allocates nothing, must not outlive the frame.
 *
 * It fails once and stays failed. After the first short take, every later take
 * returns zero and moves nothing, so a decoder takes its fields in wire order
 * and asks a single time at the end: no branches, and it reads like its table in
 * PROTOCOL.md. Integers are little-endian.
 *
 * A field that is there but holds a value outside its type (a bool of 2, a ZIP of
 * 100,000) is `invalid`, which is another thing than short: the frame is well formed
 * and the refusal names the field's offset (protocol.md, status class 10).
 */
#ifndef ZR_READER_H
#define ZR_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ZR_READER_NOTHING_INVALID = 0xFFFF };

struct zr_reader {
    const uint8_t *start; /* First byte of the frame: offsets are counted from here. */
    const uint8_t *next;  /* First byte not yet taken. */
    const uint8_t *end;   /* One past the last byte of the frame. */
    uint16_t invalid_at;  /* Offset of the first invalid field, or NOTHING_INVALID. */
    bool failed;          /* Sticky: set by the first take that ran short. */
};

/* Read `bytes_count` bytes at `bytes`; offsets are counted from `bytes`. */
void zr_reader_init(struct zr_reader *reader, const uint8_t *bytes, size_t bytes_count);

/* Take the next integer. Runs short: returns 0 and fails the reader. */
uint8_t zr_reader_take_u8(struct zr_reader *reader);
uint16_t zr_reader_take_u16(struct zr_reader *reader);
uint32_t zr_reader_take_u32(struct zr_reader *reader);
uint64_t zr_reader_take_u64(struct zr_reader *reader);

/* Take `bytes_count` bytes; NULL and failed when fewer are left. Borrowed. */
const uint8_t *zr_reader_take_bytes(struct zr_reader *reader, size_t bytes_count);

/* Take `bytes_count` bytes that must all be zero; a set one is an invalid field. */
void zr_reader_take_zeros(struct zr_reader *reader, size_t bytes_count);

/* Mark the field that ends at `next` and is `bytes_count` long as invalid. First one wins. */
void zr_reader_mark_invalid(struct zr_reader *reader, size_t bytes_count);

/* Bytes not yet taken. */
size_t zr_reader_left(const struct zr_reader *reader);

/* True when every take succeeded and no byte is left: trailing bytes are an error. */
bool zr_reader_done(const struct zr_reader *reader);

#endif
