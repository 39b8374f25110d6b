/*
 * fields.c - see fields.h.
 */
#include "client/cli/fields.h"

#include "client/cli/catalog.h"
#include "client/cli/text.h"
#include "protocol/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- where things stand ------------------------------------------------------------------ */

const struct zr_field *
fields_find(const struct zr_shape *shape, const char *name)
{
    CHECK(shape != NULL);
    for (uint16_t i = 0; i < shape->fields_count; i++) {
        const struct zr_field *field = &shape->fields[i];

        if (field->name != NULL && strcmp(field->name, name) == 0) {
            return field;
        }
    }
    return NULL;
}

void *
fields_at(void *message, const struct zr_field *field)
{
    return (uint8_t *)message + field->offset;
}

const void *
fields_at_const(const void *message, const struct zr_field *field)
{
    return (const uint8_t *)message + field->offset;
}

uint16_t *
fields_count_at(void *message, const struct zr_field *field)
{
    CHECK(field->row == ZR_ROW_ARRAY || field->row == ZR_ROW_BYTES);
    return (uint16_t *)(void *)((uint8_t *)message + field->count_offset);
}

/* ---- one value --------------------------------------------------------------------------- */

static void
unsigned_put(void *into, uint16_t bytes, uint64_t value)
{
    if (bytes == 1) {
        *(uint8_t *)into = (uint8_t)value;
    } else if (bytes == 2) {
        *(uint16_t *)into = (uint16_t)value;
    } else if (bytes == 4) {
        *(uint32_t *)into = (uint32_t)value;
    } else {
        *(uint64_t *)into = value;
    }
}

static bool
ends_with(const char *text, const char *end)
{
    const size_t text_bytes = strlen(text);
    const size_t end_bytes = strlen(end);

    return text_bytes >= end_bytes && strcmp(text + text_bytes - end_bytes, end) == 0;
}

/* A u64 whose name ends in _ms is a moment, unless it is how far to move the clock. */
static const char *
unsigned_parse(void *into, const struct zr_field *field, const char *text)
{
    const uint16_t bytes = field->type->bytes;
    const uint64_t max = bytes == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * bytes)) - 1;
    uint64_t value;

    if (strcmp(field->name, "advance_ms") == 0) {
        if (!text_to_duration(&value, text)) {
            return "a duration with its unit, such as 72h, 1h30m, 500ms";
        }
    } else if (bytes == 8 && ends_with(field->name, "_ms")) {
        if (!text_to_time(&value, text)) {
            return "a time: Unix milliseconds, 2024-05-01T12:00:00Z, or now";
        }
    } else if (!text_to_unsigned(&value, text, max)) {
        return bytes == 1   ? "a whole number, 0..255"
               : bytes == 2 ? "a whole number, 0..65535"
                            : "a whole number, not negative";
    }
    unsigned_put(into, bytes, value);
    return NULL;
}

/* STIR/SHAKEN levels are numbers on the wire and letters everywhere else. */
static bool
field_is_attestation(const struct zr_field *field)
{
    return strcmp(field->name, "attestation") == 0 || strcmp(field->name, "attestation_min") == 0;
}

static const char *
attestation_parse(uint8_t *into, const char *text)
{
    return text_to_attestation(into, text) ? NULL : "A, B, C, or any";
}

static const char *
signed_parse(void *into, const struct zr_field *field, const char *text)
{
    const bool wide = field->type->bytes == 8;
    int64_t value;

    if (!text_to_signed(&value, text, wide ? INT64_MIN : INT32_MIN, wide ? INT64_MAX : INT32_MAX)) {
        return ends_with(field->name, "_cents") ? "a whole number of cents" : "a whole number";
    }
    if (wide) {
        *(int64_t *)into = value;
    } else {
        *(int32_t *)into = (int32_t)value;
    }
    return NULL;
}

static const char *
bool_parse(bool *into, const char *text)
{
    if (strcmp(text, "yes") == 0 || strcmp(text, "true") == 0 || strcmp(text, "1") == 0) {
        *into = true;
    } else if (strcmp(text, "no") == 0 || strcmp(text, "false") == 0 || strcmp(text, "0") == 0) {
        *into = false;
    } else {
        return "yes or no";
    }
    return NULL;
}

static const char *
text_parse(char *into, const struct zr_field *field, const char *text)
{
    const size_t text_bytes = strlen(text);

    if (text_bytes > field->type->bytes) {
        return field->type->bytes == 32 ? "at most 32 bytes" : "at most 64 bytes";
    }
    if (!zr_text_is_valid((const uint8_t *)text, text_bytes)) {
        return "UTF-8 without control characters";
    }
    memcpy(into, text, text_bytes + 1);
    return NULL;
}

/* Every name of the enumeration, for the message. Static: one message is made at a time. */
static const char *
enum_names(const struct zr_enum_value *values)
{
    static char names[256];
    size_t length = (size_t)snprintf(names, sizeof names, "one of");

    for (; values->name != NULL && length < sizeof names; values++) {
        length += (size_t)snprintf(names + length, sizeof names - length, " %s", values->name);
    }
    return names;
}

