/*
 * message.c - the codec of every message, generated from the rows of messages.def.
 *
 * Each include below turns every body into one straight function: put its block, put its tail,
 * take its block, take its tail. All of them stand on put_value() and take_value(), which hold
 * every rule about a field's bytes; kind and size are constants at each call, so that the
 * compiler keeps one line of their switch. A new message is rows only.
 */
#include "protocol/message.h"

#include "protocol/bytes.h"
#include "protocol/check.h"

#include <string.h>

/* ---- one value ------------------------------------------------------------------------------- */

static inline void
put_text(struct zr_builder *builder, const char *text, uint16_t bytes)
{
    const size_t length = strnlen(text, bytes);

    zr_builder_put_bytes(builder, (const uint8_t *)text, length);
    zr_builder_put_zeros(builder, bytes - length);
}

static inline void
put_zips(struct zr_builder *builder, const uint32_t *zips)
{
    for (size_t i = 0; i < ZR_ZIPS_MAX; i++) {
        zr_builder_put_u32(builder, zips[i]);
    }
}

static inline __attribute__((always_inline)) void
put_value(struct zr_builder *builder, enum zr_kind kind, uint16_t bytes, const void *value)
{
    if (kind == ZR_KIND_TEXT) {
        put_text(builder, value, bytes);
    } else if (kind == ZR_KIND_ZIPS) {
        put_zips(builder, value);
    } else if (kind == ZR_KIND_ID || kind == ZR_KIND_HASH) {
        zr_builder_put_bytes(builder, value, bytes);
    } else if (bytes == 1) {
        zr_builder_put_u8(builder, *(const uint8_t *)value);
    } else if (bytes == 2) {
        zr_builder_put_u16(builder, *(const uint16_t *)value);
    } else if (bytes == 4) {
        zr_builder_put_u32(builder, *(const uint32_t *)value);
    } else {
        zr_builder_put_u64(builder, *(const uint64_t *)value);
    }
}

/* What is no text is left empty: a reply is read all the same, but never shows its bytes. */
static inline void
take_text(struct zr_reader *reader, char *text, uint16_t bytes)
{
    const uint8_t *taken = zr_reader_take_bytes(reader, bytes);
    size_t length;
    uint8_t rest = 0;

    if (taken == NULL) {
        return;
    }
    length = strnlen((const char *)taken, bytes);
    for (size_t i = length; i < bytes; i++) {
        rest |= taken[i];
    }
    if (rest != 0 || !zr_text_is_valid(taken, length)) {
        zr_reader_mark_invalid(reader, bytes);
        return;
    }
    memcpy(text, taken, length);
}

static inline void
take_zips(struct zr_reader *reader, uint32_t *zips)
{
    for (size_t i = 0; i < ZR_ZIPS_MAX; i++) {
        zips[i] = zr_reader_take_u32(reader);
        if (zips[i] > ZR_ZIP_MAX) {
            zr_reader_mark_invalid(reader, sizeof zips[i]);
        }
    }
}

static inline void
take_array(struct zr_reader *reader, uint8_t *value, uint16_t bytes)
{
    const uint8_t *taken = zr_reader_take_bytes(reader, bytes);

    if (taken != NULL) {
        memcpy(value, taken, bytes);
    }
}

static inline __attribute__((always_inline)) void
take_value(struct zr_reader *reader, enum zr_kind kind, uint16_t bytes, uint64_t max, void *value)
{
    uint64_t number = 0;

    if (kind == ZR_KIND_TEXT) {
        take_text(reader, value, bytes);
        return;
    }
    if (kind == ZR_KIND_ZIPS) {
        take_zips(reader, value);
        return;
    }
    if (kind == ZR_KIND_ID || kind == ZR_KIND_HASH) {
        take_array(reader, value, bytes);
        return;
    }
    if (bytes == 1) {
        /* A bool keeps 0 or 1 in memory whatever came: another value there is undefined. */
        number = zr_reader_take_u8(reader);
        *(uint8_t *)value = kind == ZR_KIND_BOOL ? number == 1 : (uint8_t)number;
    } else if (bytes == 2) {
        number = *(uint16_t *)value = zr_reader_take_u16(reader);
    } else if (bytes == 4) {
        number = *(uint32_t *)value = zr_reader_take_u32(reader);
    } else {
        number = *(uint64_t *)value = zr_reader_take_u64(reader);
    }
    if (number > max || (kind == ZR_KIND_ENUM && number == 0)) {
        zr_reader_mark_invalid(reader, bytes);
    }
}

