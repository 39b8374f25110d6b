/*
 * document.c - see document.h. The worked session is in document_session.c.
 */
#include "tests/lib/document.h"

#include "protocol/message.h"
#include "protocol/status.h"
#include "tests/lib/document_session.h"

#include <inttypes.h>
#include <string.h>

const char *const document_sections[] = {"statuses", "enumerations", "operations",
                                         "messages", "session",      NULL};

/* ---- statuses and enumerations --------------------------------------------------------------- */

static void
write_status(FILE *out, uint16_t code)
{
    (void)fprintf(out, "| `%s` | `0x%04X` | %s | %s |\n", zr_status_code_name(code), code,
                  zr_status_class_name(zr_status_class(code)), zr_status_code_text(code));
}

static void
write_statuses(FILE *out)
{
    static const uint16_t codes[] = {
#define OUTCOME(name, code, text) (code),
#include "protocol/outcomes.def"
#undef OUTCOME
    };

    (void)fputs("| status | code | class | what it says |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        write_status(out, codes[i]);
    }
}

static const struct zr_type *const enumerations[] = {
#define ENUM(type, TYPE) &zr_type_##type,
#define VALUE(TYPE, NAME, number)
#define END_ENUM(type, TYPE)
#include "protocol/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM
};

static void
write_enumeration(FILE *out, const struct zr_type *type)
{
    (void)fprintf(out, "| `%s` |", type->name);
    for (const struct zr_enum_value *value = type->values; value->name != NULL; value++) {
        (void)fprintf(out, "%s %u %s", value == type->values ? "" : ",", value->number,
                      value->name);
    }
    (void)fputs(" |\n", out);
}

static void
write_enumerations(FILE *out)
{
    (void)fputs("| type | values |\n|---|---|\n", out);
    for (size_t i = 0; i < sizeof enumerations / sizeof enumerations[0]; i++) {
        write_enumeration(out, enumerations[i]);
    }
}

/* ---- operations ------------------------------------------------------------------------------ */

static const char *
kind_name(enum zr_op_kind kind)
{
    switch (kind) {
    case ZR_OP_KIND_SESSION:
        return "session";
    case ZR_OP_KIND_SNAPSHOT:
        return "read";
    case ZR_OP_KIND_ORDERED:
        return "read, in log order";
    case ZR_OP_KIND_KEYED:
        return "`op_id`";
    case ZR_OP_KIND_NATURAL:
        return "natural key";
    case ZR_OP_KIND_PUSH:
        return "pushed";
    case ZR_OP_KIND_SYSTEM:
        return "the server's own";
    }
    return "";
}

static void
write_roles(FILE *out, uint16_t roles)
{
    const char *separator = " ";

    if (roles == (1u << (ZR_MAX_role + 1)) - 2) {
        (void)fputs(" all |", out);
        return;
    }
    for (unsigned role = 1; role <= ZR_MAX_role; role++) {
        if ((roles & 1u << role) != 0) {
            (void)fprintf(out, "%s%s", separator, zr_role_name((uint8_t)role));
            separator = ", ";
        }
    }
    (void)fputs(roles == 0 ? " the server |" : " |", out);
}

