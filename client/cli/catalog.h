/*
 * catalog.h - names that people use and numbers that the wire uses: categories, contractors.
 */
#ifndef ZR_CLI_CATALOG_H
#define ZR_CLI_CATALOG_H

#include "client/cli/cli.h"

/*
 * The number of a category by its name or number. Under --dry-run nothing is asked: a name gets a
 * stand-in number that prints as that name again. CLI_DONE, or reported.
 */
enum cli_exit catalog_category(struct cli *cli, const char *text, uint16_t *number);

/* The number of a contractor by its number or its 128-bit id. Same under --dry-run: 0 stands in. */
enum cli_exit catalog_contractor(struct cli *cli, const char *text, uint32_t *number);

/* Read all categories unless that was done. Failing is no error here: numbers are printed then. */
void catalog_load(struct cli *cli);

/* Remember one category, as a reply or a list named it. */
void catalog_learn(struct catalog *catalog, uint16_t number, const char *name);

/* Remember every category of a page of the list. */
void catalog_learn_page(struct catalog *catalog, const struct zr_category_list_reply *page);

/* NULL when it is not known. */
const char *catalog_name(const struct catalog *catalog, uint16_t number);

/* The row of a category, read afresh; CLI_DONE or reported. */
enum cli_exit catalog_read_row(struct cli *cli, const char *text, struct zr_category_row *row);

#endif
