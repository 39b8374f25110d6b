/*
 * zip_csv.c - see zip_csv.h.
 *
 * libcsv says where a field ends, never where it began, and an error without its place is of little
 * use in a file of 33,787 lines. So it is fed one byte at a time (2 MB: some 20 ms) and the place
 * is kept here: a field begins at its first byte that is not blank, an empty one where its
 * delimiter stands. Lines and columns count bytes, from 1, as compilers do.
 *
 * The file's columns may come in any order; what a column means stands in zip_columns.c.
 */
#include "client/cli/zip_csv.h"

#include "client/cli/zip_columns.h"
#include "protocol/check.h"

#include <csv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    COLUMNS_MAX = 64,
    CHUNK_BYTES = 65536,
    VALUE_BYTES = 41,
    CSV_OPTIONS = CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL,
};

struct place {
    unsigned line;
    unsigned column;
};

struct reader {
    const char *path;
    struct zip_table *table;
    struct csv_parser parser;
    struct place at;       /* Of the byte that is parsed. */
    struct place field_at; /* Where the current field began. */
    bool field_begun;      /* A byte of it was seen. */
    bool field_ended;      /* By the byte that is parsed. */
    bool header_done;
    bool row_bad;     /* One of its fields was refused. */
    bool line_broken; /* The parser gave up: pass over the rest of the line. */
    bool stopped;     /* The header is of no use. */
    size_t field_index;
    size_t columns_count;
    const struct zip_column *columns[COLUMNS_MAX]; /* NULL: unknown, passed over. */
    struct zr_zip_row row;
    unsigned zip_lines[ZR_ZIP_MAX + 1]; /* Where a ZIP stood first, 0 = not yet. */
};

/* ---- complaints -------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void
complain(struct reader *reader, struct place place, const char *format, ...)
{
    va_list arguments;

    reader->row_bad = true;
    if (reader->table->errors_count++ >= ZIP_CSV_ERRORS_MAX) {
        return;
    }
    (void)fprintf(stderr, "%s:%u:%u: ", reader->path, place.line, place.column);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

/* A value as it may be shown on one line of a terminal: at most 40 bytes, no controls. */
static void
value_show(char shown[VALUE_BYTES], const char *text)
{
    size_t i = 0;

    for (; i < VALUE_BYTES - 1 && text[i] != '\0'; i++) {
        const unsigned char byte = (unsigned char)text[i];

        shown[i] = (char)(byte < 0x20 || byte == 0x7F ? '?' : byte);
    }
    shown[i] = '\0';
}

/* ---- header ------------------------------------------------------------------------------ */

static void
header_field(struct reader *reader, const char *name)
{
    const struct zip_column *column = zip_column_find(name);

    if (reader->columns_count == COLUMNS_MAX) {
        complain(reader, reader->field_at, "more than %d columns", COLUMNS_MAX);
        reader->stopped = true;
        return;
    }
    if (column == NULL) {
        (void)fprintf(stderr, "%s:%u:%u: warning: unknown column \"%s\" is passed over\n",
                      reader->path, reader->field_at.line, reader->field_at.column, name);
    }
    for (size_t i = 0; column != NULL && i < reader->columns_count; i++) {
        if (reader->columns[i] == column) {
            complain(reader, reader->field_at, "column \"%s\" is there twice", name);
        }
    }
    reader->columns[reader->columns_count++] = column;
}

static void
header_end(struct reader *reader)
{
    const struct zip_column *zip = zip_column_find("zip");

    CHECK(zip != NULL);
    reader->header_done = true;
    for (size_t i = 0; i < reader->columns_count; i++) {
        if (reader->columns[i] == zip) {
            return;
        }
    }
    complain(reader, (struct place){1, 1}, "the first line names no column \"zip\"");
    reader->stopped = true;
}

/* ---- rows -------------------------------------------------------------------------------- */

