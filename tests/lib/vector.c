/*
 * vector.c - see vector.h.
 */
#include "tests/lib/vector.h"

#include "protocol/bytes.h"
#include "protocol/check.h"
#include "protocol/status.h"
#include "tests/lib/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ELEMENTS = 2 };

/* ---- which ----------------------------------------------------------------------------------- */

/* The vectors of one operation in one version: number 0 or 1. False: it has not so many. */
static bool
vector_of(struct vector *vector, const struct zr_operation *operation, uint8_t version,
          size_t number)
{
    if (operation->kind == ZR_OP_KIND_PUSH) {
        *vector = (struct vector){operation, operation->reply, VECTOR_PUSH, version};
        return number == 0;
    }
    *vector = number == 0 ? (struct vector){operation, operation->request, VECTOR_REQUEST, version}
                          : (struct vector){operation, operation->reply, VECTOR_REPLY, version};
    return number < 2;
}

bool
vector_at(struct vector *vector, size_t index)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);

    for (size_t i = 0; i < operations_count; i++) {
        for (uint8_t version = 1; version <= operations[i].version; version++) {
            for (size_t number = 0; vector_of(vector, &operations[i], version, number); number++) {
                if (index-- == 0) {
                    return true;
                }
            }
        }
    }
    return false;
}

const char *
vector_direction_name(enum vector_direction direction)
{
    static const char *const names[] = {"request", "reply", "push"};

    return names[direction];
}

/* ---- values ---------------------------------------------------------------------------------- */

struct story {
    const char *shape;
    const char *field;
    const char *text; /* NULL: a number. */
    uint64_t number;
    uint64_t step; /* Added for each element of an array. */
};

static const struct story stories[] = {
#define NUMBER(shape, field, value)  {#shape, #field, NULL, value, 0},
#define COUNTED(shape, field, value) {#shape, #field, NULL, value, 1},
#define TEXT(shape, field, text)     {#shape, #field, text, 0, 0},
#include "tests/lib/story.def"
#undef NUMBER
#undef COUNTED
#undef TEXT
};

/* Ids of the story: the same call everywhere, and keys in UUIDv7 layout of 2025-01-01. */
static const struct {
    const char *field;
    const char *hex;
} ids[] = {
    {"op_id", "01941f297c007aaa8bbbccccddddeeee"},
    {"call_id", "c0000000000000000000000000000001"},
    {"call_ref", "01941f297c0000000000000000000001"},
};

static void
story_apply(uint8_t *message, const struct zr_field *field, const struct story *story,
            uint16_t element)
{
    uint8_t *value = message + field->offset;
    uint8_t little[16] = {0};

    if (field->row == ZR_ROW_BYTES) {
        const uint16_t length = (uint16_t)strlen(story->text);

        memset(value, 0, field->max);
        memcpy(value, story->text, length);
        memcpy(message + field->count_offset, &length, sizeof length);
    } else if (story->text != NULL) {
        memset(value, 0, field->type->bytes);
        memcpy(value, story->text, strlen(story->text));
    } else {
        /* Also ZIPS: the first is the number, the rest 0. */
        zr_store_u64(little, story->number + story->step * element);
        memcpy(value, little, field->type->bytes);
    }
}

static void
story_tell(uint8_t *message, const struct zr_shape *shape, const struct zr_field *field,
           uint16_t element)
{
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        if (strcmp(field->name, ids[i].field) == 0) {
            size_t bytes_count;

            CHECK(vector_hex_take(message + field->offset, &bytes_count, 16, ids[i].hex));
        }
    }
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        if (strcmp(stories[i].shape, shape->name) == 0 &&
            strcmp(stories[i].field, field->name) == 0) {
            story_apply(message, field, &stories[i], element);
        }
    }
}

/* The rows of a body, or of entry number `element` of an array. */
static void
tell_rows(uint8_t *message, const struct zr_shape *shape, uint16_t element)
{
    for (uint16_t i = 0; i < shape->fields_count; i++) {
        const struct zr_field *field = &shape->fields[i];

        if (field->row == ZR_ROW_FIELD || field->row == ZR_ROW_BYTES) {
            story_tell(message, shape, field, element);
        }
    }
}

static void
tell_entries(uint8_t *message, const struct zr_field *array)
{
    uint16_t count;

    memcpy(&count, message + array->count_offset, sizeof count);
    for (uint16_t i = 0; i < count; i++) {
        tell_rows(message + array->offset + i * array->entry->struct_bytes, array->entry, i);
    }
}

