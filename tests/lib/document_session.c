/*
 * document_session.c - see document_session.h.
 */
#include "tests/lib/document_session.h"

#include "tests/lib/vector.h"
#include "tests/lib/wire.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 16 };

struct session {
    FILE *out;
    const uint8_t *frame;
    const struct vector *vector;
};

static void
write_hex_line(const struct session *session, unsigned offset, unsigned bytes)
{
    (void)fprintf(session->out, "%04x ", offset);
    for (unsigned i = 0; i < bytes; i++) {
        (void)fprintf(session->out, " %02x", session->frame[offset + i]);
    }
}

/* `0018  5a 49 50 ...   text`; what does not fit a line goes on under it. */
static void
write_bytes(const struct session *session, unsigned offset, unsigned bytes, const char *text)
{
    const unsigned first = bytes < LINE_BYTES ? bytes : LINE_BYTES;

    write_hex_line(session, offset, first);
    (void)fprintf(session->out, "%*s  %s\n", (int)(3 * (LINE_BYTES - first)), "", text);
    for (unsigned at = first; at < bytes; at += LINE_BYTES) {
        write_hex_line(session, offset + at, bytes - at < LINE_BYTES ? bytes - at : LINE_BYTES);
        (void)fputc('\n', session->out);
    }
}

/* The value of a field as the vectors file has it. Ids would only say their bytes twice. */
static void
value_text(char *text, size_t text_bytes, const struct wire_place *place)
{
    const struct zr_field *field = place->field;
    json_t *json = vector_value(place->value, field->type);
    char *dumped = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);

    if (field->type->kind == ZR_KIND_ID || field->type->kind == ZR_KIND_HASH) {
        (void)snprintf(text, text_bytes, "%s", field->name);
    } else if (json_is_string(json)) {
        (void)snprintf(text, text_bytes, "%s = %s", field->name, json_string_value(json));
    } else {
        (void)snprintf(text, text_bytes, "%s = %s", field->name, dumped);
    }
    free(dumped);
    json_decref(json);
}

static void
write_place(void *context, const struct wire_place *place)
{
    const struct session *session = context;
    char value[160] = "";
    char text[256];
    uint16_t count;

    if (place->what == WIRE_PADDING) {
        (void)snprintf(value, sizeof value, "padding");
    } else if (place->what == WIRE_RESERVED) {
        (void)snprintf(value, sizeof value, "reserved");
    } else if (place->what == WIRE_COUNT) {
        memcpy(&count, place->value, sizeof count);
        (void)snprintf(value, sizeof value, "%s: %u", place->field->name, count);
    } else if (place->what == WIRE_BYTES) {
        (void)snprintf(value, sizeof value, "%s", place->field->name);
    } else {
        value_text(value, sizeof value, place);
    }
    if (place->array != NULL) {
        (void)snprintf(text, sizeof text, "%s[%u].%s", place->array->name, place->element, value);
    } else {
        (void)snprintf(text, sizeof text, "%s", value);
    }
    write_bytes(session, place->offset, place->bytes, text);
}

static void
write_header(const struct session *session, const struct zr_header *header)
{
    char text[64];

    (void)snprintf(text, sizeof text, "size = %u", header->size);
    write_bytes(session, 0, 4, text);
    (void)snprintf(text, sizeof text, "op = %s%s", session->vector->operation->name,
                   session->vector->direction == VECTOR_REQUEST ? "" : ", bit 15: a reply");
    write_bytes(session, 4, 2, text);
    (void)snprintf(text, sizeof text, "ver = %u, flags = %u", header->version, header->flags);
    write_bytes(session, 6, 2, text);
    (void)snprintf(text, sizeof text, "id = %u", (unsigned)header->id);
    write_bytes(session, 8, 8, text);
    if (session->vector->direction == VECTOR_REQUEST) {
        (void)snprintf(text, sizeof text, "timeout_us = %u", header->timeout_us);
    } else {
        (void)snprintf(text, sizeof text, "status = 0x%04X, detail = %u", header->status,
                       header->detail);
    }
    write_bytes(session, 16, 4, text);
    (void)snprintf(text, sizeof text, "block = %u, %s = %u", header->block,
                   session->vector->direction == VECTOR_REQUEST ? "zero" : "credit",
                   header->credit);
    write_bytes(session, 20, 4, text);
}

static void
write_vector(FILE *out, const struct vector *vector)
{
    static uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    static union zr_any_message message;
    struct session session = {out, frame, vector};
    struct zr_header header;

    vector_fill(&message, vector);
    header = vector_encode(frame, vector, &message);
    (void)fprintf(
        out, "\n%s %s\n\n```\n",
        vector->direction == VECTOR_REQUEST ? "Client:" : "Server:", vector->operation->name);
    write_header(&session, &header);
    (void)wire_walk(vector->shape, &message, write_place, &session);
    (void)fputs("```\n", out);
}

static bool
is_told(enum zr_op op)
{
    return op == ZR_OP_HELLO || op == ZR_OP_PING || op == ZR_OP_ROUTE || op == ZR_OP_CONNECT ||
           op == ZR_OP_END;
}

/* The vectors ascend by op, which for these is the order in which a call happens. */
void
document_write_session(FILE *out)
{
    struct vector vector;

    for (size_t i = 0; vector_at(&vector, i); i++) {
        if (is_told(vector.operation->op)) {
            write_vector(out, &vector);
        }
    }
}