static const char *
id_parse(struct zr_id *into, const struct zr_field *field, const char *text)
{
    if (strcmp(field->name, "call_id") == 0) {
        text_to_call_id(into, text);
        return NULL;
    }
    return text_to_id(into, text) ? NULL : "a UUID";
}

const char *
fields_parse(void *into, const struct zr_field *field, const char *text)
{
    CHECK(field->row == ZR_ROW_FIELD);
    switch (field->type->kind) {
    case ZR_KIND_UNSIGNED:
    case ZR_KIND_CATEGORY:
    case ZR_KIND_OUTCOME:
        return field_is_attestation(field) ? attestation_parse(into, text)
                                           : unsigned_parse(into, field, text);
    case ZR_KIND_SIGNED:
        return signed_parse(into, field, text);
    case ZR_KIND_BOOL:
        return bool_parse(into, text);
    case ZR_KIND_ID:
        return id_parse(into, field, text);
    case ZR_KIND_HASH:
        return text_to_hash(into, text) ? NULL : "64 hex digits";
    case ZR_KIND_ZIP:
        return text_to_zip(into, text) ? NULL : "a ZIP of five digits, such as 00601";
    case ZR_KIND_E164:
        return text_to_e164(into, text) ? NULL : "an E.164 number, such as +17135550100";
    case ZR_KIND_TEXT:
        return text_parse(into, field, text);
    case ZR_KIND_ENUM:
        return text_to_enum(into, text, field->type->values) ? NULL
                                                             : enum_names(field->type->values);
    case ZR_KIND_ZIPS:
        break; /* A list: handlers split it (fields_parse_zips). */
    }
    CHECK(field->type->kind != ZR_KIND_ZIPS);
    return "";
}

/* ---- all of them ------------------------------------------------------------------------- */

/* Names of catalog.c: looked up after everything else was found to be well formed. */
static bool
field_is_name(const struct zr_field *field)
{
    return strcmp(field->name, "contractor") == 0 || strcmp(field->name, "category") == 0;
}

static enum cli_exit
name_fill(struct cli *cli, void *into, const struct zr_field *field, const char *text)
{
    if (strcmp(field->name, "contractor") == 0) {
        return catalog_contractor(cli, text, into);
    }
    return catalog_category(cli, text, into);
}

static enum cli_exit
param_fill(struct cli *cli, void *request, const struct param *param, bool names)
{
    const struct zr_field *field = fields_find(cli->operation->request, param->field);
    const char *text = cli_value(cli, param->option);
    const char *expected;

    CHECK(field != NULL);
    if (text == NULL || field_is_name(field) != names) {
        return CLI_DONE;
    }
    if (names) {
        return name_fill(cli, fields_at(request, field), field, text);
    }
    if (field->row == ZR_ROW_BYTES) {
        return text_to_bytes(fields_at(request, field), fields_count_at(request, field), field->max,
                             text)
                   ? CLI_DONE
                   : cli_misused(cli, "--%s: expected the ticket as it was printed, base64url",
                                 param->option);
    }
    expected = fields_parse(fields_at(request, field), field, text);
    return expected == NULL
               ? CLI_DONE
               : cli_misused(cli, "--%s %s: expected %s", param->option, text, expected);
}

/* The params that are looked-up names, or those that are not. */
static enum cli_exit
params_fill(struct cli *cli, void *request, bool names)
{
    enum cli_exit exit_code = CLI_DONE;

    for (const struct param *param = cli->command->params;
         param->option != NULL && exit_code == CLI_DONE; param++) {
        exit_code = param->field != NULL ? param_fill(cli, request, param, names) : CLI_DONE;
    }
    return exit_code;
}

enum cli_exit
fields_fill(struct cli *cli, void *request)
{
    enum cli_exit exit_code;

    CHECK(cli->operation != NULL);
    CHECK(request != NULL);
    exit_code = params_fill(cli, request, false);
    return exit_code == CLI_DONE ? params_fill(cli, request, true) : exit_code;
}

static bool
zips_hold(const uint32_t *zips, size_t zips_count, uint32_t zip)
{
    for (size_t i = 0; i < zips_count; i++) {
        if (zips[i] == zip) {
            return true;
        }
    }
    return false;
}

enum cli_exit
fields_parse_zips(const struct cli *cli, const char *option, uint32_t *zips, size_t zips_max,
                  size_t *zips_count)
{
    const char *list = cli_value(cli, option);
    size_t count = 0;

    CHECK(list != NULL);
    while (list != NULL) {
        const int length = (int)strcspn(list, ",");
        char text[8] = "";
        uint32_t zip;

        (void)snprintf(text, sizeof text, "%.*s", length, list);
        if (!text_to_zip(&zip, text)) {
            return cli_misused(cli, "--%s %.*s: expected a ZIP of five digits, such as 00601",
                               option, length, list);
        }
        if (zips_hold(zips, count, zip)) {
            return cli_misused(cli, "--%s: %05u is named twice", option, zip);
        }
        if (count == zips_max) {
            return cli_misused(cli, "--%s: more than %zu ZIPs", option, zips_max);
        }
        zips[count++] = zip;
        list = list[length] == ',' ? list + length + 1 : NULL;
    }
    *zips_count = count;
    return CLI_DONE;
}