static void
tell_body(uint8_t *message, const struct zr_shape *shape)
{
    tell_rows(message, shape, 0);
    for (uint16_t i = 0; i < shape->fields_count; i++) {
        if (shape->fields[i].row == ZR_ROW_ARRAY) {
            tell_entries(message, &shape->fields[i]);
        }
    }
}

/* Where the rows end that a vector has: replies are always the newest. */
static unsigned
rows_end_of(const struct vector *vector)
{
    return vector->direction == VECTOR_REQUEST
               ? ZR_HEADER_BYTES + vector->shape->rows_bytes(vector->version)
               : UINT16_MAX;
}

/* A request before PERIOD_END knew NOW only. */
static void
forget_newer(union zr_any_message *message, const struct vector *vector)
{
    for (uint16_t i = 0; i < vector->shape->fields_count; i++) {
        const struct zr_field *field = &vector->shape->fields[i];

        if (field->row == ZR_ROW_FIELD &&
            zr_shape_offset_of(vector->shape, field->name) >= rows_end_of(vector)) {
            memset((uint8_t *)message + field->offset, 0, field->type->bytes);
        }
    }
    if (vector->shape == &zr_release_request_shape && vector->version == 1) {
        message->release_request.when = ZR_RELEASE_NOW;
    }
}

void
vector_fill(union zr_any_message *message, const struct vector *vector)
{
    const uint64_t seed = (uint64_t)vector->operation->op << 8 | (uint64_t)vector->direction;

    memset(message, 0, sizeof *message);
    wire_fill(message, vector->shape, seed, ELEMENTS);
    tell_body((uint8_t *)message, vector->shape);
    forget_newer(message, vector);
}

/* Take out of a frame of the newest version the block's end that an older one has not. */
static void
block_cut(uint8_t *frame, struct zr_header *header, uint16_t block_bytes)
{
    uint8_t *tail = frame + ZR_HEADER_BYTES + header->block;
    const uint16_t cut = (uint16_t)(header->block - block_bytes);

    memmove(tail - cut, tail, header->size - ZR_HEADER_BYTES - header->block);
    header->block = block_bytes;
    header->size -= cut;
    zr_header_encode(frame, header);
}

struct zr_header
vector_encode(uint8_t frame[ZR_FRAME_BYTES_LIMIT], const struct vector *vector,
              const union zr_any_message *message)
{
    const uint16_t op = (uint16_t)vector->operation->op;
    struct zr_header header = {.op = op, .version = vector->version, .id = op};
    struct zr_builder builder;

    if (vector->direction == VECTOR_REQUEST) {
        header.timeout_us = 500000;
    } else {
        header.op |= ZR_OP_RESPONSE;
        header.credit = 64;
    }
    if (vector->direction == VECTOR_PUSH) {
        header.id = 0;
        header.status = op == ZR_OP_ERROR ? ZR_STATUS_BAD_FRAME : ZR_STATUS_OK;
    }
    zr_builder_init(&builder, frame, ZR_FRAME_BYTES_LIMIT);
    zr_message_encode(&builder, &header, vector->shape, message);
    CHECK(!builder.failed);
    zr_header_decode(&header, frame);
    if (vector->direction == VECTOR_REQUEST) {
        block_cut(frame, &header, zr_shape_block_bytes(vector->shape, vector->version));
    }
    return header;
}

/* ---- hex ------------------------------------------------------------------------------------- */

void
vector_hex_put(char *hex, const uint8_t *bytes, size_t bytes_count)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes_count; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * bytes_count] = '\0';
}

