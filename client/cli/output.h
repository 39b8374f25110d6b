/*
 * output.h - any message as JSON, made from its descriptors, and as text for people from that.
 */
#ifndef ZR_CLI_OUTPUT_H
#define ZR_CLI_OUTPUT_H

#include "client/cli/cli.h"

/* A message as an object, its fields by their wire names, in wire order. The caller owns it. */
json_t *output_message(const struct catalog *catalog, const struct zr_shape *shape,
                       const void *message);

/* True when a category's name is needed to print messages of the shape. */
bool output_needs_catalog(const struct zr_shape *shape);

/* Print the end of a request on stdout: one JSON object under --json, text otherwise. */
void output_answer(struct cli *cli, const struct answer *answer);

/* Print a page of a list; without --json its rows are kept for output_list_end(). */
void output_page(struct cli *cli, const struct answer *answer);
void output_list_end(struct cli *cli);

/* --dry-run: print the request as JSON. */
void output_request(const struct cli *cli, const struct zr_operation *operation,
                    const void *request);

/* Print an object that no server sent (dev, --dry-run of an import); takes the reference. */
void output_object(const struct cli *cli, json_t *object);

#endif
