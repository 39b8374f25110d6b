/*
 * builder.c - see builder.h.
 */
#include "protocol/builder.h"

#include "protocol/bytes.h"
#include "protocol/check.h"

void
zr_builder_init(struct zr_builder *builder, uint8_t *bytes, size_t capacity)
{
    CHECK(builder != NULL);
    CHECK(bytes != NULL || capacity == 0);

    builder->bytes = bytes;
    builder->capacity = capacity;
    builder->length = 0;
    builder->failed = false;
}

uint8_t *
zr_builder_reserve(struct zr_builder *builder, size_t bytes_count)
{
    uint8_t *reserved;

    CHECK(builder->length <= builder->capacity);
    if (builder->failed || bytes_count > builder->capacity - builder->length) {
        builder->failed = true;
        return NULL;
    }
    /* Nothing of no buffer: NULL has no offset, not even 0. */
    reserved = builder->bytes == NULL ? NULL : builder->bytes + builder->length;
    builder->length += bytes_count;
    return reserved;
}

void
zr_builder_put_u8(struct zr_builder *builder, uint8_t value)
{
    uint8_t *bytes = zr_builder_reserve(builder, 1);

    if (bytes != NULL) {
        bytes[0] = value;
    }
}

void
zr_builder_put_u16(struct zr_builder *builder, uint16_t value)
{
    uint8_t *bytes = zr_builder_reserve(builder, 2);

    if (bytes != NULL) {
        zr_store_u16(bytes, value);
    }
}

void
zr_builder_put_u32(struct zr_builder *builder, uint32_t value)
{
    uint8_t *bytes = zr_builder_reserve(builder, 4);

    if (bytes != NULL) {
        zr_store_u32(bytes, value);
    }
}

void
zr_builder_put_u64(struct zr_builder *builder, uint64_t value)
{
    uint8_t *bytes = zr_builder_reserve(builder, 8);

    if (bytes != NULL) {
        zr_store_u64(bytes, value);
    }
}

void
zr_builder_put_bytes(struct zr_builder *builder, const uint8_t *bytes, size_t bytes_count)
{
    uint8_t *reserved = zr_builder_reserve(builder, bytes_count);

    if (reserved != NULL && bytes_count != 0) {
        memcpy(reserved, bytes, bytes_count);
    }
}

void
zr_builder_put_zeros(struct zr_builder *builder, size_t bytes_count)
{
    uint8_t *reserved = zr_builder_reserve(builder, bytes_count);

    if (reserved != NULL && bytes_count != 0) {
        memset(reserved, 0, bytes_count);
    }
}