static void
row_field(struct reader *reader, const char *text, size_t length)
{
    const size_t index = reader->field_index;
    const struct zip_column *column;
    const char *reason;
    char shown[VALUE_BYTES];

    if (index >= reader->columns_count) {
        if (index == reader->columns_count) {
            complain(reader, reader->field_at, "more fields than the %zu of the first line",
                     reader->columns_count);
        }
        return;
    }
    column = reader->columns[index];
    if (column == NULL || column->parse == NULL) {
        return;
    }
    reason = strlen(text) == length ? column->parse(&reader->row, text) : "a NUL byte in it";
    if (reason != NULL) {
        value_show(shown, text);
        complain(reader, reader->field_at, "%s \"%s\": %s", column->name, shown, reason);
    } else if (strcmp(column->name, "zip") == 0) {
        if (reader->zip_lines[reader->row.zip] != 0) {
            complain(reader, reader->field_at, "zip \"%s\": it is on line %u already", text,
                     reader->zip_lines[reader->row.zip]);
        } else {
            reader->zip_lines[reader->row.zip] = reader->field_at.line;
        }
    }
}

static void
row_keep(struct reader *reader)
{
    struct zip_table *table = reader->table;

    if (table->rows_count == table->rows_capacity) {
        const size_t capacity = table->rows_capacity == 0 ? 4096 : table->rows_capacity * 2;
        struct zr_zip_row *rows = reallocarray(table->rows, capacity, sizeof *rows);

        if (rows == NULL) {
            complain(reader, reader->at, "out of memory");
            reader->stopped = true;
            return;
        }
        table->rows = rows;
        table->rows_capacity = capacity;
    }
    table->rows[table->rows_count++] = reader->row;
}

static void
row_end(struct reader *reader)
{
    if (reader->field_index < reader->columns_count) {
        complain(reader, reader->at, "%zu fields, the first line names %zu", reader->field_index,
                 reader->columns_count);
    }
    if (!reader->row_bad) {
        row_keep(reader);
    }
}

static void
row_begin(struct reader *reader)
{
    reader->field_index = 0;
    reader->row_bad = false;
    memset(&reader->row, 0, sizeof reader->row);
    reader->row.claimable = true;
}

/* ---- libcsv's callbacks ------------------------------------------------------------------ */

static void
field_done(void *field, size_t length, void *context)
{
    struct reader *reader = context;

    reader->field_ended = true;
    if (!reader->field_begun) {
        reader->field_at = reader->at;
    }
    if (reader->stopped) {
        return;
    }
    if (reader->header_done) {
        row_field(reader, field, length);
    } else {
        header_field(reader, field);
    }
    reader->field_index++;
}

static void
row_done(int terminator, void *context)
{
    struct reader *reader = context;

    (void)terminator;
    if (reader->stopped) {
        return;
    }
    if (reader->header_done) {
        row_end(reader);
    } else {
        header_end(reader);
    }
    row_begin(reader);
}

/* ---- bytes ------------------------------------------------------------------------------- */

static bool
parser_init(struct reader *reader)
{
    return csv_init(&reader->parser, CSV_OPTIONS) == 0;
}

/* The parser met quotes that are not CSV: say so, pass over this line, begin afresh. */
static void
line_break(struct reader *reader)
{
    complain(reader, reader->at,
             "a quote where none may be: quote the whole field and double the quotes in it");
    csv_free(&reader->parser);
    reader->line_broken = true;
    reader->stopped = reader->stopped || !reader->header_done || !parser_init(reader);
    row_begin(reader);
}

static void
place_move(struct reader *reader, char byte)
{
    if (byte == '\n') {
        reader->at.line++;
        reader->at.column = 1;
    } else {
        reader->at.column++;
    }
}

static void
byte_parse(struct reader *reader, char byte)
{
    if (reader->line_broken) {
        reader->line_broken = byte != '\n';
        reader->field_begun = false;
        return;
    }
    if (!reader->field_begun && (byte == '\0' || strchr(" \t\r\n,", byte) == NULL)) {
        reader->field_begun = true;
        reader->field_at = reader->at;
    }
    reader->field_ended = false;
    if (csv_parse(&reader->parser, &byte, 1, field_done, row_done, reader) != 1) {
        line_break(reader);
    }
    if (reader->field_ended) {
        reader->field_begun = false;
    }
}

