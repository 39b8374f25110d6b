/*
 * zip_csv.h - the ZIP table out of a CSV file, checked to the last row before anything is sent.
 */
#ifndef ZR_CLI_ZIP_CSV_H
#define ZR_CLI_ZIP_CSV_H

#include "protocol/message.h"

#include <stdbool.h>
#include <stddef.h>

enum { ZIP_CSV_ERRORS_MAX = 20 /* Printed; the rest are counted. */ };

struct zip_table {
    struct zr_zip_row *rows; /* Ascending by ZIP, none twice. */
    size_t rows_count;
    size_t rows_capacity;
    size_t errors_count;
};

/*
 * Read FILE.csv, plain or gzip, "-" for standard input. What is wrong is printed to stderr as
 * `file:line:column: reason`. True when every row is good. Free with zip_table_free(), also on
 * false.
 */
bool zip_csv_read(struct zip_table *table, const char *path);

void zip_table_free(struct zip_table *table);

#endif
