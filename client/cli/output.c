/*
 * output.c - see output.h.
 *
 * There is no code per reply: zr_shape says which fields a message has and of what type, and the
 * names of JSON are the names of messages.def. What the descriptors cannot say stands in one place
 * here: `category` is its name, `phone` a number with its plus, bits have names (bits.h), hours and
 * dates are as options take them (calendar.h), what ends in _id is a string. An absent id, title or
 * name (zero on the wire) is null.
 */
#include "client/cli/output.h"

#include "client/cli/bits.h"
#include "client/cli/calendar.h"
#include "client/cli/catalog.h"
#include "client/cli/fields.h"
#include "client/cli/human.h"
#include "client/cli/text.h"
#include "protocol/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one value --------------------------------------------------------------------------- */

static json_t *
unsigned_json(uint64_t value)
{
    char digits[24];

    if (value <= INT64_MAX) {
        return json_integer((json_int_t)value);
    }
    (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    return json_string(digits);
}

/* Digits as a string; 0 is what is not there. */
static json_t *
digits_json(uint64_t value, const char *sign)
{
    char digits[24];

    if (value == 0) {
        return json_null();
    }
    (void)snprintf(digits, sizeof digits, "%s%llu", sign, (unsigned long long)value);
    return json_string(digits);
}

static uint64_t
unsigned_at(const void *value, uint16_t bytes)
{
    if (bytes == 1) {
        return *(const uint8_t *)value;
    }
    if (bytes == 2) {
        return *(const uint16_t *)value;
    }
    return bytes == 4 ? *(const uint32_t *)value : *(const uint64_t *)value;
}

static bool
name_ends_in_id(const char *name)
{
    const size_t length = strlen(name);

    return length > 3 && strcmp(name + length - 3, "_id") == 0;
}

/* Numbers of the calendar, as options take them; NULL: it is none. */
static json_t *
calendar_json(const char *name, uint64_t number)
{
    char date[CALENDAR_DATE_BYTES];
    char clock[CALENDAR_CLOCK_BYTES];

    if (strcmp(name, "day") == 0 || strcmp(name, "first_day") == 0 ||
        strcmp(name, "last_day") == 0) {
        calendar_from_day(date, (uint32_t)number);
        return json_string(date);
    }
    if (strcmp(name, "open_quarter") == 0 || strcmp(name, "close_quarter") == 0) {
        calendar_from_quarter(clock, (uint16_t)number);
        return json_string(clock);
    }
    return NULL;
}

static json_t *
number_json(const struct zr_field *field, const void *value)
{
    const uint64_t number = unsigned_at(value, field->type->bytes);
    const char *const *names = bits_names(field->name);
    json_t *calendar = calendar_json(field->name, number);

    if (calendar != NULL) {
        return calendar;
    }
    if (names != NULL) {
        return bits_json(names, (uint32_t)number);
    }
    if (strcmp(field->name, "phone") == 0) {
        return digits_json(number, "+");
    }
    if (strcmp(field->name, "attestation_min") == 0 && number <= 3) {
        return number != 0 ? json_sprintf("%c", (int)('A' + number - 1)) : json_null();
    }
    return name_ends_in_id(field->name) ? digits_json(number, "") : unsigned_json(number);
}

static json_t *
id_json(const struct zr_id *id)
{
    char text[TEXT_ID_BYTES];

    if (text_id_is_zero(id)) {
        return json_null();
    }
    text_from_id(text, id);
    return json_string(text);
}

/* A set of categories: bit c of byte c/8. */
static json_t *
categories_json(const struct catalog *catalog, const struct zr_hash *set)
{
    json_t *array = json_array();

    for (unsigned number = 0; number < 8 * sizeof set->bytes; number++) {
        const char *name = catalog_name(catalog, (uint16_t)number);

        if ((set->bytes[number / 8] >> number % 8 & 1) != 0) {
            (void)json_array_append_new(array, name != NULL ? json_string(name)
                                                            : json_sprintf("%u", number));
        }
    }
    return array;
}

static bool
field_is_categories(const struct zr_field *field)
{
    return field->row == ZR_ROW_FIELD && field->type->kind == ZR_KIND_HASH &&
           (strcmp(field->name, "offered") == 0 || strcmp(field->name, "taken") == 0 ||
            strcmp(field->name, "full") == 0);
}

static json_t *
hash_json(const struct catalog *catalog, const struct zr_field *field, const struct zr_hash *hash)
{
    char text[TEXT_HASH_BYTES];

    if (field_is_categories(field)) {
        return categories_json(catalog, hash);
    }
    text_from_hash(text, hash);
    return json_string(text);
}

static json_t *
zip_json(uint32_t zip)
{
    char text[16];

    if (zip == 0) {
        return json_null();
    }
    (void)snprintf(text, sizeof text, "%05u", zip);
    return json_string(text);
}

static json_t *
zips_json(const uint32_t *zips)
{
    json_t *array = json_array();

    for (size_t i = 0; i < ZR_ZIPS_MAX; i++) {
        if (zips[i] != 0) {
            (void)json_array_append_new(array, zip_json(zips[i]));
        }
    }
    return array;
}

/* Cursors are of the type too, and stay numbers. */
static json_t *
category_json(const struct catalog *catalog, const struct zr_field *field, uint16_t number)
{
    const bool named = strcmp(field->name, "category") == 0;
    const char *name = named ? catalog_name(catalog, number) : NULL;

    if (named && number == 0) {
        return json_null();
    }
    return name != NULL ? json_string(name) : json_integer(number);
}

static json_t *
status_json(uint16_t status)
{
    const char *name = zr_status_code_name(status);
    char unknown[24];

    (void)snprintf(unknown, sizeof unknown, "STATUS_0x%04X", status);
    return json_string(name != NULL ? name : unknown);
}

static json_t *
enum_json(const struct zr_field *field, uint8_t number)
{
    char unknown[16];

    if (number == 0) {
        return json_null();
    }
    for (const struct zr_enum_value *value = field->type->values; value->name != NULL; value++) {
        if (value->number == number) {
            return json_string(value->name);
        }
    }
    /* A newer server's value: its number says more than nothing. */
    (void)snprintf(unknown, sizeof unknown, "VALUE_%u", number);
    return json_string(unknown);
}

static json_t *
field_json(const struct catalog *catalog, const struct zr_field *field, const void *value)
{
    switch (field->type->kind) {
    case ZR_KIND_UNSIGNED:
        return number_json(field, value);
    case ZR_KIND_SIGNED:
        return json_integer(field->type->bytes == 8 ? *(const int64_t *)value
                                                    : *(const int32_t *)value);
    case ZR_KIND_BOOL:
        return json_boolean(*(const bool *)value);
    case ZR_KIND_ID:
        return id_json(value);
    case ZR_KIND_HASH:
        return hash_json(catalog, field, value);
    case ZR_KIND_ZIP:
        return zip_json(*(const uint32_t *)value);
    case ZR_KIND_ZIPS:
        return zips_json(value);
    case ZR_KIND_CATEGORY:
        return category_json(catalog, field, *(const uint16_t *)value);
    case ZR_KIND_OUTCOME:
        return status_json(*(const uint16_t *)value);
    case ZR_KIND_E164:
        return digits_json(*(const uint64_t *)value, "+");
    case ZR_KIND_TEXT:
        return json_string(value);
    case ZR_KIND_ENUM:
        return enum_json(field, *(const uint8_t *)value);
    }
    return json_null();
}

/* ---- messages ---------------------------------------------------------------------------- */

static uint16_t
count_at(const struct zr_field *field, const void *message)
{
    return *(const uint16_t *)(const void *)((const uint8_t *)message + field->count_offset);
}

/* Of a schedule, as --hours takes them; none at all is always open. */
static json_t *
hours_json(const uint8_t *bytes, uint16_t length)
{
    char *text = length == CALENDAR_HOURS_BYTES ? calendar_from_hours(bytes) : strdup("always");
    json_t *value = json_string(text);

    free(text);
    return value != NULL ? value : json_null();
}

static json_t *
bytes_json(const struct zr_field *field, const void *message)
{
    const uint8_t *bytes = fields_at_const(message, field);
    const uint16_t length = count_at(field, message);
    char text[TEXT_BASE64_MAX];

    CHECK(length <= field->max);
    if (strcmp(field->name, "hours") == 0) {
        return hours_json(bytes, length);
    }
    if (length > 192) {
        return json_stringn((const char *)bytes, length); /* Peers and payloads: text or null. */
    }
    text_from_bytes(text, bytes, length);
    return json_string(text);
}

static json_t *shape_json(const struct catalog *catalog, const struct zr_shape *shape,
                          const void *message);

/* An element with a single field is that field: phones are strings, not objects. */
static json_t *
element_json(const struct catalog *catalog, const struct zr_shape *entry, const void *element)
{
    if (entry->fields_count == 1) {
        return field_json(catalog, &entry->fields[0], fields_at_const(element, &entry->fields[0]));
    }
    return shape_json(catalog, entry, element);
}

/* "Exactly one" of something is an object. */
static json_t *
array_json(const struct catalog *catalog, const struct zr_field *field, const void *message)
{
    const uint8_t *elements = fields_at_const(message, field);
    const uint16_t count = count_at(field, message);
    json_t *array;

    if (field->max == 1) {
        return count == 1 ? element_json(catalog, field->entry, elements) : json_null();
    }
    array = json_array();
    for (uint16_t i = 0; i < count; i++) {
        (void)json_array_append_new(
            array,
            element_json(catalog, field->entry, elements + (size_t)i * field->entry->struct_bytes));
    }
    return array;
}

/* Where a category is administered its number is shown beside its name. */
static void
category_number_add(json_t *object, const struct zr_field *field, const struct zr_shape *shape,
                    const void *value)
{
    if (strncmp(shape->name, "category_", strlen("category_")) == 0 &&
        strcmp(field->name, "category") == 0) {
        (void)json_object_set_new(object, "category_number",
                                  json_integer(*(const uint16_t *)value));
    }
}

/* An event's code is named beside its number, where its type gives it a name. */
static void
event_code_add(json_t *object, const struct zr_shape *shape, const void *message)
{
    const struct zr_event *event = message;
    json_t *name;

    if (shape == &zr_event_shape) {
        name = bits_event_code(event->type, event->code);
        (void)json_object_set_new(object, "code_name", name != NULL ? name : json_null());
    }
}

/* Descends two levels at most: bodies hold entries, entries hold fields. */
static json_t *
shape_json(const struct catalog *catalog, const struct zr_shape *shape, const void *message)
{
    json_t *object = json_object();

    for (uint16_t i = 0; i < shape->fields_count; i++) {
        const struct zr_field *field = &shape->fields[i];
        json_t *value = NULL;

        if (field->row == ZR_ROW_FIELD) {
            value = field_json(catalog, field, fields_at_const(message, field));
            category_number_add(object, field, shape, fields_at_const(message, field));
        } else if (field->row == ZR_ROW_ARRAY) {
            value = array_json(catalog, field, message);
        } else if (field->row == ZR_ROW_BYTES) {
            value = bytes_json(field, message);
        }
        if (value != NULL) {
            (void)json_object_set_new(object, field->name, value);
        }
    }
    event_code_add(object, shape, message);
    return object;
}

json_t *
output_message(const struct catalog *catalog, const struct zr_shape *shape, const void *message)
{
    CHECK(shape != NULL);
    CHECK(message != NULL);
    return shape_json(catalog, shape, message);
}

bool
output_needs_catalog(const struct zr_shape *shape)
{
    for (uint16_t i = 0; i < shape->fields_count; i++) {
        const struct zr_field *field = &shape->fields[i];

        if ((field->row == ZR_ROW_FIELD && strcmp(field->name, "category") == 0) ||
            field_is_categories(field) ||
            (field->row == ZR_ROW_ARRAY && output_needs_catalog(field->entry))) {
            return true;
        }
    }
    return false;
}

/* ---- printing ---------------------------------------------------------------------------- */

static void
object_print(const json_t *object)
{
    (void)json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    (void)fputc('\n', stdout);
}

/* status, class, duplicate; what the answer says of a failure; the reply; the handler's own. */
static json_t *
answer_json(const struct cli *cli, const struct answer *answer)
{
    const uint8_t status_class =
        answer->result < 0 ? 0xFF : zr_status_class((uint16_t)answer->result);
    const bool body = answer->reply != NULL &&
                      (status_class == ZR_CLASS_DONE || status_class == ZR_CLASS_REFUSED);
    const char *name = zr_result_name(answer->result);
    json_t *object = json_object();
    json_t *reply;

    (void)json_object_set_new(
        object, "status", name != NULL ? json_string(name) : status_json((uint16_t)answer->result));
    (void)json_object_set_new(object, "class", json_string(report_class_name(answer->result)));
    (void)json_object_set_new(object, "duplicate", json_boolean(answer->duplicate));
    if (status_class == ZR_CLASS_NOT_EXECUTED) {
        (void)json_object_set_new(object, "retry_after_ms", json_integer(answer->detail));
    }
    if (status_class == ZR_CLASS_BAD_REQUEST && answer->detail != 0) {
        const struct zr_field *field =
            zr_shape_field_at(answer->operation->request, answer->detail);

        (void)json_object_set_new(object, "field",
                                  field != NULL && field->name != NULL ? json_string(field->name)
                                                                       : json_null());
    }
    if (answer->result != 0) {
        (void)json_object_set_new(object, "text", json_string(zr_result_text(answer->result)));
    }
    if (body) {
        reply = output_message(&cli->catalog, answer->operation->reply, answer->reply);
        (void)json_object_update(object, reply);
        json_decref(reply);
    }
    (void)json_object_update(object, cli->extras);
    return object;
}

void
output_answer(struct cli *cli, const struct answer *answer)
{
    json_t *object = answer_json(cli, answer);

    if (cli->settings.json) {
        object_print(object);
    } else {
        human_print_answer(object);
    }
    json_decref(object);
}

/* The list in a page: the one ARRAY of its shape. */
static const char *
list_name(const struct zr_shape *shape)
{
    for (uint16_t i = 0; i < shape->fields_count; i++) {
        if (shape->fields[i].row == ZR_ROW_ARRAY) {
            return shape->fields[i].name;
        }
    }
    return NULL;
}

void
output_page(struct cli *cli, const struct answer *answer)
{
    const char *name = list_name(answer->operation->reply);
    json_t *object = answer_json(cli, answer);

    CHECK(name != NULL);
    if (cli->settings.json) {
        object_print(object);
    } else {
        cli->pages = cli->pages != NULL ? cli->pages : json_array();
        (void)json_array_extend(cli->pages, json_object_get(object, name));
    }
    json_decref(object);
}

void
output_list_end(struct cli *cli)
{
    if (!cli->settings.json && cli->pages != NULL) {
        human_print_table(cli->pages);
    }
}

void
output_request(const struct cli *cli, const struct zr_operation *operation, const void *request)
{
    json_t *object = json_object();
    json_t *fields = output_message(&cli->catalog, operation->request, request);

    (void)json_object_set_new(object, "op", json_string(operation->name));
    (void)json_object_update(object, fields);
    (void)json_object_update(object, cli->extras);
    object_print(object);
    json_decref(fields);
    json_decref(object);
}

void
output_object(const struct cli *cli, json_t *object)
{
    if (cli->settings.json || cli->settings.dry_run) {
        object_print(object);
    } else {
        human_print_answer(object);
    }
    json_decref(object);
}
