/*
 * fields.h - from the text of options to the fields of a request, by their descriptors.
 */
#ifndef ZR_CLI_FIELDS_H
#define ZR_CLI_FIELDS_H

#include "client/cli/cli.h"

/* The field of that name, NULL when the shape has none. */
const struct zr_field *fields_find(const struct zr_shape *shape, const char *name);

/* Where a field stands in a message. */
void *fields_at(void *message, const struct zr_field *field);
const void *fields_at_const(const void *message, const struct zr_field *field);

/* Where the count of an ARRAY or the length of BYTES stands. */
uint16_t *fields_count_at(void *message, const struct zr_field *field);

/*
 * Fill every field of `request` that a param of the command names, from its text or its fallback.
 * CLI_DONE, or what was wrong (already reported). Syntax is judged before names are looked up.
 */
enum cli_exit fields_fill(struct cli *cli, void *request);

/* Parse `text` as the field's type. NULL = done, else what it should have been. */
const char *fields_parse(void *into, const struct zr_field *field, const char *text);

/*
 * Split a comma-separated option into `zips`; *zips_count of at most zips_max. Every one must be
 * five digits and none may come twice. CLI_DONE or reported.
 */
enum cli_exit fields_parse_zips(const struct cli *cli, const char *option, uint32_t *zips,
                                size_t zips_max, size_t *zips_count);

#endif
