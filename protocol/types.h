/*
 * types.h - the field types that messages.def uses, each with its meaning on the wire.
 *
 * A type knows its size, how it is put and taken, and which values it admits. A value outside
 * it marks the reader invalid at that field; the rest of the frame is still read, so that a
 * frame has one verdict.
 *
 *   u8 u16 u32 u64 i32   integers, little-endian
 *   bool                 u8, 0 or 1
 *   cents                i64, integer US cents
 *   id                   16 bytes: client-made keys (UUIDv7), call ids, call refs
 *   hash                 32 bytes: SHA-256
 *   zip                  u32, 0..99,999
 *   zips4                4 x zip
 *   category             u16
 *   outcome              u16, a status code
 *   e164                 u64, at most 15 digits
 *   text2 text32 text64  UTF-8 without controls, zeros up to the size
 *   (enums.def)          u8, one of the listed values; 0 never is
 */
#ifndef ZR_TYPES_H
#define ZR_TYPES_H

#include "protocol/builder.h"
#include "protocol/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zr_id {
    uint8_t bytes[16];
};

struct zr_hash {
    uint8_t bytes[32];
};

enum { ZR_ZIP_MAX = 99999, ZR_ZIPS_MAX = 4 };
#define ZR_E164_MAX UINT64_C(999999999999999)

/* ---- enumerations ----------------------------------------------------------------------- */

#define ENUM(type, TYPE) \
    enum zr_##type       \
    {
#define VALUE(TYPE, NAME, number) ZR_##TYPE##_##NAME = (number),
#define END_ENUM(type, TYPE) \
    }                        \
    ;
#include "protocol/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM

/* Name of a value ("PRIMARY"), NULL for one that this build does not know. */
#define ENUM(type, TYPE) const char *zr_##type##_name(uint8_t value);
#define VALUE(TYPE, NAME, number)
#define END_ENUM(type, TYPE)
#include "protocol/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM

/* ---- C types: the one place with typedefs, because messages.def names types by token ------- */

/* From here on names end in a type's token, which is lower case, and macros make sums of rows. */
// NOLINTBEGIN(readability-identifier-naming,bugprone-macro-parentheses)

typedef uint8_t zr_c_u8;
typedef uint16_t zr_c_u16;
typedef uint32_t zr_c_u32;
typedef uint64_t zr_c_u64;
typedef int32_t zr_c_i32;
typedef bool zr_c_bool;
typedef int64_t zr_c_cents;
typedef struct zr_id zr_c_id;
typedef struct zr_hash zr_c_hash;
typedef uint32_t zr_c_zip;
typedef uint32_t zr_c_zips4[ZR_ZIPS_MAX];
typedef uint16_t zr_c_category;
typedef uint16_t zr_c_outcome;
typedef uint64_t zr_c_e164;
/* Texts are NUL-terminated in memory, one byte longer than on the wire. */
typedef char zr_c_text2[3];
typedef char zr_c_text32[33];
typedef char zr_c_text64[65];
#define ENUM(type, TYPE) typedef uint8_t zr_c_##type;
#define VALUE(TYPE, NAME, number)
#define END_ENUM(type, TYPE)
#include "protocol/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM

/* Sizes on the wire, in bytes. */
enum {
    ZR_SIZE_u8 = 1,
    ZR_SIZE_u16 = 2,
    ZR_SIZE_u32 = 4,
    ZR_SIZE_u64 = 8,
    ZR_SIZE_i32 = 4,
    ZR_SIZE_bool = 1,
    ZR_SIZE_cents = 8,
    ZR_SIZE_id = 16,
    ZR_SIZE_hash = 32,
    ZR_SIZE_zip = 4,
    ZR_SIZE_zips4 = 16,
    ZR_SIZE_category = 2,
    ZR_SIZE_outcome = 2,
    ZR_SIZE_e164 = 8,
    ZR_SIZE_text2 = 2,
    ZR_SIZE_text32 = 32,
    ZR_SIZE_text64 = 64,
#define ENUM(type, TYPE) ZR_SIZE_##type = 1,
#define VALUE(TYPE, NAME, number)
#define END_ENUM(type, TYPE)
#include "protocol/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM
};

/* ---- what tools need to know about a type --------------------------------------------------- */