static int
digit_of(char letter)
{
    if (letter >= '0' && letter <= '9') {
        return letter - '0';
    }
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

bool
vector_hex_take(uint8_t *bytes, size_t *bytes_count, size_t capacity, const char *hex)
{
    size_t i;

    for (i = 0; hex[2 * i] != '\0'; i++) {
        const int high = digit_of(hex[2 * i]);
        const int low = digit_of(hex[2 * i + 1]);

        if (i == capacity || high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    *bytes_count = i;
    return true;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *
hex_json(const uint8_t *bytes, size_t bytes_count)
{
    char *hex = malloc(2 * bytes_count + 1);
    json_t *json;

    CHECK(hex != NULL);
    vector_hex_put(hex, bytes, bytes_count);
    json = json_string(hex);
    free(hex);
    return json;
}

/* An integer of any size; 8 bytes as a string. Little-endian machines only, like the tests. */
static json_t *
integer_json(const void *value, const struct zr_type *type)
{
    uint64_t number = 0;
    int64_t whole;
    int32_t half;
    char text[24];

    memcpy(&number, value, type->bytes);
    memcpy(&whole, &number, sizeof whole);
    memcpy(&half, &number, sizeof half);
    if (type->bytes < 8) {
        return json_integer(type->kind == ZR_KIND_SIGNED ? half : whole);
    }
    if (type->kind == ZR_KIND_SIGNED) {
        (void)snprintf(text, sizeof text, "%" PRId64, whole);
    } else {
        (void)snprintf(text, sizeof text, "%" PRIu64, number);
    }
    return json_string(text);
}

static json_t *
zips_json(const uint8_t *value)
{
    json_t *json = json_array();

    for (size_t i = 0; i < ZR_ZIPS_MAX; i++) {
        (void)json_array_append_new(json, integer_json(value + 4 * i, &zr_type_zip));
    }
    return json;
}

json_t *
vector_value(const void *value, const struct zr_type *type)
{
    const uint8_t first = *(const uint8_t *)value;

    switch (type->kind) {
    case ZR_KIND_BOOL:
        return json_boolean(first);
    case ZR_KIND_ID:
    case ZR_KIND_HASH:
        return hex_json(value, type->bytes);
    case ZR_KIND_ZIPS:
        return zips_json(value);
    case ZR_KIND_TEXT:
        return json_string(value);
    case ZR_KIND_ENUM:
        CHECK(first > 0 && first <= wire_type_max(type));
        return json_string(type->values[first - 1].name);
    case ZR_KIND_UNSIGNED:
    case ZR_KIND_SIGNED:
    case ZR_KIND_ZIP:
    case ZR_KIND_CATEGORY:
    case ZR_KIND_OUTCOME:
    case ZR_KIND_E164:
        break;
    }
    return integer_json(value, type);
}

static json_t *rows_json(const struct zr_shape *shape, unsigned rows_end, const void *message);

static json_t *
row_json(const uint8_t *message, const struct zr_field *field)
{
    const uint8_t *data = message + field->offset;
    uint16_t count;
    json_t *json;

    if (field->row == ZR_ROW_FIELD) {
        return vector_value(data, field->type);
    }
    memcpy(&count, message + field->count_offset, sizeof count);
    if (field->row == ZR_ROW_BYTES) {
        return hex_json(data, count);
    }
    json = json_array();
    for (uint16_t i = 0; i < count; i++) {
        // NOLINTNEXTLINE(misc-no-recursion): entries hold no arrays.
        (void)json_array_append_new(
            json, rows_json(field->entry, UINT16_MAX, data + i * field->entry->struct_bytes));
    }
    return json;
}

/* The rows that begin before the offset `rows_end` of a frame. */
static json_t *
rows_json(const struct zr_shape *shape, unsigned rows_end, const void *message)
{
    json_t *json = json_object();

    for (uint16_t i = 0; i < shape->fields_count; i++) {
        if (shape->fields[i].row != ZR_ROW_RESERVED &&
            zr_shape_offset_of(shape, shape->fields[i].name) < rows_end) {
            // NOLINTNEXTLINE(misc-no-recursion)
            (void)json_object_set_new(json, shape->fields[i].name,
                                      row_json(message, &shape->fields[i]));
        }
    }
    return json;
}

json_t *
vector_fields(const struct vector *vector, const void *message)
{
    return rows_json(vector->shape, rows_end_of(vector), message);
}

json_t *
vector_json(const struct vector *vector)
{
    static uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    static union zr_any_message message;
    struct zr_header header;
    json_t *json;

    vector_fill(&message, vector);
    header = vector_encode(frame, vector, &message);
    json = json_pack("{s:s, s:i, s:i, s:s, s:o}", "name", vector->operation->name, "op",
                     (int)vector->operation->op, "version", (int)vector->version, "direction",
                     vector_direction_name(vector->direction), "header",
                     json_pack("{s:I, s:i, s:I, s:i, s:i, s:i}", "id", (json_int_t)header.id,
                               "flags", (int)header.flags, "timeout_us",
                               (json_int_t)header.timeout_us, "status", (int)header.status,
                               "detail", (int)header.detail, "credit", (int)header.credit));
    (void)json_object_set_new(json, "fields", vector_fields(vector, &message));
    (void)json_object_set_new(json, "hex", hex_json(frame, header.size));
    return json;
}

char *
vectors_text(void)
{
    json_t *all = json_array();
    struct vector vector;
    char *text;

    for (size_t i = 0; vector_at(&vector, i); i++) {
        (void)json_array_append_new(all, vector_json(&vector));
    }
    text = json_dumps(all, JSON_INDENT(2));
    json_decref(all);
    return text;
}
