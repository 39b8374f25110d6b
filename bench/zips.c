/*
 * zips.c - see zips.h.
 *
 * libcsv calls back per field and per row; a reader collects one row and judges it when it
 * ends. The first bad row stops the reading: a load over half a table would look like a result.
 */
#include "bench/zips.h"

#include "bench/parse.h"
#include "protocol/check.h"
#include "protocol/types.h"

#include <csv.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { READ_BYTES = 65536, ROWS_STEP = 8192 };

enum column { COLUMN_ZIP, COLUMN_POPULATION, COLUMN_LAT, COLUMN_LON, COLUMN_CITY, COLUMNS_COUNT };

static const char *const column_names[COLUMNS_COUNT] = {"zip", "population", "lat", "lon", "city"};

struct reader {
    struct zips *zips;
    const char *path;
    struct fault *fault;
    uint32_t room;                /* Places allocated. */
    uint32_t line;                /* Rows ended so far. */
    uint32_t field;               /* Of the row being read, from 1. */
    uint32_t at[COLUMNS_COUNT];   /* Field number of each column, 0 = not in the file. */
    char text[COLUMNS_COUNT][64]; /* What the row being read has in them. */
    bool failed;
};

static void
reader_fail(struct reader *reader, const char *what)
{
    if (!reader->failed) {
        reader->failed = true;
        (void)fault_set(reader->fault, BENCH_EXIT_USAGE, "%s:%u: %s", reader->path,
                        reader->line + 1, what);
    }
}

static void
field_done(void *bytes, size_t length, void *context)
{
    struct reader *reader = context;
    const char *text = bytes == NULL ? "" : bytes;

    reader->field++;
    if (length >= sizeof reader->text[0]) {
        return; /* No column of ours is that long. */
    }
    for (uint32_t column = 0; column < COLUMNS_COUNT; column++) {
        if (reader->line == 0 && strcmp(text, column_names[column]) == 0) {
            reader->at[column] = reader->field;
        }
        if (reader->line > 0 && reader->at[column] == reader->field) {
            memcpy(reader->text[column], text, length);
            reader->text[column][length] = '\0';
        }
    }
}

static bool
degrees_take(const char *text, double limit, double *degrees)
{
    char *end = NULL;

    *degrees = strtod(text, &end);
    return end != text && *end == '\0' && *degrees >= -limit && *degrees <= limit;
}

static bool
place_reserve(struct reader *reader)
{
    struct zip_place *grown;

    if (reader->zips->count < reader->room) {
        return true;
    }
    if (reader->room >= ZIPS_COUNT_MAX) {
        reader_fail(reader, "more rows than there are ZIP codes");
        return false;
    }
    grown = realloc(reader->zips->places, (reader->room + ROWS_STEP) * sizeof *grown);
    if (grown == NULL) {
        reader_fail(reader, "no memory for the ZIP table");
        return false;
    }
    reader->zips->places = grown;
    reader->room += ROWS_STEP;
    return true;
}

static void
place_take(struct reader *reader)
{
    struct zip_place place = {.zip = 0};

    if (strlen(reader->text[COLUMN_ZIP]) != 5 ||
        !parse_count(reader->text[COLUMN_ZIP], 1, ZR_ZIP_MAX, &place.zip)) {
        reader_fail(reader, "zip is not five digits");
        return;
    }
    if (reader->text[COLUMN_POPULATION][0] != '\0' &&
        !parse_count(reader->text[COLUMN_POPULATION], 0, UINT32_MAX, &place.population)) {
        reader_fail(reader, "population is not a number");
        return;
    }
    if (!degrees_take(reader->text[COLUMN_LAT], 90, &place.latitude) ||
        !degrees_take(reader->text[COLUMN_LON], 180, &place.longitude)) {
        reader_fail(reader, "lat or lon is not in degrees");
        return;
    }
    (void)snprintf(place.city, sizeof place.city, "%.32s", reader->text[COLUMN_CITY]);
    if (place_reserve(reader)) {
        reader->zips->places[reader->zips->count++] = place;
        reader->zips->population += place.population;
    }
}

/* The first row names the columns; all but the city must be there. */
static void
header_judge(struct reader *reader)
{
    for (uint32_t column = 0; column < COLUMN_CITY; column++) {
        if (reader->at[column] == 0) {
            reader_fail(reader, "the first row must name the columns zip, population, lat, lon");
        }
    }
}

static void
row_done(int terminator, void *context)
{
    struct reader *reader = context;

    (void)terminator;
    if (reader->line == 0) {
        header_judge(reader);
    } else if (!reader->failed) {
        place_take(reader);
    }
    memset(reader->text, 0, sizeof reader->text);
    reader->field = 0;
    reader->line++;
}

/* Feed the whole file to libcsv. */
static void
file_read(struct reader *reader, gzFile file, struct csv_parser *parser)
{
    static char bytes[READ_BYTES];
    int got = 1;

    while (got > 0 && !reader->failed) {
        got = gzread(file, bytes, sizeof bytes);
        if (got < 0) {
            reader_fail(reader, "cannot be read or is not a whole .gz file");
        } else if (csv_parse(parser, bytes, (size_t)got, field_done, row_done, reader) !=
                   (size_t)got) {
            reader_fail(reader, csv_strerror(csv_error(parser)));
        }
    }
    (void)csv_fini(parser, field_done, row_done, reader);
}

bool
zips_open(struct zips *zips, const char *path, struct fault *fault)
{
    struct reader reader = {.zips = zips, .path = path, .fault = fault};
    struct csv_parser parser;
    gzFile file;

    CHECK(zips != NULL);
    CHECK(path != NULL);
    *zips = (struct zips){.places = NULL};
    file = gzopen(path, "rb");
    if (file == NULL) {
        return fault_set(fault, BENCH_EXIT_USAGE, "%s: cannot be opened (name it with --zips)",
                         path);
    }
    if (csv_init(&parser, CSV_APPEND_NULL) != 0) {
        (void)gzclose(file);
        return fault_set(fault, BENCH_EXIT_USAGE, "libcsv does not start");
    }
    file_read(&reader, file, &parser);
    csv_free(&parser);
    (void)gzclose(file);
    if (!reader.failed && zips->count == 0) {
        reader_fail(&reader, "no ZIPs in it");
    }
    if (reader.failed) {
        zips_close(zips);
        return false;
    }
    return true;
}

void
zips_close(struct zips *zips)
{
    CHECK(zips != NULL);
    free(zips->places);
    *zips = (struct zips){.places = NULL};
}