enum zr_kind {
    ZR_KIND_UNSIGNED,
    ZR_KIND_SIGNED,
    ZR_KIND_BOOL,
    ZR_KIND_ID,
    ZR_KIND_HASH,
    ZR_KIND_ZIP,
    ZR_KIND_ZIPS,
    ZR_KIND_CATEGORY,
    ZR_KIND_OUTCOME,
    ZR_KIND_E164,
    ZR_KIND_TEXT,
    ZR_KIND_ENUM,
};

struct zr_enum_value {
    const char *name;
    uint8_t number;
};

struct zr_type {
    const char *name;                   /* As in messages.def. */
    enum zr_kind kind;                  /* How a tool prints and parses it. */
    uint16_t bytes;                     /* On the wire. */
    const struct zr_enum_value *values; /* Of an ENUM, ended by a NULL name; else NULL. */
};

extern const struct zr_type zr_type_u8, zr_type_u16, zr_type_u32, zr_type_u64, zr_type_i32;
extern const struct zr_type zr_type_bool, zr_type_cents, zr_type_id, zr_type_hash, zr_type_zip;
extern const struct zr_type zr_type_zips4, zr_type_category, zr_type_outcome, zr_type_e164;
extern const struct zr_type zr_type_text2, zr_type_text32, zr_type_text64;
#define ENUM(type, TYPE) extern const struct zr_type zr_type_##type;
#define VALUE(TYPE, NAME, number)
#define END_ENUM(type, TYPE)
#include "protocol/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM

/* ---- constants by token, for the codec ------------------------------------------------------- */

/* Kind of a type. */
enum {
    ZR_KINDOF_u8 = ZR_KIND_UNSIGNED,
    ZR_KINDOF_u16 = ZR_KIND_UNSIGNED,
    ZR_KINDOF_u32 = ZR_KIND_UNSIGNED,
    ZR_KINDOF_u64 = ZR_KIND_UNSIGNED,
    ZR_KINDOF_i32 = ZR_KIND_SIGNED,
    ZR_KINDOF_bool = ZR_KIND_BOOL,
    ZR_KINDOF_cents = ZR_KIND_SIGNED,
    ZR_KINDOF_id = ZR_KIND_ID,
    ZR_KINDOF_hash = ZR_KIND_HASH,
    ZR_KINDOF_zip = ZR_KIND_ZIP,
    ZR_KINDOF_zips4 = ZR_KIND_ZIPS,
    ZR_KINDOF_category = ZR_KIND_CATEGORY,
    ZR_KINDOF_outcome = ZR_KIND_OUTCOME,
    ZR_KINDOF_e164 = ZR_KIND_E164,
    ZR_KINDOF_text2 = ZR_KIND_TEXT,
    ZR_KINDOF_text32 = ZR_KIND_TEXT,
    ZR_KINDOF_text64 = ZR_KIND_TEXT,
#define ENUM(type, TYPE) ZR_KINDOF_##type = ZR_KIND_ENUM,
#define VALUE(TYPE, NAME, number)
#define END_ENUM(type, TYPE)
#include "protocol/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM
};

/* Largest value a type admits: of an enumeration the last one (they are dense from 1). */
#define ZR_MAX_u8       UINT8_MAX
#define ZR_MAX_u16      UINT16_MAX
#define ZR_MAX_u32      UINT32_MAX
#define ZR_MAX_u64      UINT64_MAX
#define ZR_MAX_i32      UINT64_MAX
#define ZR_MAX_bool     1
#define ZR_MAX_cents    UINT64_MAX
#define ZR_MAX_id       0
#define ZR_MAX_hash     0
#define ZR_MAX_zip      ZR_ZIP_MAX
#define ZR_MAX_zips4    ZR_ZIP_MAX
#define ZR_MAX_category UINT16_MAX
#define ZR_MAX_outcome  UINT16_MAX
#define ZR_MAX_e164     ZR_E164_MAX
#define ZR_MAX_text2    0
#define ZR_MAX_text32   0
#define ZR_MAX_text64   0
enum {
#define ENUM(type, TYPE)          ZR_MAX_##type = 0
#define VALUE(TYPE, NAME, number) +1
#define END_ENUM(type, TYPE)      ,
#include "protocol/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM
};
// NOLINTEND(readability-identifier-naming,bugprone-macro-parentheses)

/* True for UTF-8 (RFC 3629: no overlongs, no surrogates) without control characters. */
bool zr_text_is_valid(const uint8_t *text, size_t text_bytes);

#endif