static void
bytes_parse(struct reader *reader, const char *bytes, size_t bytes_count)
{
    for (size_t i = 0; i < bytes_count && !reader->stopped; i++) {
        byte_parse(reader, bytes[i]);
        place_move(reader, bytes[i]);
    }
}

/* After the last byte: the row that no newline ended. */
static void
parse_finish(struct reader *reader)
{
    if (!reader->stopped && csv_fini(&reader->parser, field_done, row_done, reader) != 0) {
        complain(reader, reader->field_at, "the quote that opens here is never closed");
    }
    if (!reader->stopped && !reader->header_done) {
        complain(reader, (struct place){1, 1},
                 "the file is empty: its first line names the columns");
    } else if (reader->table->errors_count == 0 && reader->table->rows_count == 0) {
        complain(reader, reader->at, "no rows");
    }
    if (reader->table->errors_count > ZIP_CSV_ERRORS_MAX) {
        (void)fprintf(stderr, "%s: and %zu more\n", reader->path,
                      reader->table->errors_count - ZIP_CSV_ERRORS_MAX);
    }
}

/* ---- the file ---------------------------------------------------------------------------- */

static void
file_parse(struct reader *reader, gzFile file)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* What some spreadsheets put in front of UTF-8. */
    char *chunk = malloc(CHUNK_BYTES);
    bool first = true;
    int read = 0;

    if (chunk == NULL) {
        complain(reader, reader->at, "out of memory");
        return;
    }
    while (!reader->stopped && (read = gzread(file, chunk, CHUNK_BYTES)) > 0) {
        const bool marked = first && read >= 3 && memcmp(chunk, mark, 3) == 0;
        const size_t skip = marked ? 3 : 0;

        bytes_parse(reader, chunk + skip, (size_t)read - skip);
        first = false;
    }
    /* A gzip file that ends early reads as a short one: only its close tells. */
    if (read < 0) {
        int code = 0;

        complain(reader, reader->at, "cannot read on: %s", gzerror(file, &code));
        reader->stopped = true;
    }
    free(chunk);
}

static int
row_compare(const void *left, const void *right)
{
    const struct zr_zip_row *a = left;
    const struct zr_zip_row *b = right;

    return a->zip < b->zip ? -1 : a->zip > b->zip;
}

bool
zip_csv_read(struct zip_table *table, const char *path)
{
    const bool standard_input = strcmp(path, "-") == 0;
    gzFile file = standard_input ? gzdopen(0, "rb") : gzopen(path, "rbe");
    struct reader *reader = calloc(1, sizeof *reader);

    CHECK(table != NULL);
    memset(table, 0, sizeof *table);
    if (file == NULL || reader == NULL) {
        perror(path);
        table->errors_count = 1;
        free(reader);
        if (file != NULL) {
            (void)gzclose(file);
        }
        return false;
    }
    reader->path = standard_input ? "<stdin>" : path;
    reader->table = table;
    reader->at = (struct place){1, 1};
    reader->field_at = reader->at;
    row_begin(reader);
    if (parser_init(reader)) {
        file_parse(reader, file);
        parse_finish(reader);
        csv_free(&reader->parser);
    } else {
        complain(reader, reader->at, "out of memory");
    }
    if (gzclose(file) == Z_BUF_ERROR && !reader->stopped) {
        complain(reader, reader->at, "the gzip file ends in the middle");
    }
    free(reader);
    if (table->rows_count > 0) {
        qsort(table->rows, table->rows_count, sizeof table->rows[0], row_compare);
    }
    return table->errors_count == 0;
}

void
zip_table_free(struct zip_table *table)
{
    free(table->rows);
    memset(table, 0, sizeof *table);
}
