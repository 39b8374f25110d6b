/*
 * test_types.c - the field types: descriptions, enumerations, text.
 */
#include "protocol/types.h"
#include "tests/lib/test.h"

#include <string.h>

/* ---- text (E68) ------------------------------------------------------------------------------ */

struct text_row {
    const char *what;
    const char *bytes;
    bool valid;
};

static const struct text_row texts[] = {
    {"empty", "", true},
    {"ascii", "Ace Plumbing 24/7 ~", true},
    {"first printable", " ", true},
    {"last C0 control", "\x1F", false},
    {"newline", "a\nb", false},
    {"DEL", "\x7F", false},
    {"C1, first", "\xC2\x80", false},
    {"C1, last", "\xC2\x9F", false},
    {"first after C1", "\xC2\xA0", true},
    {"two bytes", "Caf\xC3\xA9", true},
    {"last of two bytes", "\xDF\xBF", true},
    {"first of three bytes", "\xE0\xA0\x80", true},
    {"last before the surrogates", "\xED\x9F\xBF", true},
    {"first surrogate", "\xED\xA0\x80", false},
    {"last surrogate", "\xED\xBF\xBF", false},
    {"first after the surrogates", "\xEE\x80\x80", true},
    {"last of three bytes", "\xEF\xBF\xBF", true},
    {"first of four bytes", "\xF0\x90\x80\x80", true},
    {"last code point", "\xF4\x8F\xBF\xBF", true},
    {"past the last code point", "\xF4\x90\x80\x80", false},
    {"lone continuation", "\x80", false},
    {"overlong slash, two bytes", "\xC0\xAF", false},
    {"overlong, two bytes", "\xC1\xBF", false},
    {"overlong, three bytes", "\xE0\x9F\xBF", false},
    {"overlong, four bytes", "\xF0\x8F\xBF\xBF", false},
    {"overlong control", "\xC0\x80", false},
    {"five bytes", "\xF8\x88\x80\x80\x80", false},
    {"FE", "\xFE", false},
    {"FF", "\xFF", false},
    {"cut after one of two", "a\xC3", false},
    {"cut after two of three", "\xE2\x82", false},
    {"cut after three of four", "\xF0\x9F\x93", false},
    {"second byte is none", "\xC3(", false},
    {"third byte is none", "\xE2\x82(", false},
    {"fourth byte is none", "\xF0\x9F\x93(", false},
    {"good, then bad", "ok\xFF", false},
};

static void
test_text_is_utf8_without_controls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct text_row *row = &texts[i];

        if (zr_text_is_valid((const uint8_t *)row->bytes, strlen(row->bytes)) != row->valid) {
            fail_msg("%s", row->what);
        }
    }
    assert_false(zr_text_is_valid((const uint8_t *)"a\0b", 3)); /* NUL is a control too. */
}

/* Every code point, encoded by the definition, against the rule in words. */
static void
test_text_admits_every_code_point_but_controls_and_surrogates(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x110000; code++) {
        const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
        const bool surrogate = code >= 0xD800 && code < 0xE000;
        uint8_t bytes[4];
        size_t length = 0;

        if (code < 0x80) {
            bytes[length++] = (uint8_t)code;
        } else if (code < 0x800) {
            bytes[length++] = (uint8_t)(0xC0 | code >> 6);
        } else if (code < 0x10000) {
            bytes[length++] = (uint8_t)(0xE0 | code >> 12);
            bytes[length++] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        } else {
            bytes[length++] = (uint8_t)(0xF0 | code >> 18);
            bytes[length++] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
            bytes[length++] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        }
        if (code >= 0x80) {
            bytes[length++] = (uint8_t)(0x80 | (code & 0x3F));
        }
        if (zr_text_is_valid(bytes, length) != (!control && !surrogate && code < 0x110000)) {
            fail_msg("U+%04X", code);
        }
    }
}

/* ---- enumerations and descriptions ------------------------------------------------------------
 */

struct enumeration {
    const struct zr_type *type;
    const char *(*name)(uint8_t value);
    unsigned max;
};

static const struct enumeration enumerations[] = {
#define ENUM(type, TYPE) {&zr_type_##type, zr_##type##_name, ZR_MAX_##type},
#define VALUE(TYPE, NAME, number)
#define END_ENUM(type, TYPE)
#include "protocol/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM
};

/* The codec judges an enumeration by its largest value alone, so they must be dense from 1. */
static void
test_enumerations_are_dense_from_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof enumerations / sizeof enumerations[0]; i++) {
        const struct enumeration *row = &enumerations[i];
        unsigned expected = 1;

        assert_int_equal(row->type->kind, ZR_KIND_ENUM);
        assert_int_equal(row->type->bytes, 1);
        for (const struct zr_enum_value *value = row->type->values; value->name != NULL; value++) {
            assert_int_equal(value->number, expected);
            assert_string_equal(row->name(value->number), value->name);
            expected++;
        }
        assert_int_equal(row->max, expected - 1);
        assert_null(row->name(0));
        assert_null(row->name((uint8_t)expected));
        assert_null(row->name(255));
    }
}

static void
test_types_describe_their_size(void **state)
{
    static const struct {
        const struct zr_type *type;
        const char *name;
        enum zr_kind kind;
        uint16_t bytes;
    } rows[] = {
        {&zr_type_u8, "u8", ZR_KIND_UNSIGNED, 1},
        {&zr_type_u16, "u16", ZR_KIND_UNSIGNED, 2},
        {&zr_type_u32, "u32", ZR_KIND_UNSIGNED, 4},
        {&zr_type_u64, "u64", ZR_KIND_UNSIGNED, 8},
        {&zr_type_i32, "i32", ZR_KIND_SIGNED, 4},
        {&zr_type_bool, "bool", ZR_KIND_BOOL, 1},
        {&zr_type_cents, "cents", ZR_KIND_SIGNED, 8},
        {&zr_type_id, "id", ZR_KIND_ID, 16},
        {&zr_type_hash, "hash", ZR_KIND_HASH, 32},
        {&zr_type_zip, "zip", ZR_KIND_ZIP, 4},
        {&zr_type_zips4, "zips4", ZR_KIND_ZIPS, 16},
        {&zr_type_category, "category", ZR_KIND_CATEGORY, 2},
        {&zr_type_outcome, "outcome", ZR_KIND_OUTCOME, 2},
        {&zr_type_e164, "e164", ZR_KIND_E164, 8},
        {&zr_type_text2, "text2", ZR_KIND_TEXT, 2},
        {&zr_type_text32, "text32", ZR_KIND_TEXT, 32},
        {&zr_type_text64, "text64", ZR_KIND_TEXT, 64},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(rows[i].type->name, rows[i].name);
        assert_int_equal(rows[i].type->kind, rows[i].kind);
        assert_int_equal(rows[i].type->bytes, rows[i].bytes);
        assert_null(rows[i].type->values);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_utf8_without_controls),
        cmocka_unit_test(test_text_admits_every_code_point_but_controls_and_surrogates),
        cmocka_unit_test(test_enumerations_are_dense_from_one),
        cmocka_unit_test(test_types_describe_their_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
