/*
 * message.h - every message as a C struct, with its codec and its description.
 *
 * All of it is made from messages.def. The design sketched a file per family; with the rows as
 * the single source there is nothing left to write by hand in them, so there is one codec.
 *
 * Structs are caller-owned, of fixed size and self-contained: a decoded message does not point
 * into the frame. `x_count` says how many elements of an array are there, `x_length` how many
 * bytes of a byte string.
 */
#ifndef ZR_MESSAGE_H
#define ZR_MESSAGE_H

#include "protocol/frame.h"
#include "protocol/types.h"

/* ---- structs ----------------------------------------------------------------------------- */

#define ENTRY_BEGIN(name) struct zr_##name {
#define ENTRY_END(name) \
    }                   \
    ;
#define BODY_BEGIN(name) \
    struct zr_##name {   \
        uint8_t not_on_wire; /* C has no empty struct. */
#define BODY_END(name) \
    }                  \
    ;
#define FIELD(self, type, name, doc) zr_c_##type name;
#define ARRAY(self, entry, name, max, doc) \
    uint16_t name##_count;                 \
    struct zr_##entry name[max];
#define BYTES(self, name, max, doc) \
    uint16_t name##_length;         \
    uint8_t name[max];
#include "protocol/messages.def"

/* ---- descriptions ------------------------------------------------------------------------ */

enum zr_row {
    ZR_ROW_FIELD,
    ZR_ROW_RESERVED,
    ZR_ROW_ARRAY,
    ZR_ROW_BYTES,
};

struct zr_shape;

/* One row of messages.def. */
struct zr_field {
    const char *name; /* NULL for RESERVED. */
    const char *doc;
    const struct zr_type *type;   /* FIELD only. */
    const struct zr_shape *entry; /* ARRAY only. */
    size_t offset;                /* In the struct: the field, or the array's or string's data. */
    size_t count_offset;          /* In the struct: the u16 count or length (ARRAY, BYTES). */
    enum zr_row row;
    uint16_t max; /* Elements or bytes (ARRAY, BYTES); bytes of RESERVED. */
};

/* An entry or a body: its rows in wire order. */
struct zr_shape {
    const char *name;
    const struct zr_field *fields;
    uint16_t fields_count;
    uint16_t block_bytes;                    /* Of a body, padded to 8; of an entry, its size. */
    size_t struct_bytes;                     /* sizeof the C struct. */
    uint16_t (*rows_bytes)(uint8_t version); /* Of the rows that version had, not padded. */
    void (*put_block)(struct zr_builder *builder, const void *message);
    void (*put_tail)(struct zr_builder *builder, const void *message);
    void (*take_block)(struct zr_reader *reader, void *message);
    void (*take_tail)(struct zr_reader *reader, void *message);
};

#define ENTRY_BEGIN(name) extern const struct zr_shape zr_##name##_shape;
#define BODY_BEGIN(name)  extern const struct zr_shape zr_##name##_shape;
#include "protocol/messages.def"

/* The block of a request of that version of its operation (evolution rule 8). */
uint16_t zr_shape_block_bytes(const struct zr_shape *shape, uint8_t version);

/* ---- session ----------------------------------------------------------------------------- */

/*
 * Bits of HELLO's features. KEEPALIVE: the client sends one for each connected leg at least every
 * 4 min, so that a leg's concurrency unit lives 5 min without one, not 30 (domain.md M3).
 */
enum { ZR_FEATURE_KEEPALIVE = 1 };

/* ---- operations -------------------------------------------------------------------------- */

enum zr_op {
#define MESSAGE(NAME, name, op, version, kind, roles, request, reply) ZR_OP_##NAME = (op),
#include "protocol/messages.def"
};

enum zr_op_kind {
    ZR_OP_KIND_SESSION,
    ZR_OP_KIND_SNAPSHOT,
    ZR_OP_KIND_ORDERED,
    ZR_OP_KIND_KEYED,
    ZR_OP_KIND_NATURAL,
    ZR_OP_KIND_PUSH,
    ZR_OP_KIND_SYSTEM,
};

struct zr_operation {
    const char *name; /* "ROUTE" */
    enum zr_op op;
    uint8_t version; /* Highest body version spoken; the lowest is 1. */
    enum zr_op_kind kind;
    uint16_t roles; /* Bit (1 << enum zr_role) for each role that may. */
    const struct zr_shape *request;
    const struct zr_shape *reply;
};

/* The operation, or NULL when this build does not know it. */
const struct zr_operation *zr_operation_find(uint16_t op);

/* All operations, ascending by op. */
const struct zr_operation *zr_operations(size_t *operations_count);

/* ---- codec ------------------------------------------------------------------------------- */

enum zr_decode {
    ZR_DECODE_OK,
    ZR_DECODE_MALFORMED, /* Short, too long, another block: INVALID_FIELD at offset 0. */
    ZR_DECODE_INVALID,   /* The field or count at *invalid_at holds what its row forbids. */
};

/* The largest decoded message: dispatch's scratch space. */
union zr_any_message {
#define BODY_BEGIN(name) struct zr_##name name;
#include "protocol/messages.def"
};

/*
 * Encode one whole frame: header, block, tail, padding. `header` gives op, version, flags, id
 * and timeout or status; size and block are filled in here. `message` is a struct of `shape`
 * (NULL: an empty body). Does not fit: the builder fails.
 */
void zr_message_encode(struct zr_builder *builder, const struct zr_header *header,
                       const struct zr_shape *shape, const void *message);

/*
 * Decode the body of a cut frame (`frame` holds header->size bytes). A request must have exactly
 * the block of its version and nothing behind its tail; the caller has judged that the version is
 * one of the operation's. Rows that an older version lacks are zero in *message. A reply may have a
 * longer block or tail: a newer server appended fields, which are skipped (evolution rule 4). Its
 * values are not judged either, but a text that is none is empty and a bool is 0 or 1. On anything
 * but OK *message is zeroed, so that no field of a refused frame can be used.
 */
enum zr_decode zr_message_decode(void *message, uint16_t *invalid_at, const struct zr_shape *shape,
                                 const struct zr_header *header, const uint8_t *frame);

/* Typed twins of the two above: zr_claim_request_encode(), zr_claim_request_decode() ... */
#define BODY_BEGIN(name)                                                                  \
    static inline void zr_##name##_encode(struct zr_builder *builder,                     \
                                          const struct zr_header *header,                 \
                                          const struct zr_##name *message)                \
    {                                                                                     \
        zr_message_encode(builder, header, &zr_##name##_shape, message);                  \
    }                                                                                     \
    static inline enum zr_decode zr_##name##_decode(                                      \
        struct zr_##name *message, uint16_t *invalid_at, const struct zr_header *header,  \
        const uint8_t *frame)                                                             \
    {                                                                                     \
        return zr_message_decode(message, invalid_at, &zr_##name##_shape, header, frame); \
    }
#include "protocol/messages.def"

/*
 * The row of the root block that covers byte `offset` of a frame, so that a person reads a name
 * instead of the `detail` of INVALID_FIELD. NULL for the header, the padding and the tail.
 */
const struct zr_field *zr_shape_field_at(const struct zr_shape *shape, uint16_t offset);

/* The offset in a frame of the row named so: what INVALID_FIELD says. The name must be one. */
uint16_t zr_shape_offset_of(const struct zr_shape *shape, const char *name);

#endif
