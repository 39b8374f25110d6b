/*
 * zip_columns.h - what each column of a ZIP file means.
 */
#ifndef ZR_CLI_ZIP_COLUMNS_H
#define ZR_CLI_ZIP_COLUMNS_H

#include "protocol/message.h"

struct zip_column {
    const char *name;
    /* Put the text into the row. NULL = done, else the reason why not. NULL: known, not stored. */
    const char *(*parse)(struct zr_zip_row *row, const char *text);
};

/* By its name in the file's first line, whatever its case; NULL = unknown. */
const struct zip_column *zip_column_find(const char *name);

#endif