static inline uint16_t
take_count(struct zr_reader *reader, uint16_t max)
{
    const uint16_t count = zr_reader_take_u16(reader);

    if (count > max) {
        zr_reader_mark_invalid(reader, sizeof count);
        reader->failed = true; /* Where the tail's parts begin is not known any more. */
        return 0;
    }
    return count;
}

static inline void
put_count(struct zr_builder *builder, uint16_t count, uint16_t max)
{
    CHECK(count <= max);
    zr_builder_put_u16(builder, count);
}

/* ---- put ------------------------------------------------------------------------------------- */

/* `from` may be unused in a body without rows of the kind. */
#define ENTRY_BEGIN(name)                                                         \
    static void name##_put_block(struct zr_builder *builder, const void *message) \
    {                                                                             \
        const struct zr_##name *from = message;                                   \
        (void)builder;                                                            \
        (void)from;
#define ENTRY_END(name)  }
#define BODY_BEGIN(name) ENTRY_BEGIN(name)
#define BODY_END(name)   }
#define FIELD(self, type, name, doc) \
    put_value(builder, (enum zr_kind)ZR_KINDOF_##type, ZR_SIZE_##type, &from->name);
#define RESERVED(self, bytes)              zr_builder_put_zeros(builder, bytes);
#define ARRAY(self, entry, name, max, doc) put_count(builder, from->name##_count, max);
#define BYTES(self, name, max, doc)        put_count(builder, from->name##_length, max);
#include "protocol/messages.def"

#define BODY_BEGIN(name)                                                         \
    static void name##_put_tail(struct zr_builder *builder, const void *message) \
    {                                                                            \
        const struct zr_##name *from = message;                                  \
        (void)builder;                                                           \
        (void)from;
#define BODY_END(name) }
#define ARRAY(self, entry, name, max, doc)              \
    for (uint16_t i = 0; i < from->name##_count; i++) { \
        entry##_put_block(builder, &from->name[i]);     \
    }
#define BYTES(self, name, max, doc) zr_builder_put_bytes(builder, from->name, from->name##_length);
#include "protocol/messages.def"

/* ---- take ------------------------------------------------------------------------------------ */

#define ENTRY_BEGIN(name)                                                  \
    static void name##_take_block(struct zr_reader *reader, void *message) \
    {                                                                      \
        struct zr_##name *into = message;                                  \
        (void)reader;                                                      \
        (void)into;
#define ENTRY_END(name)  }
#define BODY_BEGIN(name) ENTRY_BEGIN(name)
#define BODY_END(name)   }
#define FIELD(self, type, name, doc)                                                            \
    take_value(reader, (enum zr_kind)ZR_KINDOF_##type, ZR_SIZE_##type, (uint64_t)ZR_MAX_##type, \
               &into->name);
#define RESERVED(self, bytes)              zr_reader_take_zeros(reader, bytes);
#define ARRAY(self, entry, name, max, doc) into->name##_count = take_count(reader, max);
#define BYTES(self, name, max, doc)        into->name##_length = take_count(reader, max);
#include "protocol/messages.def"

#define BODY_BEGIN(name)                                                  \
    static void name##_take_tail(struct zr_reader *reader, void *message) \
    {                                                                     \
        struct zr_##name *into = message;                                 \
        (void)reader;                                                     \
        (void)into;
#define BODY_END(name) }
#define ARRAY(self, entry, name, max, doc)                                 \
    for (uint16_t i = 0; i < into->name##_count && !reader->failed; i++) { \
        entry##_take_block(reader, &into->name[i]);                        \
    }
#define BYTES(self, name, max, doc) take_array(reader, into->name, into->name##_length);
#include "protocol/messages.def"

/* ---- descriptions ---------------------------------------------------------------------------- */

/* The sentinel keeps a body without rows from being an empty array. */
#define ENTRY_BEGIN(name) static const struct zr_field name##_fields[] = {
#define ENTRY_END(name)        \
    {                          \
        .row = ZR_ROW_RESERVED \
    }                          \
    }                          \
    ;
#define BODY_BEGIN(name) static const struct zr_field name##_fields[] = {
#define BODY_END(name)         \
    {                          \
        .row = ZR_ROW_RESERVED \
    }                          \
    }                          \
    ;
#define FIELD(self, field_type, field, text) \
    {.row = ZR_ROW_FIELD,                    \
     .name = #field,                         \
     .doc = (text),                          \
     .type = &zr_type_##field_type,          \
     .offset = offsetof(struct zr_##self, field)},
#define RESERVED(self, bytes) {.row = ZR_ROW_RESERVED, .max = (bytes)},
#define ARRAY(self, element, field, most, text)                 \
    {.row = ZR_ROW_ARRAY,                                       \
     .name = #field,                                            \
     .doc = (text),                                             \
     .entry = &zr_##element##_shape,                            \
     .offset = offsetof(struct zr_##self, field),               \
     .count_offset = offsetof(struct zr_##self, field##_count), \
     .max = (most)},
#define BYTES(self, field, most, text)                           \
    {.row = ZR_ROW_BYTES,                                        \
     .name = #field,                                             \
     .doc = (text),                                              \
     .offset = offsetof(struct zr_##self, field),                \
     .count_offset = offsetof(struct zr_##self, field##_length), \
     .max = (most)},
#include "protocol/messages.def"

/* Bytes of each block before padding: every row adds its own. */
// NOLINTBEGIN(bugprone-macro-parentheses)
enum {
#define ENTRY_BEGIN(name)                  name##_bytes = 0
#define ENTRY_END(name)                    ,
#define BODY_BEGIN(name)                   name##_bytes = 0
#define BODY_END(name)                     ,
#define FIELD(self, type, name, doc)       +ZR_SIZE_##type
#define RESERVED(self, bytes)              +(bytes)
#define ARRAY(self, entry, name, max, doc) +2
#define BYTES(self, name, max, doc)        +2
#include "protocol/messages.def"
};
// NOLINTEND(bugprone-macro-parentheses)

/* The same up to a version: each SINCE closes one sum and begins the next, which counts or not. */
// NOLINTBEGIN(bugprone-macro-parentheses)
#define ENTRY_BEGIN(name)                              \
    static uint16_t name##_rows_bytes(uint8_t version) \
    {                                                  \
        (void)version;                                 \
        return (uint16_t)(1 * (0
#define SINCE(self, number) \
    ) + (version >= (number) ? 1 : 0) * (0
#define ENTRY_END(name) \
    ));                 \
    }
#define BODY_BEGIN(name)                   ENTRY_BEGIN(name)
#define BODY_END(name)                     ENTRY_END(name)
#define FIELD(self, type, name, doc)       +ZR_SIZE_##type
#define RESERVED(self, bytes)              +(bytes)
#define ARRAY(self, entry, name, max, doc) +2
#define BYTES(self, name, max, doc)        +2
#include "protocol/messages.def"
// NOLINTEND(bugprone-macro-parentheses)

/* What an older version did not admit yet: enumerations that learned a value. */
static const struct {
    const struct zr_shape *shape;
    const char *name;
    size_t offset;
    uint8_t version;
    uint8_t most;
} limits[] = {
#define BELOW(self, field, number, value) \
    {&zr_##self##_shape, #field, offsetof(struct zr_##self, field), number, value},
#include "protocol/messages.def"
};

enum { ALIGN_MASK = ZR_FRAME_ALIGN - 1 };

#define FIELDS_COUNT(name) (uint16_t)(sizeof(name##_fields) / sizeof(name##_fields[0]) - 1)
#define ENTRY_BEGIN(name)                                                \
    const struct zr_shape zr_##name##_shape = {#name,                    \
                                               name##_fields,            \
                                               FIELDS_COUNT(name),       \
                                               name##_bytes,             \
                                               sizeof(struct zr_##name), \
                                               name##_rows_bytes,        \
                                               name##_put_block,         \
                                               NULL,                     \
                                               name##_take_block,        \
                                               NULL};
#define BODY_BEGIN(name)                                                                  \
    const struct zr_shape zr_##name##_shape = {#name,                                     \
                                               name##_fields,                             \
                                               FIELDS_COUNT(name),                        \
                                               (name##_bytes + ALIGN_MASK) & ~ALIGN_MASK, \
                                               sizeof(struct zr_##name),                  \
                                               name##_rows_bytes,                         \
                                               name##_put_block,                          \
                                               name##_put_tail,                           \
                                               name##_take_block,                         \
                                               name##_take_tail};
#include "protocol/messages.def"

/* ---- frames ---------------------------------------------------------------------------------- */

static void
builder_pad(struct zr_builder *builder, size_t start)
{
    zr_builder_put_zeros(builder, (0 - (builder->length - start)) & ALIGN_MASK);
}

void
zr_message_encode(struct zr_builder *builder, const struct zr_header *header,
                  const struct zr_shape *shape, const void *message)
{
    const size_t start = builder->length;
    uint8_t *header_bytes = zr_builder_reserve(builder, ZR_HEADER_BYTES);
    struct zr_header whole = *header;

    CHECK(shape != NULL);
    whole.block = 0;
    if (message != NULL) {
        shape->put_block(builder, message);
        builder_pad(builder, start);
        whole.block = shape->block_bytes;
        shape->put_tail(builder, message);
        builder_pad(builder, start);
    }
    if (builder->failed) {
        return;
    }
    whole.size = (uint32_t)(builder->length - start);
    zr_header_encode(header_bytes, &whole);
}

/* Take the block; a reply's may be longer than ours, then what we do not know is passed over. */
static bool
take_whole_block(struct zr_reader *reader, const struct zr_shape *shape, uint16_t block,
                 void *message)
{
    const uint8_t *start = reader->next;
    size_t taken;

    CHECK(block >= shape->block_bytes);
    shape->take_block(reader, message);
    if (reader->failed) {
        return false;
    }
    taken = (size_t)(reader->next - start);
    CHECK(taken <= shape->block_bytes);
    if (block == shape->block_bytes) {
        zr_reader_take_zeros(reader, block - taken);
    } else {
        (void)zr_reader_take_bytes(reader, block - taken);
    }
    return !reader->failed;
}

static enum zr_decode
decode_whole(void *message, uint16_t *invalid_at, const struct zr_shape *shape,
             const struct zr_header *header, const uint8_t *frame)
{
    const bool reply = (header->op & ZR_OP_RESPONSE) != 0;
    struct zr_reader reader;
    bool whole;

    memset(message, 0, shape->struct_bytes);
    *invalid_at = 0;
    zr_reader_init(&reader, frame, header->size);
    (void)zr_reader_take_bytes(&reader, ZR_HEADER_BYTES);

    whole = header->block == shape->block_bytes || (reply && header->block > shape->block_bytes);
    whole = whole && take_whole_block(&reader, shape, header->block, message);
    if (whole) {
        shape->take_tail(&reader, message);
        whole = !reader.failed;
    }
    if (whole && !reply) {
        /* Less than 8 bytes are padding. More are no field, so they cannot be an invalid one. */
        const size_t left = zr_reader_left(&reader);

        whole = left < ZR_FRAME_ALIGN;
        zr_reader_take_zeros(&reader, whole ? left : 0);
    }
    if (reader.invalid_at != ZR_READER_NOTHING_INVALID && !reply) {
        *invalid_at = reader.invalid_at;
        memset(message, 0, shape->struct_bytes);
        return ZR_DECODE_INVALID;
    }
    if (!whole) {
        memset(message, 0, shape->struct_bytes);
        return ZR_DECODE_MALFORMED;
    }
    return ZR_DECODE_OK;
}

/* ---- older requests --------------------------------------------------------------------------
 *
 * Rows are only ever appended, and 0 means what was before them, so a request of an older version
 * is the newest one with zeros in between (evolution rules 2 and 8). */

uint16_t
zr_shape_block_bytes(const struct zr_shape *shape, uint8_t version)
{
    return (uint16_t)((shape->rows_bytes(version) + ALIGN_MASK) & ~ALIGN_MASK);
}

static bool
request_is_older(const struct zr_shape *shape, const struct zr_header *header)
{
    const struct zr_operation *operation = zr_operation_find(header->op);

    return operation != NULL && operation->request == shape && header->version >= 1 &&
           header->version < operation->version;
}

/* The first of the bytes that is not 0, or `end`. */
static uint16_t
nonzero_find(const uint8_t *bytes, uint16_t from, uint16_t end)
{
    while (from < end && bytes[from] == 0) {
        from++;
    }
    return from;
}

/* The offset of the first value that this version did not admit yet, or `none`. */
static uint16_t
limit_find(const void *message, const struct zr_shape *shape, uint8_t version, uint16_t none)
{
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (limits[i].shape == shape && version < limits[i].version &&
            ((const uint8_t *)message)[limits[i].offset] > limits[i].most) {
            return zr_shape_offset_of(shape, limits[i].name);
        }
    }
    return none;
}

/*
 * What was padding then may be a row now: it is judged as padding, and read as zeros. `wide` gets
 * the frame with the newest block.
 */
static enum zr_decode
decode_widened(void *message, uint16_t *invalid_at, const struct zr_shape *shape,
               const struct zr_header *header, uint8_t *wide)
{
    const uint16_t known_bytes =
        (uint16_t)(ZR_HEADER_BYTES + shape->rows_bytes((uint8_t)header->version));
    const uint16_t head_bytes = (uint16_t)(ZR_HEADER_BYTES + header->block);
    const uint16_t missing = (uint16_t)(shape->block_bytes - header->block);
    const uint16_t wrong = nonzero_find(wide, known_bytes, head_bytes);
    struct zr_header widened = *header;
    enum zr_decode result;
    uint16_t least = wrong;

    memmove(wide + head_bytes + missing, wide + head_bytes, header->size - head_bytes);
    memset(wide + known_bytes, 0, (size_t)(head_bytes + missing - known_bytes));
    widened.block = shape->block_bytes;
    widened.size = header->size + missing;
    result = decode_whole(message, invalid_at, shape, &widened, wide);
    if (*invalid_at >= head_bytes + missing) {
        *invalid_at = (uint16_t)(*invalid_at - missing);
    } else {
        CHECK(*invalid_at < known_bytes); /* Rows that were added admit 0. */
    }
    if (result == ZR_DECODE_OK) {
        least = limit_find(message, shape, header->version, wrong);
    }
    if (least == head_bytes || (result == ZR_DECODE_INVALID && *invalid_at < least)) {
        return result;
    }
    memset(message, 0, shape->struct_bytes);
    *invalid_at = least;
    return ZR_DECODE_INVALID;
}

static enum zr_decode
decode_older(void *message, uint16_t *invalid_at, const struct zr_shape *shape,
             const struct zr_header *header, const uint8_t *frame)
{
    uint8_t wide[2 * ZR_FRAME_BYTES_LIMIT];

    if (header->block != zr_shape_block_bytes(shape, header->version) ||
        header->size < (uint32_t)ZR_HEADER_BYTES + header->block) {
        memset(message, 0, shape->struct_bytes);
        *invalid_at = 0;
        return ZR_DECODE_MALFORMED;
    }
    CHECK(header->size <= ZR_FRAME_BYTES_LIMIT);
    memcpy(wide, frame, header->size);
    return decode_widened(message, invalid_at, shape, header, wide);
}

enum zr_decode
zr_message_decode(void *message, uint16_t *invalid_at, const struct zr_shape *shape,
                  const struct zr_header *header, const uint8_t *frame)
{
    CHECK(message != NULL);
    CHECK(shape != NULL);
    CHECK(header->size >= ZR_HEADER_BYTES);
    if (request_is_older(shape, header)) {
        return decode_older(message, invalid_at, shape, header, frame);
    }
    return decode_whole(message, invalid_at, shape, header, frame);
}

static uint16_t
field_block_bytes(const struct zr_field *field)
{
    if (field->row == ZR_ROW_FIELD) {
        return field->type->bytes;
    }
    return field->row == ZR_ROW_RESERVED ? field->max : 2;
}

const struct zr_field *
zr_shape_field_at(const struct zr_shape *shape, uint16_t offset)
{
    uint16_t at = ZR_HEADER_BYTES;

    for (uint16_t i = 0; i < shape->fields_count; i++) {
        const struct zr_field *field = &shape->fields[i];
        const uint16_t bytes = field_block_bytes(field);

        if (offset >= at && offset < at + bytes) {
            return field;
        }
        at = (uint16_t)(at + bytes);
    }
    return NULL;
}

uint16_t
zr_shape_offset_of(const struct zr_shape *shape, const char *name)
{
    uint16_t at = ZR_HEADER_BYTES;
    uint16_t i = 0;

    while (i < shape->fields_count &&
           (shape->fields[i].name == NULL || strcmp(shape->fields[i].name, name) != 0)) {
        at = (uint16_t)(at + field_block_bytes(&shape->fields[i]));
        i++;
    }
    CHECK(i < shape->fields_count);
    return at;
}
