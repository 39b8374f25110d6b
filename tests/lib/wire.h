/*
 * wire.h - where every value of a message stands in its frame, and messages full of values.
 *
 * Written from the rows of messages.def and the layout rule of PROTOCOL.md, not from the codec:
 * so that a test which compares the two compares two opinions.
 */
#ifndef ZR_WIRE_H
#define ZR_WIRE_H

#include "protocol/message.h"

enum wire_what {
    WIRE_VALUE,    /* A FIELD, of the body or of an entry. */
    WIRE_COUNT,    /* The u16 of an ARRAY or BYTES. */
    WIRE_RESERVED, /* RESERVED bytes. */
    WIRE_BYTES,    /* The bytes of a BYTES. */
    WIRE_PADDING,  /* Zeros at the end of the block or of the tail. */
};

struct wire_place {
    enum wire_what what;
    const struct zr_field *field; /* Its row; NULL of PADDING. */
    const struct zr_field *array; /* The ARRAY row that an entry's row belongs to, else NULL. */
    uint16_t element;             /* Which entry of it. */
    uint16_t offset;              /* In the frame, header included. */
    uint16_t bytes;               /* May be 0 of BYTES and PADDING: then it is not visited. */
    const void *value;            /* In the struct: of VALUE, COUNT and BYTES. */
};

typedef void (*wire_fn)(void *context, const struct wire_place *place);

/* Visit every place of a message in the order of the wire. Returns the size of the frame. */
uint32_t wire_walk(const struct zr_shape *shape, const void *message, wire_fn visit, void *context);

/* The largest value that a type of an unsigned kind admits; 0 for other kinds. */
uint64_t wire_type_max(const struct zr_type *type);

/*
 * Fill a message with valid, recognisable values. Every ARRAY gets `elements` entries and every
 * BYTES eight times as many bytes, or as many as fit. The same arguments give the same message.
 */
void wire_fill(void *message, const struct zr_shape *shape, uint64_t seed, uint16_t elements);

/* Encode a filled message as a frame of `op`; CHECKs that it fits. Returns the header. */
struct zr_header wire_encode(uint8_t frame[ZR_FRAME_BYTES_LIMIT], uint16_t op,
                             const struct zr_shape *shape, const void *message);

#endif
