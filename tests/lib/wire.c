/*
 * wire.c - see wire.h.
 */
#include "tests/lib/wire.h"

#include "protocol/check.h"
#include "tests/lib/test.h"

#include <string.h>

/* ---- walk ------------------------------------------------------------------------------------ */

struct walk {
    wire_fn visit;
    void *context;
    uint32_t offset; /* Of the next place. */
};

static void
walk_place(struct walk *walk, struct wire_place place, uint16_t bytes)
{
    place.offset = (uint16_t)walk->offset;
    place.bytes = bytes;
    if (bytes != 0 && walk->visit != NULL) {
        walk->visit(walk->context, &place);
    }
    walk->offset += bytes;
}

static void
walk_padding(struct walk *walk)
{
    const uint16_t over = walk->offset % ZR_FRAME_ALIGN;

    if (over != 0) {
        walk_place(walk, (struct wire_place){.what = WIRE_PADDING},
                   (uint16_t)(ZR_FRAME_ALIGN - over));
    }
}

static uint16_t
count_of(const struct zr_field *field, const void *message)
{
    uint16_t count;

    memcpy(&count, (const uint8_t *)message + field->count_offset, sizeof count);
    return count;
}

/* The rows of a body's block, or of one entry. `parent` gives array and element. */
static void
walk_block(struct walk *walk, const struct zr_shape *shape, const void *message,
           struct wire_place parent)
{
    for (uint16_t i = 0; i < shape->fields_count; i++) {
        const struct zr_field *field = &shape->fields[i];
        struct wire_place place = parent;

        place.field = field;
        if (field->row == ZR_ROW_FIELD) {
            place.what = WIRE_VALUE;
            place.value = (const uint8_t *)message + field->offset;
            walk_place(walk, place, field->type->bytes);
        } else if (field->row == ZR_ROW_RESERVED) {
            place.what = WIRE_RESERVED;
            walk_place(walk, place, field->max);
        } else {
            place.what = WIRE_COUNT;
            place.value = (const uint8_t *)message + field->count_offset;
            walk_place(walk, place, sizeof(uint16_t));
        }
    }
}

static void
walk_tail(struct walk *walk, const struct zr_field *field, const void *message)
{
    const uint8_t *data = (const uint8_t *)message + field->offset;
    const uint16_t count = count_of(field, message);

    if (field->row == ZR_ROW_BYTES) {
        walk_place(walk, (struct wire_place){.what = WIRE_BYTES, .field = field, .value = data},
                   count);
    } else if (field->row == ZR_ROW_ARRAY) {
        for (uint16_t i = 0; i < count; i++) {
            walk_block(walk, field->entry, data + i * field->entry->struct_bytes,
                       (struct wire_place){.array = field, .element = i});
        }
    }
}

uint32_t
wire_walk(const struct zr_shape *shape, const void *message, wire_fn visit, void *context)
{
    struct walk walk = {visit, context, ZR_HEADER_BYTES};

    walk_block(&walk, shape, message, (struct wire_place){0});
    walk_padding(&walk);
    for (uint16_t i = 0; i < shape->fields_count; i++) {
        walk_tail(&walk, &shape->fields[i], message);
    }
    walk_padding(&walk);
    return walk.offset;
}

/* ---- fill ------------------------------------------------------------------------------------ */

uint64_t
wire_type_max(const struct zr_type *type)
{
    uint64_t max = 0;

    switch (type->kind) {
    case ZR_KIND_UNSIGNED:
    case ZR_KIND_CATEGORY:
    case ZR_KIND_OUTCOME:
        return UINT64_MAX >> (64 - 8 * type->bytes);
    case ZR_KIND_BOOL:
        return 1;
    case ZR_KIND_ZIP:
    case ZR_KIND_ZIPS:
        return ZR_ZIP_MAX;
    case ZR_KIND_E164:
        return ZR_E164_MAX;
    case ZR_KIND_ENUM:
        while (type->values[max].name != NULL) {
            max++;
        }
        return max;
    case ZR_KIND_SIGNED:
    case ZR_KIND_ID:
    case ZR_KIND_HASH:
    case ZR_KIND_TEXT:
        break;
    }
    return 0;
}

static void
store_number(void *value, uint16_t bytes, uint64_t number)
{
    const uint8_t one = (uint8_t)number;
    const uint16_t two = (uint16_t)number;
    const uint32_t four = (uint32_t)number;

    switch (bytes) {
    case 1:
        memcpy(value, &one, 1);
        break;
    case 2:
        memcpy(value, &two, 2);
        break;
    case 4:
        memcpy(value, &four, 4);
        break;
    default:
        memcpy(value, &number, 8);
        break;
    }
}

