/*
 * zips.h - the ZIP table of the generator: where people live, and so where calls come from.
 *
 * Read from the CSV that the server's table was imported from (plain or .gz). Only the columns
 * that shape a load are kept; the others are the importer's business.
 */
#ifndef ZR_BENCH_ZIPS_H
#define ZR_BENCH_ZIPS_H

#include "bench/fault.h"

#include <stdbool.h>
#include <stdint.h>

enum { ZIPS_COUNT_MAX = 100000 };

struct zip_place {
    uint32_t zip;
    uint32_t population; /* 0 = unknown: never drawn by population. */
    double latitude;     /* Degrees. */
    double longitude;
    char city[33]; /* May be empty. */
};

struct zips {
    struct zip_place *places; /* As in the file. */
    uint32_t count;
    uint64_t population; /* Of all of them. */
};

/* Read `path`. Columns are found by the names in its first row: zip, population, lat, lon, city. */
bool zips_open(struct zips *zips, const char *path, struct fault *fault);

void zips_close(struct zips *zips);

#endif
