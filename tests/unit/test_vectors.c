/*
 * test_vectors.c - protocol/vectors/messages.json is what this build writes, and means what it
 * says: the file is committed, other languages test against it, so a change in it is a change
 * of the wire. `make docs` writes it again; look at the diff twice before you do.
 */
#include "tests/lib/test.h"
#include "tests/lib/vector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "protocol/vectors/messages.json";

static json_t *committed;

static int
load(void **state)
{
    json_error_t error;

    (void)state;
    committed = json_load_file(path, 0, &error);
    if (committed == NULL) {
        print_error("%s:%d: %s\n", path, error.line, error.text);
    }
    return committed == NULL;
}

static int
unload(void **state)
{
    (void)state;
    json_decref(committed);
    return 0;
}

static const char *
text_of(const json_t *entry, const char *key)
{
    const char *text = json_string_value(json_object_get(entry, key));

    assert_non_null(text);
    return text;
}

static void
test_vectors_file_is_byte_exact(void **state)
{
    char *expected = vectors_text();
    const size_t bytes = strlen(expected);
    char *found = calloc(1, bytes + 2);
    FILE *file = fopen(path, "re");
    size_t found_bytes;

    (void)state;
    assert_non_null(file);
    found_bytes = fread(found, 1, bytes + 2, file);
    (void)fclose(file);
    assert_int_equal(found_bytes, bytes + 1);
    assert_int_equal(found[bytes], '\n');
    assert_memory_equal(found, expected, bytes);
    free(found);
    free(expected);
}

/* Rule of evolution 9: one for every operation, version and direction. */
static void
test_vectors_cover_every_message(void **state)
{
    struct vector vector;
    size_t count = 0;

    (void)state;
    for (; vector_at(&vector, count); count++) {
        const json_t *entry = json_array_get(committed, count);

        assert_string_equal(text_of(entry, "name"), vector.operation->name);
        assert_string_equal(text_of(entry, "direction"), vector_direction_name(vector.direction));
        assert_int_equal(json_integer_value(json_object_get(entry, "op")), vector.operation->op);
        assert_int_equal(json_integer_value(json_object_get(entry, "version")), vector.version);
    }
    assert_int_equal(json_array_size(committed), count);
}

static void
assert_header(const json_t *entry, const struct zr_header *header)
{
    const json_t *wanted = json_object_get(entry, "header");
    const struct {
        const char *key;
        uint64_t value;
    } rows[] = {
        {"id", header->id},         {"flags", header->flags},   {"timeout_us", header->timeout_us},
        {"status", header->status}, {"detail", header->detail}, {"credit", header->credit},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(json_integer_value(json_object_get(wanted, rows[i].key)), rows[i].value);
    }
}

/* The committed bytes, cut and decoded, give the committed fields; encoded again, the bytes. */
static void
test_vectors_decode_to_their_fields(void **state)
{
    struct vector vector;

    (void)state;
    for (size_t i = 0; vector_at(&vector, i); i++) {
        const json_t *entry = json_array_get(committed, i);
        static uint8_t frame[ZR_FRAME_BYTES_LIMIT];
        static uint8_t again[ZR_FRAME_BYTES_LIMIT];
        static union zr_any_message message;
        struct zr_header header;
        uint16_t invalid_at;
        size_t bytes;
        json_t *fields;

        assert_true(vector_hex_take(frame, &bytes, sizeof frame, text_of(entry, "hex")));
        assert_int_equal(zr_frame_cut(&header, frame, bytes, sizeof frame), ZR_CUT_FRAME);
        assert_int_equal(header.size, bytes);
        assert_header(entry, &header);
        memset(&message, 0, sizeof message);
        assert_int_equal(zr_message_decode(&message, &invalid_at, vector.shape, &header, frame),
                         ZR_DECODE_OK);
        fields = vector_fields(&vector, &message);
        assert_true(json_equal(fields, json_object_get(entry, "fields")));
        json_decref(fields);
        (void)vector_encode(again, &vector, &message);
        assert_memory_equal(again, frame, bytes);
    }
}

static void
test_hex_takes_whole_lower_case_bytes_only(void **state)
{
    uint8_t bytes[2];
    size_t count;

    (void)state;
    assert_true(vector_hex_take(bytes, &count, sizeof bytes, "0aff"));
    assert_int_equal(count, 2);
    assert_int_equal(bytes[0], 0x0A);
    assert_int_equal(bytes[1], 0xFF);
    assert_false(vector_hex_take(bytes, &count, sizeof bytes, "0aff00"));
    assert_false(vector_hex_take(bytes, &count, sizeof bytes, "0"));
    assert_false(vector_hex_take(bytes, &count, sizeof bytes, "0G"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_file_is_byte_exact),
        cmocka_unit_test(test_vectors_cover_every_message),
        cmocka_unit_test(test_vectors_decode_to_their_fields),
        cmocka_unit_test(test_hex_takes_whole_lower_case_bytes_only),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
