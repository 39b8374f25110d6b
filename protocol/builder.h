/*
 * builder.h - appends fields to a caller's buffer; the mirror of reader.h.
 *
 * Like the reader it fails once and stays failed: a put that would overflow writes
 * nothing and every later put is ignored, so an encoder has no branches and asks once.
 */
#ifndef ZR_BUILDER_H
#define ZR_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zr_builder {
    uint8_t *bytes;  /* Caller's buffer. */
    size_t capacity; /* Its size in bytes. */
    size_t length;   /* Bytes written so far. */
    bool failed;     /* Sticky: set by the first put that did not fit. */
};

/* Write into `bytes`, at most `capacity` bytes. */
void zr_builder_init(struct zr_builder *builder, uint8_t *bytes, size_t capacity);

void zr_builder_put_u8(struct zr_builder *builder, uint8_t value);
void zr_builder_put_u16(struct zr_builder *builder, uint16_t value);
void zr_builder_put_u32(struct zr_builder *builder, uint32_t value);
void zr_builder_put_u64(struct zr_builder *builder, uint64_t value);
void zr_builder_put_bytes(struct zr_builder *builder, const uint8_t *bytes, size_t bytes_count);
void zr_builder_put_zeros(struct zr_builder *builder, size_t bytes_count);

/* Reserve `bytes_count` bytes to be filled later; NULL and failed when they do not fit. */
uint8_t *zr_builder_reserve(struct zr_builder *builder, size_t bytes_count);

#endif
