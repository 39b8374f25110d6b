/*
 * human.c - see human.h.
 *
 * Takes what JSON prints and makes it easier to read: cents become dollars, moments become UTC,
 * absent things a dash. It is for eyes only and may change; scripts read --json.
 */
#include "client/cli/human.h"

#include "client/cli/text.h"
#include "protocol/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COLUMNS_MAX = 32,
    CELL_BYTES_MAX = 512,
    LABEL_WIDTH = 20,
};

/* Above this a number of milliseconds is a moment, below it a duration: 2001-09-09. */
#define MOMENT_MS_MIN INT64_C(1000000000000)

static bool
ends_with(const char *text, const char *end)
{
    const size_t text_bytes = strlen(text);
    const size_t end_bytes = strlen(end);

    return text_bytes >= end_bytes && strcmp(text + text_bytes - end_bytes, end) == 0;
}

/* ---- one value --------------------------------------------------------------------------- */

static void
cell_number(char cell[CELL_BYTES_MAX], const char *name, json_int_t number)
{
    if (ends_with(name, "_cents")) {
        const unsigned long long cents =
            number < 0 ? 0 - (unsigned long long)number : (unsigned long long)number;

        (void)snprintf(cell, CELL_BYTES_MAX, "%s$%llu.%02llu", number < 0 ? "-" : "", cents / 100,
                       cents % 100);
    } else if (ends_with(name, "_ms") && number >= MOMENT_MS_MIN) {
        char time[TEXT_TIME_BYTES];

        text_from_time(time, (uint64_t)number);
        (void)snprintf(cell, CELL_BYTES_MAX, "%s", time);
    } else {
        (void)snprintf(cell, CELL_BYTES_MAX, "%lld", (long long)number);
    }
}

static void
cell_list(char cell[CELL_BYTES_MAX], const json_t *list)
{
    size_t length = 0;
    size_t i;
    const json_t *item;

    (void)snprintf(cell, CELL_BYTES_MAX, "-");
    json_array_foreach(list, i, item)
    {
        char number[24];

        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(item));
        if (length < CELL_BYTES_MAX) {
            length +=
                (size_t)snprintf(cell + length, CELL_BYTES_MAX - length, "%s%s", i > 0 ? "," : "",
                                 json_is_string(item) ? json_string_value(item) : number);
        }
    }
}

static void
cell_fill(char cell[CELL_BYTES_MAX], const char *name, const json_t *value)
{
    if (json_is_integer(value)) {
        cell_number(cell, name, json_integer_value(value));
    } else if (json_is_string(value)) {
        (void)snprintf(cell, CELL_BYTES_MAX, "%s", json_string_value(value));
    } else if (json_is_boolean(value)) {
        (void)snprintf(cell, CELL_BYTES_MAX, "%s", json_is_true(value) ? "yes" : "no");
    } else if (json_is_array(value)) {
        cell_list(cell, value);
    } else {
        (void)snprintf(cell, CELL_BYTES_MAX, "-");
    }
}

/* "rate_cents" is headed "rate": the cell says its unit. */
static int
label_length(const char *name)
{
    return (int)(strlen(name) - (ends_with(name, "_cents") ? strlen("_cents") : 0));
}

/* Columns a text takes: its UTF-8 characters. */
static int
text_width(const char *text)
{
    int width = 0;

    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80 ? 1 : 0;
    }
    return width;
}

static void
cell_print(const char *cell, int width, bool right)
{
    const int padding = width > text_width(cell) ? width - text_width(cell) : 0;

    (void)printf("%*s%s%*s", right ? padding : 0, "", cell, right ? 0 : padding, "");
}

/* ---- tables ------------------------------------------------------------------------------ */

struct column {
    const char *name;
    int width;
    bool right; /* Numbers stand right. */
};

static size_t
columns_measure(struct column *columns, json_t *rows)
{
    json_t *first = json_array_get(rows, 0);
    size_t count = 0;
    const char *name;
    json_t *value;

    json_object_foreach(first, name, value)
    {
        size_t i;
        const json_t *row;

        CHECK(count < COLUMNS_MAX);
        columns[count] = (struct column){name, label_length(name), json_is_integer(value)};
        json_array_foreach(rows, i, row)
        {
            char cell[CELL_BYTES_MAX];
            int width;

            cell_fill(cell, name, json_object_get(row, name));
            width = text_width(cell);
            columns[count].width = width > columns[count].width ? width : columns[count].width;
        }
        count++;
    }
    return count;
}

void
human_print_table(json_t *rows)
{
    struct column columns[COLUMNS_MAX];
    size_t columns_count;
    size_t i;
    const json_t *row;

    if (json_array_size(rows) == 0) {
        (void)puts("none");
        return;
    }
    columns_count = columns_measure(columns, rows);
    for (size_t c = 0; c < columns_count; c++) {
        char label[CELL_BYTES_MAX];

        (void)snprintf(label, sizeof label, "%.*s", label_length(columns[c].name), columns[c].name);
        (void)fputs(c > 0 ? "  " : "", stdout);
        cell_print(label, columns[c].width, columns[c].right);
    }
    (void)fputc('\n', stdout);
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < columns_count; c++) {
            char cell[CELL_BYTES_MAX];

            cell_fill(cell, columns[c].name, json_object_get(row, columns[c].name));
            (void)fputs(c > 0 ? "  " : "", stdout);
            cell_print(cell, columns[c].width, columns[c].right);
        }
        (void)fputc('\n', stdout);
    }
}

/* ---- replies ----------------------------------------------------------------------------- */

/* What people need not see: the end is on stderr unless it is OK, cursors were followed. */
static bool
line_is_hidden(const char *name, const json_t *value)
{
    return strcmp(name, "status") == 0 || strcmp(name, "class") == 0 || strcmp(name, "text") == 0 ||
           strcmp(name, "next") == 0 || (strcmp(name, "duplicate") == 0 && !json_is_true(value));
}

static bool
value_is_table(const json_t *value)
{
    return json_is_array(value) && json_is_object(json_array_get(value, 0));
}

static void
lines_print(json_t *object, int indent)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        char cell[CELL_BYTES_MAX];

        if (line_is_hidden(name, value) || json_is_object(value) || value_is_table(value)) {
            continue;
        }
        cell_fill(cell, name, value);
        (void)printf("%*s%-*.*s  %s\n", indent, "", LABEL_WIDTH, label_length(name), name, cell);
    }
}

void
human_print_answer(json_t *object)
{
    const char *name;
    json_t *value;

    CHECK(json_is_object(object));
    lines_print(object, 0);
    json_object_foreach(object, name, value)
    {
        if (json_is_object(value)) {
            (void)printf("%s\n", name);
            lines_print(value, 2);
        } else if (value_is_table(value)) {
            (void)printf("\n%s\n", name);
            human_print_table(value);
        }
    }
}

/* ---- streams ----------------------------------------------------------------------------- */

static bool
value_is_absent(const json_t *value)
{
    return json_is_null(value) || (json_is_integer(value) && json_integer_value(value) == 0) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

void
human_print_line(json_t *object)
{
    const char *name;
    const char *gap = "";
    json_t *value;

    CHECK(json_is_object(object));
    json_object_foreach(object, name, value)
    {
        char cell[CELL_BYTES_MAX];

        if (!value_is_absent(value)) {
            cell_fill(cell, name, value);
            (void)printf("%s%.*s=%s", gap, label_length(name), name, cell);
            gap = "  ";
        }
    }
    (void)fputc('\n', stdout);
}