/* Text of every length up to the full one, with a two-byte character where it fits. */
static void
fill_text(char *text, uint16_t bytes, uint64_t *random)
{
    size_t length = 1 + (size_t)test_random_below(random, bytes);

    for (size_t i = 0; i < length; i++) {
        text[i] = (char)('a' + test_random_below(random, 26));
    }
    if (length >= 3) {
        text[0] = '\xC3'; /* e with an acute. */
        text[1] = '\xA9';
    }
}

static void
fill_value(void *value, const struct zr_type *type, uint64_t *random)
{
    const uint64_t max = wire_type_max(type);
    uint8_t *bytes = value;

    switch (type->kind) {
    case ZR_KIND_TEXT:
        fill_text(value, type->bytes, random);
        break;
    case ZR_KIND_ID:
    case ZR_KIND_HASH:
        for (uint16_t i = 0; i < type->bytes; i++) {
            bytes[i] = (uint8_t)test_random(random);
        }
        break;
    case ZR_KIND_ZIPS:
        for (size_t i = 0; i < ZR_ZIPS_MAX; i++) {
            store_number(bytes + 4 * i, 4, test_random_below(random, max + 1));
        }
        break;
    case ZR_KIND_SIGNED:
        /* Small and often negative: what money and degrees look like. */
        store_number(value, type->bytes, test_random_below(random, 2000001) - 1000000);
        break;
    case ZR_KIND_ENUM:
        store_number(value, 1, 1 + test_random_below(random, max));
        break;
    case ZR_KIND_UNSIGNED:
    case ZR_KIND_BOOL:
    case ZR_KIND_ZIP:
    case ZR_KIND_CATEGORY:
    case ZR_KIND_OUTCOME:
    case ZR_KIND_E164:
        store_number(value, type->bytes,
                     max == UINT64_MAX ? test_random(random) : test_random_below(random, max + 1));
        break;
    }
}

static void fill_rows(uint8_t *message, const struct zr_shape *shape, uint64_t *random,
                      uint16_t elements);

static void
fill_row(uint8_t *message, const struct zr_field *field, uint64_t *random, uint16_t elements)
{
    uint8_t *data = message + field->offset;
    unsigned wanted = field->row == ZR_ROW_BYTES ? 8u * elements : elements;
    const uint16_t count = (uint16_t)(wanted < field->max ? wanted : field->max);

    if (field->row == ZR_ROW_FIELD) {
        fill_value(data, field->type, random);
        return;
    }
    if (field->row == ZR_ROW_RESERVED) {
        return;
    }
    memcpy(message + field->count_offset, &count, sizeof count);
    for (uint16_t i = 0; i < count; i++) {
        if (field->row == ZR_ROW_BYTES) {
            data[i] = (uint8_t)test_random(random);
        } else {
            fill_rows(data + i * field->entry->struct_bytes, field->entry, random, elements);
        }
    }
}

static void
fill_rows(uint8_t *message, const struct zr_shape *shape, uint64_t *random, uint16_t elements)
{
    for (uint16_t i = 0; i < shape->fields_count; i++) {
        fill_row(message, &shape->fields[i], random, elements);
    }
}

void
wire_fill(void *message, const struct zr_shape *shape, uint64_t seed, uint16_t elements)
{
    CHECK(shape->put_tail != NULL); /* A body, not an entry. */
    memset(message, 0, shape->struct_bytes);
    fill_rows(message, shape, &seed, elements);
}

struct zr_header
wire_encode(uint8_t frame[ZR_FRAME_BYTES_LIMIT], uint16_t op, const struct zr_shape *shape,
            const void *message)
{
    const bool reply = (op & ZR_OP_RESPONSE) != 0;
    const struct zr_operation *operation = zr_operation_find(op & (uint16_t)~ZR_OP_RESPONSE);
    struct zr_header header = {
        .op = op,
        .version = operation == NULL ? 1 : operation->version,
        .id = UINT64_C(0x1122334455667788),
        .timeout_us = reply ? 0 : 500000,
        .credit = reply ? 64 : 0,
    };
    struct zr_builder builder;

    zr_builder_init(&builder, frame, ZR_FRAME_BYTES_LIMIT);
    zr_message_encode(&builder, &header, shape, message);
    CHECK(!builder.failed);
    zr_header_decode(&header, frame);
    CHECK(header.size == builder.length);
    return header;
}
