/*
 * vector.h - the golden frames of protocol/vectors/messages.json: one per (op, version, direction).
 *
 * Deterministic: the same source gives the same file, byte for byte. The calls of a worked session
 * carry values that tell a story (PROTOCOL.md prints them); the rest is filled by wire.h.
 */
#ifndef ZR_VECTOR_H
#define ZR_VECTOR_H

#include "protocol/message.h"

#include <jansson.h>

enum vector_direction {
    VECTOR_REQUEST,
    VECTOR_REPLY,
    VECTOR_PUSH, /* Sent by the server on its own, in the form of a reply. */
};

struct vector {
    const struct zr_operation *operation;
    const struct zr_shape *shape;
    enum vector_direction direction;
    uint8_t version;
};

/* The vector number `index`; false past the last one. */
bool vector_at(struct vector *vector, size_t index);

/*
 * Its message, a struct of vector->shape, and the frame of it. What an older version's request
 * lacks is zero in the message and missing in the frame.
 */
void vector_fill(union zr_any_message *message, const struct vector *vector);
struct zr_header vector_encode(uint8_t frame[ZR_FRAME_BYTES_LIMIT], const struct vector *vector,
                               const union zr_any_message *message);

/* "request", "reply", "push". */
const char *vector_direction_name(enum vector_direction direction);

/*
 * A value, and a message by its rows, as JSON. 64-bit integers are decimal strings, because many
 * readers of JSON hold numbers as doubles; ids, hashes and byte strings are hex; enumerations are
 * names. Of a request only the rows that its version had.
 */
json_t *vector_value(const void *value, const struct zr_type *type);
json_t *vector_fields(const struct vector *vector, const void *message);

/* One vector, and the file of all of them (free() the text). */
json_t *vector_json(const struct vector *vector);
char *vectors_text(void);

/* Bytes as lower-case hex, and back; hex_bytes >= 2 x bytes_count + 1. False: not hex. */
void vector_hex_put(char *hex, const uint8_t *bytes, size_t bytes_count);
bool vector_hex_take(uint8_t *bytes, size_t *bytes_count, size_t capacity, const char *hex);

#endif
