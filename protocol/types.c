/*
 * types.c - descriptions of the field types, names of the enumerations, and what text is.
 */
#include "protocol/types.h"

#define TYPE(type, type_kind) \
    const struct zr_type zr_type_##type = {#type, ZR_KIND_##type_kind, ZR_SIZE_##type, NULL}
TYPE(u8, UNSIGNED);
TYPE(u16, UNSIGNED);
TYPE(u32, UNSIGNED);
TYPE(u64, UNSIGNED);
TYPE(i32, SIGNED);
TYPE(bool, BOOL);
TYPE(cents, SIGNED);
TYPE(id, ID);
TYPE(hash, HASH);
TYPE(zip, ZIP);
TYPE(zips4, ZIPS);
TYPE(category, CATEGORY);
TYPE(outcome, OUTCOME);
TYPE(e164, E164);
TYPE(text2, TEXT);
TYPE(text32, TEXT);
TYPE(text64, TEXT);
#undef TYPE

#define ENUM(type, TYPE)          static const struct zr_enum_value type##_values[] = {
#define VALUE(TYPE, NAME, number) {#NAME, number},
#define END_ENUM(type, TYPE) \
    {                        \
        NULL, 0              \
    }                        \
    }                        \
    ;                        \
    const struct zr_type zr_type_##type = {#type, ZR_KIND_ENUM, 1, type##_values};
#include "protocol/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM

static const char *
enum_value_name(const struct zr_enum_value *values, uint8_t number)
{
    for (const struct zr_enum_value *value = values; value->name != NULL; value++) {
        if (value->number == number) {
            return value->name;
        }
    }
    return NULL;
}

#define ENUM(type, TYPE)                              \
    const char *zr_##type##_name(uint8_t value)       \
    {                                                 \
        return enum_value_name(type##_values, value); \
    }
#define VALUE(TYPE, NAME, number)
#define END_ENUM(type, TYPE)
#include "protocol/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM

/* Bytes that the sequence beginning with `first` has, 0 when none begins so. */
static size_t
utf8_length(uint8_t first)
{
    if (first < 0x80) {
        return 1;
    }
    if ((first & 0xE0) == 0xC0) {
        return 2;
    }
    if ((first & 0xF0) == 0xE0) {
        return 3;
    }
    return (first & 0xF8) == 0xF0 ? 4 : 0;
}

/* True for what may be written: no control characters (C0, DEL, C1), no surrogates. */
static bool
code_point_is_text(uint32_t code)
{
    if (code < 0x20 || (code >= 0x7F && code <= 0x9F)) {
        return false;
    }
    return code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
}

/* Bytes of the UTF-8 sequence that starts at `text`, 0 when it is none. */
static size_t
utf8_sequence_bytes(const uint8_t *text, size_t left)
{
    static const struct {
        uint32_t first_mask; /* Payload bits of the first byte. */
        uint32_t code_min;   /* Less would fit a shorter sequence: overlong. */
    } shapes[] = {{0, 0}, {0x7F, 0}, {0x1F, 0x80}, {0x0F, 0x800}, {0x07, 0x10000}};
    const size_t length = utf8_length(text[0]);
    uint32_t code = text[0] & shapes[length].first_mask;

    if (length == 0 || length > left) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3F);
    }
    return code >= shapes[length].code_min && code_point_is_text(code) ? length : 0;
}

bool
zr_text_is_valid(const uint8_t *text, size_t text_bytes)
{
    size_t at = 0;

    while (at < text_bytes) {
        const size_t sequence = utf8_sequence_bytes(text + at, text_bytes - at);

        if (sequence == 0) {
            return false;
        }
        at += sequence;
    }
    return true;
}
