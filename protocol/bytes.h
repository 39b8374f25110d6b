/*
 * bytes.h - little-endian integers in byte arrays.
 *
 * The wire and the stored rows are little-endian on every machine. Bytes are moved
 * one integer at a time through memcpy, so no pointer is ever cast to a wider type
 * and alignment never matters; compilers turn each of these into one instruction.
 */
#ifndef ZR_BYTES_H
#define ZR_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t
zr_load_u16(const uint8_t *bytes)
{
    uint16_t value;

    memcpy(&value, bytes, sizeof value);
    return le16toh(value);
}

static inline uint32_t
zr_load_u32(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof value);
    return le32toh(value);
}

static inline uint64_t
zr_load_u64(const uint8_t *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof value);
    return le64toh(value);
}

static inline void
zr_store_u16(uint8_t *bytes, uint16_t value)
{
    value = htole16(value);
    memcpy(bytes, &value, sizeof value);
}

static inline void
zr_store_u32(uint8_t *bytes, uint32_t value)
{
    value = htole32(value);
    memcpy(bytes, &value, sizeof value);
}

static inline void
zr_store_u64(uint8_t *bytes, uint64_t value)
{
    value = htole64(value);
    memcpy(bytes, &value, sizeof value);
}

#endif