static void
write_operations(FILE *out)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);

    (void)fputs(
        "| op | code | ver | once by | who | request | reply |\n|---|---|---|---|---|---|---|\n",
        out);
    for (size_t i = 0; i < operations_count; i++) {
        const struct zr_operation *row = &operations[i];

        (void)fprintf(out, "| %s | `0x%04X` | %u | %s |", row->name, (unsigned)row->op,
                      row->version, kind_name(row->kind));
        write_roles(out, row->roles);
        if (row->kind == ZR_OP_KIND_PUSH) {
            (void)fprintf(out, " - | `%s` |\n", row->reply->name);
        } else {
            (void)fprintf(out, " `%s` | `%s` |\n", row->request->name, row->reply->name);
        }
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

static void
write_row(FILE *out, unsigned offset, const struct zr_field *field)
{
    switch (field->row) {
    case ZR_ROW_FIELD:
        (void)fprintf(out, "| %u | %u | %s | `%s` | %s |\n", offset, field->type->bytes,
                      field->type->name, field->name, field->doc);
        break;
    case ZR_ROW_RESERVED:
        (void)fprintf(out, "| %u | %u | zeros | | reserved |\n", offset, field->max);
        break;
    case ZR_ROW_ARRAY:
        (void)fprintf(out,
                      "| %u | 2 | u16 | count of `%s` | 0..%u entries `%s` in the tail: %s |\n",
                      offset, field->name, field->max, field->entry->name, field->doc);
        break;
    case ZR_ROW_BYTES:
        (void)fprintf(out, "| %u | 2 | u16 | length of `%s` | 0..%u bytes in the tail: %s |\n",
                      offset, field->name, field->max, field->doc);
        break;
    }
}

static unsigned
row_bytes(const struct zr_field *field)
{
    if (field->row == ZR_ROW_FIELD) {
        return field->type->bytes;
    }
    return field->row == ZR_ROW_RESERVED ? field->max : 2;
}

/* Who sends it: " Of ROUTE, ROUTE_NEXT." */
static void
write_users(FILE *out, const struct zr_shape *shape)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);
    const char *separator = "Of";

    for (size_t i = 0; i < operations_count; i++) {
        const bool push = operations[i].kind == ZR_OP_KIND_PUSH;

        if (operations[i].request == shape && !push) {
            (void)fprintf(out, "%s the %s request", separator, operations[i].name);
            separator = ",";
        }
        if (operations[i].reply == shape) {
            (void)fprintf(out, "%s the %s %s", separator, operations[i].name,
                          push ? "push" : "reply");
            separator = ",";
        }
    }
    (void)fputs(".", out);
}

/* What the block of each older version of the request is: "; version 1 ends with `x`: 40 bytes." */
static void
write_versions(FILE *out, const struct zr_shape *shape)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);

    for (size_t i = 0; i < operations_count; i++) {
        for (uint8_t version = 1; operations[i].request == shape && version < operations[i].version;
             version++) {
            const uint16_t rows_bytes = shape->rows_bytes(version);
            const struct zr_field *last =
                rows_bytes == 0
                    ? NULL
                    : zr_shape_field_at(shape, (uint16_t)(ZR_HEADER_BYTES + rows_bytes - 1));

            (void)fprintf(out, "; in version %u of %u, ending %s%s%s", version,
                          zr_shape_block_bytes(shape, version),
                          last == NULL ? "before the first row" : "with `",
                          last == NULL ? "" : last->name, last == NULL ? "" : "`");
        }
    }
    (void)fputs(".\n", out);
}

/* Offsets of a body count from the frame's first byte, as `detail` does; of an entry from its own.
 */
static void
write_shape(FILE *out, const struct zr_shape *shape)
{
    const bool entry = shape->put_tail == NULL;
    unsigned offset = entry ? 0 : ZR_HEADER_BYTES;
    unsigned end;

    (void)fprintf(out, "\n### `%s`\n\n", shape->name);
    if (entry) {
        (void)fprintf(out, "Entry of %u bytes.\n", shape->block_bytes);
    } else {
        write_users(out, shape);
        (void)fprintf(out, " Block of %u bytes", shape->block_bytes);
        write_versions(out, shape);
    }
    if (shape->fields_count == 0) {
        return;
    }
    end = offset + shape->block_bytes;
    (void)fputs("\n| off | size | type | field | meaning |\n|---|---|---|---|---|\n", out);
    for (uint16_t i = 0; i < shape->fields_count; i++) {
        write_row(out, offset, &shape->fields[i]);
        offset += row_bytes(&shape->fields[i]);
    }
    if (offset < end) {
        (void)fprintf(out, "| %u | %u | zeros | | padding |\n", offset, end - offset);
    }
}

static const struct zr_shape *const shapes[] = {
#define ENTRY_BEGIN(name) &zr_##name##_shape,
#define BODY_BEGIN(name)  &zr_##name##_shape,
#include "protocol/messages.def"
};

static void
write_messages(FILE *out)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        write_shape(out, shapes[i]);
    }
}

/* ---- sections -------------------------------------------------------------------------------- */

bool
document_write(FILE *out, const char *section)
{
    static void (*const writers[])(FILE * out) = {write_statuses, write_enumerations,
                                                  write_operations, write_messages,
                                                  document_write_session};

    for (size_t i = 0; document_sections[i] != NULL; i++) {
        if (strcmp(document_sections[i], section) == 0) {
            writers[i](out);
            return true;
        }
    }
    return false;
}
